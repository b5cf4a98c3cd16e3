package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

var errNoLink = errors.New("no link to the agent")

const (
	// routeTimeout is how long a dial goes on when all ways to an agent have failed
	// that are known: it waits for others, and asks gateways again that did
	// not answer.
	routeTimeout = 3 * time.Second
	askAgain     = 200 * time.Millisecond
)

// overLinks does something over a link to the agents of a key, and over another while
// the fault is an agent's; then through other gateways that hold them, while the fault
// is an agent's or a gateway's. When they have just moved, or their gateway has left,
// it waits for the links that come in place of the old ones.
func overLinks[T any](ctx context.Context, p *Pool, key string, do func(route) (T, error)) (got T, err error) {
	goesOn := func() bool { return err != nil && Classify(err).Fault == FaultAgent && ctx.Err() == nil }
	err = &DialError{FaultAgent, errNoLink}
	var links []*link // that were tried
	var gateways triedGateways
	var late, again *time.Timer
	moved := false
	for {
		now := p.routes(key, rulesOf(ctx))
		own := slices.DeleteFunc(now.links, func(l *link) bool { return slices.Contains(links, l) })
		remote := slices.DeleteFunc(now.holders, func(g remoteGateway) bool { return gateways.has(g.name) })
		if len(own) > 0 {
			if got, err = overOwn(ctx, own, do); !goesOn() {
				return got, err
			}
			links, moved = append(links, own...), moved || movedAway(err)
		}
		for _, g := range remote {
			var l *link
			if l, err = now.cluster.peerTo(ctx, g); err == nil {
				got, err = do(route{l, key})
			}
			if !goesOn() {
				return got, err
			}
			gateways, moved = append(gateways, triedGateway{g.name, err}), moved || movedAway(err)
		}
		switch {
		case len(own)+len(remote) > 0:
			continue // others may have come meanwhile
		case now.cluster == nil || !moved && !movedAway(err):
			return got, err
		case late == nil:
			late, again = time.NewTimer(routeTimeout), time.NewTimer(askAgain)
			defer late.Stop()
			defer again.Stop()
		}
		select {
		case <-now.changed:
		case <-again.C:
			gateways = slices.DeleteFunc(gateways, func(g triedGateway) bool { return errors.Is(g.err, causeGatewayLost) })
			again.Reset(askAgain)
		case <-late.C:
			return got, err
		case <-ctx.Done():
			return got, err
		}
	}
}

// triedGateways are those through which an agent was not reached, and why.
type triedGateways []triedGateway

type triedGateway struct {
	name string
	err  error
}

func (t triedGateways) has(name string) bool {
	return slices.ContainsFunc(t, func(g triedGateway) bool { return g.name == name })
}

// movedAway reports whether an error says that the agent is, or soon will be, reached
// through other gateways.
func movedAway(err error) bool {
	return isAny(err, errNoLink, causeDraining, causeNotHere, causeGatewayLost, causeGatewayBye)
}

// overOwn does something over one of these links of this gateway's own.
func overOwn[T any](ctx context.Context, links []*link, do func(route) (T, error)) (T, error) {
	var none T
	var err error = &DialError{FaultAgent, errNoLink}
	for _, l := range links {
		var got T
		if got, err = do(route{link: l}); err == nil {
			return got, nil
		}
		if Classify(err).Fault != FaultAgent || ctx.Err() != nil {
			break
		}
	}
	return none, err
}

// routes are the ways to the agents of a name, each in the order in which to try them.
type routes struct {
	links   []*link
	cluster *cluster // nil: this gateway is alone
	holders []remoteGateway
	changed <-chan struct{} // closed when there may be others
}

func (p *Pool) routes(key string, r Rules) routes {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := routes{cluster: p.cluster, changed: p.changed}
	e := p.known(key)
	if e == nil {
		return now
	}
	now.links = e.usable(r)
	for _, g := range e.holders(r, rand.Shuffle) {
		now.holders = append(now.holders, *g)
	}
	return now
}

// usable returns the links of an entry that take sessions, the less loaded of two
// random ones first. The caller holds Pool.mu.
func (e *entry) usable(r Rules) (links []*link) {
	for _, l := range e.links {
		if l.takes(r) {
			links = append(links, l)
		}
	}
	rand.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
	if len(links) > 1 && links[1].sessions.Load() < links[0].sessions.Load() {
		links[0], links[1] = links[1], links[0]
	}
	return links
}
