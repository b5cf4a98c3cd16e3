package agent

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/farwire/farwire/internal/netio"
)

// What a tunnel costs the gateway while readers stall.
//
// The multiplexer bounds the bytes of a stream by its window. It cannot bound
// what all of them hold, because no one can refuse a stream its first 256 KiB;
// and it keeps each frame by itself, so that a window of frames of one byte
// costs many times the window. So the gateway counts for itself: what
// has arrived on each stream and was not read yet, frames included. Where that
// is more than tunnelLimit for one tunnel, the stream that holds the most is
// given up, until it is not.
//
// The books are kept where the frames' headers come by, below the multiplexer,
// so that nothing it holds is missing from them.

// frameCost is about how many bytes the multiplexer needs to keep a frame, beside the
// frame's own.
const frameCost = 48

// A frameReader is the connection below a multiplexer, and tells what arrives before
// the multiplexer knows it.
type frameReader struct {
	net.Conn
	to frameListener

	head [12]byte // of the frame that is arriving
	have int      // bytes of head
	body int64    // bytes of the frame's body that are to come
}

// A frameListener must not wait for the multiplexer, save in waitForRoom for it to hand out
// streams.
type frameListener interface {
	waitForRoom()                      // for the streams of another read
	opened(stream uint32)              // by the other side
	received()                         // something
	arrived(stream uint32, length int) // bytes for a stream
	streamEnded(stream uint32)         // by the other side, in one direction or in both
	closed()                           // the connection, and with it every stream
}

// Close is called by the multiplexer when the link ends, for whatever reason.
func (c *frameReader) Close() error {
	err := c.Conn.Close()
	c.to.closed()
	return err
}

// Read is called by the multiplexer, one at a time.
func (c *frameReader) Read(p []byte) (int, error) {
	const (
		data, update  = 0, 1    // types of those that concern a stream
		syn, fin, rst = 1, 4, 8 // flags
	)
	c.to.waitForRoom()
	n, err := c.Conn.Read(p)
	c.to.received()
	for b := p[:n]; len(b) > 0; {
		if skip := min(c.body, int64(len(b))); skip > 0 {
			c.body -= skip
			b = b[skip:]
			continue
		}
		k := copy(c.head[c.have:], b)
		c.have += k
		b = b[k:]
		if c.have < len(c.head) {
			break
		}
		c.have = 0
		stream := binary.BigEndian.Uint32(c.head[4:])
		if c.head[1] <= update && binary.BigEndian.Uint16(c.head[2:])&syn != 0 {
			c.to.opened(stream)
		}
		if c.head[1] == data { // the only kind with a body
			length := binary.BigEndian.Uint32(c.head[8:])
			c.body = int64(length)
			// What is beyond the window is never kept.
			c.to.arrived(stream, int(min(length, maxWindow)))
		}
		if c.head[1] <= update && binary.BigEndian.Uint16(c.head[2:])&(fin|rst) != 0 {
			c.to.streamEnded(stream)
		}
	}
	return n, err
}

// An account is what one stream holds. Frames are not counted out one by one:
// those that were there at a mark are gone when all bytes of then have been
// read. So an account may show too much, and never too little.
type account struct {
	mu         sync.Mutex
	unread     int
	old, young int // frames from before and after the mark
	mark       int // bytes to read until the old ones are gone
	closed     bool
}

func (a *account) cost() int { return a.unread + frameCost*(a.old+a.young) }

// add counts a frame in and returns by how much the cost has changed.
func (a *account) add(length int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || length == 0 {
		return 0
	}
	a.unread += length
	if a.mark == 0 {
		a.old, a.mark = 1, length
	} else {
		a.young++
	}
	return length + frameCost
}

// take counts n read bytes out and returns the change likewise.
func (a *account) take(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return 0
	}
	before := a.cost()
	n = min(n, a.unread) // bytes that came before the request was sent are not counted
	a.unread -= n
	if a.mark -= n; a.mark <= 0 {
		a.old, a.young, a.mark = a.young, 0, a.unread
	}
	return a.cost() - before
}

// waits reports whether there are bytes to read.
func (a *account) waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unread > 0
}

// close empties the account for good and returns the change.
func (a *account) close() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return 0
	}
	a.closed = true
	return -a.cost()
}

// arrived counts a frame. While all streams together hold more than the limit, it resets
// the one that holds the most.
func (l *link) arrived(stream uint32, length int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[stream]
	if c == nil {
		return
	}
	held := l.held.Add(int64(c.account.add(length)))
	c.readable(false)
	if held <= l.limit() {
		return
	}
	for l.held.Load() > l.limit() {
		var worst *conn
		most := 0
		for _, c := range l.conns {
			if cost := c.account.holds(); cost > most {
				worst, most = c, cost
			}
		}
		if worst == nil {
			return
		}
		l.held.Add(int64(worst.account.close()))
		l.pool.wg.Go(worst.overflow)
	}
}

func (l *link) limit() int64 {
	if l.peer != "" {
		return peerTimes * tunnelLimit
	}
	return tunnelLimit
}

// holds is the cost of an account that is open.
func (a *account) holds() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return 0
	}
	return a.cost()
}

// overflow ends a connection of which too much waits to be read.
func (c *conn) overflow() {
	c.mu.Lock()
	c.overrun = true
	c.mu.Unlock()
	c.giveUp()
}

func (l *link) received() { l.heard.Add(1) }

func (l *link) waitForRoom() {}

func (l *link) opened(uint32) {} // the multiplexer takes one

func (l *link) streamEnded(stream uint32) {
	if c := l.conn(stream); c != nil {
		c.readable(true)
	}
}

func (l *link) closed() {
	l.gone.Store(true) // for connections that are not registered yet
	endPauses(&l.mu, l.conns)
}

// endPauses ends the pauses of all that is open when a link closes; mu guards open.
func endPauses[Stream interface{ readable(ended bool) }](mu *sync.Mutex, open map[uint32]Stream) {
	mu.Lock()
	defer mu.Unlock()
	for _, s := range open {
		s.readable(true)
	}
}

// readable ends the pause of the reader that waits for the connection; ended says that no
// further pause is needed.
func (c *conn) readable(ended bool) {
	if ended {
		c.ended.Store(true)
	}
	if p := c.paused.Load(); p != nil && c.paused.CompareAndSwap(p, nil) {
		p.End()
	}
}

// EndWhenReadable is for netio.Pause.
func (c *conn) EndWhenReadable(p *netio.Pause) {
	c.paused.Store(p)
	if !c.Silent() {
		c.readable(false)
	}
}

// Silent reports that Read has nothing to read, not even an error. It is for netio.Glance.
func (c *conn) Silent() bool { return !c.ended.Load() && !c.link.gone.Load() && !c.account.waits() }

// read reads from the stream, and counts what it took.
func (c *conn) read(p []byte) (int, error) {
	n, err := c.stream.Read(p)
	if n > 0 {
		c.link.held.Add(int64(c.account.take(n)))
	}
	return n, err
}
