package egress

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// errUnsolicited ends a connection whose target sent more than was asked for.
var errUnsolicited = errors.New("target sent more than its answer")

// answerPatience is how long a target that takes no more of a request has to answer it.
const answerPatience = time.Second

// An exclusiveConn is a connection of HTTP/1.1 whose requests and answers keep apart.
//
// It gives a request nothing that the target sent before it: an answer may be longer
// than its length says (RFC 9112, section 11.2), and net/http, which closes an idle
// connection for that, may meet the next request first.
//
// And it lets a request have the answer of a target that closes without reading all of
// its body (section 9.6): net/http gives the answer up as soon as a write fails.
type exclusiveConn struct {
	net.Conn

	mu       sync.Mutex
	reading  bool          // nothing that was read waits to be used
	closed   bool          // by us
	ended    bool          // nothing more can be read
	asked    bool          // a request was written since ask
	answered bool          // something was read since then
	sent     *atomic.Bool  // becomes true with that write
	idle     *IdleClock    // of the request
	head     headWatch     // of the answer to it
	chunks   chunkWatch    // of its body
	changed  chan struct{} // closed with the next change; nil: nobody waits

	// What was read before net/http asked for it. Whoever reads has it.
	ahead    []byte
	aheadErr error
	aheadBuf *[aheadSize]byte
}

// ask prepares a connection for a request. It returns when nothing is left of the
// answers before, or when that has ended the connection.
func (c *exclusiveConn) ask(ctx context.Context, reused bool, sent *atomic.Bool, idle *IdleClock) {
	c.wait(ctx.Done(), func() bool {
		if reused && !c.reading && !c.closed {
			return false
		}
		c.asked, c.answered, c.sent, c.idle = false, false, sent, idle
		c.head, c.chunks = headWatch{}, chunkWatch{}
		return true
	})
}

// wait returns once done, which is called with c.mu held, says so, or given up is closed.
func (c *exclusiveConn) wait(givenUp <-chan struct{}, done func() bool) {
	for {
		c.mu.Lock()
		if done() {
			c.mu.Unlock()
			return
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-givenUp:
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
	switch {
	case len(c.ahead) > 0:
		return c.takeAhead(b), nil
	case c.aheadErr != nil:
		return 0, c.aheadErr
	}
	return c.read(b)
}

func (c *exclusiveConn) read(b []byte) (int, error) {
	c.set(func() { c.reading = true })
	n, err := c.Conn.Read(b)
	unasked := false
	c.set(func() {
		c.reading, unasked = false, n > 0 && !c.asked
		c.ended, c.answered = c.ended || err != nil, c.answered || n > 0
		if rest := c.head.take(b[:n]); c.head.chunked {
			c.chunks.take(rest)
		}
		if n > 0 {
			c.idle.Touch()
		}
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
	c.set(func() {
		c.asked = true
		if c.sent != nil {
			c.sent.Store(true)
		}
	})
	n, err := c.Conn.Write(b)
	if err != nil {
		c.awaitAnswer()
	}
	return n, err
}

// awaitAnswer returns when an answer has come and was read, or when none comes.
func (c *exclusiveConn) awaitAnswer() {
	over := func() bool { return c.closed || c.ended }
	late := make(chan struct{})
	timer := time.AfterFunc(answerPatience, func() { close(late) })
	defer timer.Stop()
	c.wait(late, func() bool { return over() || c.answered })
	if c.hasAnswer() {
		c.wait(nil, over)
	}
}

func (c *exclusiveConn) hasAnswer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered
}

func (c *exclusiveConn) Close() error {
	c.set(func() { c.closed = true })
	return c.Conn.Close()
}
