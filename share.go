package farwire

// fullFrom is the part of a process's descriptors, in percent, above which callers
// are held to their share of them.
const fullFrom = 80

// files returns about how many descriptors a session holds.
func (k Kind) files() int {
	for _, row := range kinds {
		if row.kind == k {
			return row.files
		}
	}
	return 0
}

// A holding is what all sessions hold, and those of each caller.
type holding struct {
	files map[string]int // descriptors by subject; none is zero
	sum   int
}

// add counts the descriptors of a session in or, with a negative n, out.
func (h *holding) add(subject string, n int) {
	if h.files == nil {
		h.files = make(map[string]int)
	}
	h.sum += n
	if h.files[subject] += n; h.files[subject] == 0 {
		delete(h.files, subject)
	}
}

// exceedsShare reports whether a caller holds more than its share of the
// descriptors while few are left. What sessions may hold, all that is neither kept
// free nor held by others, is shared evenly by the callers that hold some: one that
// holds nothing is never refused.
func (m *meters) exceedsShare(subject string, open, most int) bool {
	full := most * fullFrom / 100
	if most <= 0 || open <= full {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.holding.files[subject]
	others := max(0, open-m.holding.sum)
	return held > 0 && held >= max(0, full-others)/len(m.holding.files)
}
