package agent

import (
	"context"
	"slices"
	"time"
)

const (
	balanceEvery = time.Second
	// moveAgain is how long an agent that was asked to move is not asked again.
	moveAgain = 10 * time.Minute
	// A gateway keeps fairShare times the mean, and one link more: agents come and go all
	// the time, and each move drains a link.
	fairShare = 1.2
)

// balance asks agents to link elsewhere, one at a time, while this gateway has far
// more links than the mean of all.
func (c *cluster) balance() {
	every := time.NewTicker(balanceEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-c.pool.ctx.Done():
			return
		}
		if l := c.surplus(time.Now()); l != nil {
			// An agent that cannot be told is lost, and its link with it.
			_ = l.sendControl(control{Type: ctlMove})
		}
	}
}

// surplus is a link that had better be another gateway's; nil: none, or one is
// moving now.
func (c *cluster) surplus(now time.Time) *link {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.leaving.Load() || p.draining {
		return nil
	}
	own, all := 0, 0
	var idlest *link
	for _, e := range p.entries {
		for _, l := range e.links {
			if l.draining.Load() {
				continue
			}
			if now.Sub(l.moved) < moveTimeout {
				return nil
			}
			own++
			if now.Sub(l.moved) > moveAgain && (idlest == nil || l.sessions.Load() < idlest.sessions.Load()) {
				idlest = l
			}
		}
		for _, l := range e.remote {
			if l.Link < ownLinks && !l.Draining {
				all++
			}
		}
	}
	all += own
	gateways := 1
	for _, g := range c.others {
		if !g.leaving {
			gateways++
		}
	}
	if mean := float64(all) / float64(gateways); float64(own) <= fairShare*mean+1 || idlest == nil {
		return nil
	}
	idlest.moved = now
	return idlest
}

// mayMove has agents be asked again that could not move: there is another gateway. The
// caller holds mu.
func (p *Pool) mayMove() {
	for _, e := range p.entries {
		for _, l := range e.links {
			l.moved = time.Time{}
		}
	}
}

const (
	// maxLeaveWait is how long agents have to link elsewhere before the others are
	// told that this gateway leaves.
	maxLeaveWait = 3 * time.Second
	leaveLook    = 20 * time.Millisecond
)

// Leave makes this gateway drain: its agents are told to link elsewhere. When
// they have, or after three seconds, the other gateways are told to send it
// nothing new. What it carries for them goes on until Shutdown. Leave does not
// wait for the agents, Shutdown does. Without a cluster it does nothing.
func (p *Pool) Leave() {
	p.mu.Lock()
	c := p.cluster
	if c == nil || p.draining || c.leaving.Swap(true) {
		p.mu.Unlock()
		return
	}
	p.wg.Go(c.leave) // with mu held, so that all this comes before Shutdown's Wait
	for _, e := range p.entries {
		for _, l := range e.links {
			// One that cannot be told finds out when the link ends.
			p.wg.Go(func() { _ = l.sendControl(control{Type: ctlMove}) })
		}
	}
	p.mu.Unlock()
}

// leave tells the other gateways, once the agents are elsewhere.
func (c *cluster) leave() {
	defer close(c.moved)
	late := time.NewTimer(maxLeaveWait)
	defer late.Stop()
	look := time.NewTicker(leaveLook)
	defer look.Stop()
	for waiting := true; waiting && !c.elsewhere(); {
		select {
		case <-look.C:
		case <-late.C:
			waiting = false
		case <-c.pool.ctx.Done():
			return
		}
	}
	c.left.Store(true)
	c.changed()
}

// elsewhere reports whether each agent of this gateway has a link to another one that
// stays, or no other one is there.
func (c *cluster) elsewhere() bool {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return true
	}
	stays := false
	for _, g := range c.others {
		stays = stays || !g.leaving
	}
	if !stays {
		return true
	}
	for _, e := range p.entries {
		for _, l := range e.links {
			same := func(other *remoteLink) bool { return other.Instance == l.instance && other.takes(Rules{}) }
			if !l.draining.Load() && !slices.ContainsFunc(e.remote, same) {
				return false
			}
		}
	}
	return true
}

// awaitLeave waits until a Leave that has begun is over, or ctx ends.
func (p *Pool) awaitLeave(ctx context.Context) {
	p.mu.Lock()
	c := p.cluster
	p.mu.Unlock()
	if c == nil || !c.leaving.Load() {
		return
	}
	select {
	case <-c.moved:
	case <-ctx.Done():
	}
}
