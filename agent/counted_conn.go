package agent

import (
	"errors"
	"net"
	"sync/atomic"
)

// A counter counts the open connections of an exit of this process.
type counter struct{ sessions atomic.Int64 }

// count returns c so wrapped that its end is counted. A TCP connection stays
// one for those who look for its system calls or half-close.
func (n *counter) count(c net.Conn) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return &countedTCP{TCPConn: t, tally: tally{in: n}}
	}
	return &counted{Conn: c, tally: tally{in: n}}
}

// A tally is one connection of a counter.
type tally struct {
	in   *counter
	gone atomic.Bool
}

func (m *tally) end() {
	if !m.gone.Swap(true) {
		m.in.sessions.Add(-1)
	}
}

type countedTCP struct {
	*net.TCPConn
	tally
}

func (c *countedTCP) Close() error { c.end(); return c.TCPConn.Close() }

// Socket returns what may be read, written and tuned in place of this.
func (c *countedTCP) Socket() *net.TCPConn { return c.TCPConn }

type counted struct {
	net.Conn
	tally
}

func (c *counted) Close() error { c.end(); return c.Conn.Close() }

// CloseWrite half-closes where the connection can.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(HalfCloser); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
