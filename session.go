package farwire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/lazyctx"
	"github.com/farwire/farwire/internal/limits"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/stack"
	"github.com/farwire/farwire/internal/wsframe"
)

// A Kind says what a session is, or a request that never becomes one.
type Kind string

// The kinds of sessions.
const (
	KindRelay   Kind = "relay"
	KindAMQP    Kind = "amqp"
	KindCrawl   Kind = "crawl"
	KindRecrawl Kind = "recrawl"
	KindHTTP    Kind = "http"   // a request of the path form, or for an absolute URL
	KindTunnel  Kind = "tunnel" // a CONNECT of the forward proxy, over HTTP or SOCKS
)

// String returns the kind as logs and answers have it.
func (k Kind) String() string { return string(k) }

// kindRow is all that differs between the kinds of sessions in the eyes of the
// hub. To add a kind is to add a row.
type kindRow struct {
	kind  Kind
	limit func(Limits) int // of those that run at a time; nil: none, and callers are not told of it
	files int              // about how many descriptors one holds
	ruled Kind             // whose rules hold: a recrawl is a crawl to them
}

// Recrawls are bounded by the sites that a caller may enrol.
var kinds = []kindRow{
	{KindRelay, func(l Limits) int { return l.Sessions }, 2, KindRelay},
	{KindAMQP, func(l Limits) int { return l.Streams }, 2, KindAMQP},
	{KindCrawl, func(l Limits) int { return l.Crawls }, 10, KindCrawl},
	{KindRecrawl, nil, 10, KindCrawl},
	{KindHTTP, func(l Limits) int { return l.Sessions }, 2, KindHTTP},
	{KindTunnel, func(l Limits) int { return l.Sessions }, 2, KindTunnel},
}

// Kinds returns all kinds of sessions.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, row := range kinds {
		list[i] = row.kind
	}
	return list
}

// row returns the kind's row. A request that never becomes a session has none: one of its
// own name stands for it.
func (k Kind) row() kindRow {
	for _, row := range kinds {
		if row.kind == k {
			return row
		}
	}
	return kindRow{kind: k, ruled: k}
}

// allows returns how many sessions of this kind may run at a time; negative:
// any number.
func (l Limits) allows(k Kind) int {
	if limit := k.row().limit; limit != nil {
		return limit(l)
	}
	return -1
}

// Counters are what a session has carried so far: frames and payload bytes of a
// relay, messages and body bytes of a stream, body bytes of a request in the path form,
// and bytes of a tunnel. The last two have no frames.
type Counters struct {
	FramesToTarget, BytesToTarget int64
	FramesToClient, BytesToClient int64
}

// A carrier is what runs a session.
type carrier interface {
	// Shutdown ends the session in its own words, which are the public error of
	// cause. It returns at once.
	Shutdown(cause error)
	// Abort cuts what Shutdown has not ended. It returns at once.
	Abort()
	// Counters may be called at any time.
	Counters() Counters
}

// A session is one relay, stream or crawl, from the moment its connection is
// taken until both its sides are closed. It has a caller once it is admitted.
// A recrawl is one, too, so that it is counted and drained.
//
// It belongs to the allocator's size class of 384 bytes, which has little else of a
// request. In the class of the maps of headers, sessions would lie between these maps, and
// the memory of those that are collected could not be given back while the sessions last.
type session struct {
	SessionInfo
	g         *Gateway
	principal *Principal // nil: not known yet, or of a relay and not needed any more
	admitted  bool
	counter   limits.Account          // whom it counts for
	release   func()                  // frees its slot; nil: it has none
	flow      *limits.Flow[Principal] // towards its key's bytes of a day; nil: they are not counted

	attrs []slog.Attr // of its log line, besides those that all have

	conn net.Conn // taken from net/http, while no pipe owns it; nil: none

	// What follows is guarded by g.mu.
	carrier       carrier
	events        buffer // of a stream, that wait for its reader; nil: none
	agent, target string // once it is connected
	watched       bool   // by the gateway, as it runs

	// ctx carries the request's values and ends, with what Shutdown was given as
	// its cause, unless the session was handed to a pipe. It does not end with
	// the request: a hijacked connection outlives it.
	ctx    context.Context
	values context.Context         // what ctx was made of, without an end
	stop   context.CancelCauseFunc // guarded by g.mu

	sentFrames, sentBytes atomic.Int64 // to the client, as a stream goes
}

