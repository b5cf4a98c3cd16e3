//go:build !unix

package wsframe

import (
	"net"
	"syscall"
)

// rawConn returns nil: here every connection is read and written in the
// ordinary way.
func rawConn(net.Conn) syscall.RawConn { return nil }

func readFD(int, []byte) (int, error)  { return 0, syscall.EINVAL }
func writeFD(int, []byte) (int, error) { return 0, syscall.EINVAL }
