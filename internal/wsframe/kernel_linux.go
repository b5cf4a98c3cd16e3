package wsframe

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7).
const tcpUserTimeout = 0x12

// tune has the kernel give a vanished peer up in well under a minute: one that
// owes acknowledgements by TCP_USER_TIMEOUT, one that is silent by probes.
// Neither setting is essential, so a socket that refuses it is used as it is.
func tune(conn net.Conn, stall time.Duration) {
	tcp := tcpConn(conn)
	if tcp == nil {
		return
	}
	tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3})
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	// Later than Stall, which can tell a slow reader from one that takes nothing.
	ms := int(max(stall+stall/2, 45*time.Second) / time.Millisecond)
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, ms)
	})
}

// queued returns how many bytes the kernel still holds for the peer, sent and
// not acknowledged or not sent yet (SIOCOUTQ of tcp(7)).
func queued(conn net.Conn) (n int, known bool) {
	tcp := tcpConn(conn)
	if tcp == nil {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	var size int32
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&size)))
	})
	return int(size), err == nil && errno == 0
}

// tcpConn returns the socket below conn, also below TLS, or nil.
func tcpConn(conn net.Conn) *net.TCPConn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(socket); ok {
		return c.Socket()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// A socket of package net never blocks, so the scheduler need not hear of these
// calls: telling it costs as much as a short read does, and has it take the
// processor away from a long one. As send and receive they also skip what the
// kernel does for files.

func readFD(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func writeFD(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
