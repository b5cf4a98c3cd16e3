package farwire

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/lazyctx"
)

// Trace holds functions that the gateway calls, synchronously and
// concurrently, as sessions go by. Any of them may be nil. They must return
// quickly. A panic of one is a line in the log.
//
// The functions that begin something return a context, with a span in it for
// instance: the values of that context reach whatever happens within, the
// functions that end it included. Nil stands for the context that was given.
// Only values count: neither a deadline nor a cancellation of the context that
// is returned has an effect, and the values live as long as the session does.
type Trace struct {
	// SessionStart is called when a session of a known caller begins. The
	// context holds the values of the request's. The values of the one that is
	// returned reach the AgentSelector, the exit's DialContext, the session's
	// log line and the other functions here.
	SessionStart func(context.Context, SessionInfo) context.Context

	// SessionEnd is called exactly once for each SessionStart.
	SessionEnd func(context.Context, SessionInfo, SessionResult)

	// DialStart is called before each attempt to reach a target through an
	// exit. The values of the context that is returned reach the exit's
	// DialContext and DialEnd. A crawl, which opens as many connections as it
	// needs, calls it for the first request through an exit.
	DialStart func(context.Context, DialInfo) context.Context

	// DialEnd is called exactly once for each attempt, when the target has
	// answered the handshake of its protocol or the attempt has failed.
	DialEnd func(context.Context, DialInfo, DialResult)

	// Progress is called for each running session every ten seconds, with what it
	// has carried so far.
	Progress func(context.Context, Session)

	// Refused is called when a request is refused before it is a session, and
	// when one that never becomes a session is refused.
	Refused func(context.Context, RefusedInfo)
}

// RefusedInfo says who was refused what.
type RefusedInfo struct {
	// Kind is that of the session which the request would have been, or of the request
	// when it never becomes a session.
	Kind Kind

	Remote         netip.Addr // the client's address; the zero Addr when unknown
	Subject, KeyID string     // of a caller who was known already, and is refused for a limit or a rule; else empty
	Status         int        // of a plain HTTP answer, for sockets, too
	Err            error      // in full; it may hold what the client must not see
}

// The kinds of requests that never become sessions: the last element of the path of each.
const (
	KindToken       Kind = "token"
	KindNetwork     Kind = "network"
	KindUsage       Kind = "usage"
	KindSessions    Kind = "sessions"
	KindSites       Kind = "sites"
	KindSiteChanged Kind = "site-changed"
)

// RefusedKinds returns all kinds that RefusedInfo has, for those who count.
func RefusedKinds() []Kind {
	return append(Kinds(), KindToken, KindNetwork, KindUsage, KindSessions, KindSites, KindSiteChanged)
}

// SessionInfo says which session it is.
type SessionInfo struct {
	ID      string // 16 hex digits drawn at random, as in the log
	Kind    Kind
	Subject string     // of the caller
	KeyID   string     // of the caller's key; empty: the host named the caller
	Remote  netip.Addr // the client's address; the zero Addr when unknown
	Start   time.Time  // when it began

	Labels map[string]string // of the Principal; not to be changed
}

// SessionResult says how a session went.
type SessionResult struct {
	Agent    string // the agent's id; empty when none was reached
	Target   string // the target's host and port, the host alone where there is no port; empty until it was known
	EndedBy  EndedBy
	Code     int           // the close code that ended it, or that of the error event; of a request in the path form or a tunnel, the HTTP status; zero: none
	Err      error         // nil after a clean end
	Duration time.Duration // from SessionInfo.Start on

	// Frames and payload bytes of a relay; for a stream, messages and body
	// bytes to the client; for a crawl, pages and bytes of the file; for a
	// recrawl, pages, and bytes of the file if it was saved; for a request in the
	// path form, body bytes, and for a tunnel, bytes, and no frames.
	FramesToTarget, BytesToTarget int64
	FramesToClient, BytesToClient int64

	Outcome RecrawlOutcome // of a recrawl; else empty
	Late    time.Duration  // of a recrawl: how long after it was due it began
}

// EndedBy says who ended a session.
type EndedBy string

// Those who end sessions.
const (
	EndedByClient  EndedBy = "client"  // it closed, left, or broke the protocol
	EndedByTarget  EndedBy = "target"  // it closed or was lost, or the broker or the site failed
	EndedByAgent   EndedBy = "agent"   // its link was lost, or it drains
	EndedByGateway EndedBy = "gateway" // a drain, a limit, a rule, a revoked key, a request to end it, or its own failure
)

// String returns the word that logs and metrics have.
func (e EndedBy) String() string { return string(e) }

// A RecrawlOutcome says how a recrawl ended.
type RecrawlOutcome string

