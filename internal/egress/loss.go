package egress

import (
	"errors"
	"net"
	"sync/atomic"

	"github.com/farwire/farwire/agent"
)

// An exitLossConn is a connection that notes when it fails because its exit is lost:
// net/http wraps errors of connections in more ways than can be relied on.
type exitLossConn struct {
	net.Conn
	lost *atomic.Pointer[agent.DialError] // the first error of that kind; nil: none so far
}

func (c exitLossConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.note(err)
}

func (c exitLossConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

func (c exitLossConn) note(err error) error {
	if err == nil {
		return nil
	}
	var dial *agent.DialError
	if errors.As(err, &dial) && dial.Fault == agent.FaultAgent {
		c.lost.CompareAndSwap(nil, dial)
	}
	return err
}
