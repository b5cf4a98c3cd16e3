package agent_test

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// attachBench runs a pool and an agent over loopback, in this process.
func attachBench(b *testing.B) agent.Exit {
	b.Helper()
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(p)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		agent.Run(ctx, agent.RunOptions{
			Gateways: []string{srv.URL}, Secret: secret, Slug: "de1", Country: "DE", AllowPrivate: true, Logger: quiet, DrainTimeout: -1,
		})
	})
	b.Cleanup(func() { cancel(); wg.Wait(); p.Shutdown(ctx); srv.Close() })
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if e, err := p.SelectAgent(ctx, agent.Query{}); err == nil {
			return e
		}
		if time.Now().After(end) {
			b.Fatal("the agent does not attach")
		}
	}
}

// BenchmarkEcho is a message of 128 bytes to the target and back.
func BenchmarkEcho(b *testing.B) {
	e := attachBench(b)
	c, err := e.DialContext(b.Context(), "tcp", harness.Conns(b, func(c net.Conn) { io.Copy(c, c) }).Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBulk is 64 KiB from the target.
func BenchmarkBulk(b *testing.B) {
	e := attachBench(b)
	c, err := e.DialContext(b.Context(), "tcp", harness.Conns(b, func(c net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}).Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDial opens a session and closes it.
func BenchmarkDial(b *testing.B) {
	e := attachBench(b)
	addr := harness.Conns(b, func(c net.Conn) { io.Copy(io.Discard, c) }).Addr().String()
	b.ReportAllocs()
	for b.Loop() {
		c, err := e.DialContext(b.Context(), "tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkIdle reports what a session that has been used holds while it is
// idle: the gateway's part and the agent's together, and the target's socket.
func BenchmarkIdle(b *testing.B) {
	e := attachBench(b)
	addr := harness.Conns(b, func(c net.Conn) { io.Copy(c, c) }).Addr().String()
	const sessions = 1000
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	for b.Loop() {
		before, goroutines := inUse(), runtime.NumGoroutine()
		var conns []net.Conn
		for range sessions {
			c, err := e.DialContext(b.Context(), "tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			c.Write([]byte("hello"))
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				b.Fatal(err)
			}
			conns = append(conns, c)
		}
		b.ReportMetric(float64(inUse()-before)/sessions, "B/session")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/sessions, "goroutines/session")
		for _, c := range conns {
			c.Close()
		}
	}
}
