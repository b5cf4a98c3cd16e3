package farwire

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/check"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/limits"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/revoked"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/token"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/internal/webhook"
)

// A Gateway holds what its handlers share: who may call, through which agents,
// under which limits, and which sessions are running. Its methods return the
// handlers; what a host does not mount is never linked in. All methods are
// safe for concurrent use.
type Gateway struct {
	o      Options
	tokens *token.Signer

	// What callers have used, and what is left for them.
	meters      *limits.Meters
	pages       PageLimiter // the Limiter, or one of our own when it does not count pages
	bytes       ByteLimiter // the same for bytes
	traffic     limits.Traffic[Principal, ByteQuota]
	descriptors func() (open, most int) // of this process; a most of 0: not known

	// What is counted so that nobody can fill the log.
	wrong    attempts.Counter // wrong credentials, which are refused when they are too many
	causes   attempts.Counter // refusals that a host gives a cause for
	internal attempts.Lines   // internal errors

	// The sessions that run. leaving ends when the gateway begins to drain, kill when
	// Shutdown has waited long enough: then sessions are cut.
	leaving, kill context.Context
	leave         context.CancelCauseFunc
	killAll       context.CancelFunc

	mu       sync.Mutex
	draining bool
	unready  bool // Unready was called
	watching bool // watchSessions runs
	running  map[*session]struct{}
	ofKey    map[string]map[*session]struct{} // where there is a Bus: the running ones of each key
	idle     chan struct{}                    // closed when draining and nothing runs any more

	// The keys that are gone.
	revocations atomic.Int64 // how often keys were revoked
	gone        revoked.Keys // those that other gateways have revoked

	// Crawls, and enrolled sites.
	hosted  *hosted
	sitesOK *check.Check
	due     chan struct{} // holds a value when a site may have become due
	hooks   webhook.Calls

	// What Stats counts.
	counts  map[Kind]*counts // the map itself is never changed
	outcome *pageOutcomes
	noAgent atomic.Int64

	// Connections to targets.
	conns   egress.Conns // of the path form and the forward proxy
	tickets *upstream.Tickets
	loops   netio.Loops // of relays between two sockets
}

// New returns a Gateway, or an error that names the field of Options that
// cannot be used. It starts no goroutine and opens nothing.
func New(o Options) (*Gateway, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, ok := o.Auth.(KeyLookuper); !ok && o.Auth != nil {
		o.Logger.Info("the Authenticator has no Lookup: a token works for five minutes even when its key is revoked")
	}
	g := &Gateway{
		o:           o,
		tokens:      token.New(o.TokenKeys),
		meters:      limits.NewMeters(),
		running:     make(map[*session]struct{}),
		ofKey:       make(map[string]map[*session]struct{}),
		idle:        make(chan struct{}),
		due:         make(chan struct{}, 1),
		outcome:     newPageOutcomes(),
		counts:      make(map[Kind]*counts, len(kinds)),
		conns:       egress.Conns{RootCAs: o.RootCAs},
		tickets:     upstream.NewTickets(),
		descriptors: netio.Descriptors,
	}
	for _, row := range kinds {
		g.counts[row.kind] = new(counts)
	}
	g.o.ClientAddr = g.recoveringAddr(o.ClientAddr)
	g.sitesOK = g.newSitesCheck()
	g.hosted = newHosted(g.tokens.Derive("farwire names of hosted files"))
	g.leaving, g.leave = context.WithCancelCause(context.Background())
	g.kill, g.killAll = context.WithCancel(context.Background())
	g.setLimiters()
	g.subscribe()
	g.answerPeers()
	return g, nil
}

// setLimiters has the Limiter count pages and bytes, or what it cannot count be counted here.
func (g *Gateway) setLimiters() {
	g.pages, g.bytes = new(memoryLimiter), new(memoryLimiter)
	if pages, ok := g.o.Limiter.(PageLimiter); ok {
		g.pages = pages
	}
	if bytes, ok := g.o.Limiter.(ByteLimiter); ok {
		g.bytes = bytes
	}
	g.traffic.Add = func(ctx context.Context, p Principal, n int64) (ByteQuota, error) {
		return hostcall.Get(func() (ByteQuota, error) { return g.bytes.AddBytes(ctx, p, n) })
	}
	g.traffic.Failed = func(err error) { g.o.Logger.Warn("daily bytes not counted; they are sent again", "err", err) }
}

