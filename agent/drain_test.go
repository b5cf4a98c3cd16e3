package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestExit_OneOfTwoAgentsRefuses_DialsThroughTheOther(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	// The second refuses every session, so the exit has to go on over the first.
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, Logger: quiet})
	attached(t, p, 2)
	if in := p.Agents(); len(in) != 1 || in[0].Links != 2 {
		t.Fatalf("%+v, want one exit with two links", in)
	}
	e := selectOne(t, p, agent.Query{})
	var conns []net.Conn
	for range 40 {
		conns = append(conns, dial(t, e, addr))
	}
	if n := p.Agents()[0].Sessions; n != 40 {
		t.Errorf("%d sessions", n)
	}
	for _, c := range conns {
		wantEcho(t, c, "x")
		c.Close()
	}
	stop()
	attached(t, p, 1)
	wantEcho(t, dial(t, e, addr), "the other link serves on")
}

// One link carries more than a thousand sessions at a time, which is where the
// multiplexer resets streams unless it is told otherwise.
func TestLink_MoreThanAThousandSessions_CarriesAll(t *testing.T) {
	const sessions = 1200
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conns := make([]net.Conn, sessions)
	each := func(do func(i int) error) {
		t.Helper()
		var wg sync.WaitGroup
		failed := make(chan error, sessions)
		for worker := range 16 {
			wg.Go(func() {
				for i := worker; i < sessions; i += 16 {
					if err := do(i); err != nil {
						failed <- fmt.Errorf("session %d: %w", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
	}
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	each(func(i int) (err error) {
		conns[i], err = e.DialContext(ctx, "tcp", addr)
		return err
	})
	if t.Failed() {
		return
	}
	if in := p.Agents()[0]; in.Links != 1 || in.Sessions != sessions || p.Streams() <= sessions {
		t.Fatalf("%+v with %d streams", in, p.Streams())
	}
	// All at once, and each hears itself and no other.
	for round := range 2 {
		said := func(i int) string { return fmt.Sprintf("session %d, round %d", i, round) }
		each(func(i int) error {
			conns[i].SetDeadline(time.Now().Add(30 * time.Second))
			_, err := io.WriteString(conns[i], said(i))
			return err
		})
		each(func(i int) error {
			got := make([]byte, len(said(i)))
			if _, err := io.ReadFull(conns[i], got); err != nil {
				return err
			}
			if string(got) != said(i) {
				return fmt.Errorf("heard %q", got)
			}
			return nil
		})
	}
}

func TestRun_MaxSessionsReached_RefusesMore(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, MaxSessions: 2})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	first := dial(t, e, addr)
	dial(t, e, addr)
	_, err := e.DialContext(t.Context(), "tcp", addr)
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultAgent || de.Error() != "agent overloaded" {
		t.Fatalf("third session: %v", err)
	}
	if s := p.Agents()[0].State; s != agent.Limited {
		t.Errorf("state is %q", s)
	}
	wantEcho(t, first, "x")
	first.Close()
	eventually(t, "free again", 30*time.Second, func() bool {
		c, err := e.DialContext(t.Context(), "tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	// A second agent of the name takes what the first cannot.
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 2)
	for range 20 {
		wantEcho(t, dial(t, e, addr), "x")
	}
}

// A gateway hears of a refused dial, or ends a session, before the agent has done so. Whoever
// dials then finds the place free, and the agent is not taken for one that is full.
func TestRun_MaxSessionsOneAfterTheOther_EachHasItsPlace(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, MaxSessions: 1})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	for i := range 200 {
		_, err := e.DialContext(t.Context(), "tcp", closed.Addr().String())
		if de := agent.Classify(err); de == nil || de.Fault != agent.FaultTarget {
			t.Fatalf("dial %d of a closed port: %v", i, err)
		}
		c, err := e.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatalf("dial %d behind a refused one: %v", i, err)
		}
		c.(agent.Resetter).SetLinger(0)
		c.Close()
	}
}

func TestRun_Draining_EndsItsSessionsFirst(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: time.Minute})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	c := dial(t, e, addr)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	eventually(t, "draining", 30*time.Second, func() bool { return p.Agents()[0].State == agent.Draining })
	if _, err := p.SelectAgent(t.Context(), agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("a draining agent is selected: %v", err)
	}
	_, err := e.DialContext(t.Context(), "tcp", addr)
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultAgent {
		t.Errorf("dialling through a draining agent: %v", err)
	}
	wantEcho(t, c, "the old session goes on")
	select {
	case <-stopped:
		t.Fatal("the agent has left a session behind")
	default:
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Errorf("the last session ends with %q, %v", rest, err)
	}
	<-stopped
	eventually(t, "gone", 30*time.Second, func() bool { return len(p.Agents()) == 0 })
}

func TestRun_DrainTimeoutPasses_CutsSessions(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	cut := make(chan error, 1)
	addr := target(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		cut <- err
	})
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: 50 * time.Millisecond})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	stop()
	_, err := c.Read(make([]byte, 1))
	if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || errors.Is(err, io.EOF) ||
		de.Timeout() || err.Error() != "agent is going away" {
		t.Errorf("gateway reads %v, want the agent's fault", err)
	}
	if err := <-cut; err == nil {
		t.Error("target sees an orderly end of a session that was cut")
	}
}

