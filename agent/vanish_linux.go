package agent

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482), which syscall does not name.
const tcpUserTimeout = 0x12

// setVanish bounds how long sent bytes may stay unacknowledged, or a peer's
// window shut, before the connection is lost. The system's default is about 15
// minutes.
func setVanish(c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// A system that cannot do it keeps its own timeout.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 50_000)
	})
}
