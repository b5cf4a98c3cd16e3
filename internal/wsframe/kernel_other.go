//go:build !linux

package wsframe

import (
	"net"
	"time"
)

// tune has the kernel probe a silent peer, as far as the system can be asked.
func tune(conn net.Conn, _ time.Duration) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(socket); ok {
		conn = c.Socket()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3})
	}
}

// queued says that the system can not be asked.
func queued(net.Conn) (n int, known bool) { return 0, false }
