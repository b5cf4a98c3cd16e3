package agent

import (
	"context"
	"errors"
	"time"
)

// How many gateways of a cluster an agent links to
//
// Where each gateway stands alone an agent links to every address that it knows.
// Gateways of a cluster reach it through each other, and one address, a load
// balancer's, may lead to any of them. So it keeps as many links as it was told, to
// different gateways: for each address there are more connectors than that, and as
// many of them as links are missing try at a time. An agent that ends at a gateway that is
// linked already is refused as a duplicate, and tries again.
//
// A gateway that leaves, or has far more agents than others, asks for a move: its
// link does not count any more, another is made, and then the old one takes no more
// sessions and ends with those that it has.

const (
	usualLinks = 2
	// moveTimeout is how long another link may take; after it the old one counts
	// again.
	moveTimeout = 30 * time.Second
	// moveDeadline is the longest that sessions keep a link that was moved.
	moveDeadline = 24 * time.Hour
	// duplicateLongest is the longest pause of a connector that finds no other
	// gateway, as behind a balancer that goes by the client's address.
	duplicateLongest = 30 * time.Second
)

var errEnoughLinks = errors.New("there are as many links as are wanted")

// room waits until a link is missing, and returns what says that the attempt to
// make it is over. It reports false when ctx has ended.
func (r *runner) room(ctx context.Context) (done func(), ok bool) {
	for {
		r.mu.Lock()
		if !r.clustered || r.stableLinks()+r.attempts < r.maxLinks {
			r.attempts++
			r.mu.Unlock()
			over := false
			return func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				if !over {
					over = true
					r.attempts--
					r.roomChanged()
				}
			}, true
		}
		wait := r.moreRoom
		r.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (r *runner) inCluster() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clustered
}

// stableLinks is how many links count. The caller holds mu.
func (r *runner) stableLinks() (n int) {
	for _, l := range r.links {
		if !l.moving {
			n++
		}
	}
	return n
}

// roomChanged wakes all that wait for room, or for enough links. The caller holds
// mu.
func (r *runner) roomChanged() {
	close(r.moreRoom)
	r.moreRoom = make(chan struct{})
}

// connectorsFor is how many connectors an address has: one for each link, and one
// for a link that takes the place of another. The caller holds mu.
func (r *runner) connectorsFor() int {
	if r.clustered {
		return r.maxLinks + 1
	}
	return 1
}

// move makes another link in the place of this one, which a gateway asks for.
func (r *runner) move(l *agentLink) {
	r.mu.Lock()
	if l.moving || !r.clustered {
		r.mu.Unlock()
		return
	}
	l.moving = true
	r.roomChanged()
	r.changed() // those that found no other gateway look again
	r.mu.Unlock()
	late := time.NewTimer(moveTimeout)
	defer late.Stop()
	for {
		r.mu.Lock()
		enough, wait := r.stableLinks() >= r.maxLinks, r.moreRoom
		r.mu.Unlock()
		if enough {
			ctx, cancel := context.WithTimeout(context.Background(), moveDeadline)
			defer cancel()
			stop := context.AfterFunc(l.ctx, func() { time.AfterFunc(r.drainTimeout, cancel) })
			defer stop()
			l.drain(ctx, codeMoved)
			return
		}
		select {
		case <-wait:
		case <-l.mux.CloseChan():
			return
		case <-late.C:
			r.mu.Lock()
			l.moving = false
			r.roomChanged()
			r.mu.Unlock()
			return
		}
	}
}
