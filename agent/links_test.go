package agent_test

import (
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
)

// TestLinks_OfOneInstance_TheHighestNumberStays has an agent say two hellos and open
// the control streams of both links in each order.
func TestLinks_OfOneInstance_TheHighestNumberStays(t *testing.T) {
	for name, order := range map[string][]int{"in their order": {0, 1}, "the later one first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				var work sync.WaitGroup
				var links [2]*yamux.Session
				for i := range links {
					gateway, side := net.Pipe()
					work.Go(func() { p.AttachConn(gateway) })
					send(side, goodHello)
					if n := receive(t, side)["link"]; n != float64(i+1) {
						t.Fatalf("link %v, want %d", n, i+1)
					}
					if links[i], err = yamux.Server(side, nil, nil); err != nil {
						t.Fatal(err)
					}
				}
				for _, i := range order {
					control, err := links[i].OpenStream(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					work.Go(func() { io.Copy(io.Discard, control) })
					synctest.Wait()
				}
				time.Sleep(10 * time.Second) // more than a link has to leave in
				if a := p.Agents(); len(a) != 1 || a[0].Links != 1 || !links[0].IsClosed() || links[1].IsClosed() {
					t.Errorf("%+v is left, closed: %v, %v", a, links[0].IsClosed(), links[1].IsClosed())
				}
				links[0].Close()
				links[1].Close()
				work.Wait()
			})
		})
	}
}

// balancer leads to several servers in turn.
type balancer struct {
	net.Listener
	mu      sync.Mutex
	servers []string
	next    int
	open    []net.Conn
	work    sync.WaitGroup
}

// cut loses all connections, as when those behind them die.
func (b *balancer) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.open {
		c.Close()
	}
}

func balance(t *testing.T, servers ...*httptest.Server) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{Listener: ln}
	for _, s := range servers {
		b.servers = append(b.servers, s.Listener.Addr().String())
	}
	b.work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.carry(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); b.work.Wait() })
	return b
}

func (b *balancer) carry(c net.Conn) {
	defer c.Close()
	b.mu.Lock()
	b.next++
	addr := b.servers[b.next%len(b.servers)]
	b.mu.Unlock()
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer up.Close()
	b.mu.Lock()
	b.open = append(b.open, c, up)
	b.mu.Unlock()
	b.work.Go(func() { io.Copy(up, c); up.Close() })
	io.Copy(c, up)
}

// holders are the gateways that hold the one agent, as a gateway of the cluster sees
// them.
func holders(p *agent.Pool) []string {
	for _, a := range p.Agents() {
		return a.Gateways
	}
	return nil
}

func TestLinks_BehindABalancer_ToDifferentGateways(t *testing.T) {
	d := new(agent.LocalDirectory)
	one, srv1 := join(t, d, "one", nil)
	two, srv2 := join(t, d, "two", nil)
	three, srv3 := join(t, d, "three", nil)
	pools := map[string]*agent.Pool{"one": one, "two": two, "three": three}
	b := balance(t, srv1, srv2, srv3)
	run(t, agent.RunOptions{Gateways: []string{"http://" + b.Addr().String()}, AllowPrivate: true})
	eventually(t, "linked to two gateways", 30*time.Second, func() bool { return len(holders(one)) == 2 })
	first := holders(one)
	leaving := pools[first[0]]
	other := pools[first[1]]

	c := dial(t, selectOne(t, leaving, agent.Query{}), target(t, echo))
	wantEcho(t, c, "before")
	leaving.Leave()
	eventually(t, "linked to the third", 30*time.Second, func() bool {
		now := holders(other)
		return slices.ContainsFunc(now, func(name string) bool { return !slices.Contains(first, name) })
	})
	wantEcho(t, c, "the old link carries what it carried")
	c.Close()
	eventually(t, "the old link has ended", 30*time.Second, func() bool {
		return len(holders(other)) == 2 && !slices.Contains(holders(other), first[0])
	})
	if _, err := leaving.SelectAgent(t.Context(), agent.Query{}); err != nil && !errors.Is(err, agent.ErrNoAgent) {
		t.Error(err)
	}
}

