package collector

// Due is what a look decides that finds allocated bytes since the last one.
func Due(allocated, live, objects, free uint64) bool {
	const before = 1 << 40
	return heap{before + allocated, live, objects, free}.due(heap{allocated: before})
}
