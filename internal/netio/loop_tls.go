package netio

import (
	"crypto/tls"
	"net"
	"time"
)

// A tlsSocket is what a tls.Conn reads and writes so that it can join a Loop. Until
// then it is the connection inside:
//
//	                    Read, Write, Flush            Read, Write
//	LoopOwner ─▶ LoopConn ─────────▶ tls.Conn ─────────▶ tlsSocket ─────────▶ system
//	                    plain bytes           records
//
// In a loop neither of its methods waits. crypto/tls keeps its state over a read that
// fails with a net.Error that is temporary, so Read fails so when nothing has come.
// It does not forgive a write that fails, so Write takes everything and keeps what
// the socket has no room for.
type tlsSocket struct {
	net.Conn           // in a loop: loop
	conn     *tls.Conn // of a loop
	loop     *LoopConn // nil: it has joined none
	records  records
	whole    int    // records that came whole with what crypto/tls asked for last
	empty    bool   // the socket had no more, until the loop tells of it again
	more     bool   // crypto/tls has plain bytes, or an error, that it can tell at once
	out      []byte // records that the socket has not taken
}

const (
	maxPlaintext = 16 << 10 // of a record: RFC 8446, section 5.1
	// maxOut is how much waits for a socket before nothing more is read of it: what
	// is read can have crypto/tls answer (section 4.6.3).
	maxOut = 2 * maxPlaintext
)

// ForTLS returns a connection to put below TLS in the place of conn, so that the
// tls.Conn can join a Loop. It returns conn where that is not a TCP socket and nothing
// else.
func ForTLS(conn net.Conn) net.Conn {
	switch conn.(type) {
	case *net.TCPConn, wrapper:
		return &tlsSocket{Conn: conn}
	}
	return conn
}

// below returns the socket below a tls.Conn that can join a loop, or nil.
func below(conn net.Conn) *tlsSocket {
	if c, ok := conn.(*tls.Conn); ok {
		s, _ := c.NetConn().(*tlsSocket)
		return s
	}
	return nil
}

// Socket returns the TCP connection, while no loop has it.
func (s *tlsSocket) Socket() *net.TCPConn { return TCP(s.Conn) }

// NetConn returns the connection inside.
func (s *tlsSocket) NetConn() net.Conn { return s.Conn }

// join leaves the connection to a loop. What crypto/tls has read already, plain or
// not, is there for the first Read.
func (s *tlsSocket) join(conn *tls.Conn, c *LoopConn) {
	s.Conn, s.conn, s.loop = c, conn, c
	s.empty, s.more = true, true
}

// notYet is what crypto/tls can go on after.
type notYet struct{}

func (notYet) Error() string   { return "nothing has come" }
func (notYet) Timeout() bool   { return false }
func (notYet) Temporary() bool { return true }

var errNotYet net.Error = notYet{}

// Read is called by crypto/tls, which has used up every whole record then.
func (s *tlsSocket) Read(b []byte) (n int, err error) {
	s.whole = 0
	switch {
	case s.loop == nil:
		n, err = s.Conn.Read(b)
	case s.empty:
		return 0, errNotYet
	default:
		if n, err = s.loop.receive(b); err == ErrNotReady {
			s.empty = true
			return 0, errNotYet
		}
		s.empty = n < len(b)
	}
	s.whole = s.records.add(b[:n])
	return n, err
}

// Write is called by crypto/tls.
func (s *tlsSocket) Write(b []byte) (n int, err error) {
	if s.loop == nil {
		return s.Conn.Write(b)
	}
	if len(s.out) == 0 {
		if n, err = s.loop.send(b); err != nil && err != ErrNotReady {
			return n, err
		}
	}
	s.out = append(s.out, b[n:]...)
	return len(b), nil
}

// SetWriteDeadline is called by crypto/tls for its last record. In a loop nothing
// waits.
func (s *tlsSocket) SetWriteDeadline(t time.Time) error {
	if s.loop == nil {
		return s.Conn.SetWriteDeadline(t)
	}
	return nil
}

// read is LoopConn.Read. It goes on from record to record while b has room.
func (s *tlsSocket) read(b []byte) (n int, err error) {
	for {
		k, err := s.conn.Read(b[n:])
		n += k
		switch {
		case err == errNotYet:
			s.more = false
			if n == 0 {
				return 0, ErrNotReady
			}
			return n, nil
		case err != nil:
			s.more = n > 0
			if n == 0 {
				return 0, err
			}
			return n, nil // the next Read says it
		case n == len(b):
			s.more = true // a record need not have ended
			return n, nil
		}
		if s.whole--; s.whole <= 0 {
			s.more = false
			return n, nil
		}
	}
}

// write is LoopConn.Write. No more than what is made of maxPlaintext waits for the
// socket when it returns.
func (s *tlsSocket) write(b []byte) (n int, err error) {
	if _, err := s.flush(); err != nil {
		return 0, err
	}
	for n < len(b) {
		k, err := s.conn.Write(b[n:min(n+maxPlaintext, len(b))])
		n += k
		switch {
		case err != nil:
			return n, err
		case len(s.out) > 0:
			return n, ErrNotReady
		}
	}
	return n, nil
}

// flush is LoopConn.Flush.
func (s *tlsSocket) flush() (n int, err error) {
	for len(s.out) > 0 {
		k, err := s.loop.send(s.out)
		n += k
		if s.out = s.out[k:]; err == ErrNotReady {
			return n, err
		}
		if err != nil {
			s.out = nil
			return n, err
		}
	}
	s.out = nil // a session at rest holds nothing
	return n, nil
}

// records finds where the records of TLS end in a stream that is cut anywhere (RFC
// 8446, section 5.1).
type records struct {
	head   uint8  // bytes of the header that have come
	length uint16 // the last two of them, and then what is left of the record
}

// recordHeader is a type, a version and a length.
const recordHeader = 5

// add steps over b and returns how many records end in it.
func (r *records) add(b []byte) (ended int) {
	for {
		for ; r.head < recordHeader; r.head++ {
			if len(b) == 0 {
				return ended
			}
			r.length = r.length<<8 | uint16(b[0])
			b = b[1:]
		}
		n := min(len(b), int(r.length))
		b = b[n:]
		if r.length -= uint16(n); r.length > 0 {
			return ended
		}
		r.head = 0
		ended++
	}
}