// recoveringAddr returns Options.ClientAddr with a recovery: the client is then the peer
// of the connection, as without a function.
func (g *Gateway) recoveringAddr(f func(*http.Request) netip.Addr) func(*http.Request) netip.Addr {
	return func(r *http.Request) netip.Addr {
		addr, err := hostcall.Get(func() (netip.Addr, error) { return f(r), nil })
		if err != nil {
			addr = TrustedProxies()(r)
			g.warnInternal(r.Context(), g.provoked(addr, fault.FromHost("ClientAddr", err)))
		}
		return addr
	}
}

// Shutdown drains the gateway, which [net/http.Server.Shutdown] cannot do: it
// knows nothing of hijacked sockets and waits for ever on an open event
// stream. From now on new sessions are refused with 503. Running relays send
// close code 1001 to both sides at a frame boundary, streams and crawls end
// with an error that says why, recrawls leave their sites to other gateways,
// and Shutdown returns nil when all are gone.
//
// More than a hundred sessions are told evenly over the first half of the time
// until ctx's deadline, so that their clients do not all come back at once; fewer,
// and any number without a deadline, are told at once.
//
// When ctx ends first, what is left is cut and Shutdown returns ctx's error.
// Then it waits up to five seconds for sessions that have still not ended,
// because a part of the host ignores its context, and names them in the log.
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
	g.mu.Unlock()
	g.leave(errDraining)
	shutDownCarriers(ctx, g.carriers())
	err := g.awaitIdle(ctx)
	g.conns.Close()
	g.traffic.Close(ctx)
	g.sitesOK.Close(ctx)
	return err
}

// awaitIdle waits until no session runs. When ctx ends first, it cuts those that are left.
func (g *Gateway) awaitIdle(ctx context.Context) error {
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
	}
	g.killAll()
	for _, c := range g.carriers() {
		c.Abort()
	}
	// A session that was cut waits for no peer.
	late := time.NewTimer(closeTimeout)
	defer late.Stop()
	select {
	case <-g.idle:
	case <-late.C:
		g.logRunning()
	}
	return ctx.Err()
}

const (
	drainedAtOnce = 100                   // sessions: more are told one after the other
	drainStep     = 10 * time.Millisecond // between two looks whose turn it is
)