func TestLinks_EachGatewayKnown_NoMoreThanWanted(t *testing.T) {
	d := new(agent.LocalDirectory)
	one, srv1 := join(t, d, "one", nil)
	_, srv2 := join(t, d, "two", nil)
	_, srv3 := join(t, d, "three", nil)
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv1.URL, srv2.URL, srv3.URL}, Links: 2, AllowPrivate: true})
	eventually(t, "linked to two gateways", 30*time.Second, func() bool { return len(holders(one)) == 2 })
	stop()
	eventually(t, "gone", 30*time.Second, func() bool { return len(holders(one)) == 0 })
}

// Agents that all came to one gateway spread when others come.
func TestBalance_OneGatewayHasAll_AgentsMove(t *testing.T) {
	d := new(agent.LocalDirectory)
	one, srv1 := join(t, d, "one", nil)
	b := balance(t, srv1)
	for _, slug := range []string{"de1", "de2", "de3", "de4"} {
		run(t, agent.RunOptions{Gateways: []string{"http://" + b.Addr().String()}, Slug: slug, Country: "DE", Links: 1, AllowPrivate: true})
	}
	attached(t, one, 4)
	_, srv2 := join(t, d, "two", nil)
	b.mu.Lock()
	b.servers = append(b.servers, srv2.Listener.Addr().String())
	b.mu.Unlock()
	eventually(t, "an agent has moved", 30*time.Second, func() bool {
		return slices.ContainsFunc(one.Agents(), func(a agent.Info) bool { return slices.Equal(a.Gateways, []string{"two"}) })
	})
}

// Agents that could not move are asked again when another gateway comes.
func TestBalance_AgentsThatFoundNoOther_MoveToANewOne(t *testing.T) {
	d := new(agent.LocalDirectory)
	one, srv1 := join(t, d, "one", nil)
	join(t, d, "unreachable for agents", nil)
	b := balance(t, srv1)
	for _, slug := range []string{"de1", "de2", "de3", "de4"} {
		run(t, agent.RunOptions{Gateways: []string{"http://" + b.Addr().String()}, Slug: slug, Country: "DE", Links: 1, AllowPrivate: true})
	}
	attached(t, one, 4)
	eventually(t, "one is asked to move", 30*time.Second, func() bool { return one.Asked() > 0 })
	_, srv3 := join(t, d, "three", nil)
	b.mu.Lock()
	b.servers = append(b.servers, srv3.Listener.Addr().String())
	b.mu.Unlock()
	eventually(t, "two agents have moved", 25*time.Second, func() bool {
		moved := 0
		for _, a := range one.Agents() {
			if slices.Equal(a.Gateways, []string{"three"}) {
				moved++
			}
		}
		return moved > 1
	})
}

// An agent that has found one gateway alone is reached through it, while that drains,
// until it is linked to another.
func TestLeave_OnlyLinkOfAnAgent_ReachableUntilLinkedElsewhere(t *testing.T) {
	d := new(agent.LocalDirectory)
	one, srv1 := join(t, d, "one", nil)
	two, srv2 := join(t, d, "two", nil)
	b := balance(t, srv1)
	run(t, agent.RunOptions{Gateways: []string{"http://" + b.Addr().String()}, AllowPrivate: true})
	attached(t, two, 1)
	addr := target(t, echo)
	b.mu.Lock()
	b.servers = append(b.servers, srv2.Listener.Addr().String())
	b.mu.Unlock()
	one.Leave()
	done := make(chan error, 1)
	go func() { done <- one.Shutdown(withTimeout(t)) }()
	for ended := false; !ended; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			ended = true // and once more, when it is gone
		default:
		}
		c := dial(t, selectOne(t, two, agent.Query{}), addr)
		wantEcho(t, c, "reached")
		c.Close()
	}
	if h := holders(two); !slices.Equal(h, []string{"two"}) {
		t.Errorf("held by %v", h)
	}
}
