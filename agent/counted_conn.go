package agent

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// A counter counts the open connections of an exit of this process.
type counter struct{ sessions atomic.Int64 }

// count returns c so wrapped that its end is counted. A TCP connection stays
// one for those who look for its system calls, and any other is still what it is
// beside a net.Conn.
func (n *counter) count(c net.Conn) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return &countedTCP{TCPConn: t, countedEntry: countedEntry{in: n}}
	}
	other := &counted{Conn: c, countedEntry: countedEntry{in: n}}
	if w, ok := c.(WaitReader); ok {
		return &countedWaitReader{other, w.WaitRead}
	}
	return other
}

// A countedEntry is one connection of a counter.
type countedEntry struct {
	in   *counter
	gone atomic.Bool
}

func (m *countedEntry) end() {
	if !m.gone.Swap(true) {
		m.in.sessions.Add(-1)
	}
}

// Close ends the count.
func (m *countedEntry) Close() error { m.end(); return nil }

type countedTCP struct {
	*net.TCPConn
	countedEntry
}

func (c *countedTCP) Close() error { c.end(); return c.TCPConn.Close() }

// Socket returns what may be read, written and tuned in place of this.
func (c *countedTCP) Socket() *net.TCPConn { return c.TCPConn }

// Leave closes this descriptor of a socket that stays open in another one. Closing what it
// returns ends the count.
func (c *countedTCP) Leave() io.Closer {
	left := &countedEntry{in: c.in}
	left.gone.Store(c.gone.Swap(true))
	c.TCPConn.Close()
	return left
}

type counted struct {
	net.Conn
	countedEntry
}

func (c *counted) Close() error { c.end(); return c.Conn.Close() }

// NeverPanics says that what a host's connection may panic with is recovered below.
func (*counted) NeverPanics() {}

// CloseWrite half-closes where the connection can.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(HalfCloser); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger has Close reset the connection where it can.
func (c *counted) SetLinger(seconds int) error {
	if r, ok := c.Conn.(Resetter); ok {
		return r.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

// OnDrain has f called where the connection tells of a drain.
func (c *counted) OnDrain(f func()) (stop func()) {
	if teller, ok := c.Conn.(DrainTeller); ok {
		return teller.OnDrain(f)
	}
	return func() {}
}

type countedWaitReader struct {
	*counted
	wait func()
}

// WaitRead returns when Read would not block.
func (c *countedWaitReader) WaitRead() { c.wait() }
