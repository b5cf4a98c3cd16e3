// Package http1 sends requests over connections of HTTP/1.1 (RFC 9112), one after the
// other over each.
//
//	RoundTrip ── head ──▶                  the caller's goroutine writes and reads
//	          ◀── 1xx … head ──
//	Body.Read ◀── body, trailers ──
//	          ── body, trailers ──▶        a goroutine of its own, as an answer may begin,
//	                                       and end, before the body has been sent
//
// Nothing is read before a request was written: what a target sends between two requests
// ends the connection, so that no request has an answer that was meant for another.
// A socket, an agent's stream, and TLS on one of them, are looked at when the next request
// comes. Of other connections nobody can tell whether something has come; a goroutine reads
// them while they are idle.
package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/textproto"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/farwire/farwire/internal/netio"
)

// MaxHead is how many bytes a head, or the trailers of an answer, may have. Each answer
// before the one that counts (1xx) has a head of its own.
const MaxHead = 256 << 10

var (
	// ErrUnsolicited: the target sent something before it was asked.
	ErrUnsolicited = errors.New("target sent more than its answer")

	errLongHead = errors.New("the head of the answer is too long")
)

// A Conn is a connection to a target. It carries one request at a time, up to the end of
// its answer.
type Conn struct {
	conn      net.Conn
	cut, idle func()       // see NewConn
	end       func()       // Cut, made once
	look      func() error // see LookBy; nil: it has none
	closed    atomic.Bool

	// Of a socket attempt does what there is to do, of looks, unwritten and in.
	raw       syscall.RawConn // nil: it is no socket
	attempt   func(fd uintptr) bool
	looks     bool   // whether something has come
	unwritten []byte // to be written before the answer is read
	in        []byte
	n         int
	err       error

	back  []byte     // of a reader before, to be read again
	ahead chan ahead // what came of reading it while it was idle; nil: nobody did

	r        *reader
	left     int64       // bytes that may be read of what has a bound
	failed   error       // why nothing more can be read for the last request
	answered atomic.Bool // something came since the request was written
	refused  atomic.Bool // a write has failed
	exchange *exchange   // of the last request
}

// NewConn returns a Conn over conn, which may be TLS. Where reading conn is no more than
// reading a socket, that is the socket; it is nil elsewhere. The function cut ends conn
// at once, without a word to the target, and idle is called when an answer has come to
// its end and the next request may be sent.
func NewConn(conn, socket net.Conn, cut, idle func()) *Conn {
	c := &Conn{conn: conn, cut: cut, idle: idle}
	if socket != nil {
		c.raw = netio.Raw(socket)
	}
	c.attempt, c.end = c.try, c.Cut
	return c
}

// LookBy says how to look at an idle connection without waiting, where it is no socket. The
// error of look is netio.ErrReady when something has come, or why the connection has ended.
func (c *Conn) LookBy(look func() error) { c.look = look }

// Close ends the connection in the way that TLS wants it.
func (c *Conn) Close() {
	if c.closed.CompareAndSwap(false, true) {
		c.conn.Close() // it was of no more use
	}
}

// Cut ends the connection at once.
func (c *Conn) Cut() {
	if c.closed.CompareAndSwap(false, true) {
		c.cut()
	}
}

// Answered reports whether something came after the last request had been written.
func (c *Conn) Answered() bool { return c.answered.Load() }

// ahead is what came of reading an idle connection.
type ahead struct {
	b   [1]byte
	n   int
	err error
}

// Rest is called for a connection that waits for its next request. It calls gone, in a
// goroutine of its own, when something comes; of what can be looked at it does not know.
func (c *Conn) Rest(gone func()) {
	if c.raw != nil || c.look != nil {
		return
	}
	came := make(chan ahead, 1)
	c.ahead = came
	go func() {
		var a ahead
		a.n, a.err = c.conn.Read(a.b[:])
		came <- a
		gone()
	}()
}

