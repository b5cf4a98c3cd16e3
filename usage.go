package farwire

import (
	"context"
	"net/http"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

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
		if _, _, err := g.admit(r.Context(), g.sight(r)); err != nil {
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
	type answer struct {
		Subject string `json:"subject"`
		Rate    struct {
			PerSecond *float64 `json:"per_second"` // null: no limit
			Burst     *int     `json:"burst"`
			Remaining *int     `json:"remaining"`
			Refused   uint64   `json:"refused"`
		} `json:"rate"`
		Relay         count  `json:"relay"`
		AMQP          count  `json:"amqp"`
		Crawl         count  `json:"crawl"`
		Sites         *sites `json:"sites,omitempty"` // where the gateway keeps any
		Pages         pages  `json:"pages"`
		BytesToTarget int64  `json:"bytes_to_target"`
		BytesToClient int64  `json:"bytes_to_client"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { g.refuse(w, r, "usage", err) }
		if err := onlyReads(r); err != nil {
			refuse(err)
			return
		}
		p, q, err := g.admit(r.Context(), g.sight(r))
		if err != nil {
			refuse(err)
			return
		}
		m := g.meters.read(p)
		a := answer{Subject: p.Subject, BytesToTarget: m.bytesToTarget, BytesToClient: m.bytesToClient}
		if q.Limit >= 0 {
			a.Rate.PerSecond, a.Rate.Burst, a.Rate.Remaining = &p.Limits.Rate, &q.Limit, &q.Remaining
		}
		a.Rate.Refused = m.refused
		for k, into := range [...]*count{&a.Relay, &a.AMQP, &a.Crawl} {
			*into = count{Active: m.active[k], Total: m.total[k]}
			if most := p.Limits.allows(kind(k)); most >= 0 {
				into.Limit = &most
			}
		}
		// What is kept elsewhere is left out when that is away.
		ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
		defer cancel()
		if g.o.Sites != nil {
			a.Sites = new(sites)
			if n, err := g.o.Sites.Count(ctx, p.Subject); err == nil {
				a.Sites.Count = &n
			} else {
				g.o.Logger.WarnContext(r.Context(), "sites not counted", "subject", p.Subject, "err", err)
			}
			if p.Limits.Sites >= 0 {
				a.Sites.Limit = &p.Limits.Sites
			}
		}
		if used, err := g.pages.TakePages(ctx, p, 0); err == nil {
			a.Pages.Today = &used.Used
		} else {
			g.o.Logger.WarnContext(r.Context(), "pages of a day not counted", "subject", p.Subject, "err", err)
		}
		if most := p.Limits.PagesPerDay; most >= 0 {
			a.Pages.Limit = &most
		}
		writeJSON(w, http.StatusOK, a)
	})
}
