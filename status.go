package farwire

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/llmstxt"
)

// Health returns the handler that says whether the gateway serves: 200 with
// {"ok": true}, or 503 while it drains. A load balancer asks [Gateway.Ready], which
// [Gateway.Unready] turns to 503 before a drain.
func (g *Gateway) Health() http.Handler {
	return origin.Any("GET, HEAD", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := onlyReads(r)
		if err == nil && g.isDraining() {
			err = errDraining
		}
		if err != nil {
			g.fail(w, err)
			return
		}
		writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
	}))
}

// Unready makes the handler of Ready answer 503 from now on, while everything
// is still served: a load balancer goes elsewhere before Shutdown begins.
func (g *Gateway) Unready() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unready = true
}

// Ready returns the handler that says whether the gateway wants to be sent
// requests: 503 while it drains, else 200 with {"agents": 2, "stores":
// {"sites": {"ok": true}}}, with "nats": {"ok": true} where Options.Bus is a
// [ConnectedBus]. With the query ?require=agents,stores, for monitors, what it
// names must be there as well; without it a gateway without agents is ready,
// else none could attach through a balancer. It needs no key, and asks the
// stores at most once a second. A store that does not answer within half a
// second is not OK; with ?require=stores it has five seconds.
func (g *Gateway) Ready() http.Handler {
	type store struct {
		OK bool `json:"ok"`
	}
	type answer struct {
		Agents int              `json:"agents"`
		Stores map[string]store `json:"stores"`
		NATS   *store           `json:"nats,omitempty"`
		Detail string           `json:"detail,omitempty"`
		Code   string           `json:"code,omitempty"`
	}
	return origin.Any("GET, HEAD", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := onlyReads(r); err != nil {
			g.fail(w, err)
			return
		}
		a := answer{Agents: 1, Stores: make(map[string]store)} // an exit alone
		if list, ok := g.o.Agents.(AgentLister); ok {
			a.Agents = len(askFor(g, r, "agent selector", list.Agents))
		}
		required, err := readyRequires(r)
		if err != nil {
			g.fail(w, err)
			return
		}
		if g.o.Sites != nil {
			a.Stores["sites"] = store{g.sitesAnswer(r.Context(), slices.Contains(required, "stores"))}
		}
		if bus, ok := g.o.Bus.(ConnectedBus); ok {
			a.NATS = &store{askFor(g, r, "bus", bus.Connected)}
		}
		if err := g.readiness(required, a.Agents, !slices.Contains(slices.Collect(maps.Values(a.Stores)), store{false})); err != nil {
			p := public(err)
			a.Detail, a.Code = p.Text, p.Code
			w.Header().Set("Retry-After", "5")
			writeJSON(w, http.StatusServiceUnavailable, a)
			return
		}
		writeJSON(w, http.StatusOK, a)
	}))
}

// readyRequires reads what a monitor wants to count.
func readyRequires(r *http.Request) ([]string, error) {
	var required []string
	for _, list := range r.URL.Query()["require"] {
		for _, what := range egress.SplitList(list) {
			if what != "agents" && what != "stores" {
				return nil, fault.Invalidf("require names %q; write agents or stores", fault.Clip(what))
			}
			required = append(required, what)
		}
	}
	return required, nil
}

// readiness says why the gateway is not ready.
func (g *Gateway) readiness(required []string, agents int, stores bool) error {
	g.mu.Lock()
	leaving := g.draining || g.unready
	g.mu.Unlock()
	if leaving {
		return errDraining
	}
	for _, what := range required {
		switch {
		case what == "agents" && agents == 0:
			return fault.New(fault.AgentUnavailable, "no agent is attached")
		case what == "stores" && !stores:
			return fault.New(fault.Internal, "a store is unavailable")
		}
	}
	return nil
}

// Network returns the handler that lists the agents, for callers with a key:
// {"agents": [{"id", "slug", "country", "state", "sessions", "rtt_ms",
// "version", "exit_ip", "gateways"}, …]}. rtt_ms is in milliseconds, zero where it is
// unknown or the agent is in this process; exit_ip is empty where it is unknown. It
// answers 404 when the AgentSelector is not an [AgentLister].
func (g *Gateway) Network() http.Handler {
	return g.answerCaller(KindNetwork, func(context.Context, Principal, Quota) (any, error) {
		agents, listed, err := g.listAgents()
		if err != nil {
			return nil, err
		}
		if !listed {
			return nil, fault.New(fault.NotFound, "this gateway does not list its agents")
		}
		list := []agentInfo{} // an empty list, not null
		for _, a := range agents {
			gateways := a.Gateways
			if gateways == nil {
				gateways = []string{g.o.Name}
			}
			info := agentInfo{ID: a.ID, Slug: a.Slug, Country: a.Country, State: string(a.State), Sessions: a.Sessions,
				RTT: float64(a.RTT) / float64(time.Millisecond), Version: a.Version, Gateways: gateways}
			if a.ExitIP.IsValid() {
				info.ExitIP = a.ExitIP.String()
			}
			list = append(list, info)
		}
		return map[string]any{"agents": list}, nil
	})
}

