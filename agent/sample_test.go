package agent_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// TestSelect_ManyAgents_ByTheSameRules has more agents than are looked at each by
// itself.
func TestSelect_ManyAgents_ByTheSameRules(t *testing.T) {
	d := new(stale)
	near, _ := join(t, d, "near", nil)
	h := agent.Holding{Gateway: "far", URL: "https://10.0.0.1"}
	for n := range 3000 {
		country := "DE"
		if n%1000 == 0 {
			country = "AT"
		}
		h.Agents = append(h.Agents, agent.Held{Link: uint64(n), ID: fmt.Sprintf("farwire-a%d", n), Slug: fmt.Sprintf("a%d", n), Country: country,
			Instance: fmt.Sprint(n), EnforcesRules: true, Draining: n == 2, Sessions: n % 2 * 10, Since: time.Now()})
	}
	d.members["near"].Heard(h)
	idle := 0
	seen := map[string]bool{}
	for range 400 {
		e := selectOne(t, near, agent.Query{})
		seen[e.Slug] = true
		var n int
		if _, err := fmt.Sscanf(e.Slug, "a%d", &n); err != nil {
			t.Fatal(err)
		}
		if idle += 1 - n%2; n == 2 {
			t.Error("a draining agent was picked")
		}
		if e := selectOne(t, near, agent.Query{Countries: []string{"AT"}}); e.Country != "AT" {
			t.Errorf("picked %s of %s", e.Slug, e.Country)
		}
	}
	// Of two that are drawn the idle one: three of four, give or take.
	if idle < 240 || idle > 360 || len(seen) < 200 {
		t.Errorf("%d of 400 went to idle agents, %d different ones", idle, len(seen))
	}
	if e := selectOne(t, near, agent.Query{Slugs: []string{"A777"}}); e.Slug != "a777" {
		t.Errorf("pinned: %s", e.Slug)
	}
	if _, err := near.SelectAgent(t.Context(), agent.Query{Slugs: []string{"a2"}}); err == nil {
		t.Error("a pinned agent that drains was picked")
	}
}

func TestSelect_ManyExits_SessionKeepsItsOwn(t *testing.T) {
	var slugs []string
	for n := range 1200 {
		slugs = append(slugs, fmt.Sprint("a", n))
	}
	p := poolOf(t, slugs...)
	for i, home := range homes(t, p, 20) {
		for range 5 {
			if e := selectOne(t, p, session(i)); e.Slug != home {
				t.Fatalf("session %d goes to %s, and then to %s", i, home, e.Slug)
			}
		}
	}
}

func TestSelect_ManyExitsHalfFailForAHost_OthersArePreferredThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const exits = 1200
		refused := &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("refused")}
		var all []agent.Exit
		for n := range exits {
			fail := func() error { return nil }
			if n%2 == 0 {
				fail = func() error { return refused }
			}
			all = append(all, fake(fmt.Sprint("a", n), "DE", fail))
		}
		p := localPool(t, all...)
		for n := 0; n < exits; n += 2 {
			e := selectOne(t, p, agent.Query{Slugs: []string{fmt.Sprint("a", n)}})
			for range 4 {
				if _, err := e.DialContext(t.Context(), "tcp", "poor.test:443"); err == nil {
					t.Fatal("dialled")
				}
			}
		}
		failing := func(host string) (n int) {
			for range 400 {
				var at int
				if _, err := fmt.Sscanf(selectOne(t, p, agent.Query{Host: host}).Slug, "a%d", &at); err != nil {
					t.Fatal(err)
				}
				n += 1 - at%2
			}
			return n
		}
		if n := failing("poor.test"); n > 100 {
			t.Errorf("%d of 400 go to exits that fail for the host", n)
		}
		if n := failing("other.test"); n < 120 || n > 280 {
			t.Errorf("%d of 400 for another host go to those exits", n)
		}
	})
}

// What an exit carries is the mean of its processes, each counted once however many gateways
// it is attached to, and none of those that drain.
func TestSelect_ProcessesOfOneName_CountOnce(t *testing.T) {
	held := func(gateway, slug, instance string, sessions int, draining bool) agent.Held {
		return agent.Held{Link: uint64(len(gateway)*100 + sessions), ID: "farwire-" + slug, Slug: slug, Country: "DE", Instance: instance,
			EnforcesRules: true, Draining: draining, Sessions: sessions, Since: time.Now()}
	}
	for name, c := range map[string]struct {
		far, further []agent.Held
		most         bool // of the picks go to "a", which stands beside "b" with 8 sessions
	}{
		"two processes of 6":             {[]agent.Held{held("far", "a", "1", 6, false), held("far", "a", "2", 6, false)}, nil, true},
		"two processes of 9":             {[]agent.Held{held("far", "a", "1", 9, false), held("far", "a", "2", 9, false)}, nil, false},
		"one of 6 at each of two":        {[]agent.Held{held("far", "a", "1", 6, false)}, []agent.Held{held("further", "a", "1", 6, false)}, false},
		"one of 3 at each of two":        {[]agent.Held{held("far", "a", "1", 3, false)}, []agent.Held{held("further", "a", "1", 3, false)}, true},
		"one of 6, another drains":       {[]agent.Held{held("far", "a", "1", 6, false), held("far", "a", "2", 90, true)}, nil, true},
		"one of 9, another drains":       {[]agent.Held{held("far", "a", "1", 9, false), held("far", "a", "2", 0, true)}, nil, false},
		"two of 6, one link of 1 drains": {[]agent.Held{held("far", "a", "1", 90, true), held("far", "a", "2", 6, false)}, []agent.Held{held("further", "a", "1", 6, false)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := new(stale)
			near, _ := join(t, d, "near", nil)
			m := d.members["near"]
			m.Heard(agent.Holding{Gateway: "far", URL: "https://10.0.0.1", Agents: append(c.far, held("far", "b", "b", 8, false))})
			m.Heard(agent.Holding{Gateway: "further", URL: "https://10.0.0.2", Agents: c.further})
			const picks = 400
			n := 0
			for range picks {
				if selectOne(t, near, agent.Query{}).Slug == "a" {
					n++
				}
			}
			// Three of four draws have both, or the one with less.
			if most := n > picks/2; most != c.most || n < picks/8 || n > picks*7/8 {
				t.Errorf("%d of %d picks", n, picks)
			}
		})
	}
}

func TestSelect_SlugOfAnExitHere_HidesAgentsElsewhere(t *testing.T) {
	d := new(stale)
	near, _ := join(t, d, "near", nil)
	d.members["near"].Heard(agent.Holding{Gateway: "far", URL: "https://10.0.0.1", Agents: []agent.Held{
		{Link: 1, ID: "farwire-x", Slug: "X", Country: "DE", Instance: "1", EnforcesRules: true, Since: time.Now()},
	}})
	if e := selectOne(t, near, agent.Query{}); e.Country != "DE" {
		t.Fatalf("%s of %s", e.Slug, e.Country)
	}
	if err := near.Add(fake("x", "AT", nil)); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if e := selectOne(t, near, agent.Query{}); e.Country != "AT" {
			t.Fatalf("picked the agent of the same slug in %s", e.Country)
		}
	}
}
