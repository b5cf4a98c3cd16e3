package agent

import (
	"time"
)

const (
	balanceEvery = time.Second
	// moveAgain is how long an agent that was asked to move is not asked again.
	moveAgain = 10 * time.Minute
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
			_ = l.say(control{Type: ctlMove})
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
		for _, l := range e.far {
			if l.Link < ownLinks && !l.Draining {
				all++
			}
		}
	}
	all += own
	gateways := 1
	for _, g := range c.far {
		if !g.leaving {
			gateways++
		}
	}
	if mean := float64(all) / float64(gateways); float64(own) <= 1.2*mean+1 || idlest == nil {
		return nil
	}
	idlest.moved = now
	return idlest
}
