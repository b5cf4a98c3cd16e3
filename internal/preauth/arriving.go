package preauth

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

// While a head of HTTP/1.1 arrives, net/http holds of short fields many times what was sent,
// and bounds the length alone. So the lines of a head are counted before net/http reads them:
//
//	socket ──▶ Conn.Read ──▶ net/http
//	socket ──▶ Conn.Read ──▶ tls.Conn ──▶ secureConn.Read ──▶ net/http
//	           (leaves it to the other)
//
// net/http reads 4 KiB at once, and so may have begun the next head with what it has read of
// a request, or have all of it. Of a connection without a key that counts to the next head.
// Where such a head ends is not seen here: Handler tells.

// lineCost is what a line of a head takes at most, beside its length: its place in a map
// that grows, the slice of its values, and what allocations are rounded up by.
const lineCost = 192

// readerSize is how much net/http reads ahead.
const readerSize = 4 << 10

// What is read now.
const (
	uncounted int32 = iota // TLS below another Conn, HTTP/2, or no HTTP at all
	inBody                 // or nothing, while a request is served
	inHead
)

// An arrival counts what net/http reads of a connection. One goroutine reads at a time.
type arrival struct {
	head  int  // what the head takes
	lines bool // a line was there that is not empty
	begun bool // the current line is not empty
	cr    bool // the current line is a CR so far
	ahead int  // what the last read takes that did not belong to the head
}

// Read counts what arrives of a head.
func (c *Conn) Read(b []byte) (int, error) {
	if c.secured {
		return c.TCPConn.Read(b)
	}
	return c.readHead(c.TCPConn, b)
}

// A halfCloser is what a head is read of.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

var errHead = errors.New("the head has too many fields")

// readHead reads of conn, which is the Conn's socket or TLS on it. A head that would take
// more than maxHead is refused before net/http sees the rest of it.
func (c *Conn) readHead(conn halfCloser, b []byte) (int, error) {
	n, err := conn.Read(b)
	if now := c.reading.Load(); now == uncounted || n == 0 {
		return n, err
	} else if now == inHead && c.arrives(b[:n]) {
		refuseArriving(conn)
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: errHead} // net/http does not answer it again
	} else if now == inBody {
		c.readAhead(b[:n], len(b))
	}
	return n, err
}

// arrives counts bytes of a head, and reports whether it takes too much.
func (c *Conn) arrives(b []byte) bool {
	a := &c.arrival
	a.ahead = 0
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		if !ended {
			a.head += len(line)
			a.begun = a.begun || a.cr || len(line) > 1 || line[0] != '\r'
			a.cr = !a.begun
			break
		}
		empty := !a.begun && (len(line) == 0 || !a.cr && len(line) == 1 && line[0] == '\r')
		if empty && a.lines { // net/http skips empty lines before a head
			a.ahead = taken(rest)
			c.reading.Store(inBody)
			break
		}
		a.lines = a.lines || !empty
		a.begun, a.cr = false, false
		a.head += len(line) + 1 + lineCost
		b = rest
	}
	return a.head > maxHead
}

// readAhead counts bytes behind a head, read into room bytes.
func (c *Conn) readAhead(b []byte, room int) {
	switch {
	case room > readerSize:
		c.arrival.ahead = 0 // past net/http's buffer, which is empty
	case room == 1: // by which net/http notices a client that leaves; the buffer stays as it is
		c.arrival.ahead += taken(b)
	default:
		c.arrival.ahead = taken(b)
	}
}

// taken is what bytes take if they are lines of a head.
func taken(b []byte) int { return len(b) + lineCost*bytes.Count(b, []byte{'\n'}) }

// expectHead has what arrives from now on count as a head. Of a connection that has shown a
// key what was read ahead does not count: it may be the end of a body.
func (c *Conn) expectHead(bounded bool) {
	a := &c.arrival
	a.head, a.lines, a.begun, a.cr = 0, false, false, false
	if bounded {
		a.head = a.ahead
	}
	c.reading.Store(inHead)
}

// headRead ends a head whose end was read together with the request before it.
func (c *Conn) headRead() { c.reading.CompareAndSwap(inHead, inBody) }

// refuseArriving answers a head that goes on, and gives the client the time that net/http
// gives to read the answer before the connection is reset.
func refuseArriving(conn halfCloser) {
	const patience = 500 * time.Millisecond
	_ = conn.SetDeadline(time.Now().Add(patience)) // fails only when the connection is closed
	_, err := io.WriteString(conn, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"+
		"Content-Type: application/json\r\nCache-Control: no-store\r\nX-Farwire-From: gateway\r\n\r\n"+tooManyFields)
	if err == nil && conn.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn) // until the client closes, or the time is over
	}
}
