package netio

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// The scheduler does not hear of these calls, which never block. As receive and send
// they also skip what the kernel does for files.

func readFD(fd int, b []byte) (int, error) { return receive(fd, b, 0) }

func peekFD(fd int, b []byte) (int, error) { return receive(fd, b, syscall.MSG_PEEK) }

func receive(fd int, b []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(sysRecvfrom, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func writeFD(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(sysSendto, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482, tcp(7)), which syscall does not
// name.
const tcpUserTimeout = 0x12

// SetUserTimeout bounds how long sent bytes may stay unacknowledged, or a peer's
// window shut, before the connection is lost. The system's default is about 15
// minutes, and stays where the system cannot be told. The error is that of a
// connection that is closed.
func SetUserTimeout(c syscall.RawConn, d time.Duration) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d/time.Millisecond))
	})
}

// Queued returns how many bytes the kernel still holds for the peer, sent and
// not acknowledged or not sent yet (SIOCOUTQ of tcp(7)), where that is known.
func Queued(conn net.Conn) (n int, known bool) {
	if c, ok := conn.(*LoopConn); ok {
		return c.queued()
	}
	tcp := TCP(conn)
	if tcp == nil {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) { n, known = queuedIn(fd) })
	return n, known && err == nil
}

// tcpInfo is the beginning of the kernel's struct tcp_info (linux/tcp.h), which only
// grows at its end.
type tcpInfo struct {
	_     [8]uint8
	_     [24]uint32
	_     [2]uint64
	acked uint64
}

// Sent returns how many bytes the peer has acknowledged since the connection began, and
// how many the kernel still holds for it, where that is known.
func Sent(conn *net.TCPConn) (acked uint64, queued int, known bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	err = raw.Control(func(fd uintptr) {
		var info tcpInfo
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := syscall.Syscall6(sysGetsockopt, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if queued, known = queuedIn(fd); errno != 0 || uintptr(size) < unsafe.Sizeof(info) {
			known = false
		}
		acked = info.acked
	})
	return acked, queued, known && err == nil
}
