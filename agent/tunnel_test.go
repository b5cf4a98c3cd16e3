package agent_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestTunnel_Sessions_CarryBytes(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, Version: "1.2.3"})
	attached(t, p, 1)

	e := selectOne(t, p, agent.Query{Slugs: []string{"DE1"}, Countries: []string{"de"}})
	if e.ID != "farwire-de1" || e.Slug != "de1" || e.Country != "DE" {
		t.Errorf("exit is %q %q %q", e.ID, e.Slug, e.Country)
	}
	c := dial(t, e, addr)
	if c.RemoteAddr().String() != addr {
		t.Errorf("remote address is %v, want %s", c.RemoteAddr(), addr)
	}
	wantEcho(t, c, "hello")
	big := strings.Repeat("0123456789abcdef", 1<<16)
	go io.WriteString(c, big)
	got := make([]byte, len(big))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != big {
		t.Fatalf("1 MiB came back damaged, %v", err)
	}

	in := p.Agents()[0]
	if in.Sessions != 1 || in.Links != 1 || in.Version != "1.2.3" || in.State != agent.Available {
		t.Errorf("info is %+v", in)
	}
	eventually(t, "a round trip measured", 30*time.Second, func() bool { return p.Agents()[0].RTT > 0 })

	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(got); n != 0 || err != io.EOF {
		t.Errorf("after half-close: %d, %v, want EOF", n, err)
	}
	c.Close()
	eventually(t, "without sessions", 30*time.Second, func() bool { return p.Agents()[0].Sessions == 0 })
	if n := book.Count("msg=attached"); n != 1 {
		t.Errorf("attached is logged %d times", n)
	}
}

func TestTunnel_DialFails_NamesTheFault(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	c := newCanary(t)
	nobody := harness.FreeAddr(t)
	resolver := fixed(map[string][]string{"loop.test": {"127.0.0.1"}, "public.test": {"8.8.8.8", "2606:4700::1"}})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "open", Country: "DE", AllowPrivate: true, Resolver: resolver})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "shut", Country: "US", Resolver: resolver})
	attached(t, p, 2)

	for _, tc := range []struct {
		slug, addr string
		fault      agent.Fault
		text       string
	}{
		{"open", nobody, agent.FaultTarget, "connection refused"},
		{"open", "nobody.test:80", agent.FaultTarget, "no such host"},
		{"open", "127.0.0.1:0", agent.FaultTarget, "invalid address"},
		{"shut", "127.0.0.1:" + c.port, agent.FaultPolicy,
			`target "127.0.0.1" is private: this agent reaches private addresses only with --allow-private`},
		{"shut", "loop.test:" + c.port, agent.FaultPolicy,
			`target "loop.test" is private: this agent reaches private addresses only with --allow-private`},
		{"shut", "224.0.0.1:80", agent.FaultPolicy, `target "224.0.0.1" is not a public address`},
	} {
		e := selectOne(t, p, agent.Query{Slugs: []string{tc.slug}})
		_, err := e.DialContext(t.Context(), "tcp", tc.addr)
		var de *agent.DialError
		if !errors.As(err, &de) || de.Fault != tc.fault || err.Error() != tc.text {
			t.Errorf("%s %s: %v, want %v: %s", tc.slug, tc.addr, err, tc.fault, tc.text)
		}
	}
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}
	_, err := selectOne(t, p, agent.Query{Slugs: []string{"open"}}).DialContext(t.Context(), "tcp", nobody)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not ECONNREFUSED", err)
	}

	shut := selectOne(t, p, agent.Query{Slugs: []string{"shut"}})
	if addrs, err := shut.Resolve(t.Context(), "public.test"); err != nil || len(addrs) != 2 || addrs[0].String() != "8.8.8.8" {
		t.Errorf("resolved to %v, %v", addrs, err)
	}
	for host, fault := range map[string]agent.Fault{"loop.test": agent.FaultPolicy, "nobody.test": agent.FaultTarget, "0x7f.1": agent.FaultPolicy} {
		if _, err := shut.Resolve(t.Context(), host); agent.Classify(err) == nil || agent.Classify(err).Fault != fault {
			t.Errorf("resolving %s: %v, want a fault of %v", host, err, fault)
		}
	}
	// The name that was public when it was looked up is private when dialled.
	resolver.mu.Lock()
	resolver.answers["rebind.test"] = [][]string{{"8.8.8.8"}, {"127.0.0.1"}}
	resolver.mu.Unlock()
	if _, err := shut.Resolve(t.Context(), "rebind.test"); err != nil {
		t.Errorf("first look-up: %v", err)
	}
	if _, err := shut.DialContext(t.Context(), "tcp", "rebind.test:"+c.port); agent.Classify(err) == nil || agent.Classify(err).Fault != agent.FaultPolicy {
		t.Errorf("second look-up: %v, want a refusal", err)
	}
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}
	eventually(t, "without sessions", 30*time.Second, func() bool { return p.Agents()[0].Sessions+p.Agents()[1].Sessions == 0 })
}

