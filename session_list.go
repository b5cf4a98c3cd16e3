package farwire

import (
	"context"
	"iter"

	"github.com/farwire/farwire/internal/fault"
)

// A Session is a running session as [Gateway.Sessions] shows it.
type Session struct {
	SessionInfo
	Agent    string // the agent's id; empty until the target was reached
	Target   string // the target; empty until then
	Counters Counters
}

// Sessions returns the sessions that run now and have a caller, in no order. The
// loop's body runs without a lock; it may end sessions.
func (g *Gateway) Sessions() iter.Seq[Session] {
	return func(yield func(Session) bool) {
		for _, s := range g.snapshot() {
			if !yield(s.Session) {
				return
			}
		}
	}
}

// seenSession is a Session with what ends it.
type seenSession struct {
	Session
	carrier carrier
}

func (g *Gateway) snapshot() []seenSession {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]seenSession, 0, len(g.running))
	for s := range g.running {
		if s.admitted {
			list = append(list, seenSession{Session{s.SessionInfo, s.agent, s.target, s.carrier.Counters()}, s.carrier})
		}
	}
	return list
}

// runningOf returns what the sessions of an account that run now have carried.
func (g *Gateway) runningOf(p Principal) (sum Counters) {
	account := p.account()
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.running {
		if s.admitted && s.principal.account() == account {
			sum = sum.plus(s.carrier.Counters())
		}
	}
	return sum
}

// EndSession ends the running session of this id and reports whether there was
// one. A relay's client gets close code 1008 with the reason, its target 1001; a
// stream and a crawl end with an error event. It returns at once.
func (g *Gateway) EndSession(id, reason string) bool {
	return g.EndWhere(func(s Session) bool { return s.ID == id }, reason) > 0
}

// EndWhere ends the running sessions for which end returns true, as EndSession
// does, and returns their number.
func (g *Gateway) EndWhere(end func(Session) bool, reason string) int {
	n := 0
	for _, s := range g.snapshot() {
		if end(s.Session) {
			n++
			s.carrier.Shutdown(fault.New(fault.Ended, reason))
		}
	}
	return n
}

var errKeyRevoked = fault.New(fault.Ended, "key revoked")

// EndRevoked ends the sessions of keys that the Authenticator knows no more, with
// 1008 and the reason "key revoked", and returns their number. Call it after keys
// were taken away. It does nothing unless the Authenticator is a [KeyLookuper].
func (g *Gateway) EndRevoked(ctx context.Context) int {
	g.revocations.Add(1)
	n := 0
	for _, s := range g.snapshot() {
		if s.Kind != KindRecrawl && g.revoked(ctx, Principal{Subject: s.Subject, KeyID: s.KeyID}) {
			n++
			s.carrier.Shutdown(errKeyRevoked)
		}
	}
	return n
}