// The outcomes of recrawls.
const (
	RecrawlChanged   RecrawlOutcome = "changed"
	RecrawlUnchanged RecrawlOutcome = "unchanged"
	RecrawlFailed    RecrawlOutcome = "failed"   // the hosted file stays, and the next try waits
	RecrawlLost      RecrawlOutcome = "lost"     // the lease was lost, and the work with it
	RecrawlReleased  RecrawlOutcome = "released" // left to another gateway, because this one drains or has no exit that fits
)

// RecrawlOutcomes returns all of them, for those who count.
func RecrawlOutcomes() []RecrawlOutcome {
	return []RecrawlOutcome{RecrawlChanged, RecrawlUnchanged, RecrawlFailed, RecrawlLost, RecrawlReleased}
}

// DialInfo says what is being dialled.
type DialInfo struct {
	Kind  Kind   // of the session
	Agent string // its id
	Host  string // the target's, without its port
}

// DialResult says how an attempt went.
type DialResult struct {
	Class    DialClass
	Err      error         // nil with DialOK; in full, it may name addresses
	Duration time.Duration // from DialStart on
}

// A DialClass says how an attempt to reach a target went.
type DialClass string

// The classes of dials.
const (
	DialOK        DialClass = "ok"
	DialAgent     DialClass = "agent"     // the exit's fault: lost, overloaded, without a network
	DialTarget    DialClass = "target"    // refused, unknown name
	DialHandshake DialClass = "handshake" // reached, and TLS, the upgrade or the login failed
	DialPolicy    DialClass = "policy"    // the guard does not allow it
	DialTimeout   DialClass = "timeout"   // time ran out, wherever it was spent
	DialCanceled  DialClass = "canceled"  // the client left, or the gateway drains
	DialInternal  DialClass = "internal"  // anything else
)

// DialClasses returns all of them, for those who count.
func DialClasses() []DialClass {
	return []DialClass{DialOK, DialAgent, DialTarget, DialHandshake, DialPolicy, DialTimeout, DialCanceled, DialInternal}
}

// JoinTraces returns a Trace that calls each of those given, in their order where
// something begins and in the opposite order where it ends. The context that
// one returns is given to the next. Nil ones are left out.
func JoinTraces(list ...*Trace) *Trace {
	list = slices.DeleteFunc(slices.Clone(list), func(t *Trace) bool { return t == nil })
	return &Trace{
		SessionStart: joinStart(list, func(t *Trace) startHook[SessionInfo] { return t.SessionStart }),
		SessionEnd:   joinEnd(list, func(t *Trace) endHook[SessionInfo, SessionResult] { return t.SessionEnd }),
		DialStart:    joinStart(list, func(t *Trace) startHook[DialInfo] { return t.DialStart }),
		DialEnd:      joinEnd(list, func(t *Trace) endHook[DialInfo, DialResult] { return t.DialEnd }),
		Progress:     joinProgress(list),
		Refused: func(ctx context.Context, i RefusedInfo) {
			for _, t := range list {
				if t.Refused != nil {
					t.Refused(ctx, i)
				}
			}
		},
	}
}

type (
	startHook[Info any]       = func(context.Context, Info) context.Context
	endHook[Info, Result any] = func(context.Context, Info, Result)
)

func joinStart[Info any](list []*Trace, of func(*Trace) startHook[Info]) startHook[Info] {
	return func(ctx context.Context, i Info) context.Context {
		for _, t := range list {
			if start := of(t); start != nil {
				ctx = orElse(start(ctx, i), ctx)
			}
		}
		return ctx
	}
}

func joinEnd[Info, Result any](list []*Trace, of func(*Trace) endHook[Info, Result]) endHook[Info, Result] {
	return func(ctx context.Context, i Info, r Result) {
		for _, t := range slices.Backward(list) {
			if end := of(t); end != nil {
				end(ctx, i, r)
			}
		}
	}
}

// joinProgress is nil where nobody wants to know: sessions are then not looked at.
func joinProgress(list []*Trace) func(context.Context, Session) {
	list = slices.DeleteFunc(slices.Clone(list), func(t *Trace) bool { return t.Progress == nil })
	if len(list) == 0 {
		return nil
	}
	return func(ctx context.Context, s Session) {
		for _, t := range list {
			t.Progress(ctx, s)
		}
	}
}

func orElse(ctx, otherwise context.Context) context.Context {
	if ctx == nil {
		return otherwise
	}
	return ctx
}

// valued ends with one context and holds the values of another.
type valued struct {
	context.Context
	values context.Context
}

// withValues returns ctx with the values of another before its own. What ends
// the other does not end it.
func withValues(ctx, values context.Context) context.Context {
	return valued{ctx, context.WithoutCancel(values)}
}

// Value is asked by package context, too, for what ends ctx: the values have
// no answer to that.
func (c valued) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// traceSession tells of the start of s and takes over the values that are
// given for it.
func (s *session) traceSession() {
	f := s.g.o.Trace.SessionStart
	if f == nil {
		return
	}
	if ctx := f(s.values, s.SessionInfo); ctx != nil {
		s.values = context.WithoutCancel(ctx)
		s.ctx = withValues(s.ctx, s.values)
	}
}