func TestTunnel_TargetResets_BytesComeFirst(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	const size = 300 << 10
	addr := target(t, func(c *net.TCPConn) {
		c.Write(make([]byte, size))
		io.ReadFull(c, make([]byte, 1)) // until the gateway has seen some of it
		eventually(t, "all sent", 30*time.Second, func() bool { return unsent(c) == 0 })
		c.SetLinger(0)
	})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 100<<10)); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("x"))
	// Writing fails before everything has been read, as with TCP.
	eventually(t, "told of the reset on writing", 30*time.Second, func() bool {
		_, err := c.Write([]byte("x"))
		return errors.Is(err, syscall.ECONNRESET)
	})
	n, err := io.Copy(io.Discard, c)
	if n != size-100<<10 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes more and then %v, want %d and a reset", n, err, size-100<<10)
	}
	if de := (*agent.DialError)(nil); errors.As(err, &de) {
		t.Errorf("the target's reset is blamed on the %v", de.Fault)
	}
}

func TestConn_GatewayResets_ReachesTheTarget(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	got := make(chan error, 1)
	addr := target(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		got <- err
	})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})

	c := dial(t, e, addr)
	c.Write([]byte("half a mess"))
	c.(interface{ SetLinger(int) error }).SetLinger(0)
	c.Close()
	if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("target reads %v, want a reset", err)
	}

	c = dial(t, e, addr)
	c.Write([]byte("all of it"))
	c.Close()
	if err := <-got; err != nil {
		t.Errorf("target reads %v, want an orderly end", err)
	}
}

func TestConn_Close_DeliversWhatWasWritten(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	const size = 2 << 20
	got := make(chan int64, 1)
	addr := target(t, func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := <-got; n != size {
		t.Errorf("target got %d of %d bytes", n, size)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
}

func TestConn_Deadlines_EndReadsAndWrites(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	release := make(chan struct{})
	begun := make(chan struct{})
	addr := target(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1))
		close(begun)
		<-release
	})
	defer close(release)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)

	isTimeout := func(err error) bool {
		var ne net.Error
		return errors.As(err, &ne) && ne.Timeout()
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Fatalf("read: %v, want a timeout", err)
	}
	much := make([]byte, 64<<20)
	go func() {
		<-begun // a byte has arrived
		c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	}()
	if n, err := c.Write(much); !isTimeout(err) || n == 0 || n == len(much) {
		// The target reads no other: its buffers and the window fill up.
		t.Fatalf("wrote %d, %v, want a timeout in the middle", n, err)
	}
	// The connection outlives both.
	c.SetDeadline(time.Time{})
	woken := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); woken <- err }()
	c.SetReadDeadline(time.Unix(1, 0))
	if err := <-woken; !isTimeout(err) {
		t.Errorf("a read under way: %v, want a timeout", err)
	}
	c.SetReadDeadline(time.Time{})
	go func() { _, err := c.Read(make([]byte, 1)); woken <- err }()
	c.(interface{ SetLinger(int) error }).SetLinger(0) // nobody has to wait for the rest to arrive
	c.Close()
	if err := <-woken; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read under way at close: %v", err)
	}
}
