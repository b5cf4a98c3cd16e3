//go:build unix

package agent

import (
	"io"
	"net"
	"os"
	"syscall"
)

// A socket is a TCP connection that is read and written without a word to the
// scheduler. It never blocks, so the scheduler need not hear of its system
// calls: telling it costs as much as a short read does, and has it take the
// processor away from a long one. It is for one reader and one writer at a time.
type socket struct {
	net.Conn
	raw syscall.RawConn

	in, out            []byte
	got                int
	inErr, outErr      error
	readable, writable func(fd uintptr) bool // made once, so that nothing is allocated
}

// bare returns c as a socket, or as it is when it is more than that.
func bare(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c // closed: reading it tells
	}
	s := &socket{Conn: c, raw: raw}
	s.readable, s.writable = s.tryRead, s.tryWrite
	return s
}

func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.in, s.got, s.inErr = b, 0, nil
	err := s.raw.Read(s.readable)
	s.in = nil
	switch {
	case err != nil:
		return 0, err
	case s.inErr != nil:
		return 0, s.opError("read", s.inErr)
	case s.got == 0:
		return 0, io.EOF
	}
	return s.got, nil
}

func (s *socket) tryRead(fd uintptr) bool {
	for {
		s.got, s.inErr = readFD(int(fd), s.in)
		if s.inErr != syscall.EINTR {
			return s.inErr != syscall.EAGAIN
		}
	}
}

func (s *socket) Write(b []byte) (int, error) {
	s.out, s.outErr = b, nil
	err := s.raw.Write(s.writable)
	n := len(b) - len(s.out)
	s.out = nil
	switch {
	case err != nil:
		return n, err
	case s.outErr != nil:
		return n, s.opError("write", s.outErr)
	}
	return n, nil
}

func (s *socket) tryWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := writeFD(int(fd), s.out)
		switch {
		case n > 0:
			s.out = s.out[n:]
		case err == syscall.EAGAIN:
			return false
		case err != nil && err != syscall.EINTR:
			s.outErr = err
			return true
		}
	}
	return true
}

func (s *socket) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
