package agent_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const secret = "0123456789abcdef-secret"

var quiet = slog.New(slog.DiscardHandler)

// newLog returns a log that is shown when the test has failed.
func newLog(t *testing.T) (*slog.Logger, *harness.Log) {
	t.Helper()
	b := new(harness.Log)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("\n" + b.String())
		}
	})
	return b.Logger(), b
}

// newPool makes a pool and serves it over loopback.
func newPool(t *testing.T, o agent.PoolOptions) (*agent.Pool, *httptest.Server, *harness.Log) {
	t.Helper()
	if o.Secret == "" && len(o.Records) == 0 {
		o.Secret = secret
	}
	log, book := newLog(t)
	o.Logger = log
	p, err := agent.NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(p)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.Shutdown(ctx)
		srv.Close()
	})
	return p, srv, book
}

// run starts an agent and returns what stops it and waits.
func run(t *testing.T, o agent.RunOptions) (stop func(), book *harness.Log) {
	t.Helper()
	log, book := newLog(t)
	if o.Logger == nil {
		o.Logger = log
	}
	if o.Secret == "" {
		o.Secret = secret
	}
	if o.Slug == "" {
		o.Slug, o.Country = "de1", "DE"
	}
	o.AllowCleartext = true // gw.test is on loopback, but nobody knows that
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(stop)
	return stop, book
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: not %s", within, what)
		}
	}
}

func attached(t *testing.T, p *agent.Pool, n int) {
	t.Helper()
	eventually(t, "attached", 30*time.Second, func() bool {
		links := 0
		for _, a := range p.Agents() {
			if a.State != agent.Draining {
				links += a.Links
			}
		}
		return links == n
	})
}

func selectOne(t *testing.T, p *agent.Pool, q agent.Query) agent.Exit {
	t.Helper()
	e, err := p.SelectAgent(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// dial opens a connection through an exit. Where the way leads over another gateway a busy
// machine may make the link to it later than a dial waits for it: that is no failure, and
// who asks again finds the link.
func dial(t *testing.T, e agent.Exit, addr string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := e.DialContext(ctx, "tcp", addr)
	for err != nil && strings.Contains(err.Error(), "it does not answer") && ctx.Err() == nil {
		c, err = e.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// target listens and hands each connection to serve.
func target(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	return harness.Conns(t, func(c net.Conn) { serve(c.(*net.TCPConn)) }).Addr().String()
}

func echo(c *net.TCPConn) {
	io.Copy(c, c)
	c.CloseWrite()
}

func wantEcho(t *testing.T, c net.Conn, s string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(s))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != s {
		t.Fatalf("echo is %q, want %q", got, s)
	}
	c.SetDeadline(time.Time{})
}
