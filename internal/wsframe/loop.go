package wsframe

import (
	"net"
	"os"
	"sync"

	"github.com/farwire/farwire/internal/netio"
)

// A loop owns the flows of many sessions. Where a goroutine waits until the
// destination takes what it is given, a loop keeps the rest, and until that is
// written it neither reads the source nor follows an order other than to stop: so a
// flow does the same things in the same order, no matter who owns it. Both connections
// are a netio.LoopConn then.

// rest is what a destination had no room for: at most what was read at once and
// a few frames of ours.
type rest struct {
	buf    []byte
	done   int  // bytes of buf that were written
	closes bool // the last frame in it is a close frame
}

var rests = sync.Pool{New: func() any { return &rest{buf: make([]byte, 0, bufSize+1<<10)} }}

// startInLoop has a loop own both flows, where both sides are sockets and nothing
// has to be inflated.
func (p *Pipe) startInLoop(loops *netio.Loops) bool {
	if loops == nil || p.inflate != nil {
		return false
	}
	p.mu.Lock() // the clock runs already, and looks at the connections
	if !loops.Next().Join((*loopOwner)(p), p.joined[:], p.conn(Client), p.conn(Target)) {
		p.mu.Unlock()
		return false
	}
	for i, f := range []*flow{&p.toTarget, &p.toClient} {
		f.src, f.dst = &p.joined[i], &p.joined[1-i]
	}
	p.mu.Unlock()
	p.joined[0].Call()
	return true
}

// A loopOwner is a Pipe as a loop knows it.
type loopOwner Pipe

// Called begins the session, and later follows the orders that were left.
func (o *loopOwner) Called() {
	defer o.settle()
	defer o.recoverPanic()
	for _, f := range []*flow{&o.toTarget, &o.toClient} {
		if !o.begun {
			f.begin()
		}
		f.followInLoop()
		f.readOnInLoop()
	}
	o.begun = true
}

// Ready writes what waits for c, or reads what c has.
func (o *loopOwner) Ready(c *netio.LoopConn, read, write bool) {
	from, to := &o.toTarget, &o.toClient
	if from.src != net.Conn(c) {
		from, to = to, from
	}
	if o.turn(c, from, to, read, write) {
		o.settle()
	}
}

// turn returns whether something other than bytes that crossed has come about.
func (o *loopOwner) turn(c *netio.LoopConn, from, to *flow, read, write bool) (settle bool) {
	defer o.recoverPanic()
	settle = true // also after a panic
	wrote := write && (to.rest != nil || c.Waits())
	if write && to.rest != nil {
		to.flush()
		to.followInLoop()
		to.readOnInLoop()
	} else if wrote {
		_, _ = c.Flush() // of TLS's own: when the connection has failed, reading it tells
	}
	crossed := !read || from.readInLoop()
	return wrote || !crossed
}

// recoverPanic ends a session whose code has panicked; the loop goes on with others.
func (o *loopOwner) recoverPanic() {
	if v := recover(); v != nil {
		(*Pipe)(o).panicked(v)
	}
}

// settle tells the loop what each flow waits for, and ends the session when both
// wait for nothing more.
func (o *loopOwner) settle() {
	up, down := &o.toTarget, &o.toClient
	if o.finished {
		return
	}
	if up.overInLoop() && down.overInLoop() {
		o.finished = true
		up.src.Close()
		down.src.Close()
		go (*Pipe)(o).finish() // it calls the host
		return
	}
	for _, f := range []*flow{up, down} {
		reads := f.mode != over && f.rest == nil
		if err := f.src.(*netio.LoopConn).Want(reads, f.other.rest != nil); err != nil {
			(*Pipe)(o).Abort()
		}
	}
}

func (f *flow) overInLoop() bool { return f.mode == over && f.rest == nil }

// readInLoop reads what the source has, of a plain socket once, and returns whether
// all of it crossed and nothing else has come about.
func (f *flow) readInLoop() bool {
	src := f.src.(*netio.LoopConn)
	crossed := true
	for f.mode != over && f.rest == nil {
		b := src.Buffer()
		n, err := src.Read(b[copy(b, f.held):])
		if err == netio.ErrNotReady {
			break
		}
		if err != nil {
			f.readFailed(err)
			return false
		}
		f.take(b[:len(f.held)+n])
		if f.mode != relaying || f.rest != nil || f.orders.Load() != 0 {
			f.followInLoop()
			crossed = false
		}
		if !src.More() {
			break
		}
	}
	return crossed && !src.Waits()
}

// readOnInLoop reads what the loop does not tell of, because TLS has it already.
func (f *flow) readOnInLoop() {
	if f.src.(*netio.LoopConn).More() {
		f.readInLoop()
	}
}

// followInLoop does what followOrders does for a goroutine, which is not called
// while it writes.
func (f *flow) followInLoop() {
	if f.rest != nil {
		switch {
		case f.orders.Load()&orderCut != 0:
			f.drop()
		case f.stalled.Load():
			f.restFailed(os.ErrDeadlineExceeded)
		case f.orders.Load()&orderNoWrite != 0:
			f.restFailed(net.ErrClosed)
		default:
			return
		}
	}
	f.followOrders()
	if f.readUntil != 0 && f.mode != over && !f.readOut() {
		f.p.callAfter(linger)
	}
}

// sendInLoop writes what there is room for and keeps the rest.
func (f *flow) sendInLoop(b []byte, now int64) bool {
	if f.rest == nil {
		n, err := f.dst.Write(b)
		switch {
		case n == len(b) && err == nil:
			f.wroteAt.Store(now)
			return true
		case err != nil && err != netio.ErrNotReady:
			f.sendFailed(err)
			return false
		}
		b = b[n:]
		f.block()
		f.rest = rests.Get().(*rest)
	}
	f.rest.buf = append(f.rest.buf, b...)
	return true
}

// flush writes of the rest what there is room for, behind what TLS has taken of it.
func (f *flow) flush() {
	r, dst := f.rest, f.dst.(*netio.LoopConn)
	n, err := dst.Flush()
	f.took(n)
	for err == nil && r.done < len(r.buf) {
		n, err = dst.Write(r.buf[r.done:])
		r.done += n
		f.took(n)
	}
	switch {
	case err == netio.ErrNotReady:
		return
	case err != nil:
		f.restFailed(err)
		return
	}
	closes := r.closes
	f.drop()
	if closes {
		f.p.note(f.to, closeSent)
	}
}

// took notes that the destination has taken n bytes more of those that wait.
func (f *flow) took(n int) {
	if n > 0 {
		f.blocked.Store(f.p.now())
	}
}

// restFailed deals with a rest that nobody will take.
func (f *flow) restFailed(err error) {
	f.drop()
	f.sendFailed(err)
}

// drop forgets the rest, which was written or cannot be.
func (f *flow) drop() {
	r := f.rest
	*r = rest{buf: r.buf[:0]}
	rests.Put(r)
	f.rest = nil
	f.unblock()
}
