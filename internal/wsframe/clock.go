package wsframe

import (
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

const (
	// stallSamples is how often in Stall the clock looks whether a
	// destination takes bytes.
	stallSamples = 6
	// quiet is how long a source may be silent and a goroutine wait for it, perhaps
	// with a buffer in its hands.
	quiet = time.Second

	never = math.MaxInt64
)

// clock is the one timer of a session. Owners write down when things happen
// and never touch the timer; when it fires it looks what is due and sleeps
// until the next thing can be. Its fields are guarded by Pipe.mu.
type clock struct {
	timer   *time.Timer
	wake    int64 // when timer fires
	stopped bool
	calls   bool // the next tick calls the loop
	watched bool // the kernel looks after both peers

	deadline int64 // when the ending is over; 0: the session is not ending
	final    bool  // the deadline is the last: then both connections are cut

	watching atomic.Bool // the clock will look at flow.blocked
	paused   atomic.Bool // idle or pong wait stand still until a flow unblocks
}

// startClock begins to count idle time and silence.
func (p *Pipe) startClock() {
	now := p.now()
	p.toClient.dataAt.Store(now)
	p.toClient.wroteAt.Store(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.KeepAlive > 0 {
		p.alarm(now + int64(p.cfg.KeepAlive))
	}
	if p.cfg.Idle > 0 {
		p.alarm(now + int64(p.cfg.Idle))
	}
	p.alarm(now + int64(netio.WatchAfter))
}

// watchPeers tells the kernel, once, when the session has lasted.
func (p *Pipe) watchPeers(now int64) (next int64) {
	switch {
	case p.clock.watched, p.clock.deadline != 0: // what is left of it has a limit
		return never
	case now < int64(netio.WatchAfter):
		return int64(netio.WatchAfter)
	}
	p.clock.watched = true
	for _, conn := range []net.Conn{p.conn(Client), p.conn(Target)} {
		// The kernel gives up later than Stall, which can tell a slow reader from
		// one that takes nothing.
		netio.WatchPeer(conn, max(p.cfg.Stall+p.cfg.Stall/2, 45*time.Second))
	}
	return never
}

func (p *Pipe) stopClock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.stopped = true
	if p.clock.timer != nil {
		p.clock.timer.Stop()
	}
}

// watch has the clock look at things after d at the latest.
func (p *Pipe) watch(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarm(p.now() + int64(d))
}

// callAfter has the loop called after d at the latest.
func (p *Pipe) callAfter(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.calls = true
	p.alarm(p.now() + int64(d))
}

// setDeadlineLocked gives what is left of the session d from now; Pipe.mu is held.
func (p *Pipe) setDeadlineLocked(d time.Duration) {
	p.clock.deadline = p.now() + int64(d)
	p.alarm(p.clock.deadline)
}

// alarm makes the timer fire at that time, or earlier; Pipe.mu is held.
func (p *Pipe) alarm(at int64) {
	c := &p.clock
	if c.stopped || at == never || c.wake != 0 && c.wake <= at {
		return
	}
	c.wake = max(at, 1)
	d := max(time.Duration(at-p.now()), 0)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, p.tick)
	} else {
		c.timer.Reset(d)
	}
}

// tick does what is due.
func (p *Pipe) tick() {
	defer p.recoverPanic()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clock.stopped {
		return
	}
	p.clock.wake = 0
	now := p.now()
	if p.clock.calls {
		p.clock.calls = false
		p.conn(Client).SetReadDeadline(past) // a loop's connection cannot fail
	}
	p.clock.watching.Store(false) // before looking: an owner that blocks meanwhile asks for a tick
	p.alarm(p.checkFlow(&p.toTarget, now))
	p.alarm(p.checkFlow(&p.toClient, now))
	p.alarm(p.watchPeers(now))
	switch {
	case p.clock.deadline != 0:
		p.alarm(p.checkDeadline(now))
	case p.result == nil:
		p.alarm(p.checkIdle(now))
		p.alarm(p.checkPong(now))
	}
}

