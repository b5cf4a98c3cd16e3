package agent

import (
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A direction is one direction of a session on the agent's side. A goroutine carries its
// bytes; once none have come for idleAfter it pauses:
//
//	begin ──▶ carry ── link finds it idle, asks ──▶ pause
//	            ▲                                      │
//	            └──────── something to read ◀──────────┘
//
// So there is no clock for a message, and none for an idle session: the link looks at
// the directions that have goroutines once in idleAfter, as long as there are any.
type direction struct {
	session *session
	carry   func() (paused bool) // until the direction ends or pauses
	ask     func() bool          // wakes carry so that it checks asked; false: carry is busy
	pause   netio.Pause

	crossed atomic.Bool // bytes have crossed since the link last checked
	asked   atomic.Bool // to pause
}

// idleAfter is how long a goroutine waits for bytes until the link may ask it to pause.
const idleAfter = time.Second

func (d *direction) init(s *session, carry func() (paused bool), ask func() bool) {
	d.session, d.carry, d.ask = s, carry, ask
	d.pause.Resume = func() {
		s.link.watchIdle(d)
		d.run()
	}
}

// run is the goroutine of a direction that the server has on hold, until its bytes end or it
// pauses.
func (d *direction) run() {
	s := d.session
	paused := false
	defer func() {
		if v := recover(); v != nil {
			s.link.panicked(s.stream, v)
			s.readable(true)
		}
		if !paused {
			s.done()
			s.link.server.release()
		}
	}()
	d.crossed.Store(true)
	paused = d.carry()
}

// takeRequest reports whether carry must pause, and clears the request.
func (d *direction) takeRequest() bool { return d.asked.CompareAndSwap(true, false) }

// watchIdle schedules the check whether the direction is idle.
func (l *agentLink) watchIdle(d *direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = append(l.busy, d)
	if !l.checking {
		l.checking = true
		time.AfterFunc(idleAfter, l.pauseIdle)
	}
}

// pauseIdle asks idle directions to pause.
func (l *agentLink) pauseIdle() {
	l.mu.Lock()
	all := l.busy
	l.busy = nil
	l.mu.Unlock()
	var busy []*direction
	for _, d := range all {
		if d.crossed.Swap(false) || !d.ask() {
			busy = append(busy, d)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = append(l.busy, busy...)
	l.checking = len(l.busy) > 0 && !l.gone.Load()
	if l.checking {
		time.AfterFunc(idleAfter, l.pauseIdle)
	}
}

func (l *agentLink) received() {}

func (l *agentLink) arrived(stream uint32, length int) {
	if s := l.inflow.arrived(stream, length); s != nil {
		s.readable(false)
	}
}

func (l *agentLink) opened(stream uint32) { l.inflow.opened(stream) }

func (l *agentLink) waitForRoom() { l.inflow.waitForRoom() }

func (l *agentLink) streamEnded(stream uint32) {
	if s := l.inflow.ended(stream); s != nil {
		s.readable(true)
	}
}

func (l *agentLink) closed() {
	l.gone.Store(true) // for sessions that are not registered yet
	l.inflow.close()
	endPauses(&l.mu, l.sessions)
}

// readable ends the pause of the direction from the gateway; ended says that there is no
// need for another.
func (s *session) readable(ended bool) {
	if ended {
		s.in.ended.Store(true)
	}
	s.up.pause.End()
}

// EndWhenReadable is for the pause of the direction from the gateway.
func (s *session) EndWhenReadable(p *netio.Pause) {
	if s.in.ended.Load() || s.link.gone.Load() || s.in.account.waits() {
		p.End()
	}
}
