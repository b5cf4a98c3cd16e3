package farwire

import (
	"context"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

// What a gateway looks at while sessions run: whether they have had their time or
// carried their bytes (Limits.SessionTime and SessionBytes), and what
// Trace.Progress is told. A pipe counts what crosses anyway; so a look at each
// session now and then costs it nothing, where a clock of its own would.

const (
	lookEvery     = time.Second // at time and bytes
	progressEvery = 10          // looks: Trace.Progress
)

var (
	errSessionTime  = fault.New(fault.LimitReached, "limit reached: the session's time")
	errSessionBytes = fault.New(fault.LimitReached, "limit reached: the session's bytes")
)

// lookAfter has the gateway look at the session as it runs, if somebody wants that.
func (s *session) lookAfter() {
	g, l := s.g, s.principal.Limits
	if g.o.Trace.Progress == nil && l.SessionTime <= 0 && l.SessionBytes <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.watched = true
	if !g.looking {
		g.looking = true
		go g.look()
	}
}

// look goes on as long as there is a session to look at.
func (g *Gateway) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-g.idle: // drained: no session will come
			return
		}
		list := g.watchedSessions()
		if list == nil {
			return
		}
		for _, s := range list {
			s.check(n%progressEvery == 0)
		}
	}
}

// A watchedSession is a running session with all that a look at it needs.
type watchedSession struct {
	Session
	limits  Limits
	values  context.Context
	carrier carrier
	trace   *Trace
}

// watchedSessions returns nil, and the next session begins to look anew, when there
// is none.
func (g *Gateway) watchedSessions() (list []watchedSession) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.running {
		if s.watched {
			list = append(list, watchedSession{Session{s.SessionInfo, s.agent, s.target, s.carrier.Counters()},
				s.principal.Limits, s.values, s.carrier, g.o.Trace})
		}
	}
	g.looking = list != nil
	return list
}

func (s *watchedSession) check(progress bool) {
	most := s.limits
	switch c := s.Counters; {
	case most.SessionTime > 0 && time.Since(s.Start) >= most.SessionTime:
		s.carrier.Shutdown(errSessionTime)
	case most.SessionBytes > 0 && c.BytesToTarget+c.BytesToClient > most.SessionBytes:
		s.carrier.Shutdown(errSessionBytes)
	}
	if f := s.trace.Progress; f != nil && progress {
		f(s.values, s.Session)
	}
}
