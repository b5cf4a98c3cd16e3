package hosting

import (
	"context"
	"sync"
	"time"
)

// Turns keep crawls of a process from removing what others have just saved: who looks for
// surplus files goes by a list that may be old by the time that it removes something. All
// methods are safe for concurrent use.
type Turns struct{ *turns }

type turns struct {
	mu       sync.Mutex
	saving   map[string]int           // folders, and how many crawls save there
	removing map[string]chan struct{} // folders, and what is closed when they are removed
	passes   map[*Pass]struct{}
}

// NewTurns returns Turns that nobody has taken.
func NewTurns() Turns {
	return Turns{&turns{saving: map[string]int{}, removing: map[string]chan struct{}{}, passes: map[*Pass]struct{}{}}}
}

// removeTimeout is how long a storage's removal is waited for.
const removeTimeout = 20 * time.Second

// Save begins the saves of a crawl in a folder. It waits while somebody removes the folder.
// saved ends them; only its first call counts.
func (t Turns) Save(ctx context.Context, folder string) (saved func(), err error) {
	late := time.NewTimer(removeTimeout)
	defer late.Stop()
	for overdue := false; ; {
		t.mu.Lock()
		removed := t.removing[folder]
		if removed == nil || overdue {
			t.saving[folder]++
			t.mu.Unlock()
			return sync.OnceFunc(func() { t.saved(folder) }), nil
		}
		t.mu.Unlock()
		select {
		case <-removed:
		case <-late.C:
			overdue = true
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (t *turns) saved(folder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saving[folder]--; t.saving[folder] == 0 {
		delete(t.saving, folder)
	}
	for p := range t.passes {
		p.saved[folder] = true
	}
}

// A Pass looks once for surplus files.
type Pass struct {
	turns *turns
	saved map[string]bool // folders, since the pass began
}

// Begin begins a pass, before it asks which files there are.
func (t Turns) Begin() *Pass {
	p := &Pass{t.turns, map[string]bool{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passes[p] = struct{}{}
	return p
}

// End ends the pass.
func (p *Pass) End() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	delete(p.turns.passes, p)
}

// Remove has a folder removed, unless somebody does so, saves there, or has saved there
// since the pass began. Who saves looks for surplus files afterwards.
func (p *Pass) Remove(folder string, remove func() error) error {
	t := p.turns
	t.mu.Lock()
	if t.removing[folder] != nil || t.saving[folder] > 0 || p.saved[folder] {
		t.mu.Unlock()
		return nil
	}
	removed := make(chan struct{})
	t.removing[folder] = removed
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.removing, folder)
		close(removed)
	}()
	return remove()
}
