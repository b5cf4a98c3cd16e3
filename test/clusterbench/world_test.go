package clusterbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const (
	links = 2 // of an agent

	agentSecret  = "0123456789abcdef-agents"
	tokenSecret  = "0123456789abcdef0123456789abcdef-token"
	drainTimeout = 10 * time.Second
)

var quiet = slog.New(slog.DiscardHandler)

// A gateway is what farwire serve has of a cluster.
type gateway struct {
	addr    string
	cluster *natscluster.Cluster
	pool    *agent.Pool
	server  *http.Server

	away atomic.Bool // it drains, or knows nobody yet: a balancer sends no one there
}

// A world is the whole cluster.
type world struct {
	testing.TB
	nats   *harness.Server
	target string
	ctx    context.Context
	agents int
	work   sync.WaitGroup

	mu       sync.Mutex
	gateways []*gateway
}

func newWorld(b testing.TB, gateways, agents int) *world {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &world{TB: b, nats: harness.NATS(b), ctx: ctx, agents: agents}
	b.Cleanup(func() {
		stop()
		for _, g := range w.gateways {
			if err := w.end(g, 0); err != nil {
				b.Error(err)
			}
		}
		w.work.Wait()
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	w.target = ln.Addr().String()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer c.Close()
				io.Copy(c, c) // until the other side ends it
			}()
		}
	}()
	for i := range gateways {
		g, err := w.start(fmt.Sprint("gateway-", i), "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		w.gateways = append(w.gateways, g)
	}
	for i := range agents {
		w.agent(fmt.Sprint("agent-", i), i)
	}
	for _, g := range w.gateways {
		w.eventually("all agents are known", func() bool {
			n := 0
			for _, a := range g.pool.Agents() {
				n += a.Links
			}
			return n == agents*links
		})
	}
	return w
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("not within two minutes: %s", what)
		}
	}
}

// start starts a gateway.
func (w *world) start(name, addr string) (*gateway, error) {
	secrets := func() [][]byte { return [][]byte{[]byte(tokenSecret)} }
	// The port of a gateway that is started again may be taken for a moment, by a
	// connection of anybody's.
	ln, err := net.Listen("tcp", addr)
	for late := time.Now().Add(time.Minute); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(late); {
		time.Sleep(10 * time.Millisecond)
		ln, err = net.Listen("tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	g := &gateway{addr: ln.Addr().String()}
	if g.pool, err = agent.NewPool(agent.PoolOptions{Secret: agentSecret, Logger: quiet}); err != nil {
		return nil, err
	}
	g.cluster, err = natscluster.Open(natscluster.Options{URL: w.nats.URL, Name: name, Secrets: secrets, Logger: quiet})
	if err != nil {
		return nil, err
	}
	err = g.pool.Join(agent.ClusterOptions{Name: name, URL: func() string { return "http://" + g.addr }, Secrets: secrets, Directory: g.cluster})
	if err != nil {
		return nil, err
	}
	g.server = &http.Server{Handler: g.pool}
	go g.server.Serve(ln) // until Close
	return g, nil
}

// end drains a gateway as the program does.
func (w *world) end(g *gateway, timeout time.Duration) error {
	if timeout > 0 {
		g.pool.Leave()
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := g.pool.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // what it carried was cut
	}
	return errors.Join(err, g.server.Close(), g.cluster.Close())
}

// agent starts one that knows four of the gateways.
func (w *world) agent(slug string, number int) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	o := agent.RunOptions{Secret: agentSecret, Slug: slug, Country: "DE", AllowPrivate: true, Links: links, Logger: quiet, DrainTimeout: -1}
	for i := range min(4, len(w.gateways)) {
		o.Gateways = append(o.Gateways, "http://"+w.gateways[(number+i*7)%len(w.gateways)].addr)
	}
	w.work.Go(func() {
		if err := agent.Run(ctx, o); err != nil && ctx.Err() == nil {
			w.Error(err)
		}
	})
	return cancel
}

func (w *world) at(i int) *gateway {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gateways[i]
}
