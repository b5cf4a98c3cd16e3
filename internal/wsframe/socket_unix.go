//go:build unix

package wsframe

import (
	"net"
	"syscall"
)

// rawConn returns access to a connection that is nothing but a socket, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	if c, ok := conn.(socket); ok {
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
