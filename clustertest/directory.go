package clustertest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A gateway is a member of a directory that keeps what it is told.
type gateway struct {
	agent.Membership
	t *testing.T

	mu     sync.Mutex
	own    agent.Holding
	others map[string]*peer
	over   bool // it has left: nothing may be called any more
	told   func(agent.Holding)
}

// A peer is another gateway as a member is told of it.
type peer struct {
	url     string
	leaving bool
	links   map[uint64]agent.Held
}

// join makes a gateway that holds so many agents a member.
func join(t *testing.T, open OpenDirectory, name string, held int) *gateway {
	t.Helper()
	g := &gateway{t: t, others: map[string]*peer{}, own: agent.Holding{Gateway: name, URL: "https://" + name + ".example:8080"}}
	g.own.Agents = links(held)
	g.Membership = open(t, name).Join(agent.Member{Holding: g.holding, Heard: g.received, Lost: g.lost})
	return g
}

// links are the first n links of a gateway.
func links(n int) (list []agent.Held) {
	for i := range n {
		list = append(list, link(i+1))
	}
	return list
}

func link(number int) agent.Held {
	return agent.Held{Link: uint64(number), ID: fmt.Sprintf("farwire-a%d", number), Slug: fmt.Sprintf("a%d", number), Country: "DE",
		Instance: fmt.Sprintf("instance-%d", number), Version: "v1.2.3", EnforcesRules: number%2 == 0,
		ExitIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(number)}), Since: time.Unix(1_700_000_000+int64(number), 123456789)}
}

func (g *gateway) holding() agent.Holding {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.called("Holding")
	h := g.own
	h.Agents = slices.Clone(h.Agents)
	return h
}

// hold changes what the gateway holds, and says so.
func (g *gateway) hold(change func(*agent.Holding)) {
	g.mu.Lock()
	change(&g.own)
	g.mu.Unlock()
	g.Changed()
}

func (g *gateway) received(h agent.Holding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.called("Heard")
	if h.Gateway == g.own.Gateway {
		g.t.Errorf("%s is told of itself", h.Gateway)
	}
	n := g.others[h.Gateway]
	if n == nil || !h.Partial {
		n = &peer{links: map[uint64]agent.Held{}}
		g.others[h.Gateway] = n
	}
	n.url, n.leaving = h.URL, h.Leaving
	for _, l := range h.Agents {
		n.links[l.Link] = l
	}
	for _, number := range h.Gone {
		delete(n.links, number)
	}
	if g.told != nil {
		g.told(h)
	}
}

func (g *gateway) lost(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.called("Lost")
	delete(g.others, name)
}

// called fails when a function is called that may not be. The caller holds mu.
func (g *gateway) called(function string) {
	if g.over {
		g.t.Errorf("%s is called after Leave has returned", function)
	}
}

// sees reports whether the gateway knows exactly what another one holds.
func (g *gateway) sees(other *gateway) bool {
	other.mu.Lock()
	want := other.own
	want.Agents = slices.Clone(want.Agents)
	other.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.others[want.Gateway]
	if n == nil || n.url != want.URL || n.leaving != want.Leaving || len(n.links) != len(want.Agents) {
		return false
	}
	for _, l := range want.Agents {
		got, known := n.links[l.Link]
		if !known || !got.Since.Equal(l.Since) {
			return false
		}
		if got.Since = l.Since; got != l {
			return false
		}
	}
	return true
}

func (g *gateway) knows(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.others[name] != nil
}

// all waits until all of the gateways know what each other one holds.
func all(t *testing.T, gateways ...*gateway) {
	t.Helper()
	for _, g := range gateways {
		for _, other := range gateways {
			if g != other {
				eventually(t, g.own.Gateway+" knows what "+other.own.Gateway+" holds", func() bool { return g.sees(other) })
			}
		}
	}
}

// Who joins is told of those that are there, and they of it; one that holds nothing
// counts too.
func received(t *testing.T, open OpenDirectory) {
	one := join(t, open, "one", 2)
	two := join(t, open, "two", 0)
	three := join(t, open, "three", 3)
	all(t, one, two, three)
}