// answerCaller returns a handler that answers GET and HEAD of callers with a key in JSON.
func (g *Gateway) answerCaller(kind Kind, answer func(context.Context, Principal, Quota) (any, error)) http.Handler {
	return origin.Any("GET, HEAD", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p Principal
		var q Quota
		var body any
		err := onlyReads(r)
		if err == nil {
			p, q, err = g.admitWhole(r.Context(), g.readAuth(r))
		}
		if err == nil {
			body, err = answer(r.Context(), p, q)
		}
		if err != nil {
			g.refuse(w, r, kind, err)
			return
		}
		writeJSON(w, http.StatusOK, body)
	}))
}

type agentInfo struct {
	ID       string  `json:"id"`
	Slug     string  `json:"slug"`
	Country  string  `json:"country"`
	State    string  `json:"state"`
	Sessions int     `json:"sessions"`
	RTT      float64 `json:"rtt_ms"` // zero: unknown, or in this process
	Version  string  `json:"version"`
	ExitIP   string  `json:"exit_ip"` // empty: not known

	Gateways []string `json:"gateways"` // that hold it
}

// Usage returns the handler that tells callers what they have used since the
// gateway started and what is left of their limits. Asking counts as a request.
// What runs now is this gateway's alone. Pages and bytes are of the last 24 hours, over all
// that share a [PageLimiter] and a [ByteLimiter]; bytes count for keys that have a limit.
func (g *Gateway) Usage() http.Handler {
	return g.answerCaller(KindUsage, func(ctx context.Context, p Principal, q Quota) (any, error) {
		a := g.usageHere(p, q)
		// What is kept in another service is left out while that is unavailable.
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		a["http_rate"] = g.httpRate(ctx, p)
		a["bytes"] = g.bytesOfDay(ctx, p)
		a["pages"] = used(ctx, g, p, "pages of a day", "today", limitOrNil(p.Limits.PagesPerDay), func() (int, error) {
			q, err := g.pages.TakePages(ctx, p, 0)
			return q.Used, err
		})
		if g.o.Sites != nil {
			a["sites"] = used(ctx, g, p, "sites", "count", limitOrNil(p.Limits.Sites), func() (int, error) {
				return g.o.Sites.Count(ctx, p.Subject)
			})
		}
		return a, nil
	})
}

// usageHere is what this gateway has counted itself; q is the answer of the Limiter to
// the request that asks.
func (g *Gateway) usageHere(p Principal, q Quota) map[string]any {
	type rate struct {
		rateLeft
		Refused uint64 `json:"refused"` // by either rate
	}
	type count struct {
		Active int    `json:"active"`
		Total  uint64 `json:"total"`
		Limit  *int   `json:"limit"` // null: none
	}
	m := g.meters.Read(p.counter())
	total := g.runningOf(p).plus(Counters{BytesToTarget: m.BytesToTarget, BytesToClient: m.BytesToClient})
	a := map[string]any{"subject": p.Subject, "rate": rate{newRateLeft(p.Limits.Rate, q), m.Refused},
		"bytes_to_target": total.BytesToTarget, "bytes_to_client": total.BytesToClient}
	for _, row := range kinds {
		if row.limit == nil {
			continue
		}
		a[row.kind.String()] = count{m.Active[row.kind.String()], m.Total[row.kind.String()], limitOrNil(row.limit(p.Limits))}
	}
	return a
}

// limitOrNil is nil, null in JSON, where there is no limit.
func limitOrNil(most int) *int {
	if most < 0 {
		return nil
	}
	return &most
}

// rateLeft is a rate and what is left of it. Null: no limit, or the gateway cannot tell now.
type rateLeft struct {
	PerSecond *float64 `json:"per_second"`
	Burst     *int     `json:"burst"`
	Remaining *int     `json:"remaining"`
}

func newRateLeft(perSecond float64, q Quota) rateLeft {
	if q.Limit < 0 {
		return rateLeft{}
	}
	return rateLeft{&perSecond, &q.Limit, &q.Remaining}
}

