package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A Conn is a target's connection in the hands of the caller that asked for it, who is the
// tunnel's client: it counts bytes, can be cut with a reason, and says once how it
// ended. It is safe for concurrent use.
type Conn struct {
	net.Conn
	lost func(error) error
	done func(Result)

	toTarget, toClient atomic.Int64

	mu    sync.Mutex
	ended bool
	cause error // what cut it, or how the target was lost; nil: nothing
}

// NewConn returns a Conn of a connection. Lost says, of an error of the connection, how
// the target was lost; done is called once, when the connection has been closed or cut.
func NewConn(c net.Conn, lost func(error) error, done func(Result)) *Conn {
	return &Conn{Conn: c, lost: lost, done: done}
}

// Read reads from the target.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.toClient.Add(int64(n))
	return n, c.why(err)
}

// Write writes to the target.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.toTarget.Add(int64(n))
	return n, c.why(err)
}

// CloseWrite ends the stream to the target, who may go on.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return c.why(half.CloseWrite())
}

// Close closes the connection.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	by := Client
	if cause != nil {
		by = Target
	}
	c.end(by, cause)
	return err
}

// Cut closes the connection; its methods return the cause from then on.
func (c *Conn) Cut(cause error) {
	c.mu.Lock()
	if !c.ended {
		c.cause = cause
	}
	c.mu.Unlock()
	c.end(Gateway, cause)
	c.Conn.Close()
}

// Counts returns the bytes so far.
func (c *Conn) Counts() (toTarget, toClient int64) { return c.toTarget.Load(), c.toClient.Load() }

// why returns the reason where the connection was cut, and notes when the target or the
// exit is lost.
func (c *Conn) why(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended && c.cause != nil:
		return fmt.Errorf("%w: %w", err, c.cause)
	case c.cause == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF):
		c.cause = c.lost(err)
	}
	return err
}

func (c *Conn) end(by End, err error) {
	c.mu.Lock()
	ended := c.ended
	c.ended = true
	c.mu.Unlock()
	if ended {
		return
	}
	r := Result{By: by, Err: err}
	r.ToTarget, r.ToClient = c.Counts()
	c.done(r)
}