// Look returns an error when something has come that nobody asked for, or the end. No
// request may be under way.
func (c *Conn) Look() error {
	switch {
	case c.raw != nil:
		c.looks, c.err = true, nil
		if err := c.raw.Read(c.attempt); err != nil {
			return err
		}
		return c.err
	case len(c.ahead) > 0:
		a := <-c.ahead
		c.ahead = nil
		if a.n > 0 {
			return ErrUnsolicited
		}
		return a.err
	case c.look != nil:
		err := c.look()
		if err == netio.ErrReady {
			return ErrUnsolicited
		}
		return err
	}
	return nil
}

// try reports whether the caller need not wait until the socket can be read. One that has
// been found empty, and written to after that, is not read in vain.
func (c *Conn) try(fd uintptr) bool {
	looked := c.looks
	if looked {
		c.looks = false
		if c.err = netio.Silent(fd); c.err == netio.ErrReady {
			c.err = ErrUnsolicited
		}
		if c.err != nil || len(c.unwritten) == 0 {
			return true
		}
	}
	if len(c.unwritten) > 0 {
		c.exchange.sends()
		n, err := netio.Write(fd, c.unwritten)
		c.unwritten = c.unwritten[n:]
		switch {
		case len(c.unwritten) > 0 || err != nil:
			return true
		case looked:
			return false
		}
	}
	c.n, c.err = netio.Read(fd, c.in)
	return c.err != netio.ErrNotReady
}

// Read is for the reader of heads and bodies alone.
func (c *Conn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		c.failed = errLongHead
		return 0, errLongHead
	}
	n, err := c.read(b[:min(int64(len(b)), c.left)])
	if n == 0 && err != nil {
		c.failed = err
	}
	c.left -= int64(n)
	if n > 0 {
		c.answered.Store(true)
		c.exchange.came()
	}
	return n, err
}

func (c *Conn) read(b []byte) (int, error) {
	switch {
	case len(c.back) > 0:
		n := copy(b, c.back)
		c.back = c.back[n:]
		return n, nil
	case c.ahead != nil:
		a := <-c.ahead
		c.ahead = nil
		return copy(b, a.b[:a.n]), a.err
	case c.raw == nil:
		return c.conn.Read(b)
	}
	for {
		c.in, c.n, c.err = b, 0, nil
		err := c.raw.Read(c.attempt)
		c.in = nil
		switch {
		case err != nil:
			return 0, err
		case c.err != nil && c.err != io.EOF && c.err != ErrUnsolicited:
			return 0, &net.OpError{Op: "read", Net: "tcp", Err: c.err}
		case c.err != nil || len(c.unwritten) == 0:
			return c.n, c.err
		}
		c.exchange.write(c.unwritten) // the socket does not take all of it at once
		c.unwritten = nil
	}
}

// A reader is what a Conn has while it has a request.
type reader struct {
	*bufio.Reader
	text textproto.Reader
	pool *sync.Pool
}

const (
	smallReader = 4 << 10
	largeReader = 64 << 10
)

var smallReaders, largeReaders sync.Pool

// newReader returns a reader for c of one of the two sizes.
func newReader(c *Conn, pool *sync.Pool, size int) *reader {
	r, ok := pool.Get().(*reader)
	if !ok {
		br := bufio.NewReaderSize(nil, size)
		r = &reader{br, *textproto.NewReader(br), pool}
	}
	r.Reset(c)
	return r
}

// enlarge gets a large reader in place of a small one, for a long body: its chunks may be
// small, and as many as have come are read at once.
func (c *Conn) enlarge() {
	if c.r.Size() == largeReader {
		return
	}
	rest, _ := c.r.Peek(c.r.Buffered()) // there are so many
	c.back = append(c.back, rest...)
	c.release()
	c.r = newReader(c, &largeReaders, largeReader)
}

// release gives the reader back, and returns how many bytes were left in it.
func (c *Conn) release() int {
	n := c.r.Buffered()
	c.r.Reset(nil)
	c.r.pool.Put(c.r)
	c.r = nil
	return n
}
