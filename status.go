package farwire

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

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

// Unready has the handler of Ready answer 503 from now on, while everything is
// still served: a load balancer goes elsewhere before Shutdown begins.
func (g *Gateway) Unready() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unready = true
}

// Ready returns the handler that says whether the gateway wants to be sent
// requests: 503 while it drains, else 200 with {"agents": 2, "stores": {"sites":
// {"ok": true}}}. The query ?require=agents,stores makes what it names count, for
// monitors; without it a gateway without agents is ready, else none could attach
// through a balancer.
func (g *Gateway) Ready() http.Handler {
	type store struct {
		OK bool `json:"ok"`
	}
	type answer struct {
		Agents int              `json:"agents"`
		Stores map[string]store `json:"stores"`
		Detail string           `json:"detail,omitempty"`
		Code   string           `json:"code,omitempty"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := onlyReads(r); err != nil {
			g.o.fail(w, err)
			return
		}
		agents, listed := g.Agents()
		a := answer{Agents: len(agents), Stores: make(map[string]store)}
		if !listed { // an exit alone
			a.Agents = 1
		}
		if g.o.Sites != nil {
			ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
			defer cancel()
			_, err := g.o.Sites.Count(ctx, "")
			a.Stores["sites"] = store{err == nil}
		}
		if err := g.readiness(r, a.Agents, !slices.Contains(slices.Collect(maps.Values(a.Stores)), store{false})); err != nil {
			p := public(err)
			a.Detail, a.Code = p.Text, p.Code
			w.Header().Set("Retry-After", "5")
			writeJSON(w, http.StatusServiceUnavailable, a)
			return
		}
		writeJSON(w, http.StatusOK, a)
	})
}

// readiness says why the gateway is not ready.
func (g *Gateway) readiness(r *http.Request, agents int, stores bool) error {
	g.mu.Lock()
	leaving := g.draining || g.unready
	g.mu.Unlock()
	if leaving {
		return errDraining
	}
	for _, what := range splitList(r.URL.Query().Get("require")) {
		switch {
		case what == "agents" && agents == 0:
			return fault.New(fault.AgentUnavailable, "no agent is attached")
		case what == "stores" && !stores:
			return fault.New(fault.Internal, "a store is unavailable")
		case what != "agents" && what != "stores":
			return fault.Invalidf("require names %q; write agents or stores", clip(what))
		}
	}
	return nil
}

// Network returns the handler that lists the agents, for callers with a key:
// {"agents": [{"id", "slug", "country", "state", "sessions", "rtt_ms",
// "version"}, …]}. It answers 404 when the AgentSelector cannot list its
// agents.
func (g *Gateway) Network() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { g.refuse(w, r, "network", err) }
		if err := onlyReads(r); err != nil {
			refuse(err)
			return
		}
		if _, _, err := g.admitWhole(r.Context(), g.readAuth(r)); err != nil {
			refuse(err)
			return
		}
		agents, ok := g.Agents()
		if !ok {
			refuse(fault.New(fault.NotFound, "this gateway does not list its agents"))
			return
		}
		list := []agentInfo{} // an empty list, not null
		for _, a := range agents {
			list = append(list, agentInfo{a.ID, a.Slug, a.Country, string(a.State), a.Sessions, float64(a.RTT) / float64(time.Millisecond), a.Version})
		}
		writeJSON(w, http.StatusOK, map[string]any{"agents": list})
	})
}

// SessionsHandler returns the handler by which callers see and end their running
// sessions. Mount it at "GET /sessions" and "DELETE /sessions/{id}":
//
//	{"sessions": [{"id", "kind", "agent", "target", "since", "bytes_in", "bytes_out", "remote"}, …]}
//
// bytes_in came from the client, bytes_out went to it. A session of another
// caller is 404. A relay that is ended closes with 1008 "ended by request", and
// its target gets 1001.
func (g *Gateway) SessionsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { g.refuse(w, r, "sessions", err) }
		if err := onlySessionMethods(r); err != nil {
			refuse(err)
			return
		}
		p, _, err := g.admitWhole(r.Context(), g.readAuth(r))
		if err != nil {
			refuse(err)
			return
		}
		own := func(s Session) bool { return s.Subject == p.Subject }
		if err := g.answerSessions(w, r, own, false); err != nil {
			refuse(err)
		}
	})
}

// AllSessionsHandler is SessionsHandler for an operator: it shows and ends the
// sessions of all callers, each with its subject, and asks for no key. Mount it
// where only operators come. "DELETE /sessions?subject=NAME" ends all of one
// caller.
func (g *Gateway) AllSessionsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := onlySessionMethods(r)
		if err == nil {
			err = g.answerSessions(w, r, func(Session) bool { return true }, true)
		}
		if err != nil {
			g.refuse(w, r, "sessions", err)
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

// answerSessions lists or ends those of the sessions that whoever asks may see.
func (g *Gateway) answerSessions(w http.ResponseWriter, r *http.Request, visible func(Session) bool, all bool) error {
	id := sessionID(r)
	if r.Method != http.MethodDelete {
		if id != "" {
			return fault.New(fault.NotFound, "no such endpoint")
		}
		list := []sessionInfo{} // an empty list, not null
		for s := range g.Sessions() {
			if visible(s) {
				list = append(list, newSessionInfo(s, all))
			}
		}
		slices.SortFunc(list, func(a, b sessionInfo) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
		writeJSON(w, http.StatusOK, map[string]any{"sessions": list})
		return nil
	}
	subject := r.URL.Query().Get("subject")
	var ended int
	switch {
	case id != "":
		ended = g.EndWhere(func(s Session) bool { return visible(s) && s.ID == id }, endedByRequest)
	case all && subject != "":
		ended = g.EndWhere(func(s Session) bool { return s.Subject == subject }, endedByRequest)
	default:
		return fault.Invalidf("name a session: DELETE /sessions/{id}")
	}
	if ended == 0 && id != "" {
		return fault.New(fault.NotFound, "no such session")
	}
	writeJSON(w, http.StatusOK, map[string]int{"ended": ended})
	return nil
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

type agentInfo struct {
	ID       string  `json:"id"`
	Slug     string  `json:"slug"`
	Country  string  `json:"country"`
	State    string  `json:"state"`
	Sessions int     `json:"sessions"`
	RTT      float64 `json:"rtt_ms"` // zero: unknown, or in this process
	Version  string  `json:"version"`
}

// Usage returns the handler that tells callers what they have used since the
// gateway started and what is left of their limits. Asking counts as a request.
// Pages are those of the last 24 hours, over all gateways that share a
// [PageLimiter].
func (g *Gateway) Usage() http.Handler {
	type count struct {
		Active int    `json:"active"`
		Total  uint64 `json:"total"`
		Limit  *int   `json:"limit"` // null: none
	}
	type sites struct {
		Count *int `json:"count"` // null: the gateway cannot tell now
		Limit *int `json:"limit"` // null: none
	}
	type pages struct {
		Today *int `json:"today"` // null: the gateway cannot tell now
		Limit *int `json:"limit"`
	}
	type rate struct {
		PerSecond *float64 `json:"per_second"` // null: no limit
		Burst     *int     `json:"burst"`
		Remaining *int     `json:"remaining"`
		Refused   uint64   `json:"refused"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { g.refuse(w, r, "usage", err) }
		if err := onlyReads(r); err != nil {
			refuse(err)
			return
		}
		p, q, err := g.admitWhole(r.Context(), g.readAuth(r))
		if err != nil {
			refuse(err)
			return
		}
		m := g.meters.read(p)
		used := rate{Refused: m.refused}
		if q.Limit >= 0 {
			used.PerSecond, used.Burst, used.Remaining = &p.Limits.Rate, &q.Limit, &q.Remaining
		}
		total := g.runningOf(p)
		total = total.plus(Counters{BytesToTarget: m.bytesToTarget, BytesToClient: m.bytesToClient})
		a := map[string]any{"subject": p.Subject, "rate": used,
			"bytes_to_target": total.BytesToTarget, "bytes_to_client": total.BytesToClient}
		for _, row := range kinds {
			if row.limit == nil {
				continue
			}
			c := count{Active: m.active[row.kind], Total: m.total[row.kind]}
			if most := *row.limit(&p.Limits); most >= 0 {
				c.Limit = &most
			}
			a[row.kind.String()] = c
		}
		// What is kept elsewhere is left out when that is away.
		ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
		defer cancel()
		if g.o.Sites != nil {
			kept := new(sites)
			a["sites"] = kept
			if n, err := g.o.Sites.Count(ctx, p.Subject); err == nil {
				kept.Count = &n
			} else {
				g.o.Logger.WarnContext(r.Context(), "sites not counted", "subject", p.Subject, "err", err)
			}
			if p.Limits.Sites >= 0 {
				kept.Limit = &p.Limits.Sites
			}
		}
		var crawled pages
		if used, err := g.pages.TakePages(ctx, p, 0); err == nil {
			crawled.Today = &used.Used
		} else {
			g.o.Logger.WarnContext(r.Context(), "pages of a day not counted", "subject", p.Subject, "err", err)
		}
		if most := p.Limits.PagesPerDay; most >= 0 {
			crawled.Limit = &most
		}
		a["pages"] = crawled
		writeJSON(w, http.StatusOK, a)
	})
}
