package agent_test

import (
	"net"
	"syscall"
	"unsafe"
)

// unsent is how many bytes the other side has not acknowledged: a reset takes
// them along.
func unsent(c *net.TCPConn) (n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		var out int32
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&out)))
		n = int(out)
	})
	return n
}
