// Package netio reads and writes sockets when they are ready, and asks the
// system what package net does not.
//
// A socket of package net never blocks in the kernel. Whoever has its file
// descriptor can therefore wait until it is ready first, and only then take a
// buffer, so that a connection on which nothing happens holds none:
//
//	Raw(conn)  ──▶ RawConn.Read(func(fd) bool { … Read(fd, b) … })
//	                  │                              │
//	                  │ waits until fd is readable   │ ErrNotReady: give the
//	                  └───────────◀──────────────────┘ buffer back, wait again
//
// [Read] and [Write] are one system call each on a descriptor and say whether
// it was ready, so the one who waits may be the runtime, as above, or a loop
// that asks the system about many descriptors at once, see [Loop]. [Reader] and
// [Socket] are such waits ready to use.
package netio

import (
	"errors"
	"io"
	"net"
	"time"
	"weak"
)

// ErrNotReady: the descriptor has no bytes, or no room for any, at present.
var ErrNotReady = errors.New("not ready")

// ErrReady: the descriptor has bytes.
var ErrReady = errors.New("there are bytes to read")

// KeepAlive finds a peer that has vanished, and sends nothing, within a minute.
var KeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3}

// TCP returns the socket below conn, also below TLS and below a wrapper that
// has Socket() *net.TCPConn because reading and writing are not its business,
// or nil.
func TCP(conn net.Conn) *net.TCPConn {
	if c, ok := conn.(interface{ socket() *net.TCPConn }); ok {
		return c.socket()
	}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(wrapper); ok {
		return c.Socket()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// A wrapper does what it does beside reading and writing, like counting, and
// lets its TCP connection be read and written directly.
type wrapper interface{ Socket() *net.TCPConn }

// A leaver is a wrapper that need not be kept, with all that package net holds for its
// socket, while the connection goes on in another descriptor.
type leaver interface {
	wrapper
	// Leave closes this descriptor and returns what has to be closed when the connection ends.
	Leave() io.Closer
}

// WatchPeer has the kernel give a vanished peer up: one that is silent by
// KeepAlive, and one that owes acknowledgements, or keeps its window shut, after
// owes, where the system can do that. Neither setting is essential: a socket
// that refuses it, or that is not a socket, is used as it is.
func WatchPeer(conn net.Conn, owes time.Duration) {
	if c, ok := conn.(*LoopConn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fd >= 0 {
			watchFD(c.fd, owes)
		}
		return
	}
	tcp := TCP(conn)
	if tcp == nil {
		return
	}
	// Closed already: reading it tells.
	_ = tcp.SetKeepAliveConfig(KeepAlive)
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = SetUserTimeout(raw, owes)
	}
}

// WatchAfter is how old a connection is when the kernel is told to look after its
// peer. That is five system calls, which a short connection does without: the first
// probe of a silent peer comes long after.
const WatchAfter = 2 * time.Second

// WatchLater is WatchPeer after WatchAfter, for a TCP connection that is in use then. It
// keeps none in memory that was closed before.
func WatchLater(conn net.Conn, owes time.Duration) {
	tcp := TCP(conn)
	if tcp == nil {
		return
	}
	inUse := weak.Make(tcp)
	time.AfterFunc(WatchAfter, func() {
		if tcp := inUse.Value(); tcp != nil {
			WatchPeer(tcp, owes)
		}
	})
}

// plainReader holds a buffer while it waits, unless c has WaitRead.
func plainReader(c net.Conn, take func() []byte, give func()) func() (int, error) {
	if w, ok := c.(interface{ WaitRead() }); ok {
		return func() (int, error) {
			give()
			w.WaitRead()
			return c.Read(take())
		}
	}
	return func() (int, error) { return c.Read(take()) }
}
