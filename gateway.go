package farwire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/wsframe"
)

// A Gateway holds what its handlers share: who may call, through which agents,
// under which limits, and which sessions are running. Its methods return the
// handlers; what a host does not mount is never linked in. All methods are
// safe for concurrent use.
type Gateway struct {
	o      Options
	tokens *tokens
	meters meters
	pages  PageLimiter // the Limiter, or one of our own when it does not count pages

	// kill ends when Shutdown has waited long enough: sessions are cut.
	kill    context.Context
	killAll context.CancelFunc

	mu       sync.Mutex
	draining bool
	running  map[*session]struct{}
	idle     chan struct{} // closed when draining and nothing runs any more

	due   chan struct{} // holds a value when a site may have become due
	hooks *hooks

	counts  [kinds]counts
	outcome *pageOutcomes
	noAgent atomic.Int64
}

// New returns a Gateway, or an error that names the field of Options that
// cannot be used. It starts no goroutine and opens nothing.
func New(o Options) (*Gateway, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	tokens, err := newTokens(o.TokenKey)
	if err != nil {
		return nil, fmt.Errorf("farwire: %w", err)
	}
	g := &Gateway{
		o:       o,
		tokens:  tokens,
		running: make(map[*session]struct{}),
		idle:    make(chan struct{}),
		due:     make(chan struct{}, 1),
		hooks:   newHooks(),
		outcome: newPageOutcomes(),
	}
	if pages, ok := o.Limiter.(PageLimiter); ok {
		g.pages = pages
	} else {
		g.pages = newMemoryLimiter()
	}
	g.kill, g.killAll = context.WithCancel(context.Background())
	return g, nil
}

// Shutdown drains the gateway, which [net/http.Server.Shutdown] cannot do: it
// knows nothing of hijacked sockets and waits for ever on an open event
// stream. From now on new sessions are refused with 503. Running relays send
// close code 1001 to both sides at a frame boundary, streams and crawls end
// with an error that says why, recrawls leave their sites to other gateways,
// and Shutdown returns nil when all are gone.
//
// When ctx ends first, what is left is cut and Shutdown returns ctx's error.
// Call it before or beside http.Server.Shutdown. It may be called more than
// once.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	if !g.draining {
		g.draining = true
		if len(g.running) == 0 {
			close(g.idle)
		}
	}
	var stops []context.CancelCauseFunc
	for s := range g.running {
		stops = append(stops, s.stop)
	}
	pipes := g.pipes()
	g.mu.Unlock()

	for _, stop := range stops {
		stop(errDraining)
	}
	for _, p := range pipes {
		p.Shutdown(wsframe.CloseGoingAway, drainReason)
	}
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
	}
	g.killAll()
	g.mu.Lock()
	pipes = g.pipes()
	g.mu.Unlock()
	for _, p := range pipes {
		p.Abort()
	}
	// Cutting a session takes no waiting on a peer, so this ends.
	<-g.idle
	return ctx.Err()
}

// Health returns the handler that a load balancer asks: 200 with
// {"ok": true}, or 503 while the gateway drains.
func (g *Gateway) Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := onlyReads(r)
		if err == nil && g.isDraining() {
			err = errDraining
		}
		if err != nil {
			g.o.fail(w, err)
			return
		}
		writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
}

func (g *Gateway) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// drainReason is what both sides of a relay are told when the gateway drains.
const drainReason = "draining"

// A kind says which handler a session belongs to.
type kind int

const (
	kindRelay kind = iota
	kindAMQP
	kindCrawl
	kindRecrawl
	kinds // how many there are
)

func (k kind) String() string { return [...]string{"relay", "amqp", "crawl", "recrawl"}[k] }

// allows returns how many sessions of this kind may run at a time. Recrawls
// are bounded by the sites that a caller may enrol.
func (l Limits) allows(k kind) int { return [...]int{l.Sessions, l.Streams, l.Crawls, -1}[k] }

// A session is one relay, stream or crawl, from the moment its connection is
// taken until both its sides are closed. It has a caller once it is admitted.
// A recrawl is one, too, so that it is counted and drained.
type session struct {
	SessionInfo
	g         *Gateway
	kind      kind
	principal Principal
	admitted  bool

	attrs []slog.Attr // of its log line, besides those that all have

	conn net.Conn           // taken from net/http, while no pipe owns it; nil: none
	pipe *wsframe.Pipe      // guarded by g.mu: what carries a relay once it is connected
	flow *amqpstream.Buffer // guarded by g.mu: what a stream holds once it is connected

	// ctx carries the request's values and ends, with errDraining as its cause,
	// when the gateway drains and no pipe has been handed the session. It does
	// not end with the request: a hijacked connection outlives it.
	ctx    context.Context
	values context.Context         // what ctx was made of, without an end
	stop   context.CancelCauseFunc // guarded by g.mu
}