// checkDeadline ends a session whose ending takes too long: first for the side
// that is waited for, then for both.
func (p *Pipe) checkDeadline(now int64) (next int64) {
	c := &p.clock
	switch {
	case now < c.deadline:
	case c.final:
		p.cutLocked()
		return never
	default:
		c.final = true
		c.deadline = now + int64(linger)
		for _, f := range []*flow{&p.toTarget, &p.toClient} {
			if p.sides[f.from]&closeRead == 0 {
				f.order(orderGiveUp)
			}
		}
	}
	return c.deadline
}

// checkIdle ends a session whose target has sent no data for too long. A
// target that is inside a frame then gets CloseWait to finish it, like any
// side that is waited for.
func (p *Pipe) checkIdle(now int64) (next int64) {
	if p.cfg.Idle <= 0 || p.standsStill(&p.toClient) {
		return never
	}
	due := p.toClient.dataAt.Load() + int64(p.cfg.Idle)
	if now < due {
		return due
	}
	reason := errIdle.Error()
	p.endLocked(Result{By: Gateway, Cause: CauseIdle, Code: CloseNormal, ReasonLen: len(reason), Err: errIdle})
	p.toClient.orderCloseLocked(CloseNormal, reason)
	p.toTarget.orderCloseLocked(CloseGoingAway, "")
	return never
}

// checkPong orders a ping when the client has heard nothing for long, and
// gives the client up when one stays unanswered.
func (p *Pipe) checkPong(now int64) (next int64) {
	if p.cfg.KeepAlive <= 0 || p.standsStill(&p.toClient) {
		return never
	}
	sent := p.ping.at.Load()
	if sent == 0 {
		due := p.toClient.wroteAt.Load() + int64(p.cfg.KeepAlive)
		if now < due {
			return due
		}
		// The owner may have to wait for a frame to end: look again later.
		p.toClient.order(orderPing)
		return now + int64(min(p.cfg.PongWait, p.cfg.KeepAlive))
	}
	if p.standsStill(&p.toTarget) {
		return never
	}
	due := max(sent, p.toClient.wroteAt.Load(), p.toTarget.wroteAt.Load()) + int64(p.cfg.PongWait)
	if now < due {
		return due
	}
	p.toTarget.orderLossLocked(orderLost, CauseKeepAlive, ErrNoPong)
	return never
}

// standsStill reports whether the flow can not read because its destination
// takes nothing; the owner then asks for a tick when it can again.
func (p *Pipe) standsStill(f *flow) bool {
	if f.blocked.Load() == 0 {
		return false
	}
	p.clock.paused.Store(true)
	return f.blocked.Load() != 0
}

// checkFlow looks for a destination that has stalled and for a source that has
// gone quiet with a big buffer.
func (p *Pipe) checkFlow(f *flow, now int64) (next int64) {
	next = never
	if since := f.blocked.Load(); since != 0 {
		p.clock.watching.Store(true)
		// A socket becomes writable again only when much of what the kernel
		// holds is gone, so ask the kernel whether any of it is.
		held, known := netio.Queued(f.dst)
		queue := int32(min(held, math.MaxInt32))
		if known && f.sampled == since && queue < f.queue && f.blocked.CompareAndSwap(since, now) {
			since = now
		}
		f.sampled, f.queue = since, queue
		switch due := since + int64(p.cfg.Stall); {
		case now < due:
			next = min(due, now+int64(p.cfg.Stall/stallSamples))
		default:
			f.stalled.Store(true)
			f.dst.SetWriteDeadline(past) // fails only when the connection is closed already
		}
	}
	if f.grown.Load() || f.wait != nil && f.wait.pauses.Load() {
		quiet := int64(p.cfg.quiet)
		due := f.readAt.Load() + quiet
		if now >= due && f.blocked.Load() == 0 {
			f.orders.Or(orderQuiet)
			f.src.SetReadDeadline(past) // fails only when the connection is closed: its owner knows
			due = now + quiet           // the owner may have been busy
		}
		next = min(next, max(due, now+quiet/4))
	}
	return next
}
