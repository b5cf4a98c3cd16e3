//go:build unix

package netio

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Raw returns access to the descriptor of a connection that is nothing but a
// socket, or nil.
func Raw(conn net.Conn) syscall.RawConn {
	if c, ok := conn.(wrapper); ok {
		conn = c.Socket()
	}
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		raw, err := conn.(syscall.Conn).SyscallConn()
		if err != nil {
			return nil // closed: reading it in the ordinary way tells
		}
		return raw
	}
	return nil
}

// Read reads what is there, at most len(b) bytes, which must not be 0. The
// error is ErrNotReady, io.EOF or the system's.
func Read(fd uintptr, b []byte) (int, error) {
	for {
		n, err := readFD(int(fd), b)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, ErrNotReady
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Silent returns nil when there is nothing to read. The error is ErrReady when there are
// bytes, which stay where they are, io.EOF or the system's.
func Silent(fd uintptr) error {
	for {
		var b [1]byte
		n, err := peekFD(int(fd), b[:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return nil
		case err != nil:
			return os.NewSyscallError("recv", err)
		case n == 0:
			return io.EOF
		default:
			return ErrReady
		}
	}
}

// Write writes what there is room for, some of b. The error is ErrNotReady when
// that is nothing, or the system's.
func Write(fd uintptr, b []byte) (int, error) {
	for {
		n, err := writeFD(int(fd), b)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, ErrNotReady
		case err != nil:
			return 0, os.NewSyscallError("write", err)
		default:
			return n, nil
		}
	}
}

// Reader returns a function that reads from c into what take returns. It takes
// a buffer when there is something to read and gives it back before it waits,
// where c is a socket or has WaitRead; of another connection the buffer is kept.
func Reader(c net.Conn, take func() []byte, give func()) func() (int, error) {
	raw := Raw(c)
	if raw == nil {
		return plainReader(c, take, give)
	}
	var n int
	var failed error
	// Made once, so that reading allocates nothing.
	attempt := func(fd uintptr) bool {
		if n, failed = Read(fd, take()); failed == ErrNotReady {
			give()
			return false
		}
		return true
	}
	return func() (int, error) {
		if err := raw.Read(attempt); err != nil {
			return 0, err
		}
		return n, failed
	}
}

// Socket returns a TCP connection so that its Read and Write do not tell the
// scheduler of their system calls: they never block, and telling costs as much
// as a short read does, and has the scheduler take the processor away from a
// long one. It is for one reader and one writer at a time. Any other connection
// is returned as it is.
func Socket(c net.Conn) net.Conn {
	switch c.(type) {
	case *net.TCPConn, wrapper:
	default:
		return c
	}
	raw := Raw(c)
	if raw == nil {
		return c
	}
	s := &socket{Conn: c, raw: raw}
	s.readable, s.writable = s.tryRead, s.tryWrite
	return s
}

type socket struct {
	net.Conn
	raw syscall.RawConn

	in, out            []byte
	got                int
	inErr, outErr      error
	readable, writable func(fd uintptr) bool // made once, so that nothing is allocated
}

func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.in, s.got, s.inErr = b, 0, nil
	err := s.raw.Read(s.readable)
	s.in = nil
	if err != nil {
		return 0, err
	}
	return s.got, s.opError("read", s.inErr)
}

func (s *socket) tryRead(fd uintptr) bool {
	s.got, s.inErr = Read(fd, s.in)
	return s.inErr != ErrNotReady
}

func (s *socket) Write(b []byte) (int, error) {
	s.out, s.outErr = b, nil
	err := s.raw.Write(s.writable)
	n := len(b) - len(s.out)
	s.out = nil
	if err != nil {
		return n, err
	}
	return n, s.opError("write", s.outErr)
}

func (s *socket) tryWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := Write(fd, s.out)
		switch {
		case err == ErrNotReady:
			return false
		case err != nil:
			s.outErr = err
			return true
		}
		s.out = s.out[n:]
	}
	return true
}

// opError is a failure as package net returns it.
func (s *socket) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}
