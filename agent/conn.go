package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/internal/netio"
)

// lingerTimeout is how long a closed connection's agent may go on delivering
// what was written before, and its target take to close in turn.
const lingerTimeout = 5 * time.Second

// A conn is a connection to a target through a tunnel, as the gateway sees it.
// It fails as a TCP connection would: with ECONNRESET when the target was
// lost; and with a *DialError of fault Agent when the tunnel was.
type conn struct {
	stream        *yamux.Stream
	link          *link
	local, remote net.Addr

	// The multiplexer wants one reader and one writer at a time.
	reading, writing     sync.Mutex
	readUntil, sendUntil deadline

	eof   atomic.Bool // the stream has ended on the agent's side
	abort atomic.Bool // Close resets instead of finishing

	account account // of what waits to be read

	ended  atomic.Bool                 // Read does not wait any more
	paused atomic.Pointer[netio.Pause] // of the reader that waits for it; nil: none waits

	mu      sync.Mutex
	closed  bool
	lost    error     // why the agent says that the target is gone
	overrun bool      // more has arrived than can be kept
	drained bool      // the gateway that carries it has said that its agent drains
	onDrain []*func() // of OnDrain, for that
}

// What a connection of an exit may be beside a net.Conn. A gateway uses what it finds,
// and what wraps a connection should keep it. All methods are safe for concurrent use.
type (
	// A HalfCloser is a connection whose sending side can be closed alone. With
	// any other, the end of one side's bytes closes the whole connection.
	HalfCloser interface {
		net.Conn
		CloseWrite() error
	}

	// A WaitReader is a connection that can wait for bytes without a buffer for them:
	// WaitRead returns when Read would not block, because of bytes or of an error.
	WaitReader interface {
		net.Conn
		WaitRead()
	}

	// A DrainTeller is a connection that reports when its carrier drains.
	// OnDrain calls f, at most once and in a goroutine of its own, when whoever
	// keeps the connection for later use should close it; what is under way
	// goes on. After stop f is not called any more.
	DrainTeller interface {
		net.Conn
		OnDrain(f func()) (stop func())
	}

	// A Resetter is a connection that Close resets after SetLinger(0), like a
	// *net.TCPConn.
	Resetter interface {
		net.Conn
		SetLinger(seconds int) error
	}
)

func newConn(l *link, stream *yamux.Stream) *conn {
	c := &conn{stream: stream, link: l}
	c.readUntil.apply = stream.SetReadDeadline
	c.sendUntil.apply = stream.SetWriteDeadline
	return c
}

func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	// Waiting takes nothing, so a deadline may interrupt it at any time.
	if _, err := c.stream.Read(nil); err != nil {
		return 0, c.explain("read", err)
	}
	c.readUntil.mu.Lock()
	defer c.readUntil.mu.Unlock()
	if c.readUntil.passed {
		return 0, c.explain("read", yamux.ErrTimeout)
	}
	n, err := c.read(p)
	if n > 0 {
		return n, nil // an error that comes with bytes comes again
	}
	return 0, c.explain("read", err)
}

// WaitRead returns when Read would not block, because of bytes or of an error,
// and takes nothing. A caller that waits here needs no buffer while the
// connection is idle.
func (c *conn) WaitRead() {
	c.reading.Lock()
	defer c.reading.Unlock()
	_, _ = c.stream.Read(nil) // Read will say it again
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	lost := c.lost
	c.mu.Unlock()
	if lost != nil {
		return 0, c.lostError("write", lost)
	}
	n, err := c.stream.Write(p)
	return n, c.explain("write", err)
}

// explain turns the multiplexer's errors into those of a TCP connection.
func (c *conn) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	closed, lost, overrun := c.closed, c.lost, c.overrun
	c.mu.Unlock()
	var reset *yamux.StreamError
	switch {
	case overrun && !closed:
		return &DialError{FaultAgent, c.opError(op, causeUnread)}
	case closed || errors.Is(err, yamux.ErrStreamClosed):
		return c.opError(op, net.ErrClosed)
	// Not errors.Is: that of a lost tunnel wraps the carrier's EOF. And who
	// writes while the tunnel is coming down is given that one bare.
	case err == io.EOF && op == "read":
		c.eof.Store(true)
		if lost == nil {
			return io.EOF
		}
		return c.lostError(op, lost)
	case errors.Is(err, yamux.ErrTimeout):
		if lost != nil && op == "write" {
			return c.lostError(op, lost)
		}
		return c.opError(op, os.ErrDeadlineExceeded)
	case errors.As(err, &reset) && !reset.Remote:
		return c.opError(op, net.ErrClosed)
	}
	return &DialError{FaultAgent, c.opError(op, c.link.lost(err))}
}

