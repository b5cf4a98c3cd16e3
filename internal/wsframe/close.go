package wsframe

import (
	"net"
	"time"
)

// progress is how far the closing handshake of one leg has come.
type progress uint8

const (
	said  progress = 1 << iota // a close frame was written to it, or nothing can be any more
	heard                      // its close frame was read, or none can come any more
	shut                       // its sending side was shut
)

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

// heardClose deals with the complete close frame of the source: it crosses as
// it is, unless a close frame went the same way before.
func (f *flow) heardClose(frame []byte) {
	if f.mode == relaying {
		payload := controlPayload(frame)
		f.p.ended(Result{By: f.from, Cause: CauseClose, Code: closeCode(payload), ReasonLen: max(len(payload)-2, 0)})
		f.skim.Next(frame, 0)
		if f.send(frame, f.readAt.Load()) {
			f.p.note(f.to, said)
		}
	}
	f.p.note(f.from, heard)
	f.leave(draining)
}

// refuse deals with a frame of the source that is broken: 1002 to the
// offender, 1011 to the other side, which has had nothing of it.
func (f *flow) refuse(err error) {
	if f.mode == relaying {
		reason := err.Error()
		f.p.ended(Result{By: f.from, Cause: CauseProtocol, Code: CloseProtocol, ReasonLen: len(reason), Err: err})
		f.other.orderClose(CloseProtocol, reason)
		f.say(CloseInternal, f.from.String()+" broke the frame format")
	}
	f.p.note(f.from, heard)
	f.leave(draining)
}

// say writes a close frame of ours. Nothing follows it in this direction.
func (f *flow) say(code int, reason string) {
	if f.send(appendClose(nil, code, reason, f.to == Target), f.p.now()) {
		f.p.note(f.to, said)
		f.leave(listening)
	}
}

// leave goes on to a later mode.
func (f *flow) leave(to mode) {
	f.mode = max(f.mode, to)
	f.todo = 0
}

// lose deals with the end of a source that sent no close frame. The other side
// gets a close frame where a frame ends; inside one its connection is cut
// without, because what was truncated must not look complete.
func (f *flow) lose(cause Cause, err error) {
	r := Result{By: f.from, Cause: cause, Code: CloseInternal, Err: err}
	if f.from == Client {
		r.Code = CloseGoingAway
	}
	reason := ""
	if f.p.cfg.Reason != nil {
		reason = f.p.cfg.Reason(f.from, cause, err)
	}
	r.ReasonLen = len(reason)
	code := r.Code
	whole := f.skim.Boundary()
	if f.mode == relaying && !whole {
		r.Code, r.ReasonLen = CloseAbnormal, 0
	}
	f.p.ended(r)

	f.other.order(orderMute)
	abandon(f.src)
	f.p.note(f.from, said|heard|shut)
	if f.mode == relaying {
		if whole {
			f.say(code, reason)
		} else {
			f.p.note(f.to, said|heard)
		}
	}
	f.leave(over)
}

// enough deals with a source that has left a close frame unanswered.
func (f *flow) enough() {
	switch f.mode {
	case relaying:
		f.lose(CauseLoss, ErrNoAnswer)
	case listening:
		f.p.note(f.from, heard)
		f.leave(draining)
	}
}

// sendFailed deals with a destination that takes nothing more. One that
// stalled is lost. One whose connection failed may have sent its last words
// before, a close frame among them: the other owner reads them and then
// declares it lost.
func (f *flow) sendFailed(err error) {
	f.leave(listening)
	switch {
	case f.orders.Load()&orderCut != 0:
		f.leave(over)
		return
	case f.stalled.Load():
		f.other.orderFate(orderLost, CauseStall, ErrStalled)
	default:
		f.other.orderFate(orderDying, CauseLoss, err)
	}
	f.p.note(f.to, said)
}

// order leaves an order for the owner and wakes it.
func (f *flow) order(what order) {
	f.orders.Or(what)
	f.src.SetReadDeadline(past) // fails only when the connection is closed: its owner knows
}

// orderClose orders a close frame of ours. The first order counts.
func (f *flow) orderClose(code int, reason string) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.orderCloseLocked(code, reason)
}

func (f *flow) orderCloseLocked(code int, reason string) {
	if f.farewell == nil {
		f.farewell = &farewell{code, reason}
	}
	f.order(orderClose)
}

func (f *flow) readFarewell() (code int, reason string) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return f.farewell.code, f.farewell.reason
}

// orderFate tells the owner that its source is lost, or dying, and why.
func (f *flow) orderFate(what order, cause Cause, err error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.orderFateLocked(what, cause, err)
}

func (f *flow) orderFateLocked(what order, cause Cause, err error) {
	if f.fate.err == nil || what == orderLost {
		f.fate.cause, f.fate.err = cause, err
	}
	f.order(what)
}

func (f *flow) readFate() (Cause, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return f.fate.cause, f.fate.err
}

// ended notes why the session ends and starts the clock for the rest of it.
// Only the first reason counts.
func (p *Pipe) ended(r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(r)
}

func (p *Pipe) endLocked(r Result) bool {
	if p.result.Cause != CauseNone {
		return false
	}
	r.ReasonLen = min(r.ReasonLen, maxReason)
	p.result = r
	if r.Cause != CauseShutdown {
		p.lowerCurtain(p.cfg.CloseWait)
	}
	return true
}

// note records progress on a leg. A leg on which all was said and heard has
// its sending side shut, by whoever completed it: no owner writes to it again.
func (p *Pipe) note(side Side, what progress) {
	p.mu.Lock()
	leg := &p.legs[side]
	*leg |= what
	shutNow := *leg == said|heard
	if shutNow {
		*leg |= shut
	}
	both := p.legs[Client] & p.legs[Target]
	switch {
	case both&shut != 0:
		p.clock.finale = true
		p.lowerCurtain(linger)
	case what&said != 0 && both&said != 0 && !p.clock.finale:
		p.lowerCurtain(p.cfg.CloseWait)
	}
	p.mu.Unlock()

	if shutNow {
		shutWrite(p.conn(side))
	}
}

func (p *Pipe) conn(side Side) net.Conn {
	if side == Client {
		return p.toTarget.src
	}
	return p.toClient.src
}

// cutLocked ends both flows now, whatever they are doing.
func (p *Pipe) cutLocked() {
	for _, f := range []*flow{&p.toTarget, &p.toClient} {
		f.orders.Or(orderCut)
	}
	for _, conn := range []net.Conn{p.conn(Client), p.conn(Target)} {
		conn.SetDeadline(past) // fails only when the connection is closed already
		if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
			c.NetConn().Close() // TLS sets deadlines of its own when it says goodbye
		}
	}
}

// shutWrite tells the peer that nothing more comes, while what it still sends
// can be read: closing with bytes unread would reset the connection, and the
// reset could overtake our close frame.
func shutWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
		return
	}
	conn.Close()
}

// abandon closes a connection whose peer is lost, without a goodbye that
// might block.
func abandon(conn net.Conn) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		c.NetConn().Close()
		return
	}
	conn.Close()
}