// A link that its agent drains because it serves on elsewhere: a session that it carries
// still is lost when the agent dies, and ended on purpose when the agent has waited long
// enough.
func TestDrain_ReplacedLinkDies_IsReportedAsLost(t *testing.T) {
	const token = "token-of-agent-one"
	only := record("one", token)
	only.Exclusive = true
	for name, c := range map[string]struct {
		timeout time.Duration
		end     func(b *balancer)
		want    string
	}{
		"dies": {time.Minute, (*balancer).cut, "agent lost"},
		"cuts": {50 * time.Millisecond, func(*balancer) {}, "agent is going away"},
	} {
		t.Run(name, func(t *testing.T) {
			p, srv, book := newPool(t, agent.PoolOptions{Records: []agent.Record{only}})
			b := balance(t, srv)
			o := agent.RunOptions{Gateways: []string{"http://" + b.Addr().String()}, Secret: token, Slug: "one", Country: "DE",
				AllowPrivate: true, DrainTimeout: c.timeout}
			run(t, o)
			attached(t, p, 1)
			conn := dial(t, selectOne(t, p, agent.Query{}), target(t, echo))
			wantEcho(t, conn, "through the older one")
			o.Gateways = []string{srv.URL}
			run(t, o)
			eventually(t, "replaced", 30*time.Second, func() bool { return book.Count("agent drains this link and keeps another") > 0 })
			c.end(b)
			_, err := conn.Read(make([]byte, 1))
			if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || de.Error() != c.want {
				t.Errorf("gateway reads %v, want %q", err, c.want)
			}
		})
	}
}

func TestShutdown_SessionsOpen_WaitsForThem(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	const size = 1 << 20
	got := make(chan int64, 1)
	addr := target(t, func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	eventually(t, "draining", 30*time.Second, func() bool { return p.Agents()[0].State == agent.Draining })
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := <-got; n != size {
		t.Errorf("target got %d of %d bytes", n, size)
	}
	eventually(t, "told", 30*time.Second, func() bool { return book.Count("gateway is shutting down") > 0 })
}

func TestShutdown_DeadlinePasses_CutsSessions(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after the cut: %v", err)
	}
}

func TestShutdown_LocalExits_AreSelectedNoMore(t *testing.T) {
	p := localPool(t, fake("de1", "DE", nil))
	selectOne(t, p, agent.Query{})
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []agent.Query{{}, {Slugs: []string{"de1"}}, {Session: "s"}} {
		if e, err := p.SelectAgent(t.Context(), q); !errors.Is(err, agent.ErrNoAgent) {
			t.Errorf("%+v: selected %q, %v", q, e.Slug, err)
		}
	}
}

func TestAgent_GatewayRestarts_AttachesAgain(t *testing.T) {
	log, _ := newLog(t)
	addr := harness.FreeAddr(t)
	start := func() (*agent.Pool, *http.Server) {
		t.Helper()
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: p}
		go srv.Serve(ln)
		return p, srv
	}
	stopNow := func(p *agent.Pool, srv *http.Server) {
		srv.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.Shutdown(ctx)
	}
	p, srv := start()
	const agents = 20
	var books []*harness.Log
	for i := range agents {
		_, book := run(t, agent.RunOptions{Gateways: []string{"http://" + addr}, Slug: fmt.Sprint("a", i), Country: "DE"})
		books = append(books, book)
	}
	attached(t, p, agents)
	stopNow(p, srv)
	// Unavailable for so long that the agents wait longest between attempts.
	eventually(t, "noticed", 20*time.Second, func() bool {
		for _, b := range books {
			if b.Count("cannot be reached") == 0 {
				return false
			}
		}
		return true
	})
	p, srv = start()
	t.Cleanup(func() { stopNow(p, srv) })
	back := time.Now()
	attached(t, p, agents)
	t.Logf("all back after %v", time.Since(back))
	for _, b := range books {
		eventually(t, "told", 30*time.Second, func() bool { return b.Count("msg=attached") == 2 })
		if n := b.Count("level="); n != 4 {
			t.Errorf("%d lines for four changes of state:\n%s", n, b)
		}
	}
}
