package wsframe

import (
	"errors"
	"net"
	"time"
)

// progress is how far the closing handshake of one side has come.
type progress uint8

const (
	closeSent progress = 1 << iota // a close frame was written to it, or nothing can be any more
	closeRead                      // its close frame was read, or none can come any more
	writeShut                      // its sending side was shut
)

// past is a deadline that wakes a waiting read or write.
var past = time.Unix(1, 0)

// takeClose deals with the complete close frame of the source: it crosses as
// it is, unless a close frame went the same way before.
func (f *flow) takeClose(frame []byte) {
	if f.mode == relaying {
		payload := controlPayload(frame)
		f.p.ended(Result{By: f.from, Cause: CauseClose, Code: closeCode(payload), ReasonLen: max(len(payload)-2, 0)})
		f.scan.Next(frame, 0)
		if f.send(frame, f.readAt.Load()) {
			f.sentClose()
		}
	}
	f.p.note(f.from, closeRead)
	f.advance(draining)
}

// refuse deals with a broken frame of the source, or one whose payload can
// not be inflated: the code to the side that sent it, 1011 to the other side,
// which has got nothing of it.
func (f *flow) refuse(code int, err error) {
	if f.mode == relaying {
		reason := err.Error()
		f.p.ended(Result{By: f.from, Cause: CauseProtocol, Code: code, ReasonLen: len(reason), Err: err})
		f.other.orderClose(code, reason)
		f.writeClose(CloseInternal, f.from.String()+" broke the frame format")
	}
	f.p.note(f.from, closeRead)
	f.advance(draining)
}

// writeClose writes a close frame of ours. Nothing follows it in this direction.
func (f *flow) writeClose(code int, reason string) {
	if f.send(appendClose(nil, code, reason, f.to == Target), f.p.now()) {
		f.sentClose()
		f.advance(listening)
	}
}

// advance goes on to a later mode.
func (f *flow) advance(to mode) {
	f.mode = max(f.mode, to)
	f.todo = 0
}

// lose deals with the end of a source that sent no close frame. The other side
// gets a close frame where a frame ends. Inside a frame its connection is cut
// without one, because a truncated message must not look complete.
func (f *flow) lose(cause Cause, err error) {
	code, reason := CloseTryAgain, ""
	if f.from == Client {
		code = CloseGoingAway
	}
	if f.p.cfg.Lost != nil {
		code, reason = f.p.cfg.Lost(f.from, cause, err)
	}
	r := Result{By: f.from, Cause: cause, Code: code, ReasonLen: len(reason), Err: err}
	whole := f.boundary()
	if f.mode == relaying && !whole {
		r.Code, r.ReasonLen = CloseAbnormal, 0
	}
	f.p.ended(r)

	f.other.order(orderNoWrite)
	abandon(f.src)
	f.p.note(f.from, closeSent|closeRead|writeShut)
	if f.mode == relaying {
		if whole {
			f.writeClose(code, reason)
		} else {
			f.p.note(f.to, closeSent|closeRead)
		}
	}
	f.advance(over)
}

// giveUp deals with a source that has left a close frame unanswered.
func (f *flow) giveUp() {
	switch f.mode {
	case relaying:
		f.lose(CauseLoss, ErrNoAnswer)
	case listening:
		f.p.note(f.from, closeRead)
		f.advance(draining)
	}
}

// sentClose notes that a close frame was written to the destination, when it was.
func (f *flow) sentClose() {
	if f.rest != nil {
		f.rest.closes = true
		return
	}
	f.p.note(f.to, closeSent)
}

// sendFailed deals with a destination that takes nothing more. One that
// stalled is lost. One whose connection failed may have sent more before it
// did, a close frame for instance: the other owner reads that first and then
// declares it lost.
func (f *flow) sendFailed(err error) {
	f.advance(listening)
	switch {
	case f.orders.Load()&orderCut != 0:
		f.advance(over)
		return
	case f.stalled.Load():
		f.other.orderLoss(orderLost, CauseStall, ErrStalled)
	default:
		f.other.orderLoss(orderReadOut, CauseLoss, err)
	}
	f.p.note(f.to, closeSent)
}

// order leaves an order for the owner and wakes it.
func (f *flow) order(what order) {
	f.orders.Or(what)
	f.src.SetReadDeadline(past) // fails only when the connection is closed: its owner knows
	f.endPause()
}

// orderClose orders a close frame of ours. The first order counts.
func (f *flow) orderClose(code int, reason string) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.orderCloseLocked(code, reason)
}

func (f *flow) orderCloseLocked(code int, reason string) {
	if f.closeFrame == nil {
		f.closeFrame = &closeFrame{code, reason}
	}
	f.order(orderClose)
}

func (f *flow) orderedClose() (code int, reason string) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return f.closeFrame.code, f.closeFrame.reason
}

// orderLoss tells the owner that its source is lost, or may be, and why.
func (f *flow) orderLoss(what order, cause Cause, err error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.orderLossLocked(what, cause, err)
}

func (f *flow) orderLossLocked(what order, cause Cause, err error) {
	if f.loss == nil || what == orderLost {
		f.cause, f.loss = cause, err
	}
	f.order(what)
}

func (f *flow) readLoss() (Cause, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return f.cause, f.loss
}

// ended notes why the session ends and starts the clock for the rest of it.
// Only the first reason counts.
func (p *Pipe) ended(r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(r)
}

func (p *Pipe) endLocked(r Result) bool {
	if p.result != nil {
		return false
	}
	r.ReasonLen = min(r.ReasonLen, maxReason)
	p.result = &r
	if r.Cause != CauseShutdown {
		p.setDeadlineLocked(p.cfg.CloseWait)
	}
	return true
}

// note records progress on a side. When close frames went both ways, its
// sending side is shut by the goroutine that completed it: no owner writes to it again.
func (p *Pipe) note(side Side, what progress) {
	p.mu.Lock()
	state := &p.sides[side]
	*state |= what
	shutNow := *state == closeSent|closeRead
	if shutNow {
		*state |= writeShut
	}
	both := p.sides[Client] & p.sides[Target]
	switch {
	case both&writeShut != 0:
		p.clock.final = true
		p.setDeadlineLocked(linger)
	case what&closeSent != 0 && both&closeSent != 0 && !p.clock.final:
		p.setDeadlineLocked(p.cfg.CloseWait)
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
			c.NetConn().Close() // TLS sets deadlines of its own for its close_notify
		}
	}
	p.toTarget.endPause()
	p.toClient.endPause()
}

// shutWrite tells the peer that nothing more comes, while what it still sends
// can be read: closing with bytes unread would reset the connection, and the
// reset could overtake our close frame.
func shutWrite(conn net.Conn) {
	c, ok := conn.(interface{ CloseWrite() error })
	if !ok || errors.Is(c.CloseWrite(), errors.ErrUnsupported) {
		conn.Close()
	}
}

// abandon closes a connection whose peer is lost, without TLS's close_notify,
// which might block.
func abandon(conn net.Conn) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		c.NetConn().Close()
		return
	}
	conn.Close()
}
