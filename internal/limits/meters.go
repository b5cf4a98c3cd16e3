package limits

import (
	"maps"
	"sync"

	"github.com/farwire/farwire/internal/bounded"
)

// An Account is whom something counts for.
type Account struct {
	Name    string // no two callers share one
	Subject string // whose descriptors are shared
}

// A Use is what an account has used, and has running.
type Use struct {
	Active map[string]int // sessions of each kind
	Total  map[string]uint64

	BytesToTarget, BytesToClient int64
	Refused                      uint64
}

// Meters counts sessions for each account, to enforce what may run at a time
// and to tell callers what they used. An account that has nothing running may
// be forgotten when there are very many. They are safe for concurrent use.
type Meters struct {
	mu      sync.Mutex
	of      bounded.Map[string, *Use]
	holding holding
}

// NewMeters returns Meters of which every account has used nothing.
func NewMeters() *Meters {
	return &Meters{of: bounded.Map[string, *Use]{Least: manyAccounts}}
}

// Begin counts a session in that holds so many descriptors, or says that the account has
// as many of the kind as it may; most is no limit unless it is positive.
func (m *Meters) Begin(a Account, kind string, descriptors, most int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.get(a)
	if most > 0 && u.Active[kind] >= most {
		u.Refused++
		return false
	}
	u.Active[kind]++
	u.Total[kind]++
	m.holding.add(a.Subject, descriptors)
	return true
}

// End counts a session out with the bytes that it carried.
func (m *Meters) End(a Account, kind string, descriptors int, toTarget, toClient int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.get(a)
	u.Active[kind]--
	m.holding.add(a.Subject, -descriptors)
	u.BytesToTarget += toTarget
	u.BytesToClient += toClient
}

// Refuse counts a refusal.
func (m *Meters) Refuse(a Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.get(a).Refused++
}

// Read returns a copy of what the account has used.
func (m *Meters) Read(a Account) Use {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := *m.get(a)
	u.Active, u.Total = maps.Clone(u.Active), maps.Clone(u.Total)
	return u
}

// manyAccounts is how many are kept whether they have anything running or not.
const manyAccounts = 100_000

func (m *Meters) get(a Account) *Use {
	if u := m.of.Get(a.Name); u != nil {
		return u
	}
	u := &Use{Active: make(map[string]int), Total: make(map[string]uint64)}
	m.of.Set(a.Name, u, func(_ string, u *Use) bool { return u.idle() })
	return u
}

// idle reports that the account has nothing running.
func (u *Use) idle() bool {
	for _, n := range u.Active {
		if n > 0 {
			return false
		}
	}
	return true
}

// fullFrom is the part of a process's descriptors, in percent, above which callers
// are held to their share of them.
const fullFrom = 80

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

// ExceedsShare reports whether a caller holds more than its share of the
// descriptors while few are left: open of most are. What sessions may hold, all that is neither kept
// free nor held by others, is shared evenly by the callers that hold some: one that
// holds nothing is never refused.
func (m *Meters) ExceedsShare(subject string, open, most int) bool {
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