// lost is what a lost tunnel's error is for those who used it. An agent that had said
// that it stops, or a gateway that it drains, went on purpose. A link may be out of use
// for other reasons: its agent has another one, or is not let in any more.
func (l *link) lost(err error) error {
	switch {
	case l.peer != "" && l.draining.Load():
		return fmt.Errorf("%w: %v", causeGatewayBye, err)
	case l.going.Load():
		return fmt.Errorf("%w: %v", causeDraining, err)
	case l.peer != "":
		return fmt.Errorf("%w: %v", causeGatewayLost, err)
	}
	return tunnelError(err)
}

// lostError is the error of a connection whose target, or beyond another gateway
// whose agent, is lost.
func (c *conn) lostError(op string, lost error) error {
	var dial *DialError
	if errors.As(lost, &dial) {
		return &DialError{dial.Fault, c.opError(op, dial.Err)}
	}
	return c.opError(op, lost)
}

// tunnelError ends the chain of a lost tunnel's error: what befell the carrier,
// an EOF or a timeout, must not be found in it and taken for the target's.
func tunnelError(err error) error { return fmt.Errorf("tunnel: %v", err) }

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// OnDrain implements DrainTeller: it tells of the agent, or of the gateway that carries
// the connection, which waits for its end.
func (c *conn) OnDrain(f func()) (stop func()) {
	f = sync.OnceFunc(f)
	forget := context.AfterFunc(c.link.onDrain, f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drained {
		go f()
	} else {
		c.onDrain = append(c.onDrain, &f)
	}
	return func() {
		forget()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.onDrain = slices.DeleteFunc(c.onDrain, func(other *func()) bool { return other == &f })
	}
}

// leaving is told by the gateway that carries the connection, of its agent.
func (c *conn) leaving() {
	c.mu.Lock()
	told := c.onDrain
	c.drained, c.onDrain = true, nil
	c.mu.Unlock()
	for _, f := range told {
		go (*f)()
	}
}

// targetLost is told by the agent, before the stream's end. What was read from
// the target before still arrives; writing is over.
func (c *conn) targetLost(cause error) {
	c.mu.Lock()
	c.lost = cause
	c.mu.Unlock()
	c.sendUntil.end()
}

// NeverPanics tells it from a connection of a host's own.
func (*conn) NeverPanics() {}

// CloseWrite ends the stream towards the target, which reads a FIN.
func (c *conn) CloseWrite() error {
	return c.explain("close", c.stream.CloseWrite())
}

// SetLinger chooses as TCP does, for 0, to reset the connection on Close and
// forget what was not sent yet.
func (c *conn) SetLinger(sec int) error {
	c.abort.Store(sec == 0)
	return nil
}

// Close ends reads and writes under way. What was written is still delivered;
// then the target has lingerTimeout to end its side.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	lost := c.lost != nil
	c.mu.Unlock()
	c.link.forget(c)
	defer c.readable(true)

	c.sendUntil.stop()
	if c.abort.Load() {
		c.readUntil.stop()
		c.giveUp()
		return nil
	}
	c.readUntil.end()
	if err := c.stream.CloseWrite(); err == nil && !lost && !c.eof.Load() {
		time.AfterFunc(lingerTimeout, c.giveUp)
	}
	return nil
}

// giveUp ends both directions now, for an agent that holds the stream half
// closed too.
func (c *conn) giveUp() {
	c.stream.Reset()
	c.readable(true)
	if !c.eof.Load() {
		c.link.abortStream(c.stream.StreamID())
	}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadline(&c.readUntil, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.sendUntil, t) }

func (c *conn) setDeadline(d *deadline, t time.Time) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return c.opError("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}

// tcpAddr is the address that an agent says it has dialled, or one that says
// nothing if it is not an address.
func tcpAddr(s string) net.Addr {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(ap)
}