func (g *Gateway) httpRate(ctx context.Context, p Principal) rateLeft {
	limiter, ok := g.o.Limiter.(LeftLimiter)
	if !ok {
		return rateLeft{}
	}
	q, err := hostcall.Get(func() (Quota, error) { return limiter.Left(ctx, p, BucketHTTP) })
	if err != nil {
		g.o.Logger.WarnContext(ctx, "requests left not counted", "subject", p.Subject, "err", err)
		return rateLeft{}
	}
	return newRateLeft(p.Limits.HTTPRate, q)
}

// used says how much of a limit is used, under a name; null while the gateway cannot tell.
func used[N any](ctx context.Context, g *Gateway, p Principal, what, name string, limit *N, count func() (N, error)) map[string]*N {
	u := map[string]*N{name: nil, "limit": limit}
	n, err := hostcall.Get(count)
	if err != nil {
		g.o.Logger.WarnContext(ctx, what+" not counted", "subject", p.Subject, "err", err)
		return u
	}
	u[name] = &n
	return u
}

// bytesOfDay is null without a limit, too: bytes are then not counted.
func (g *Gateway) bytesOfDay(ctx context.Context, p Principal) map[string]*int64 {
	if p.Limits.BytesPerDay <= 0 {
		return map[string]*int64{"today": nil, "limit": nil}
	}
	return used(ctx, g, p, "daily bytes", "today", &p.Limits.BytesPerDay, func() (int64, error) {
		q, err := g.reportBytes(ctx, p)
		return q.Used, err
	})
}

// Stats are the gateway's counters since New. They only grow, except those that
// are marked as of now.
type Stats struct {
	Draining bool // now

	// Kinds has an entry for each kind of session.
	Kinds map[Kind]KindStats

	// NoAgent counts searches for an agent that found none that fits.
	NoAgent int64

	// AMQPWaiting is how many bytes of events are in memory now because their
	// readers have not taken them.
	AMQPWaiting int64

	// CrawlPages counts the pages of crawls and recrawls by their outcome: PageWritten
	// or an llmstxt.Reason. It has an entry for each, also when that is zero.
	CrawlPages map[string]int64
}

// KindStats counts the sessions of one handler.
type KindStats struct {
	Active  int64 // running now
	Started int64 // ever
	Failed  int64 // ended with an error

	Counters // of running sessions too
}

// PageWritten is the outcome, in Stats.CrawlPages, of a page that is in its
// crawl's file.
const PageWritten = "written"

// Stats returns the counters as they are now. It looks at every session that
// is running: some 100 ns each.
func (g *Gateway) Stats() Stats {
	s := Stats{NoAgent: g.noAgent.Load(), CrawlPages: g.outcome.read(), Kinds: make(map[Kind]KindStats, len(kinds))}
	// A session is taken out of those that run and its traffic added to what is
	// counted under one lock: nothing is seen twice, or not at all.
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Draining = g.draining
	for k, c := range g.counts {
		s.Kinds[k] = KindStats{Started: c.started.Load(), Failed: c.failed.Load(), Counters: c.carried()}
	}
	for r := range g.running {
		if !r.admitted {
			continue
		}
		into := s.Kinds[r.Kind]
		into.Active++
		into.Counters = into.Counters.plus(r.carrier.Counters())
		s.Kinds[r.Kind] = into
		if r.events != nil {
			s.AMQPWaiting += r.events.Waiting()
		}
	}
	return s
}

// Agents lists the agents that the gateway's AgentSelector knows of now, and
// reports whether it is an [AgentLister].
func (g *Gateway) Agents() ([]agent.Info, bool) {
	agents, listed, err := g.listAgents()
	if err != nil {
		g.warnInternal(context.Background(), err)
	}
	return agents, listed
}

// pageOutcomes counts pages by their outcome.
type pageOutcomes struct {
	mu sync.Mutex
	of map[string]int64
}

func newPageOutcomes() *pageOutcomes {
	p := &pageOutcomes{of: map[string]int64{PageWritten: 0}}
	for _, r := range llmstxt.Reasons() {
		p.of[string(r)] = 0
	}
	return p
}

// note counts what an event of a crawl says.
func (p *pageOutcomes) note(e llmstxt.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case llmstxt.Committed:
		p.of[PageWritten]++
	case llmstxt.Skipped:
		p.of[string(e.Reason)]++
	}
}

func (p *pageOutcomes) read() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.of)
}
