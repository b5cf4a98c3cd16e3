package farwire

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/origin"
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

// EndSession ends the running session of this id and reports whether there was
// one. A relay's client gets close code 1008 with the reason, its target 1001; a
// stream and a crawl end with an error event. It does not wait for the session's
// end. One that another gateway of the cluster runs is ended there, which takes a
// second at most.
func (g *Gateway) EndSession(id, reason string) bool {
	return g.endOwn(func(s Session) bool { return s.ID == id }, reason) > 0 ||
		g.endAtPeers(context.Background(), peerQuestion{IDs: []string{id}, Reason: reason}) > 0
}

// EndWhere ends the running sessions for which end returns true, as EndSession
// does, those of other gateways of the cluster included, and returns their number.
func (g *Gateway) EndWhere(end func(Session) bool, reason string) int {
	n := g.endOwn(end, reason)
	var ids []string
	g.askPeers(context.Background(), peerQuestion{}, func(a peerAnswer) {
		for _, s := range a.Sessions {
			if end(s.session()) {
				ids = append(ids, s.ID)
			}
		}
	})
	for len(ids) > 0 { // as many as a question holds
		part := ids[:min(len(ids), 1000)]
		ids = ids[len(part):]
		n += g.endAtPeers(context.Background(), peerQuestion{IDs: part, Reason: reason})
	}
	return n
}

// SessionsHandler returns the handler by which callers see and end their running
// sessions, over all gateways of a cluster. Mount it at "GET /sessions" and "DELETE /sessions/{id}":
//
//	{"sessions": [{"id", "kind", "agent", "target", "since", "bytes_in", "bytes_out", "remote"}, …]}
//
// bytes_in came from the client, bytes_out went to it. A session of another
// caller is 404. A relay that is ended closes with 1008 "ended by request", and
// its target gets 1001.
func (g *Gateway) SessionsHandler() http.Handler {
	return origin.Any("GET, HEAD, DELETE", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { g.refuse(w, r, KindSessions, err) }
		if err := onlySessionMethods(r); err != nil {
			refuse(err)
			return
		}
		p, _, err := g.admitWhole(r.Context(), g.readAuth(r))
		if err != nil {
			refuse(err)
			return
		}
		if err := g.answerSessions(w, r, p.Subject); err != nil {
			refuse(err)
		}
	}))
}

// AllSessionsHandler is SessionsHandler for an operator: it shows and ends the
// sessions of all callers, each with its subject, and asks for no key. Mount it
// where only operators can reach it. "DELETE /sessions?subject=NAME" ends all
// of one caller.
func (g *Gateway) AllSessionsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := onlySessionMethods(r)
		if err == nil {
			err = g.answerSessions(w, r, "")
		}
		if err != nil {
			g.refuse(w, r, KindSessions, err)
		}
	})
}

func onlySessionMethods(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		return nil
	}
	return notAllowed("GET, HEAD, DELETE")
}

const endedByRequest = "ended by request"

// answerSessions lists or ends sessions of a caller, over all gateways of the
// cluster; an empty subject is an operator, who sees those of all.
func (g *Gateway) answerSessions(w http.ResponseWriter, r *http.Request, caller string) error {
	id, all := sessionID(r), caller == ""
	if r.Method != http.MethodDelete {
		if id != "" {
			return fault.New(fault.NotFound, "no such endpoint")
		}
		list := []sessionInfo{} // an empty list, not null
		for _, s := range g.sessionsOf(r.Context(), caller) {
			list = append(list, newSessionInfo(s, all))
		}
		slices.SortFunc(list, func(a, b sessionInfo) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
		writeJSON(w, http.StatusOK, map[string]any{"sessions": list})
		return nil
	}
	subject := r.URL.Query().Get("subject")
	var ended int
	switch {
	case id != "":
		ended = g.endOwn(func(s Session) bool { return (all || s.Subject == caller) && s.ID == id }, endedByRequest)
		if ended == 0 {
			ended = g.endAtPeers(r.Context(), peerQuestion{Subject: caller, IDs: []string{id}, Reason: endedByRequest})
		}
	case all && subject != "":
		ended = g.endOwn(func(s Session) bool { return s.Subject == subject }, endedByRequest) +
			g.endAtPeers(r.Context(), peerQuestion{Subject: subject, Reason: endedByRequest})
	default:
		return fault.Invalidf("name a session: DELETE /sessions/{id}")
	}
	if ended == 0 && id != "" {
		return fault.New(fault.NotFound, "no such session")
	}
	writeJSON(w, http.StatusOK, map[string]int{"ended": ended})
	return nil
}

// sessionsOf lists the sessions of a caller over all gateways, or with an empty
// subject those of all.
func (g *Gateway) sessionsOf(ctx context.Context, subject string) (list []Session) {
	for s := range g.Sessions() {
		if subject == "" || s.Subject == subject {
			list = append(list, s)
		}
	}
	g.askPeers(ctx, peerQuestion{Subject: subject}, func(a peerAnswer) {
		for _, s := range a.Sessions {
			list = append(list, s.session())
		}
	})
	return list
}

// sessionID returns the last element of the path when it is not the endpoint's
// own name.
func sessionID(r *http.Request) string {
	if id := r.PathValue("id"); id != "" {
		return id
	}
	_, id, _ := strings.Cut(r.URL.Path, "/sessions/")
	return id
}

// sessionInfo is a running session as its caller sees it.
type sessionInfo struct {
	ID       string    `json:"id"`
	Kind     Kind      `json:"kind"`
	Subject  string    `json:"subject,omitempty"` // for operators alone
	Agent    string    `json:"agent"`
	Target   string    `json:"target"`
	Since    time.Time `json:"since"`
	BytesIn  int64     `json:"bytes_in"`
	BytesOut int64     `json:"bytes_out"`
	Remote   string    `json:"remote"` // empty: unknown
}

func newSessionInfo(s Session, all bool) sessionInfo {
	i := sessionInfo{ID: s.ID, Kind: s.Kind, Agent: s.Agent, Target: s.Target, Since: s.Start.UTC(),
		BytesIn: s.Counters.BytesToTarget, BytesOut: s.Counters.BytesToClient}
	if all {
		i.Subject = s.Subject
	}
	if s.Remote.IsValid() {
		i.Remote = s.Remote.String()
	}
	return i
}

// listedSession is a Session with what ends it.
type listedSession struct {
	Session
	carrier carrier
}

func (g *Gateway) snapshot() []listedSession {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]listedSession, 0, len(g.running))
	for s := range g.running {
		if s.admitted {
			list = append(list, listedSession{Session{s.SessionInfo, s.agent, s.target, s.carrier.Counters()}, s.carrier})
		}
	}
	return list
}

