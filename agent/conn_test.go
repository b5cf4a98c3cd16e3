package agent_test

import (
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/farwire/farwire/agent"
)

// A connection through a tunnel behaves as net.Conn is meant to.
func TestConn_ThroughTunnel_BehavesAsNetConn(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: -1})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		defer ln.Close()
		near, err := e.DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		far, err := ln.Accept()
		if err != nil {
			return nil, nil, nil, err
		}
		return near, far, func() { near.Close(); far.Close() }, nil
	})
}

func TestConn_WaitRead_ReturnsWhenBytesCome(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	say := make(chan string)
	addr := target(t, func(c *net.TCPConn) {
		for s := range say {
			io.WriteString(c, s)
		}
	})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	waiter := c.(interface{ WaitRead() })
	waited := make(chan struct{})
	wait := func() { waiter.WaitRead(); waited <- struct{}{} }

	go wait()
	select {
	case <-waited:
		t.Fatal("does not wait for bytes")
	case say <- "hello":
	}
	<-waited
	got := make([]byte, 64)
	if n, err := c.Read(got); string(got[:n]) != "hello" || err != nil {
		t.Fatalf("read %q, %v", got[:n], err)
	}
	go wait()
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	<-waited
	c.SetReadDeadline(time.Time{})
	go wait()
	close(say)
	<-waited
	if n, err := c.Read(got); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v at the end", n, err)
	}
}

// What a pool wraps around an exit's connection to count it leaves a TCP
// connection one.
func TestCountedConn_OfTCP_StaysATCPConn(t *testing.T) {
	addr := target(t, echo)
	d, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, selectOne(t, localPool(t, d), agent.Query{}), addr)
	if _, ok := c.(syscall.Conn); !ok {
		t.Error("it has no system calls any more")
	}
	wantEcho(t, c, "x")
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v after the half-close", n, err)
	}
}

// A deadline far away must not keep a connection that was closed.
func TestConn_Closed_NoDeadlineWaits(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	for name, set := range map[string]func(net.Conn, time.Time) error{
		"reading": net.Conn.SetReadDeadline, "writing": net.Conn.SetWriteDeadline, "both": net.Conn.SetDeadline,
	} {
		for _, linger := range []int{-1, 0} {
			c := dial(t, e, addr)
			if err := set(c, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			c.(agent.Resetter).SetLinger(linger)
			c.Close()
			if agent.DeadlineWaits(c) {
				t.Errorf("the deadline of %s waits on, with linger %d", name, linger)
			}
		}
	}
}

// Who keeps a connection is told of a drain whoever else has given up to be told, and
// also when the drain was told before.
func TestConn_OnDrain_ToldEachAndLate(t *testing.T) {
	near, _, stop := two(t, nil)
	c := dial(t, selectOne(t, near, agent.Query{}), target(t, echo)).(agent.DrainTeller)
	wantEcho(t, c, "there")
	told := make(chan string, 10)
	tell := func(who string) func() { return func() { told <- who } }
	c.OnDrain(tell("first"))
	forget := c.OnDrain(tell("second"))
	c.OnDrain(tell("third"))
	forget()

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	want := func(who ...string) {
		t.Helper()
		for range who {
			select {
			case got := <-told:
				if !slices.Contains(who, got) {
					t.Errorf("%s is told", got)
				}
			case <-time.After(5 * time.Second): // half of what the agent waits for its sessions
				t.Fatalf("not all of %v are told", who)
			}
		}
	}
	want("first", "third")
	c.OnDrain(tell("late"))
	want("late")
	c.Close()
	<-stopped
}
