package agent

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A way is one direction of a session on the agent's side. A goroutine carries its
// bytes; once none have come for wayQuiet it pauses:
//
//	begin ──▶ carry ── link finds the way quiet, asks ──▶ pause
//	            ▲                                           │
//	            └────────── something to read ◀─────────────┘
//
// So there is no clock for a message, and none for an idle session: the link looks at
// the ways that have goroutines once in wayQuiet, as long as there are any.
type way struct {
	session *session
	carry   func() (paused bool) // until the direction ends or pauses
	ask     func() bool          // wakes carry so that it checks asked; false: carry is busy
	pause   netio.Pause

	crossed atomic.Bool // bytes have crossed since the link last checked
	asked   atomic.Bool // to pause
}

// wayQuiet is how long a goroutine waits for bytes until the link may ask it to pause.
const wayQuiet = time.Second

func (w *way) init(s *session, carry func() (paused bool), ask func() bool) {
	w.session, w.carry, w.ask = s, carry, ask
	w.pause.Resume = func() {
		s.link.look(w)
		w.run()
	}
}

// run is the goroutine of a way that the server has on hold, until its bytes end or it
// pauses.
func (w *way) run() {
	s := w.session
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
	w.crossed.Store(true)
	paused = w.carry()
}

// quiet reports whether carry must pause, and clears the request.
func (w *way) quiet() bool { return w.asked.CompareAndSwap(true, false) }

// look schedules the check whether the way is idle.
func (l *agentLink) look(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = append(l.busy, w)
	if !l.looking {
		l.looking = true
		time.AfterFunc(wayQuiet, l.lookAtWays)
	}
}

// lookAtWays asks idle ways to pause.
func (l *agentLink) lookAtWays() {
	l.mu.Lock()
	ways := l.busy
	l.busy = nil
	l.mu.Unlock()
	var busy []*way
	for _, w := range ways {
		if w.crossed.Swap(false) || !w.ask() {
			busy = append(busy, w)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = append(l.busy, busy...)
	l.looking = len(l.busy) > 0 && !l.gone.Load()
	if l.looking {
		time.AfterFunc(wayQuiet, l.lookAtWays)
	}
}

// An inflow is what the gateway has sent for a session and what was not read yet.
type inflow struct {
	mu     sync.Mutex // held while bytes are read, which a deadline must not interrupt
	unread atomic.Int64
	ended  atomic.Bool // reading does not wait any more
}

func (l *agentLink) received() {}

func (l *agentLink) arrived(stream uint32, length int) {
	if s := l.session(stream); s != nil {
		s.in.unread.Add(int64(length))
		s.readable(false)
	}
}

func (l *agentLink) streamEnded(stream uint32) {
	if s := l.session(stream); s != nil {
		s.readable(true)
	}
}

func (l *agentLink) closed() {
	l.gone.Store(true) // for sessions that are not registered yet
	endPauses(&l.mu, l.sessions)
}

func (l *agentLink) session(stream uint32) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[stream]
}

// readable ends the pause of the way from the gateway; ended says that there is no
// need for another.
func (s *session) readable(ended bool) {
	if ended {
		s.in.ended.Store(true)
	}
	s.up.pause.End()
}

// EndWhenReadable is for the pause of the way from the gateway.
func (s *session) EndWhenReadable(p *netio.Pause) {
	if s.in.ended.Load() || s.link.gone.Load() || s.in.unread.Load() > 0 {
		p.End()
	}
}
