package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/internal/netio"
)

// A session is a connection to a target and the stream that carries it, on the
// agent's side. While it is idle it holds no buffer, and after a while no goroutine.
type session struct {
	link    *agentLink
	stream  *yamux.Stream
	target  net.Conn
	up      direction // from the gateway
	down    direction // from the target
	in      *inflow
	sink    io.Writer     // the target, for forward
	running atomic.Int32  // directions that have not ended
	left    atomic.Bool   // its place among those of the agent
	aborted atomic.Bool   // whatever the target does now is our own doing
	allSent atomic.Bool   // the gateway's side has ended and been delivered
	writing chan struct{} // holds a token during a write to the target
	failed  atomic.Value  // error of a write to the target

	stopDrain func() // of what tells the gateway that the target's agent drains; nil: nothing

	lostOnce sync.Once
	noteOnce sync.Once
	noted    chan struct{} // the gateway knows that the target is lost
}

// carryBuffer is as much as fits into one frame of the multiplexer.
const carryBuffer = 64<<10 - 12

var buffers = sync.Pool{New: func() any { return new([carryBuffer]byte) }}

// dial connects to the target and has bytes carried. The direction from the gateway begins
// before, so that a gateway which has given up stops the dial.
func (l *agentLink) dial(stream *yamux.Stream, in *inflow, r request, extra []Rules) {
	s := l.newSession(stream, in)
	if why := l.server.enter(l); why != "" {
		l.refuse(stream, answer{Fault: FaultAgent.String(), Cause: string(why)})
		l.forget(s)
		return
	}
	l.server.began(s)

	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	connected := make(chan bool, 1)
	s.running.Store(2)
	carried := false
	defer func() { // a panic of the host's resolver or dialer is the end of this session too
		if !carried {
			connected <- false
			s.done()
		}
	}()
	l.start(stream, func() { s.awaitTarget(connected, cancel) })

	target, err := underWay(l.inflow, func() (net.Conn, error) { return l.server.dial(ctx, r, extra) })
	if err != nil {
		s.leave() // the gateway may dial anew as soon as it has the answer
		l.refuse(stream, failure(err))
		return
	}
	s.connect(target)
	l.reply(stream, answer{Remote: target.RemoteAddr().String(), Local: target.LocalAddr().String()})
	for _, d := range []*direction{&s.up, &s.down} {
		l.server.hold()
		l.watchIdle(d)
	}
	carried = true
	connected <- true
	// A goroutine of its own, because the stack that has dialled is large.
	go s.down.run()
}

// newSession makes the session of a stream, and has the link know it before it is entered,
// so that a drain waits for it or enter refuses it.
func (l *agentLink) newSession(stream *yamux.Stream, in *inflow) *session {
	s := &session{link: l, stream: stream, in: in, noted: make(chan struct{}), writing: make(chan struct{}, 1)}
	s.up.init(s, s.fromGateway, s.askUp)
	s.down.init(s, s.fromTarget, s.askDown)
	l.mu.Lock()
	l.sessions[stream.StreamID()] = s
	l.mu.Unlock()
	in.session.Store(s)
	return s
}

// awaitTarget is the direction from the gateway while the target is dialled. It gives up
// when the gateway does, and carries once connected says that there is a target.
func (s *session) awaitTarget(connected <-chan bool, giveUp func()) {
	begun := false
	defer func() {
		if !begun {
			s.done()
		}
	}()
	// The gateway is silent until it has the answer.
	if _, err := s.stream.Read(nil); err != nil && err != io.EOF {
		giveUp()
	}
	if begun = <-connected; begun {
		s.up.run()
	}
}

// connect gives the session its target, which it cuts if what it is for has ended meanwhile.
func (s *session) connect(target net.Conn) {
	l := s.link
	l.mu.Lock()
	s.target, s.sink = target, netio.Socket(target)
	l.mu.Unlock()
	// Of a gateway that carries for another: its agent may go while it stays.
	if teller, ok := target.(DrainTeller); ok {
		s.stopDrain = teller.OnDrain(func() {
			// A gateway that cannot be told finds out when the connection ends.
			_ = l.sendControl(control{Type: ctlLeaving, Stream: s.stream.StreamID()})
		})
	}
	switch {
	case s.aborted.Load():
		s.cut()
	case l.mux.IsClosed():
		l.mu.Lock()
		s.linkLost()
		l.mu.Unlock()
	}
}

// done is called for each of the two directions at its end.
func (s *session) done() {
	if s.running.Add(-1) > 0 {
		return
	}
	if s.stopDrain != nil {
		s.stopDrain()
	}
	if s.target != nil {
		s.target.Close()
	}
	s.leave()
	s.link.forget(s)
	s.link.server.ended(s)
}

// leave gives the session's place back, once.
func (s *session) leave() {
	if !s.left.Swap(true) {
		s.link.server.leave()
	}
}

// forget takes a session out of those of the link.
func (l *agentLink) forget(s *session) {
	l.mu.Lock()
	delete(l.sessions, s.stream.StreamID())
	l.mu.Unlock()
	l.inflow.forget(s.stream.StreamID())
	select {
	case l.quiet <- struct{}{}:
	default:
	}
}

// askDown asks the direction from the target to pause.
func (s *session) askDown() bool {
	s.down.asked.Store(true)
	_ = s.target.SetReadDeadline(longPassed) // fails only when it is closed: its reader knows
	return true
}

