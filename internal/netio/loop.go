package netio

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Loop is one goroutine that waits for many sockets at once and has their
// owners read and write them, without waiting:
//
//	                    readable, writable            Read, Write, Want
//	system ──▶ Loop ───────────────────────▶ LoopOwner ───────────────▶ LoopConn
//	             ▲
//	             └── Call, from any goroutine
//
// The system tells of a socket as long as there is something to tell
// (level-triggered), so that one read is enough for what one event told of. Where
// a goroutine waits for a socket of package net, it has to read until nothing is
// left, and to be put to sleep and woken for each message.
//
// The goroutine starts with the first socket and ends with the last. The zero
// value is ready to use.
type Loop struct {
	mu      sync.Mutex
	poller  *poller // nil: the goroutine does not run
	joined  int     // sockets that are not closed
	called  []*LoopConn
	waiting atomic.Bool // the goroutine waits for the system alone

	// What follows is the goroutine's.
	conns  []*LoopConn // by slot
	free   []int32     // slots
	spare  []*LoopConn // room for the next of those that are called
	buffer []byte
}

// loopBuffer is the size of Buffer.
const loopBuffer = 64 << 10

// A LoopOwner reads and writes one socket or several. All its methods are called
// by the loop's goroutine, so they must not wait for anything.
type LoopOwner interface {
	// Ready is called when a socket can be read or written, or has failed, which
	// reading and writing tell. It may tell of what an event before it made the
	// owner want no more.
	Ready(c *LoopConn, read, write bool)
	// Called is called after Call, once or more often.
	Called()
}

// A LoopConn is a socket in a Loop, or TLS over one. It is a net.Conn that never
// waits: Read and Write return ErrNotReady instead, and setting a deadline is the
// same as Call. Only its owner may use it, when the loop calls it; Call and the
// deadlines are for everybody.
type LoopConn struct {
	loop  *Loop
	owner LoopOwner
	outer io.Closer  // closed with this: the wrapper that was joined, or what it left; nil: a socket was joined
	tls   *tlsSocket // nil: a socket without TLS

	mu     sync.Mutex // guards fd against whoever is not in the loop
	fd     int32      // -1: closed
	slot   int32      // -1: the system does not know it yet
	wanted uint8
	called atomic.Bool
}

const (
	wantRead uint8 = 1 << iota
	wantWrite
)

// Join takes the sockets of an owner over: the connections are closed and may not
// be used any more, while the descriptors live on in joined, which has an element for each.
// Nothing happens before the owner calls Want. Join returns false, and changes nothing, if
// one of them is neither a socket, plain or in a wrapper, nor a tls.Conn over what ForTLS
// returned for one, or if the system offers no loop. The handshake of TLS has been made, and
// there is no renegotiation.
func (l *Loop) Join(owner LoopOwner, joined []LoopConn, conns ...net.Conn) bool {
	for i, conn := range conns {
		s := below(conn)
		if s != nil {
			conn = s.Conn
		}
		fd, err := duplicate(conn)
		if err != nil {
			abandonAll(joined[:i])
			return false
		}
		c := &joined[i]
		c.loop, c.owner, c.tls, c.fd, c.slot = l, owner, s, fd, -1
	}
	l.mu.Lock()
	if l.poller == nil {
		p, err := newPoller()
		if err != nil {
			l.mu.Unlock()
			abandonAll(joined)
			return false
		}
		l.poller, l.buffer = p, make([]byte, loopBuffer)
		go l.run(p)
	}
	l.joined += len(joined)
	l.mu.Unlock()
	for i, conn := range conns {
		if s := joined[i].tls; s != nil {
			secured := conn.(*tls.Conn)
			conn = s.Conn
			s.join(secured, &joined[i])
		}
		// The poller of package net forgets the socket. No byte is lost: the other
		// descriptor keeps it open.
		switch w := conn.(type) {
		case leaver:
			joined[i].outer = w.Leave()
		case wrapper:
			joined[i].outer = conn
			w.Socket().Close()
		default:
			conn.Close()
		}
	}
	return true
}

// abandonAll closes the descriptors that no loop takes.
func abandonAll(joined []LoopConn) {
	for i := range joined {
		closeFD(joined[i].fd)
		joined[i] = LoopConn{}
	}
}

func (l *Loop) run(p *poller) {
	defer p.close()
	for l.callOwners() {
		if p.poll() == 0 {
			// The system's answer of a moment ago cost little. Only now is it worth
			// it to sleep.
			l.waiting.Store(true)
			if !l.hasCalls() {
				p.wait()
			}
			l.waiting.Store(false)
		}
		p.each(func(slot int32, read, write bool) {
			if c := l.conns[slot]; c != nil { // not closed by an event before
				if c.tls != nil {
					c.tls.empty = false
				}
				c.owner.Ready(c, read, write)
			}
		})
	}
}

func (l *Loop) hasCalls() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.called) > 0
}

// callOwners does what Call has asked for. It returns false when no socket is
// left; the goroutine ends then.
func (l *Loop) callOwners() bool {
	for {
		l.mu.Lock()
		if len(l.called) == 0 {
			more := l.joined > 0
			if !more { // another goroutine may begin as soon as the lock is free
				l.poller, l.buffer, l.conns, l.free, l.spare = nil, nil, nil, nil, nil
			}
			l.mu.Unlock()
			return more
		}
		called := l.called
		l.called, l.spare = l.spare[:0], nil
		l.mu.Unlock()
		for i, c := range called {
			called[i] = nil
			c.called.Store(false)
			c.owner.Called()
		}
		l.spare = called
	}
}