// A buffer tells how many bytes wait in it.
type buffer interface{ Waiting() int64 }

// A contextCarrier is a session that its context ends.
type contextCarrier session

func (c *contextCarrier) Shutdown(cause error) {
	g := c.g
	g.mu.Lock()
	stop := c.stop
	g.mu.Unlock()
	stop(cause)
	g.mu.Lock()
	now := c.carrier
	g.mu.Unlock()
	if now != carrier(c) { // it was handed over meanwhile
		now.Shutdown(cause)
	}
}

// Abort does nothing: who has a context looks at g.kill too.
func (c *contextCarrier) Abort() {}

// Counters returns what a stream has sent.
func (c *contextCarrier) Counters() Counters {
	return Counters{FramesToClient: c.sentFrames.Load(), BytesToClient: c.sentBytes.Load()}
}

// sent counts what a stream sends, as it goes. Counters reads in the other
// order, so that what it counts is counted with its bytes.
func (s *session) sent(frames, bytes int64) {
	s.sentBytes.Add(bytes)
	s.sentFrames.Add(frames)
}

// enter registers a session, so that a drain finds it. The caller must end it
// exactly once.
func (g *Gateway) enter(ctx context.Context, k Kind) (*session, error) {
	stack.Grow()
	s := g.newSession(lazyctx.Values(ctx), k)
	s.ctx, s.stop = context.WithCancelCause(s.values)
	s.carrier = (*contextCarrier)(s)
	return s, g.register(s)
}

// newSession makes a session, which needs a context and a carrier to be registered.
func (g *Gateway) newSession(values context.Context, k Kind) *session {
	return &session{SessionInfo: SessionInfo{ID: newID(), Kind: k, Start: time.Now()}, g: g, values: values}
}

// newID makes the id of a session.
func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return string(hex.AppendEncode(make([]byte, 0, 2*len(b)), b[:]))
}

func (g *Gateway) register(s *session) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		s.stop(errDraining)
		return errDraining
	}
	g.running[s] = struct{}{}
	return nil
}

// admit finds out whose session it is and whether they may have it.
func (s *session) admit(parent context.Context, seen requestAuth) error {
	g := s.g
	ctx := withHostTimeout(parent)
	defer ctx.Cancel()
	s.Remote = seen.remote
	revocations := g.revocations.Load()
	p, _, err := g.admit(ctx, seen)
	if err != nil {
		return err
	}
	if err := s.allowed(ctx, p); err != nil {
		return refusedCaller(p, err)
	}
	s.begin(p)
	if g.revocations.Load() != revocations && g.revoked(ctx, p) {
		s.carrier.Shutdown(errKeyRevoked) // it was revoked just now
	}
	return nil
}

// within returns a context that ends with ctx and with the session, whichever ends first:
// until its client is answered, what a session does hangs on both. The caller calls done.
func (s *session) within(ctx context.Context) (_ context.Context, done func()) {
	ctx, stop := context.WithCancelCause(ctx)
	life := s.ctx // admission gives the session another one
	release := context.AfterFunc(life, func() { stop(context.Cause(life)) })
	return ctx, func() { release(); stop(nil) }
}

// allowed takes what a session of this caller's needs, or says why it may not
// have it.
func (s *session) allowed(ctx context.Context, p Principal) error {
	g := s.g
	if err := p.mayBegin(s.Kind); err != nil {
		return err
	}
	if open, most := g.descriptors(); g.meters.ExceedsShare(p.Subject, open, most) &&
		g.meters.ExceedsShare(p.Subject, open-g.conns.GiveUpDescriptors(), most) {
		g.meters.Refuse(p.counter())
		return limited(fault.LimitReached, "limit reached: your sessions hold your share of this gateway's connections",
			Quota{RetryAfter: time.Second})
	}
	if err := g.checkBytes(ctx, p); err != nil {
		return err
	}
	return s.takeSlot(ctx, p)
}