func changes(t *testing.T, open OpenDirectory) {
	one, two := join(t, open, "one", 1), join(t, open, "two", 1)
	for what, change := range map[string]func(*agent.Holding){
		"another agent":    func(h *agent.Holding) { h.Agents = append(h.Agents, link(7)) },
		"one agent less":   func(h *agent.Holding) { h.Agents = h.Agents[:0] },
		"an agent drains":  func(h *agent.Holding) { h.Agents = links(3); h.Agents[1].Draining = true },
		"sessions":         func(h *agent.Holding) { h.Agents = links(2); h.Agents[0].Sessions = 12 },
		"another instance": func(h *agent.Holding) { h.Agents = links(2); h.Agents[0].Instance = "of another process" },
		"another address":  func(h *agent.Holding) { h.URL = "https://192.0.2.9:1" },
		"it drains":        func(h *agent.Holding) { h.Leaving = true },
	} {
		one.hold(change)
		eventually(t, what, func() bool { return two.sees(one) })
	}
}

// What one says is heard in the order in which it was said.
func order(t *testing.T, open OpenDirectory) {
	one, two := join(t, open, "one", 0), join(t, open, "two", 0)
	var last uint64
	two.mu.Lock()
	two.told = func(h agent.Holding) {
		for _, l := range h.Agents {
			if l.Link < last {
				t.Errorf("link %d comes behind %d", l.Link, last)
			}
			last = l.Link
		}
	}
	two.mu.Unlock()
	for n := range 300 {
		one.hold(func(h *agent.Holding) { h.Agents = []agent.Held{link(n + 1)} })
	}
	eventually(t, "the last has come", func() bool { return two.sees(one) })
}

// As many links as one gateway may have, with names as long as they may be.
func many(t *testing.T, open OpenDirectory) {
	one := join(t, open, "one", 0)
	two := join(t, open, "two", 0)
	for _, n := range []int{3000, 2999, 1, 0, 1500} {
		one.hold(func(h *agent.Holding) {
			h.Agents = links(n)
			for i := range h.Agents {
				h.Agents[i].Slug += "-with-a-name-as-long-as-names-may-be-which-is-63-bytes"
			}
		})
		eventually(t, fmt.Sprintf("%d links", n), func() bool { return two.sees(one) })
	}
	all(t, one, two, join(t, open, "late", 0))
}

// Who has left is told of nothing, and is lost for the others.
func leave(t *testing.T, open OpenDirectory) {
	one, two, three := join(t, open, "one", 1), join(t, open, "two", 1), join(t, open, "three", 1)
	all(t, one, two, three)
	one.Leave()
	one.mu.Lock()
	one.over = true
	one.mu.Unlock()
	eventually(t, "it is lost", func() bool { return !two.knows("one") && !three.knows("one") })
	one.Leave()
	one.Changed()
	two.hold(func(h *agent.Holding) { h.Agents = links(5) })
	all(t, two, three)
	if two.knows("one") || three.knows("one") {
		t.Error("who has left has come again")
	}
}

// Many say at once that they have changed, while others come.
func changedAtOnce(t *testing.T, open OpenDirectory) {
	gateways := []*gateway{join(t, open, "one", 0), join(t, open, "two", 0)}
	var work sync.WaitGroup
	for _, g := range slices.Clone(gateways) {
		for range 4 {
			work.Go(func() {
				for n := range 25 {
					g.hold(func(h *agent.Holding) {
						if h.Agents = append(slices.Clone(h.Agents), link(len(h.Agents)+1)); n%3 == 0 {
							h.Agents = h.Agents[:1]
						}
					})
				}
			})
		}
	}
	gateways = append(gateways, join(t, open, "three", 2))
	work.Wait()
	all(t, gateways...)
	for _, g := range gateways {
		g.mu.Lock()
		if names := slices.Sorted(maps.Keys(g.others)); len(names) != 2 {
			t.Errorf("%s is told of %v", g.own.Gateway, names)
		}
		g.mu.Unlock()
	}
}
