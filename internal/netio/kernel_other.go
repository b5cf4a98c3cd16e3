//go:build !linux

package netio

import (
	"net"
	"syscall"
	"time"
)

// SetUserTimeout leaves the retransmission timeout to the system.
func SetUserTimeout(syscall.RawConn, time.Duration) error { return nil }

// Queued says that the system can not be asked.
func Queued(net.Conn) (n int, known bool) { return 0, false }

// Sent says that the system can not be asked.
func Sent(*net.TCPConn) (acked uint64, queued int, known bool) { return 0, 0, false }