// logRunning has a line for each session that has not ended, those without a caller
// included: an Authenticator may be what they wait for.
func (g *Gateway) logRunning() {
	g.mu.Lock()
	var list []SessionInfo
	for s := range g.running {
		info := SessionInfo{ID: s.ID, Kind: s.Kind}
		if s.admitted {
			info.Subject = s.Subject
		}
		list = append(list, info)
	}
	g.mu.Unlock()
	for _, s := range list {
		g.o.Logger.Error("a session has not ended", "after", closeTimeout,
			"session", s.ID, "kind", s.Kind.String(), "subject", s.Subject)
	}
}

// runningOf returns what the sessions of an account that run now have carried.
func (g *Gateway) runningOf(p Principal) (sum Counters) {
	account := p.account()
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.running {
		if s.admitted && s.counter.Name == account {
			sum = sum.plus(s.carrier.Counters())
		}
	}
	return sum
}

// endOwn ends sessions that this gateway runs.
func (g *Gateway) endOwn(end func(Session) bool, reason string) int {
	n := 0
	for _, s := range g.snapshot() {
		if end(s.Session) {
			n++
			s.carrier.Shutdown(fault.New(fault.Ended, reason))
		}
	}
	return n
}

// endAtPeers ends sessions of other gateways and returns how many they say it were.
func (g *Gateway) endAtPeers(ctx context.Context, q peerQuestion) (n int) {
	q.End = true
	g.askPeers(ctx, q, func(a peerAnswer) { n += a.Ended })
	return n
}

// What a gateway looks at while sessions run: whether they have had their time or
// carried their bytes (Limits.SessionTime and SessionBytes), and what
// Trace.Progress is told. A pipe counts what crosses anyway; so a look at each
// session now and then costs it nothing, where a clock of its own would.

const (
	watchEvery    = time.Second // at time and bytes
	progressEvery = 10          // looks: Trace.Progress
)

var (
	errSessionTime  = fault.New(fault.LimitReached, "limit reached: the session's time")
	errSessionBytes = fault.New(fault.LimitReached, "limit reached: the session's bytes")
)

// watchRunning has the gateway look at the session as it runs, if somebody wants that.
func (s *session) watchRunning() {
	g, l := s.g, s.principal.Limits
	if g.o.Trace.Progress == nil && l.SessionTime <= 0 && l.SessionBytes <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.watched = true
	if !g.watching {
		g.watching = true
		go g.watchSessions()
	}
}

// watchSessions goes on as long as there is a session to look at.
func (g *Gateway) watchSessions() {
	tick := time.NewTicker(watchEvery)
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
// is nothing to look at.
func (g *Gateway) watchedSessions() (list []watchedSession) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.running {
		if s.watched {
			list = append(list, watchedSession{Session{s.SessionInfo, s.agent, s.target, s.carrier.Counters()},
				s.principal.Limits, s.values, s.carrier, g.o.Trace})
		}
	}
	g.watching = list != nil
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

// counts are those of one kind of sessions.
type counts struct {
	started, failed atomic.Int64

	mu   sync.Mutex
	past Counters // of sessions that have ended
}

// ended counts what a session carried.
func (c *counts) ended(r SessionResult) {
	if r.Err != nil {
		c.failed.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = c.past.plus(Counters{r.FramesToTarget, r.BytesToTarget, r.FramesToClient, r.BytesToClient})
}

// carried returns what the sessions that have ended carried.
func (c *counts) carried() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.past
}

// plus returns the sum of both.
func (c Counters) plus(d Counters) Counters {
	c.FramesToTarget += d.FramesToTarget
	c.BytesToTarget += d.BytesToTarget
	c.FramesToClient += d.FramesToClient
	c.BytesToClient += d.BytesToClient
	return c
}
