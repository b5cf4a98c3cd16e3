package clusterbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const (
	gateways = 20
	agents   = 1000
	links    = 2

	agentSecret  = "0123456789abcdef-agents"
	tokenSecret  = "0123456789abcdef0123456789abcdef-token"
	drainTimeout = 10 * time.Second
	sessionTime  = time.Second // of a session while gateways are restarted
)

var quiet = slog.New(slog.DiscardHandler)

// A gateway is what farwire serve has of a cluster.
type gateway struct {
	addr    string
	cluster *natscluster.Cluster
	pool    *agent.Pool
	server  *http.Server
}

// A world is the whole cluster.
type world struct {
	b      *testing.B
	nats   *harness.Server
	target string
	ctx    context.Context
	work   sync.WaitGroup

	mu       sync.Mutex
	gateways []*gateway
}

func newWorld(b *testing.B) *world {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &world{b: b, nats: harness.NATS(b), ctx: ctx}
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
	w.b.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.b.Fatalf("not within two minutes: %s", what)
		}
	}
}

// start starts a gateway.
func (w *world) start(name, addr string) (*gateway, error) {
	secrets := func() [][]byte { return [][]byte{[]byte(tokenSecret)} }
	ln, err := net.Listen("tcp", addr)
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
	for i := range 4 {
		o.Gateways = append(o.Gateways, "http://"+w.gateways[(number+i*7)%gateways].addr)
	}
	w.work.Go(func() {
		if err := agent.Run(ctx, o); err != nil && ctx.Err() == nil {
			w.b.Error(err)
		}
	})
	return cancel
}

func (w *world) at(i int) *gateway {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gateways[i]
}

// BenchmarkCluster measures one cluster.
func BenchmarkCluster(b *testing.B) {
	w := newWorld(b)
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
		var sessions, ownLost, othersLost, refused atomic.Int64
		var down atomic.Int64 // the gateway that is restarted
		down.Store(-1)
		ctx, stop := context.WithCancel(b.Context())
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				for ctx.Err() == nil {
					at := rand.IntN(gateways)
					if int64(at) == down.Load() {
						continue // a balancer sends nobody to one that drains
					}
					switch err := w.session(ctx, w.at(at)); {
					case err == nil:
						sessions.Add(1)
					case int64(at) == down.Load():
						ownLost.Add(1)
					case errors.Is(err, errNotOpened):
						refused.Add(1)
						var why *agent.DialError
						if errors.As(err, &why) {
							err = why.Err
						}
						b.Logf("not opened through another gateway: %v", err)
					default:
						othersLost.Add(1)
						b.Logf("of another gateway: %v", err)
					}
				}
			})
		}
		began := time.Now()
		for i := range gateways {
			g := w.at(i)
			down.Store(int64(i))
			if err := w.end(g, drainTimeout); err != nil {
				b.Error(err)
			}
			again, err := w.start(fmt.Sprintf("gateway-%d-again-%d", i, rand.Uint32()), g.addr)
			if err != nil {
				b.Fatal(err)
			}
			w.mu.Lock()
			w.gateways[i] = again
			w.mu.Unlock()
			w.eventually("it knows all agents, and is known to all", func() bool {
				return len(again.pool.Agents()) == agents && again.cluster.Stats().Gateways == gateways
			})
			down.Store(-1)
		}
		took := time.Since(began)
		stop()
		clients.Wait()
		b.ReportMetric(float64(sessions.Load()), "sessions")
		b.ReportMetric(float64(ownLost.Load()), "lost-with-their-gateway")
		b.ReportMetric(float64(othersLost.Load()), "lost-of-others")
		b.ReportMetric(float64(refused.Load()), "not-opened")
		b.ReportMetric(took.Seconds()/gateways, "s/restart")
		if n := othersLost.Load(); n > 0 {
			b.Errorf("%d sessions of other gateways were lost", n)
		}
	}
}

var errNotOpened = errors.New("not opened")

// session echoes numbered messages for a while.
func (w *world) session(ctx context.Context, g *gateway) error {
	e, err := g.pool.SelectAgent(ctx, agent.Query{})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotOpened, err)
	}
	c, err := e.DialContext(ctx, "tcp", w.target)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%w: %w", errNotOpened, err)
	}
	defer c.Close()
	buf := make([]byte, 16)
	for n := range 10 {
		message := fmt.Sprintf("message %08d", n)
		if _, err := io.WriteString(c, message); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != message {
			return fmt.Errorf("message %d came back as %q: %w", n, buf, err)
		}
		time.Sleep(sessionTime / 10)
	}
	return nil
}