// Call has the loop call the owner's Called soon, from any goroutine.
func (c *LoopConn) Call() {
	if c.called.Swap(true) {
		return
	}
	l := c.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.poller == nil {
		return // it was the last, and is closed
	}
	l.called = append(l.called, c)
	if l.waiting.CompareAndSwap(true, false) {
		l.poller.wake()
	}
}

// Want says what the loop shall tell the owner of, until the next Want. With
// neither it tells of nothing, not even of a failure. It tells of room too as long as
// Waits is true.
func (c *LoopConn) Want(read, write bool) error {
	var want uint8
	if c.tls != nil {
		write = write || c.Waits()
		read = read && len(c.tls.out) <= maxOut
	}
	if read {
		want |= wantRead
	}
	if write {
		want |= wantWrite
	}
	if want == c.wanted || c.fd < 0 {
		return nil
	}
	l := c.loop
	if c.slot < 0 {
		if n := len(l.free); n > 0 {
			c.slot, l.free = l.free[n-1], l.free[:n-1]
			l.conns[c.slot] = c
		} else {
			c.slot = int32(len(l.conns))
			l.conns = append(l.conns, c)
		}
	}
	err := l.poller.set(c.fd, c.slot, c.wanted, want)
	if err == nil {
		c.wanted = want
	}
	return err
}

// Buffer returns 64 KiB that the owner may use until it returns to the loop.
func (c *LoopConn) Buffer() []byte { return c.loop.buffer }

// Read reads what is there. The error is ErrNotReady, io.EOF, net.ErrClosed, the
// system's or, of TLS, that of crypto/tls.
func (c *LoopConn) Read(b []byte) (int, error) {
	if c.tls != nil && c.fd >= 0 {
		return c.tls.read(b)
	}
	return c.receive(b)
}

func (c *LoopConn) receive(b []byte) (int, error) {
	if c.fd < 0 {
		return 0, net.ErrClosed
	}
	return Read(uintptr(c.fd), b)
}

// More reports whether Read returns something though the loop may tell of nothing.
func (c *LoopConn) More() bool { return c.tls != nil && c.tls.more && c.fd >= 0 }

// Write writes what there is room for, some of b. The error is ErrNotReady when that
// is nothing, and with TLS also when some of what was taken of b waits for room;
// net.ErrClosed; the system's or that of crypto/tls.
func (c *LoopConn) Write(b []byte) (int, error) {
	if c.tls != nil && c.fd >= 0 {
		return c.tls.write(b)
	}
	return c.send(b)
}

func (c *LoopConn) send(b []byte) (int, error) {
	if c.fd < 0 {
		return 0, net.ErrClosed
	}
	return Write(uintptr(c.fd), b)
}

// Waits reports whether some of what was taken waits for room, of Write or of TLS's
// own.
func (c *LoopConn) Waits() bool { return c.tls != nil && len(c.tls.out) > 0 }

// Flush writes what waits for room, and returns how much the system has taken. The
// error is ErrNotReady when it was not all, net.ErrClosed or the system's.
func (c *LoopConn) Flush() (int, error) {
	if c.tls == nil {
		return 0, nil
	}
	return c.tls.flush()
}

// CloseWrite shuts the sending side. TLS says so in a record of its own.
func (c *LoopConn) CloseWrite() error {
	switch {
	case c.fd < 0:
		return net.ErrClosed
	case c.tls != nil:
		return c.tls.conn.CloseWrite()
	}
	return shutWrite(c.fd)
}

// Close takes the socket out of the loop and closes it. TLS says nothing about it,
// unless CloseWrite was called before.
func (c *LoopConn) Close() error {
	if c.fd < 0 {
		return net.ErrClosed
	}
	_ = c.Want(false, false) // a closed socket is told of no more, whatever this says
	l := c.loop
	if c.slot >= 0 {
		l.conns[c.slot] = nil
		l.free = append(l.free, c.slot)
	}
	c.mu.Lock()
	closeFD(c.fd)
	c.fd = -1
	c.mu.Unlock()
	l.mu.Lock()
	l.joined--
	l.mu.Unlock()
	if c.outer != nil {
		c.outer.Close() // the socket is closed already, as its error says
	}
	return nil
}

// queued is Queued, from any goroutine.
func (c *LoopConn) queued() (n int, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return 0, false
	}
	return queuedIn(uintptr(c.fd))
}

// SetDeadline calls the owner, whatever the time is.
func (c *LoopConn) SetDeadline(time.Time) error { c.Call(); return nil }

// SetReadDeadline calls the owner, whatever the time is.
func (c *LoopConn) SetReadDeadline(time.Time) error { c.Call(); return nil }

// SetWriteDeadline calls the owner, whatever the time is.
func (c *LoopConn) SetWriteDeadline(time.Time) error { c.Call(); return nil }

// LocalAddr returns nil: who wants to know asks before Join.
func (c *LoopConn) LocalAddr() net.Addr { return nil }

// RemoteAddr returns nil: who wants to know asks before Join.
func (c *LoopConn) RemoteAddr() net.Addr { return nil }

// Loops are as many loops as a process needs: one for each two of its
// processors. The zero value is ready to use, and safe for concurrent use.
type Loops struct {
	once sync.Once
	all  []Loop
	next atomic.Uint32
}

// Next returns the loop whose turn it is to take sockets over.
func (ls *Loops) Next() *Loop {
	ls.once.Do(func() { ls.all = make([]Loop, max(1, runtime.GOMAXPROCS(0)/2)) })
	return &ls.all[ls.next.Add(1)%uint32(len(ls.all))]
}
