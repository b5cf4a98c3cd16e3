//go:build unix

package natscluster_test

import (
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// BenchmarkCluster has 20 gateways in this process hold 1000 agents with two links
// each, and measures how long it takes until a new agent is known to all, and what
// the directory costs all of them while nothing and while everything changes.
func BenchmarkCluster(b *testing.B) {
	const gateways, links = 20, 100
	s := harness.NATS(b)
	type member struct {
		*natscluster.Cluster
		agent.Membership
		mu    sync.Mutex
		own   agent.Holding
		heard chan uint64 // numbers of links of the first gateway
	}
	secrets := func() [][]byte { return [][]byte{[]byte(secret)} }
	all := make([]*member, gateways)
	for i := range all {
		m := &member{heard: make(chan uint64, 1<<16)}
		m.own = agent.Holding{Gateway: fmt.Sprintf("gateway-%d", i), URL: fmt.Sprintf("https://10.0.0.%d:8080", i)}
		for n := range links {
			m.own.Agents = append(m.own.Agents, agent.Held{Link: uint64(n), ID: fmt.Sprintf("farwire-agent-%d", n), Slug: fmt.Sprintf("agent-%d", n),
				Country: "DE", Instance: fmt.Sprintf("%026d", i*links+n), Version: "v1.0.0", EnforcesRules: true, Since: time.Now()})
		}
		c, err := natscluster.Open(natscluster.Options{URL: s.URL, Name: m.own.Gateway, Secrets: secrets, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		m.Cluster = c
		m.Membership = c.Join(agent.Member{
			Holding: func() agent.Holding { m.mu.Lock(); defer m.mu.Unlock(); return m.own },
			Heard: func(h agent.Holding) {
				if h.Gateway == "gateway-0" && h.Partial {
					for _, l := range h.Agents {
						if l.Link >= links {
							m.heard <- l.Link
						}
					}
				}
			},
			Lost: func(string) {},
		})
		all[i] = m
	}
	for _, m := range all {
		for end := time.Now().Add(harness.Timeout); m.Stats().Gateways < gateways; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				b.Fatal("not all gateways are heard of")
			}
		}
	}
	b.Run("new", func(b *testing.B) {
		number := uint64(links)
		for b.Loop() {
			number++
			first := all[0]
			first.mu.Lock()
			first.own.Agents = append(append([]agent.Held(nil), first.own.Agents[:links]...),
				agent.Held{Link: number, ID: "farwire-new", Slug: "new", Country: "DE", Instance: fmt.Sprint(number), Since: time.Now()})
			first.mu.Unlock()
			first.Changed()
			for _, m := range all[1:] {
				for got := uint64(0); got != number; {
					got = <-m.heard
				}
			}
		}
	})
	for _, c := range []struct {
		name string
		busy bool
	}{{"idle", false}, {"busy", true}} {
		b.Run(c.name, func(b *testing.B) {
			const watched = 3 * time.Second
			messages := func() (n uint64) {
				for _, m := range all {
					n += m.Stats().Published
				}
				return n
			}
			for b.Loop() {
				before, cpu := messages(), used()
				for end := time.Now().Add(watched); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					for i, m := range all {
						m.mu.Lock()
						m.own.Agents = append([]agent.Held(nil), m.own.Agents...)
						for n := range m.own.Agents {
							if c.busy {
								m.own.Agents[n].Sessions = (m.own.Agents[n].Sessions + i + 1) % 1000
							}
						}
						m.mu.Unlock()
					}
				}
				b.ReportMetric(float64(messages()-before)/watched.Seconds()/gateways, "msgs/s/gateway")
				b.ReportMetric(float64((used()-cpu).Microseconds())/1000/watched.Seconds()/gateways, "cpu-ms/s/gateway")
			}
		})
	}
}

// used is the processor time of this process so far.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
