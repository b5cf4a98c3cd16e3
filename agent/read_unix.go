//go:build unix

package agent

import (
	"io"
	"net"
	"os"
	"syscall"
)

// reader returns a function that reads from c into what take returns. It takes
// a buffer when there is something to read and gives it back before it waits.
func reader(c net.Conn, take func() []byte, give func()) func() (int, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return plainReader(c, take)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return plainReader(c, take)
	}
	var n int
	var rerr error
	// Made once, so that reading allocates nothing.
	attempt := func(fd uintptr) bool {
		for {
			n, rerr = readFD(int(fd), take())
			if rerr != syscall.EINTR {
				break
			}
		}
		if rerr == syscall.EAGAIN {
			give()
			return false
		}
		return true
	}
	return func() (int, error) {
		if err := raw.Read(attempt); err != nil {
			return 0, err
		}
		if rerr != nil {
			return 0, os.NewSyscallError("read", rerr)
		}
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
}
