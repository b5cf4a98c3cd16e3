package browser

import (
	"context"
	"slices"
	"sync"
)

// turns hand out tabs. While several owners wait, a tab that becomes free is given to
// one of those that hold the fewest, of these to who has waited longest.
type turns struct {
	mu      sync.Mutex
	free    int
	held    map[string]int // by owner; none is zero
	waiting []*turn        // in the order in which they came
}

type turn struct {
	owner string
	ready chan struct{} // closed when the tab is there
}

func newTurns(tabs int) *turns { return &turns{free: tabs, held: make(map[string]int)} }

// take waits for a tab. Who gets one gives it back.
func (t *turns) take(ctx context.Context, owner string) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.held[owner]++
		t.mu.Unlock()
		return nil
	}
	w := &turn{owner, make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else { // it was given just now
		t.giveBack(owner)
	}
	return context.Cause(ctx)
}

// give gives a tab back.
func (t *turns) give(owner string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(owner)
}

// giveBack hands a tab on; mu is held.
func (t *turns) giveBack(owner string) {
	if t.held[owner]--; t.held[owner] == 0 {
		delete(t.held, owner)
	}
	next := -1
	for i, w := range t.waiting {
		if next < 0 || t.held[w.owner] < t.held[t.waiting[next].owner] {
			next = i
		}
	}
	if next < 0 {
		t.free++
		return
	}
	w := t.waiting[next]
	t.waiting = slices.Delete(t.waiting, next, next+1)
	t.held[w.owner]++
	close(w.ready)
}

// counts returns how many tabs are held, and how many are waited for.
func (t *turns) counts() (held, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.held {
		held += n
	}
	return held, len(t.waiting)
}
