//go:build !unix

package netio

import (
	"errors"
	"net"
	"syscall"
)

// Raw returns nil: here every connection is read and written in the ordinary
// way.
func Raw(net.Conn) syscall.RawConn { return nil }

// Read is not called here, because Raw gives nobody a descriptor.
func Read(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Silent is not called here, because Raw gives nobody a descriptor.
func Silent(uintptr) error { return errors.ErrUnsupported }

// Write is not called here, because Raw gives nobody a descriptor.
func Write(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Reader returns a function that reads from c into what take returns.
func Reader(c net.Conn, take func() []byte, give func()) func() (int, error) {
	return plainReader(c, take, give)
}

// Socket returns c as it is.
func Socket(c net.Conn) net.Conn { return c }
