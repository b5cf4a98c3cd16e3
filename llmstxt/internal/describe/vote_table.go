package describe

// A voteTable counts votes by the hashes of what they are for. A site has a hundred thousand runs of
// words, and each look at one is a wait for memory: in this table, unlike a map, one look finds the
// votes for a run and the place to count another.
type voteTable struct {
	slots []vote // a power of two; a third or more of them are free
	used  int
}

// vote says how many pages have a run. One without any is free.
type vote struct {
	run         uint64
	count, last int32 // last is the page that voted last, so that each has one vote
}

func newVoteTable() voteTable { return voteTable{slots: make([]vote, 1<<12)} }

// of is where the votes for a run are, or may be.
func (t *voteTable) of(run uint64) *vote {
	for i := run; ; i++ {
		if v := &t.slots[i&uint64(len(t.slots)-1)]; v.run == run || v.count == 0 {
			return v
		}
	}
}

// pages is how many pages have voted for a run.
func (t *voteTable) pages(run uint64) int32 { return t.of(run).count }

// vote counts that of a page, which numbers from 1, and reports false if the page has voted for the
// run, or if there is no room for another run.
func (t *voteTable) vote(run uint64, page int32) bool {
	v := t.of(run)
	if v.last == page || v.count == 0 && t.used >= maxCount {
		return false
	}
	if v.count == 0 {
		t.used++
	}
	*v = vote{run, v.count + 1, page}
	if 3*t.used > 2*len(t.slots) {
		t.grow()
	}
	return true
}

func (t *voteTable) grow() {
	old := t.slots
	t.slots = make([]vote, 2*len(old))
	for _, v := range old {
		if v.count > 0 {
			*t.of(v.run) = v
		}
	}
}