// shutDownCarriers has sessions end. It returns when all are told, or ctx has ended.
func shutDownCarriers(ctx context.Context, all []carrier) {
	deadline, ok := ctx.Deadline()
	began := time.Now()
	half := deadline.Sub(began) / 2
	if !ok || len(all) <= drainedAtOnce || half <= 0 {
		for _, c := range all {
			c.Shutdown(errDraining)
		}
		return
	}
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	for told := 0; told < len(all); {
		share := float64(time.Since(began)) / float64(half)
		for ; told < len(all) && float64(told) <= share*float64(len(all)); told++ {
			all[told].Shutdown(errDraining)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// carriers returns what runs the sessions.
func (g *Gateway) carriers() []carrier {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]carrier, 0, len(g.running))
	for s := range g.running {
		all = append(all, s.carrier)
	}
	return all
}

// An AgentSelector picks the exit for one session. [agent.Pool] and
// [agent.Exit] are selectors; a host may write its own.
//
// SelectAgent is called concurrently. When no exit fits it returns an error that wraps
// [agent.ErrNoAgent]. It must never return an exit that the query's filters or its Exclude
// list rule out: a caller that pinned an agent is told that it is gone and never silently
// given another. It is told a session's first host; Options.Allow is asked about redirects too.
//
// One that is an [AgentLister] is listed by [Gateway.Network]; one that is a
// [PeerAsker] or a [RecordSharer] leads to other gateways.
type AgentSelector interface {
	SelectAgent(context.Context, agent.Query) (agent.Exit, error)
}

// An AgentLister is an AgentSelector that can say which agents it has. Agents is
// called concurrently and returns at once.
type AgentLister interface {
	AgentSelector
	Agents() []agent.Info
}

func (g *Gateway) listAgents() (agents []agent.Info, listed bool, err error) {
	list, listed := g.o.Agents.(AgentLister)
	if listed {
		agents, err = hostcall.Get(func() ([]agent.Info, error) { return list.Agents(), nil })
	}
	return agents, listed, err
}

func (g *Gateway) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// egress returns what picks the exits of the session, under its caller's rules.
func (s *session) egress() *egress.Egress {
	g, kind := s.g, s.Kind
	e := &egress.Egress{Agents: s.permittedAgents(), Logger: g.o.Logger, NoAgent: &g.noAgent}
	if g.o.Trace.DialStart != nil || g.o.Trace.DialEnd != nil {
		e.Attempt = func(ctx context.Context, exit agent.Exit, q agent.Query) (context.Context, func(error)) {
			return g.traceDial(ctx, DialInfo{kind, exit.ID, q.Host})
		}
	}
	return e
}

// reach calls attempt with an exit that fits, and with another when that one
// fails.
func (s *session) reach(ctx context.Context, q agent.Query, attempt func(context.Context, agent.Exit) error) (agent.Exit, error) {
	if s.g.o.Trace.SessionStart != nil {
		ctx = withValues(ctx, s.values) // they may be younger than ctx
	}
	return s.egress().Do(ctx, q, attempt)
}

// A Target is what a session, a redirect, a page of a crawl or the hop to a
// client's proxy is about to reach.
type Target struct {
	Kind   Kind
	Scheme string // as in its URL; empty where only the connection is known
	Host   string // in lower case, as punycode, without a final dot
	Port   uint16
}

// permittedAgents is the host's selector for one session: its exits dial and
// resolve only what the session's caller may reach.
type permittedAgents struct {
	g    *Gateway
	p    Principal
	kind Kind
}

func (s *session) permittedAgents() *permittedAgents {
	return &permittedAgents{s.g, *s.principal, s.Kind}
}

// SelectAgent asks the host's selector. An exit that cannot dial is an
// internal error of the selector.
func (s *permittedAgents) SelectAgent(parent context.Context, q agent.Query) (agent.Exit, error) {
	g, p := s.g, &s.p
	r, err := p.rules()
	if err != nil {
		return agent.Exit{}, fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
	}
	ctx := withHostTimeout(parent)
	defer ctx.Cancel()
	q.Labels = p.Labels
	// An agent that does not know rules on addresses is not picked where there are any;
	// what holds for one target travels with its dial.
	exit, err := hostcall.Get(func() (agent.Exit, error) {
		return g.o.Agents.SelectAgent(agent.WithRules(ctx, agent.Rules{Deny: r.Prefixes()}), q)
	})
	if err != nil {
		return agent.Exit{}, err
	}
	if exit.DialContext == nil {
		return agent.Exit{}, fmt.Errorf("%T returned an exit without a DialContext", g.o.Agents)
	}
	if g.o.Allow != nil || p.Allow != nil || p.Deny != nil || p.narrow.isNarrow() {
		exit = egress.Guard(exit.Enforce(), s.permit)
	}
	return g.conns.MakeRoom(egress.Recover(exit)), nil
}

// permit says whether the session may reach what an exit dials or resolves.
func (s *permittedAgents) permit(ctx context.Context, host string, port uint16) (rules.Addresses, error) {
	return s.g.permit(ctx, s.p, Target{Kind: s.kind, Scheme: rules.Scheme(ctx), Host: host, Port: port})
}

// permit says whether a caller may reach a target: by the rules of its key, and
// then by the host program's own function.
func (g *Gateway) permit(ctx context.Context, p Principal, t Target) (rules.Addresses, error) {
	t.Host = rules.Host(t.Host)
	r, err := p.rules()
	if err != nil {
		return rules.Addresses{}, fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
	}
	on, err := r.Check(t.Kind.row().ruled.String(), t.Host, t.Port)
	if err != nil {
		return rules.Addresses{}, err
	}
	if g.o.Allow != nil {
		if err := hostcall.Do(func() error { return g.o.Allow(ctx, p, t) }); err != nil {
			return rules.Addresses{}, refusedByHost(err, t)
		}
	}
	return on, nil
}

// rules parses the principal's rules, and those of the token that it has shown.
func (p *Principal) rules() (rules.Key, error) {
	key, err := rules.ParseKey(p.Allow, p.Deny, retyped[string](p.Kinds), ruledNames)
	if err != nil || !p.narrow.isNarrow() {
		return key, err
	}
	token, err := rules.ParseKey(p.narrow.Allow, nil, retyped[string](p.narrow.Kinds), ruledNames)
	return key.Narrowed(token), err
}

// mayBegin says whether the principal's rules allow sessions of a kind.
func (p *Principal) mayBegin(k Kind) error {
	key, err := p.rules()
	if err != nil {
		return err
	}
	return key.CheckKind(k.row().ruled.String())
}

// ruledKinds are those that rules may name, and ruledNames their names.
var (
	ruledKinds = slices.DeleteFunc(Kinds(), func(k Kind) bool { return k.row().ruled != k })
	ruledNames = retyped[string](ruledKinds)
)
