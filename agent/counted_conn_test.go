package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/farwire/farwire/agent"
)

// hostConn is a connection of a host's own that can everything.
type hostConn struct {
	net.Conn
	called []string
}

func (c *hostConn) CloseWrite() error { c.called = append(c.called, "CloseWrite"); return nil }
func (c *hostConn) WaitRead()         { c.called = append(c.called, "WaitRead") }
func (c *hostConn) OnDrain(f func()) (stop func()) {
	c.called = append(c.called, "OnDrain")
	return func() { c.called = append(c.called, "stop") }
}
func (c *hostConn) SetLinger(int) error { c.called = append(c.called, "SetLinger"); return nil }

func TestPool_ConnectionOfAddedExit_CanWhatItCould(t *testing.T) {
	able := &hostConn{}
	var plain net.Conn
	able.Conn, plain = net.Pipe()
	p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	conns := map[string]net.Conn{"able": able, "plain": plain}
	for id := range conns {
		err := p.Add(agent.Exit{ID: id, Slug: id, Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return conns[id], nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, selectOne(t, p, agent.Query{Slugs: []string{"able"}}), "target.example:80")
	for i, use := range []struct {
		name string
		call func() error
	}{
		{"CloseWrite", func() error { return c.(agent.HalfCloser).CloseWrite() }},
		{"WaitRead", func() error { c.(agent.WaitReader).WaitRead(); return nil }},
		{"OnDrain", func() error { c.(agent.DrainTeller).OnDrain(func() {})(); return nil }},
		{"SetLinger", func() error { return c.(agent.Resetter).SetLinger(0) }},
	} {
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("%s: %v", use.name, v)
				}
			}()
			able.called = nil
			if err := use.call(); err != nil || len(able.called) == 0 || able.called[0] != use.name {
				t.Errorf("%d %s: %v, called %v", i, use.name, err, able.called)
			}
		}()
	}

	c = dial(t, selectOne(t, p, agent.Query{Slugs: []string{"plain"}}), "target.example:80")
	if _, ok := c.(agent.WaitReader); ok {
		t.Error("waits for bytes of a connection that cannot")
	}
	c.(agent.DrainTeller).OnDrain(func() { t.Error("told of a drain") })()
	if err := errors.Join(c.(agent.Resetter).SetLinger(0), c.(agent.HalfCloser).CloseWrite()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("can what its connection cannot: %v", err)
	}
}

// A connection whose socket is left to another descriptor counts until what it has left is
// closed, and once.
func TestPool_LocalConnectionLeft_CountsUntilItsEnd(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(exit); err != nil {
		t.Fatal(err)
	}
	for _, closedBefore := range []bool{false, true} {
		c := dial(t, selectOne(t, p, agent.Query{}), target.Addr().String())
		want := 1
		if closedBefore {
			c.Close()
			want = 0
		}
		left := c.(interface{ Leave() io.Closer }).Leave()
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the socket is open: %v", err)
		}
		c.Close()
		if n := p.Agents()[0].Sessions; n != want {
			t.Errorf("%d sessions, want %d", n, want)
		}
		left.Close()
		left.Close()
		if n := p.Agents()[0].Sessions; n != 0 {
			t.Errorf("%d sessions after the end", n)
		}
	}
}