// begin gives the session its caller, who is counted in already.
func (s *session) begin(p Principal) {
	g := s.g
	g.mu.Lock() // Stats reads admitted
	s.principal, s.Subject, s.KeyID, s.Labels, s.admitted = &p, p.Subject, p.KeyID, p.Labels, true
	g.noteKey(s)
	g.mu.Unlock()
	g.counts[s.Kind].started.Add(1)
	s.countBytes()
	s.traceSession()
	s.watchRunning()
}

// reached notes which agent carries the session and what it leads to.
func (s *session) reached(agent, target string) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.agent, s.target = agent, target
}

// end writes the session's log line and forgets it.
func (s *session) end(r SessionResult) {
	if s.admitted {
		s.account(r)
	} else {
		s.g.noteRefused(s.values, s.Kind, s.Remote, r.Err)
	}
	s.leave(r)
}

// leave forgets the session, so that a drain no longer waits for it.
func (s *session) leave(r SessionResult) {
	s.stop(nil)
	g := s.g
	if s.release != nil {
		hostcall.Log(s.g.o.Logger, "a limiter's release of a slot", s.release)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.admitted {
		g.counts[s.Kind].ended(r)
	}
	delete(g.running, s)
	g.forgetKey(s)
	if g.draining && len(g.running) == 0 {
		close(g.idle)
	}
}

// handOver sends a drain, and the cut at its end, to the pipe of a relay. Most relays are
// idle most of the time; a cancellable context and a principal would be a third of the
// memory that an idle one takes.
func (s *session) handOver(p *wsframe.Pipe) {
	g := s.g
	carried := pipeCarrier{p}
	g.mu.Lock()
	stop := s.stop
	s.conn, s.carrier, s.stop = nil, carried, func(error) {}
	if !s.watched {
		s.principal = nil
	}
	killed := g.kill.Err() != nil
	g.mu.Unlock()

	stop(nil)
	cause := context.Cause(s.ctx)
	s.ctx = s.values
	if !errors.Is(cause, context.Canceled) { // it was ended just now
		carried.Shutdown(cause)
	} // else a drain that goes on tells the carrier in its turn
	if killed {
		carried.Abort()
	}
}

// holds has Stats count the events that wait for a stream's reader.
func (s *session) holds(events buffer) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.events = events
}

// carry has a drain, the cut at its end and a call that ends sessions go to what
// carries the session from now on.
func (s *session) carry(c carrier) {
	g := s.g
	g.mu.Lock()
	s.carrier = c
	killed := g.kill.Err() != nil
	g.mu.Unlock()
	if s.ctx.Err() != nil { // it was ended just now
		c.Shutdown(context.Cause(s.ctx))
	}
	if killed {
		c.Abort()
	}
}

// abandon ends a session whose handler panicked.
func (s *session) abandon(err error) {
	if s.conn != nil {
		s.conn.Close()
	}
	s.end(SessionResult{EndedBy: EndedByGateway, Code: 1011, Err: err})
}

// abandonOnPanic is deferred by a handler whose session net/http knows nothing of.
func (s *session) abandonOnPanic() {
	if v := recover(); v != nil {
		s.abandon(fmt.Errorf("panic: %v", v))
		panic(v)
	}
}

func (s *session) account(r SessionResult) {
	g := s.g
	r.Duration = time.Since(s.Start)
	if s.flow != nil {
		g.traffic.End(s.flow, r.BytesToTarget+r.BytesToClient)
	}
	g.meters.End(s.counter, s.Kind.String(), s.Kind.row().files, r.BytesToTarget, r.BytesToClient)
	if g.o.Logger.Enabled(s.values, slog.LevelInfo) {
		s.logEnd(r)
	}
	if f := g.o.Trace.SessionEnd; f != nil {
		f(s.values, s.SessionInfo, r)
	}
}

// The clocks of sessions that no option sets.
const (
	// A client has this long to say what it wants, in all.
	askTimeout = opening.Timeout
	// From the message to the answer, over all agents tried.
	dialTimeout = request.DialTimeout
	// A lost client is noticed this long after a ping of the gateway's.
	pongTimeout = 20 * time.Second
	// A peer that does not answer a close frame is given up after this.
	closeTimeout = opening.CloseTimeout
)
