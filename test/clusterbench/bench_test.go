package clusterbench

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

const (
	gateways    = 20
	agents      = 1000
	sessionTime = time.Second // of a session while gateways are restarted
)

// BenchmarkCluster measures one cluster.
func BenchmarkCluster(b *testing.B) {
	w := newWorld(b, gateways, agents)
	b.Run("new-agent", w.newAgent)
	for _, way := range []string{"own-link", "one-hop"} {
		b.Run("dial/"+way, func(b *testing.B) { w.dial(b, way == "one-hop") })
	}
	b.Run("rolling-restart", w.rollingRestart)
}

// newAgent is how long it takes from when the first gateway knows a new agent until
// all do.
func (w *world) newAgent(b *testing.B) {
	var slowest time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		slug := fmt.Sprint("new-", rand.Uint64())
		known := func(g *gateway) bool {
			_, err := g.pool.SelectAgent(b.Context(), agent.Query{Slugs: []string{slug}})
			return err == nil
		}
		stop := w.agent(slug, n)
		missing := slices.Clone(w.gateways)
		for len(missing) == gateways {
			missing = slices.DeleteFunc(missing, known)
		}
		b.StartTimer()
		began := time.Now()
		for len(missing) > 0 {
			missing = slices.DeleteFunc(missing, known)
		}
		slowest = max(slowest, time.Since(began))
		b.StopTimer()
		stop()
		w.eventually("the agent is gone", func() bool { return !slices.ContainsFunc(w.gateways, known) })
		n++
		b.StartTimer()
	}
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest")
}

// dial dials agents that the gateway holds, or that others hold.
func (w *world) dial(b *testing.B, hop bool) {
	g := w.gateways[0]
	var exits []agent.Exit
	for _, a := range g.pool.Agents() {
		if slices.Contains(a.Gateways, "gateway-0") != hop {
			e, err := g.pool.SelectAgent(b.Context(), agent.Query{Slugs: []string{a.Slug}})
			if err != nil {
				b.Fatal(err)
			}
			exits = append(exits, e)
		}
	}
	open := func(e agent.Exit) net.Conn {
		c, err := e.DialContext(b.Context(), "tcp", w.target)
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	for _, e := range exits {
		open(e).Close() // so that the connections between the gateways are there
	}
	for b.Loop() {
		open(exits[rand.IntN(len(exits))]).Close()
	}
}

// rollingRestart restarts all gateways one after another while sessions of a second
// come to all of them and leave through all agents.
func (w *world) rollingRestart(b *testing.B) {
	done := false
	for b.Loop() {
		if done { // once tells all
			continue
		}
		done = true
		began := time.Now()
		r := w.restartAll(100, sessionTime)
		took := time.Since(began)
		b.ReportMetric(float64(r.sessions.Load()), "sessions")
		b.ReportMetric(float64(r.ownLost.Load()), "lost-with-their-gateway")
		b.ReportMetric(float64(r.othersLost.Load()), "lost-of-others")
		b.ReportMetric(float64(r.refused.Load()), "not-opened")
		b.ReportMetric(took.Seconds()/gateways, "s/restart")
		if n := r.othersLost.Load(); n > 0 {
			b.Errorf("%d sessions of other gateways were lost", n)
		}
	}
}
