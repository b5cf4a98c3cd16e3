package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
)

// A keptConn is a connection that is closed when its exit drains and no request uses it.
type keptConn struct {
	exitLossConn
	open   *atomic.Int64
	closed atomic.Bool
	stop   func() // of who waits for the exit to drain; nil: nobody
}

func (c *keptConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	if c.stop != nil {
		c.stop()
	}
	return c.Conn.Close()
}

// retireEvery is how soon a connection is closed that a request still uses when its
// exit drains.
const retireEvery = 250 * time.Millisecond

// retire has the connection closed when no request uses it: now or, since net/http does
// not tell, a little later.
func (c *keptConn) retire(keeps *http.Transport) {
	keeps.CloseIdleConnections()
	if !c.closed.Load() {
		time.AfterFunc(retireEvery, func() { c.retire(keeps) })
	}
}

// GiveUp closes what is idle, or what is idle of one exit, and reports whether there was
// anything.
func (c *Conns) GiveUp(exit *agent.Exit) bool {
	c.mu.Lock()
	var keep []*http.Transport
	for _, k := range c.kept {
		if exit == nil || k.exit == exit.Key() {
			keep = append(keep, k.transport)
		}
	}
	c.mu.Unlock()
	before := c.open.Load()
	for _, t := range keep {
		t.CloseIdleConnections()
	}
	return c.open.Load() < before
}

// The first pause before an exit that was overloaded is dialled again, each being twice
// as long, and the last: it ends a session when it hears that its connection is closed.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 640 * time.Millisecond
)

// MakeRoom returns the exit for who needs new connections. What is idle is a session to
// an agent, which may take a certain number of them: when it takes no more, what is idle
// is given up for the new one.
func (c *Conns) MakeRoom(exit agent.Exit) agent.Exit {
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if !overloaded(err) || !c.GiveUp(&exit) {
			return conn, err
		}
		for pause := firstPause; overloaded(err) && pause <= lastPause; pause *= 2 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil, err
			}
			conn, err = dial(ctx, network, addr)
		}
		return conn, err
	}
	return exit
}

func overloaded(err error) bool {
	var dial *agent.DialError
	return errors.As(err, &dial) && dial.Overloaded()
}