// fromTarget carries what the target sends, to the gateway.
func (s *session) fromTarget() (paused bool) {
	buf := (*[carryBuffer]byte)(nil)
	take := func() []byte {
		if buf == nil {
			buf = buffers.Get().(*[carryBuffer]byte)
		}
		return buf[:]
	}
	give := func() {
		if buf != nil {
			buffers.Put(buf)
			buf = nil
		}
	}
	read := netio.Reader(s.target, take, give)
	for {
		n, err := read()
		if n > 0 {
			s.down.crossed.Store(true)
			if _, werr := s.stream.Write(buf[:n]); werr != nil {
				give()
				s.cut()
				return false
			}
		}
		if err == nil {
			continue
		}
		give()
		if s.down.takeRequest() && errors.Is(err, os.ErrDeadlineExceeded) {
			_ = s.target.SetReadDeadline(time.Time{})
			if s.down.pause.Begin(s.target) {
				return true
			}
			continue
		}
		if err == io.EOF {
			err = s.settle()
		}
		switch {
		case s.aborted.Load():
			s.stream.Reset()
			s.readable(true)
		case err != nil:
			s.lost(err)
			s.stream.Close() // wakes the other direction too
			s.readable(true)
		default:
			s.stream.CloseWrite()
		}
		return false
	}
}

// settleTime is how long a write that goes on is waited for: one that was reset ends at
// once, and one that waits for its target must not hold the end back.
const settleTime = 50 * time.Millisecond

// settle is asked when the target's bytes have ended: a reset is told to one
// system call only, and when a write was the one, reading sees but a FIN.
func (s *session) settle() error {
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case s.writing <- struct{}{}:
		<-s.writing
	case <-timer.C:
	}
	err, _ := s.failed.Load().(error)
	return err
}

// askUp asks the direction from the gateway to pause.
func (s *session) askUp() bool {
	if !s.in.mu.TryLock() {
		return false
	}
	defer s.in.mu.Unlock()
	s.up.asked.Store(true)
	_ = s.stream.SetReadDeadline(longPassed) // an ended stream wakes everybody itself
	return true
}

// fromGateway carries what the gateway sends, to the target.
func (s *session) fromGateway() (paused bool) {
	for {
		// This waits without a buffer. Its error, if there is one, comes again.
		_, err := s.stream.Read(nil)
		if errors.Is(err, yamux.ErrTimeout) && s.up.takeRequest() {
			_ = s.stream.SetReadDeadline(time.Time{})
			s.up.pause.BeginFor(s)
			return true
		}
		err = s.forward()
		switch {
		case err == nil:
		case err == io.EOF: // not errors.Is: that of a lost tunnel wraps the carrier's EOF
			// The target's side may be gone already, and then reading says so.
			if half, ok := s.target.(HalfCloser); ok {
				_ = half.CloseWrite()
			}
			s.allSent.Store(true)
			if s.link.mux.IsClosed() {
				s.link.mu.Lock()
				s.linkLost()
				s.link.mu.Unlock()
			}
			return false
		case s.failed.Load() != nil && !s.link.mux.IsClosed():
			// What the target sent before is still being carried.
			s.lost(err)
			s.stream.CloseRead()
			return false
		default:
			s.cut()
			return false
		}
	}
}

func (s *session) forward() error {
	buf := buffers.Get().(*[carryBuffer]byte)
	defer buffers.Put(buf)
	s.in.mu.Lock()
	if s.up.takeRequest() { // too late
		_ = s.stream.SetReadDeadline(time.Time{})
	}
	n, err := s.stream.Read(buf[:])
	s.in.mu.Unlock()
	if n == 0 {
		return err
	}
	s.up.crossed.Store(true)
	s.writing <- struct{}{}
	_, err = s.sink.Write(buf[:n])
	if err != nil && !s.aborted.Load() {
		s.failed.Store(err)
	}
	<-s.writing
	s.link.inflow.take(s.in, n)
	return err
}

// lost tells the gateway that the target is, and waits until it has noted it.
func (s *session) lost(err error) {
	s.lostOnce.Do(func() {
		if s.link.sendControl(control{Type: ctlLost, Stream: s.stream.StreamID(), Cause: string(lostCause(err))}) != nil {
			return
		}
		timer := time.NewTimer(lostAfter)
		defer timer.Stop()
		select {
		case <-s.noted:
		case <-s.link.mux.CloseChan():
		case <-timer.C:
		}
	})
}

// lostCause is what the gateway's reader is told. Not a timeout, though TCP may
// call it one: a reader would take it for its own deadline.
func lostCause(err error) cause {
	switch {
	case IsFault(err, FaultAgent) && errors.Is(err, causeDraining):
		return causeDraining
	case IsFault(err, FaultAgent):
		return causeLost
	case errors.Is(err, syscall.EHOSTUNREACH):
		return causeUnreachable
	}
	return causeReset
}

// linkLost ends a session whose link has ended. What the gateway sent before
// is still delivered, when its end has arrived too and the target is willing;
// otherwise the goroutine that carries it resets the target. The caller holds
// the link's mu.
func (s *session) linkLost() {
	if s.target == nil {
		return // still dialling; that asks again
	}
	if !s.allSent.Load() {
		// If this fails the target is gone, and there is nothing to bound.
		_ = s.target.SetWriteDeadline(time.Now().Add(lingerTimeout))
		return
	}
	s.aborted.Store(true)
	s.target.Close()
	s.down.pause.End()
}

// cut resets the connection to the target: the other side of it is gone, or
// wants no more.
func (s *session) cut() {
	s.aborted.Store(true)
	s.link.mu.Lock()
	target := s.target
	s.link.mu.Unlock()
	if target == nil {
		return // still dialling, and dial looks at aborted afterwards
	}
	if tcp, ok := target.(Resetter); ok {
		_ = tcp.SetLinger(0)
	}
	target.Close()
	s.down.pause.End()
}