// traceDial tells of an attempt's start. It returns the context for the
// attempt and the function that tells of its end.
func (g *Gateway) traceDial(ctx context.Context, i DialInfo) (context.Context, func(error)) {
	t, start := g.o.Trace, time.Now()
	if t.DialStart != nil {
		if values := t.DialStart(ctx, i); values != nil {
			ctx = withValues(ctx, values)
		}
	}
	return ctx, func(err error) {
		if t.DialEnd != nil {
			t.DialEnd(ctx, i, DialResult{classify(ctx, err), err, time.Since(start)})
		}
	}
}

// classify says in one word what err was.
func classify(ctx context.Context, err error) DialClass {
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return DialOK
	case cause != nil && !fault.IsTimeout(cause):
		return DialCanceled
	}
	switch class := fault.ClassOf(err); {
	case class == fault.TargetForbidden:
		return DialPolicy
	case cause != nil, fault.IsTimeout(err):
		return DialTimeout
	case class.OfHandshake():
		return DialHandshake
	case class.OfTarget():
		return DialTarget
	case class.OfAgent():
		return DialAgent
	}
	return DialInternal
}

// recovering returns a Trace that recovers from a panic of any of its functions: they are
// called in goroutines in which nobody else recovers.
func (t *Trace) recovering(log *slog.Logger) *Trace {
	safe := &Trace{}
	if f := t.SessionStart; f != nil {
		safe.SessionStart = func(ctx context.Context, i SessionInfo) (out context.Context) {
			hostcall.Log(log, "Trace.SessionStart", func() { out = f(ctx, i) })
			return out
		}
	}
	if f := t.SessionEnd; f != nil {
		safe.SessionEnd = func(ctx context.Context, i SessionInfo, r SessionResult) {
			hostcall.Log(log, "Trace.SessionEnd", func() { f(ctx, i, r) })
		}
	}
	if f := t.DialStart; f != nil {
		safe.DialStart = func(ctx context.Context, i DialInfo) (out context.Context) {
			hostcall.Log(log, "Trace.DialStart", func() { out = f(ctx, i) })
			return out
		}
	}
	if f := t.DialEnd; f != nil {
		safe.DialEnd = func(ctx context.Context, i DialInfo, r DialResult) {
			hostcall.Log(log, "Trace.DialEnd", func() { f(ctx, i, r) })
		}
	}
	if f := t.Progress; f != nil {
		safe.Progress = func(ctx context.Context, s Session) { hostcall.Log(log, "Trace.Progress", func() { f(ctx, s) }) }
	}
	if f := t.Refused; f != nil {
		safe.Refused = func(ctx context.Context, i RefusedInfo) { hostcall.Log(log, "Trace.Refused", func() { f(ctx, i) }) }
	}
	return safe
}

// withHostTimeout returns a context with which parts of the host are asked.
func withHostTimeout(ctx context.Context) *lazyctx.Context {
	return lazyctx.WithTimeout(ctx, dialTimeout)
}

// askFor calls a part of the host for a request whose client may have no valid key. A
// panic is a line in the log, where not too many came from there, and the zero value.
func askFor[T any](g *Gateway, r *http.Request, part string, call func() T) T {
	v, err := hostcall.Get(func() (T, error) { return call(), nil })
	if err != nil {
		g.warnInternal(r.Context(), g.provoked(g.o.ClientAddr(r), fault.FromHost(part, err)))
	}
	return v
}

// logEnd writes the line of a session that has ended.
func (s *session) logEnd(r SessionResult) {
	client := ""
	if s.Remote.IsValid() {
		client = s.Remote.String()
	}
	attrs := []slog.Attr{
		slog.String("session", s.ID), slog.String("kind", s.Kind.String()), slog.String("subject", s.Subject),
		slog.String("key_id", s.KeyID), slog.String("client", client),
		slog.String("agent", r.Agent), slog.String("target", r.Target),
		slog.String("ended_by", r.EndedBy.String()), slog.Int("code", r.Code), slog.String("cause", causeOf(r.Err)),
		slog.Int64("frames_to_target", r.FramesToTarget), slog.Int64("frames_to_client", r.FramesToClient),
		slog.Int64("bytes_to_target", r.BytesToTarget), slog.Int64("bytes_to_client", r.BytesToClient),
		slog.Float64("duration_s", r.Duration.Seconds()),
	}
	if len(s.Labels) > 0 {
		attrs = append(attrs, labelsAttr(s.Labels))
	}
	s.g.o.Logger.LogAttrs(s.values, slog.LevelInfo, "session ended", append(attrs, s.attrs...)...)
}

// labelsAttr writes the labels of a caller in an order that does not change.
func labelsAttr(labels map[string]string) slog.Attr {
	attrs := make([]any, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		attrs = append(attrs, slog.String(name, labels[name]))
	}
	return slog.Group("labels", attrs...)
}
