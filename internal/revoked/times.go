package revoked

import (
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

// Times are when gateways last said something of a key or of an agent's record. Of two
// things the later one counts, so that what is said next must be later, also when the
// clock of one of them was ahead and was set right. The zero value knows of none. It is
// safe for concurrent use.
type Times struct {
	mu   sync.Mutex
	last bounded.Map[subject, time.Time]
}

type subject struct {
	id    string
	agent bool
}

const remembered = 24 * time.Hour // as long as what was said is told to others

// Heard notes when another gateway said something.
func (t *Times) Heard(id string, agent bool, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(subject{id, agent}, at)
}

// Next returns the time of what this gateway says now.
func (t *Times) Next(id string, agent bool) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := subject{id, agent}
	at := time.Now()
	if last := t.last.Get(s); !at.After(last) {
		at = last.Add(time.Nanosecond)
	}
	t.note(s, at)
	return at
}

func (t *Times) note(s subject, at time.Time) {
	if at.After(t.last.Get(s)) {
		t.last.Set(s, at, func(_ subject, last time.Time) bool { return time.Since(last) > remembered })
	}
}
