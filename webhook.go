package farwire

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/llmstxt"
)

// SiteChanged returns the handler by which a site, or whoever publishes it,
// says that it has changed: a POST of {"base_url": "…", "webhook_secret": "…"}
// makes the enrolled site due now. The secret is what the crawl that enrolled
// the site was told, the base URL what it was told too, in any spelling. The
// answer is 202 with {"next_crawl_at": "…"}, a time as in RFC 3339.
//
// Who publishes in bursts may call as often: a site that is due already stays
// due once, and for one that was crawled, or called for, less than a minute ago
// the next crawl waits until the minute is over. It is crawled after every
// change that was told of, because a crawl that is under way may have passed
// what changed.
//
// A base URL that nobody has enrolled is 404, a secret that is missing or not
// that of any caller who has, 401. So whoever asks may find out that somebody
// has enrolled a site, but not who, nor how many have; each address may be wrong
// ten times a second (429).
func (g *Gateway) SiteChanged() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next, err := g.siteChanged(w, r)
		if err != nil {
			g.refuse(w, r, "site-changed", err)
			return
		}
		writeJSON(w, http.StatusAccepted, map[string]string{"next_crawl_at": next.UTC().Format(time.RFC3339)})
	})
}

// errSecret refuses a call of a webhook.
var errSecret = fault.New(fault.SecretInvalid, "webhook_secret is missing or not that of this site")

func (g *Gateway) siteChanged(w http.ResponseWriter, r *http.Request) (next time.Time, err error) {
	if r.Method != http.MethodPost {
		return next, notAllowed(http.MethodPost)
	}
	if g.isDraining() {
		return next, errDraining
	}
	// Only who shows no valid secret is counted, and told so instead.
	defer func() {
		if err != nil && public(err).Status < http.StatusInternalServerError {
			if limit := g.hooks.admit(r.Context(), g.o.ClientAddr(r)); limit != nil {
				err = limit
			}
		}
	}()
	body, err := readAsk(w, r)
	if err != nil {
		return next, err
	}
	f, err := readFields(body)
	if err != nil {
		return next, err
	}
	given, secret := f.text("base_url", ""), f.text("webhook_secret", "")
	if f.err != nil {
		return next, f.err
	}
	base, ok := llmstxt.ResolveURL("", given)
	switch {
	case given == "":
		return next, fault.Invalidf("base_url is missing")
	case !ok:
		return next, fault.Invalidf("base_url must be an http or https URL")
	case secret == "": // without a look whether there is such a site
		return next, errSecret
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), dialTimeout, errTimeout)
	defer cancel()
	site, err := g.siteOf(ctx, base, secret)
	if err != nil {
		return next, err
	}
	at := g.hooks.spaced(site, time.Now())
	if next, err = g.o.Sites.MakeDue(ctx, site.ID, at); err != nil {
		if errors.Is(err, ErrNoSite) { // it has just gone
			return next, errNoSuchSite
		}
		return next, fmt.Errorf("site store: %w", err)
	}
	select {
	case g.due <- struct{}{}:
	default: // somebody has been called already
	}
	return next, nil
}

var errNoSuchSite = fault.New(fault.NotFound, "no such site is enrolled")

// siteOf returns the site with this secret. It compares with that of every
// caller who has enrolled the base URL, and in the same time whatever is sent.
func (g *Gateway) siteOf(ctx context.Context, base, secret string) (Site, error) {
	if g.o.Sites == nil {
		return Site{}, errNoSuchSite
	}
	sites, err := g.o.Sites.Enrolled(ctx, base)
	if err != nil {
		return Site{}, fmt.Errorf("site store: %w", err)
	}
	if len(sites) == 0 {
		return Site{}, errNoSuchSite
	}
	sum, found := sha256.Sum256([]byte(secret)), -1
	for i := range sites {
		own := sha256.Sum256([]byte(sites[i].WebhookSecret))
		if subtle.ConstantTimeCompare(sum[:], own[:]) == 1 && sites[i].WebhookSecret != "" {
			found = i
		}
	}
	if found < 0 {
		return Site{}, errSecret
	}
	return sites[found], nil
}

const (
	hookSpacing = time.Minute // between two crawls of a site that hooks call for
	hookRate    = 10          // calls a second from one address
	hookBurst   = 50
)

// hooks bounds what callers without a key can set going.
type hooks struct {
	peers *memoryLimiter

	mu    sync.Mutex
	last  map[int64]time.Time // when a site was last made due at
	sweep int                 // sweep when the map has grown to this
}

func newHooks() *hooks {
	return &hooks{peers: newMemoryLimiter(), last: make(map[int64]time.Time), sweep: firstSweep}
}

// admit counts a call by its peer. An IPv6 peer has a whole /64 to call from.
func (h *hooks) admit(ctx context.Context, peer netip.Addr) error {
	q, err := h.peers.Take(ctx, Principal{Subject: attempts.Network(peer).String(), Limits: Limits{Rate: hookRate, Burst: hookBurst}})
	if err != nil {
		return err
	}
	if q.RetryAfter > 0 {
		return limited(fault.RateLimited, "rate limit exceeded", q)
	}
	return nil
}

// spaced returns the next time at which a hook may have the site crawled.
func (h *hooks) spaced(s Site, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.last) >= h.sweep {
		for id, at := range h.last {
			if now.Sub(at) >= hookSpacing {
				delete(h.last, id)
			}
		}
		h.sweep = max(firstSweep, 2*len(h.last))
	}
	at := now
	for _, next := range []time.Time{s.LastCrawl, h.last[s.ID]} {
		if !next.After(now) { // else it is still to come, and will do
			next = next.Add(hookSpacing)
		}
		if next.After(at) {
			at = next
		}
	}
	h.last[s.ID] = at
	return at
}
