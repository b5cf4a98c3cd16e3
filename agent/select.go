package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
)

// SelectAgent picks an exit for a request: of those that fit and take
// sessions, the less loaded of two random ones, weighted away from exits that
// failed for this host recently; with Query.Session the one that the session
// belongs to. The error is ErrNoAgent, wrapped, when none fits. Under rules
// (WithRules) only agents that know them fit.
//
// Agents that share a slug are one exit: when the link of a dial fails, the
// dial uses another of the same name.
func (p *Pool) SelectAgent(ctx context.Context, q Query) (Exit, error) {
	host, rules := normalHost(q.Host), rulesOf(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return Exit{}, fmt.Errorf("%w: gateway is shutting down", ErrNoAgent)
	}
	if q.Session == "" && len(p.entries) > sampleAbove {
		if c, ok := p.sample(q, rules, host); ok {
			return c.entry.exit, nil
		}
	}
	var found []candidate
	for _, e := range p.entries {
		if c, ok := p.candidate(e, q, rules, host); ok {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return Exit{}, ErrNoAgent
	}
	if q.Session != "" {
		return sticky(found, q).entry.exit, nil
	}
	return choose(found, rand.Float64).entry.exit, nil
}

type candidate struct {
	entry  *entry
	load   float64
	weight float64
}

// candidate is an entry that fits the query and takes sessions under the rules. The
// caller holds mu.
func (p *Pool) candidate(e *entry, q Query, r Rules, host string) (candidate, bool) {
	if !q.Fits(e.exit) || e.hidden(p.owned) {
		return candidate{}, false
	}
	load, ok := e.load(r)
	if !ok {
		return candidate{}, false
	}
	return candidate{e, load, p.health.weight(e.exit.Key(), host)}, true
}

const (
	// sampleAbove is how many exits are looked at each by itself.
	sampleAbove = 1000
	// sampleTries is how many of more are looked at before all are.
	sampleTries = 500
)

// sample draws as choose does, without a look at all: an exit that was drawn evenly
// is kept as often as its weight says. It is not ok when too few fit. The caller
// holds mu.
func (p *Pool) sample(q Query, r Rules, host string) (first candidate, ok bool) {
	drawn := 0
	for range sampleTries {
		c, fits := p.candidate(p.entries[rand.IntN(len(p.entries))], q, r, host)
		if !fits || rand.Float64() >= c.weight {
			continue
		}
		if drawn++; drawn == 1 {
			first = c
			continue
		}
		if (c.load+1)/c.weight < (first.load+1)/first.weight {
			first = c
		}
		return first, true
	}
	return candidate{}, false
}

// choose draws two by weight and takes the one with less to carry for its
// weight. Drawing two and not comparing all keeps many gateways, none of which
// knows the whole load, from all running to the same agent. Both may be the
// same, so that an exit which fares badly is tried again now and then.
func choose(found []candidate, random func() float64) candidate {
	sum := 0.0
	for _, c := range found {
		sum += c.weight
	}
	draw := func() candidate {
		at := random() * sum
		for _, c := range found {
			if at < c.weight {
				return c
			}
			at -= c.weight
		}
		return found[len(found)-1]
	}
	a, b := draw(), draw()
	if (b.load+1)/b.weight < (a.load+1)/a.weight {
		return b
	}
	return a
}

// load is what an exit carries for each of its processes, over all gateways; it is
// not ok when no link to them takes sessions under the rules. The caller holds
// Pool.mu.
func (e *entry) load(r Rules) (load float64, ok bool) {
	if e.own != nil {
		return float64(e.own.sessions.Load()), true
	}
	links := 0
	for _, l := range e.links {
		if l.takes(r) {
			load += float64(l.sessions.Load())
			links++
		}
	}
	processes := links
	for i, l := range e.remote {
		if !l.takes(r) {
			continue
		}
		load += float64(l.Sessions)
		links++
		same := func(other *remoteLink) bool { return other.Instance == l.Instance && other.takes(r) }
		own := func(other *link) bool { return other.instance == l.Instance && other.takes(r) }
		if !slices.ContainsFunc(e.remote[:i], same) && !slices.ContainsFunc(e.links, own) {
			processes++
		}
	}
	return load / float64(max(processes, 1)), links > 0
}

// takes reports whether sessions may be opened over the link under the rules.
func (l *link) takes(r Rules) bool { return !l.draining.Load() && (l.knowsRules || r.empty()) }

// remoteEntry is the exit of the agents that share the name of named.
func (p *Pool) remoteEntry(named Exit) *entry {
	named.key = remoteKey(named)
	named.EnforcesRules = true
	e := &entry{exit: named}
	e.exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := overLinks(ctx, p, named.key, func(l route) (net.Conn, error) { return l.dial(ctx, network, addr) })
		if err != nil {
			p.health.failed(named.key, normalHost(hostOf(addr)), err)
			return nil, err
		}
		return c, nil
	}
	e.exit.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return overLinks(ctx, p, named.key, func(l route) ([]netip.Addr, error) { return l.resolve(ctx, host) })
	}
	e.exit.Report = func(host string, err error) { p.health.report(named.key, normalHost(host), err) }
	return e
}

// localEntry is an exit that Add brought, with its sessions counted.
func (p *Pool) localEntry(own Exit) *entry {
	own = own.Enforce()
	e := &entry{exit: own, own: new(counter)}
	e.exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		e.own.sessions.Add(1)
		open := false
		defer func() { // after a panic, too
			if !open {
				e.own.sessions.Add(-1)
			}
		}()
		c, err := own.DialContext(ctx, network, addr)
		if err != nil {
			de := Classify(err)
			p.health.failed(own.ID, normalHost(hostOf(addr)), de)
			return nil, de
		}
		if c, err = netio.HostConn(c, func(err error) error { return fault.FromHost("exit", err) }); err != nil {
			return nil, err
		}
		open = true
		return e.own.count(c), nil
	}
	e.exit.Report = func(host string, err error) {
		p.health.report(own.ID, normalHost(host), err)
		if own.Report != nil {
			own.Report(host, err)
		}
	}
	return e
}
