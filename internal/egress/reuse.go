package egress

import (
	"context"
	"errors"
	"net"
	"sync"
)

// errUnsolicited ends a connection whose target sent more than was asked for.
var errUnsolicited = errors.New("target sent more than its answer")

// An exclusiveConn connection of HTTP/1.1 gives a request nothing that the target sent before
// it: an answer may be longer than its length says (RFC 9112, section 11.2), and
// net/http, which closes an idle connection for that, may meet the next request first.
type exclusiveConn struct {
	net.Conn

	mu      sync.Mutex
	reading bool          // nothing that was read waits to be used
	closed  bool          // by us
	asked   bool          // a request was written since ask
	head    headWatch     // of the answer to it
	changed chan struct{} // closed with the next change; nil: nobody waits
}

// ask prepares a connection that has been idle for another request. It returns when
// nothing is left of the answers before, or when that has ended the connection.
func (c *exclusiveConn) ask(ctx context.Context) {
	for {
		c.mu.Lock()
		if c.reading || c.closed {
			c.asked, c.head = false, headWatch{}
			c.mu.Unlock()
			return
		}
		changed := make(chan struct{})
		c.changed = changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (c *exclusiveConn) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

func (c *exclusiveConn) Read(b []byte) (int, error) {
	c.set(func() { c.reading = true })
	n, err := c.Conn.Read(b)
	unasked := false
	c.set(func() {
		c.reading, unasked = false, n > 0 && !c.asked
		c.head.take(b[:n])
	})
	if unasked {
		return 0, errUnsolicited
	}
	return n, err
}

// connectionFields returns the values of Connection of the answer that has begun.
func (c *exclusiveConn) connectionFields() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head.fields
}

func (c *exclusiveConn) Write(b []byte) (int, error) {
	c.set(func() { c.asked = true })
	return c.Conn.Write(b)
}

func (c *exclusiveConn) Close() error {
	c.set(func() { c.closed = true })
	return c.Conn.Close()
}