// enter registers a session, so that a drain finds it. The caller must end it
// exactly once.
func (g *Gateway) enter(ctx context.Context, k kind) (*session, error) {
	s := &session{SessionInfo: SessionInfo{ID: newID(), Kind: k.String(), Start: time.Now()}, g: g, kind: k}
	s.values = context.WithoutCancel(ctx)
	s.ctx, s.stop = context.WithCancelCause(s.values)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		s.stop(errDraining)
		return nil, errDraining
	}
	g.running[s] = struct{}{}
	return s, nil
}

// admit finds out whose session it is and whether they may have it.
func (s *session) admit(ctx context.Context, seen sighting) error {
	g := s.g
	p, _, err := g.admit(ctx, seen)
	if err != nil {
		return err
	}
	if most := p.Limits.allows(s.kind); !g.meters.begin(p, s.kind, most) {
		return limited(fault.LimitReached, fmt.Sprintf("limit reached: %d %s sessions at a time", most, s.kind),
			Quota{Limit: most, RetryAfter: time.Second})
	}
	s.begin(p)
	return nil
}

// begin gives the session its caller, who is counted in already.
func (s *session) begin(p Principal) {
	g := s.g
	g.mu.Lock() // Stats reads admitted
	s.principal, s.Subject, s.KeyID, s.admitted = p, p.Subject, p.KeyID, true
	g.mu.Unlock()
	g.counts[s.kind].started.Add(1)
	s.traceSession()
}

// end writes the session's log line and forgets it.
func (s *session) end(r SessionResult) {
	if s.admitted {
		s.account(r)
	} else {
		s.g.refused(s.ctx, s.Kind, r.Err)
	}
	s.leave(r)
}

// leave forgets the session, so that a drain no longer waits for it.
func (s *session) leave(r SessionResult) {
	s.stop(nil)
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.admitted {
		g.counts[s.kind].ended(r, s.kind)
	}
	delete(g.running, s)
	if g.draining && len(g.running) == 0 {
		close(g.idle)
	}
}

// handOver has a drain, and the cut at its end, go to the pipe of a relay. Most
// relays are idle most of the time, and a context that can end would be a
// sixth of what they hold.
func (s *session) handOver(p *wsframe.Pipe) {
	g := s.g
	g.mu.Lock()
	stop := s.stop
	s.conn, s.pipe, s.stop = nil, p, func(error) {}
	draining, killed := g.draining, g.kill.Err() != nil
	g.mu.Unlock()

	stop(nil)
	s.ctx = s.values
	if draining {
		p.Shutdown(wsframe.CloseGoingAway, drainReason)
	}
	if killed {
		p.Abort()
	}
}

// watch has Stats look at what a stream holds.
func (s *session) watch(f *amqpstream.Buffer) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.flow = f
}

// pipes returns those of the sessions that have been handed over; g.mu is held.
func (g *Gateway) pipes() (all []*wsframe.Pipe) {
	for s := range g.running {
		if s.pipe != nil {
			all = append(all, s.pipe)
		}
	}
	return all
}

// abandon ends a session whose handler panicked.
func (s *session) abandon(err error) {
	if s.conn != nil {
		s.conn.Close()
	}
	s.end(SessionResult{EndedBy: "gateway", Code: 1011, Err: err})
}

func (s *session) account(r SessionResult) {
	g := s.g
	r.Duration = time.Since(s.Start)
	g.meters.end(s.principal, s.kind, r.BytesToTarget, r.BytesToClient)
	attrs := []slog.Attr{
		slog.String("session", s.ID), slog.String("kind", s.Kind), slog.String("subject", s.Subject),
		slog.String("agent", r.Node), slog.String("target", r.Target),
		slog.String("ended_by", r.EndedBy), slog.Int("code", r.Code),
		slog.Int64("frames_to_target", r.FramesToTarget), slog.Int64("bytes_to_target", r.BytesToTarget),
		slog.Int64("frames_to_client", r.FramesToClient), slog.Int64("bytes_to_client", r.BytesToClient),
		slog.Duration("duration", r.Duration),
	}
	attrs = append(attrs, s.attrs...)
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	g.o.Logger.LogAttrs(s.ctx, slog.LevelInfo, "session ended", attrs...)
	if f := g.o.Trace.SessionEnd; f != nil {
		f(s.ctx, s.SessionInfo, r)
	}
}

// refused notes a request that never became a session.
func (g *Gateway) refused(ctx context.Context, kind string, err error) {
	if errors.Is(err, errClientGone) {
		return
	}
	p := public(err)
	g.o.Logger.DebugContext(ctx, "refused", "kind", kind, "status", p.Status, "err", p.Text)
	if f := g.o.Trace.Refused; f != nil {
		f(ctx, kind, p.Status)
	}
}

// refuse answers and notes a request that is none for a session.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, kind string, err error) {
	g.refused(r.Context(), kind, err)
	g.o.fail(w, err)
}

func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// splitList reads "US,DE" as a list; blanks around and between do not count.
func splitList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// afterKill calls cut when ctx ends, and returns a function after which it is
// not and will not be running.
func afterKill(ctx context.Context, cut func()) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		cut()
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}
