package agent

import (
	"sync"
	"time"
)

// placePatience is how long a session waits for its place among RunOptions.MaxSessions. A
// gateway may know of a session's end before its place is free.
const placePatience = 100 * time.Millisecond

// places are those of an agent's sessions.
type places struct {
	most int // 0: no limit

	mu    sync.Mutex
	taken int
	freed chan struct{} // closed when a place is given back; nil: nobody waits
}

// take reports whether there was a place, which give gives back. Otherwise freed is closed
// when it is worth trying again.
func (p *places) take() (ok bool, freed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most == 0 || p.taken < p.most {
		p.taken++
		return true, nil
	}
	if p.freed == nil {
		p.freed = make(chan struct{})
	}
	return false, p.freed
}

func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.freed != nil {
		close(p.freed)
		p.freed = nil
	}
}

// await is take that waits for a while.
func (p *places) await() bool {
	late := time.NewTimer(placePatience)
	defer late.Stop()
	for {
		ok, freed := p.take()
		if ok {
			return true
		}
		select {
		case <-freed:
		case <-late.C:
			return false
		}
	}
}

// enter counts a session in, or says why not.
func (r *runner) enter(l *agentLink) cause {
	if l.draining.Load() {
		return causeDraining
	}
	ok, _ := r.places.take()
	if !ok {
		var err error
		if ok, err = underWay(l.inflow, func() (bool, error) { return r.places.await(), nil }); err != nil || !ok {
			return causeOverloaded
		}
	}
	if l.draining.Load() {
		r.places.give()
		return causeDraining
	}
	return ""
}

func (r *runner) leave() { r.places.give() }

func (r *runner) began(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[s] = struct{}{}
}

func (r *runner) ended(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, s)
}
