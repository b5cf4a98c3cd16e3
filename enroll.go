package farwire

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/bounded"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/limits"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/llmstxt"
)

// Where a client's crawl ends when there is a place for files: a file of its
// own, or a site that is crawled again and again.

// A crawlOutcome is what a crawl came to.
type crawlOutcome struct {
	site     *llmstxt.CrawledSite
	rendered renderCost
	text     string
	url      string       // where it is hosted; empty: nowhere
	files    []hostedFile // beside it
	base     string       // of the site, when it was enrolled
	secret   string       // of the site's webhook, when it was enrolled for the first time
}

// enrolled reports whether the caller has enrolled the site.
func (c *crawl) enrolled(ctx context.Context, baseURL string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	sites, err := hostCall(func() ([]Site, error) { return c.g.o.Sites.Enrolled(ctx, baseURL) })
	if err != nil {
		return false, fault.FromHost("site store", err)
	}
	return slices.ContainsFunc(sites, func(s Site) bool { return s.Subject == c.session.Subject }), nil
}

// roomForSite spares a caller that has as many sites as it may the crawl of
// one more. Which site it is shows only when the base page has arrived, because
// that may have moved; so a caller without room may begin, and the function
// returned ends the crawl at its first page if the site is not one of those
// that it has. An unavailable store is noticed after the crawl, by enroll, when the
// caller has its result.
func (c *crawl) roomForSite(ctx context.Context, fail context.CancelCauseFunc) (arrived func(baseURL string)) {
	most := c.session.principal.Limits.Sites
	if most < 0 {
		return nil
	}
	asked, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	n, err := hostCall(func() (int, error) { return c.g.o.Sites.Count(asked, c.session.Subject) })
	if err != nil || n < most {
		return nil
	}
	return func(baseURL string) {
		if known, err := c.enrolled(ctx, baseURL); err == nil && !known {
			fail(tooManySites(most))
		}
	}
}

func tooManySites(most int) error {
	return limited(fault.LimitReached, fmt.Sprintf("limit reached: %d enrolled sites", most), Quota{Limit: most})
}

// enrollLease is how long a site that has just been crawled may take to be
// saved before a worker crawls it again.
const enrollLease = time.Minute

// enrollTexts is the same where there is a file for each page.
const enrollTexts = 5 * time.Minute

// enroll remembers the site for recrawls, or gives the one that the caller has
// enrolled already the options of this request. The site is leased first: the
// file is saved under the lease's token, and a recrawl that was under way with
// the options of before finds itself fenced off.
func (c *crawl) enroll(ctx context.Context, j *crawlJob, out *crawlOutcome) error {
	sites, secret, now := c.g.o.Sites, c.g.tokens.NewSecret(hookLabel, out.site.BaseURL), time.Now()
	most := c.session.principal.Limits.Sites
	leased := enrollLease
	if c.req.markdown {
		leased = enrollTexts
	}
	asked := Site{
		Subject: c.session.Subject,
		KeyID:   c.session.KeyID,
		BaseURL: out.site.BaseURL,
		Options: SiteOptions{
			MaxPages: c.req.maxPages, DescLength: c.req.descLength, Format: string(c.req.layout),
			Enhance: c.req.enhance, Remote: c.req.remote,
			Geo: strings.Join(c.req.query.Countries, ","), Agent: strings.Join(c.req.query.Slugs, ","),
			Include: strings.Join(c.req.choice.Include, "\n"), Exclude: strings.Join(c.req.choice.Exclude, "\n"),
			Header: joinHeader(c.req.choice.Header), Language: c.req.choice.Language, Version: c.req.choice.Version,
			Delay: c.req.choice.Delay.Seconds(), Signals: c.req.choice.Signals,
			Full: c.req.full, Markdown: c.req.markdown,
		},
		Interval:      c.req.interval,
		WebhookSecret: secret,
		Created:       now,
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Neither a client that leaves nor a drain ends what begins or ends a lease: one that
	// nobody hears of keeps the site, and counts as a crawl that failed.
	begin, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	lease, err := hostCall(func() (Lease, error) { return sites.Enroll(begin, asked, most, leased) })
	if errors.Is(err, ErrTooManySites) {
		return tooManySites(most)
	}
	if err != nil {
		return fault.FromHost("site store", err)
	}
	// From here on the site is there, whatever becomes of its file, and nobody
	// else will tell the secret.
	out.base = lease.Site.BaseURL
	if lease.Site.WebhookSecret == secret {
		out.secret = secret
	}
	url, files, err := j.save(ctx, out.site, out.text, lease.Token, lease.Site.HostedURL)
	if err != nil {
		j.log(fmt.Sprintf("The file could not be hosted; %s is enrolled and crawled again", lease.Site.BaseURL))
		return errors.Join(err, c.releaseSite(ctx, lease))
	}
	site := lease.Site
	site.LastCrawl, site.NextCrawl = now, now.Add(c.req.interval)
	site.Failures, site.LastError = 0, ""
	if hash := hashOf(out.site, c.req.layout); hash != site.Hash {
		site.LastChange = now
	}
	site.Hash, site.Version, site.HostedURL = hashOf(out.site, c.req.layout), lease.Token, url
	site.SitemapLastmod = out.site.Newest
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err = hostDo(func() error { return sites.Commit(commit, lease, RecrawlResult{Site: site, Pages: out.site.Pages}) })
	switch {
	case errors.Is(err, ErrLeaseLost):
		return fault.FromHost("site store", err)
	case err != nil:
		return errors.Join(fault.FromHost("site store", err), c.releaseSite(ctx, lease))
	}
	out.url, out.files = url, files
	j.log(fmt.Sprintf("Enrolled %s: it is crawled again every %s", site.BaseURL, intervalText(site.Interval)))
	return nil
}

// releaseSite leaves a site that was enrolled to its recrawls.
func (c *crawl) releaseSite(ctx context.Context, lease Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := hostDo(func() error { return c.g.o.Sites.Release(ctx, lease) }); err != nil {
		return fault.FromHost("site store", err)
	}
	return nil
}

// SiteChanged returns the handler by which a site, or whoever publishes it,
// says that it has changed: a POST of {"base_url": "…", "webhook_secret": "…"}
// makes the enrolled site due now. The secret is what the crawl that enrolled
// the site was told, the base URL what it was told too, in any spelling. The
// answer is 202 with {"next_crawl_at": "…"}, a time as in RFC 3339.
//
// Who publishes in bursts may call as often: a site that is due already stays
// due once, and for one that was crawled, or called for, less than a minute ago
// the next crawl waits until the minute is over; for one that is being crawled
// a minute from the call. So it is at any gateway of those that share the site, and after
// crawls that failed. It is crawled after every
// change that was told of, because a crawl that is under way may have passed
// what changed.
//
// A base URL that nobody has enrolled is 404, a secret that is missing or not
// that of any caller who has, 401. So whoever asks may find out that somebody
// has enrolled a site, but not who, nor how many have; each address may show ten
// secrets a second that fit no site (429). Nothing else that is refused counts. Beyond
// that the store is asked for secrets alone that a gateway with one of [Options.TokenKeys]
// made for the site, and for those that this gateway has taken in the last day.
func (g *Gateway) SiteChanged() http.Handler {
	return origin.Any(http.MethodPost, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next, err := g.siteChanged(w, r)
		if err != nil {
			g.refuse(w, r, KindSiteChanged, err)
			return
		}
		writeJSON(w, http.StatusAccepted, map[string]string{"next_crawl_at": next.UTC().Format(time.RFC3339)})
	}))
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
	body, err := request.Body(w, r)
	if err != nil {
		return next, err
	}
	f, err := request.Read(body)
	if err != nil {
		return next, err
	}
	given, secret := f.Text("base_url", ""), f.Text("webhook_secret", "")
	if f.Err != nil {
		return next, f.Err
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
	peer, call := g.o.ClientAddr(r), hookCall{sha256.Sum256([]byte(base + "\x00" + secret)), g.tokens.MadeSecret(hookLabel, base, secret)}
	if err := g.hooks.mayAsk(peer, call); err != nil {
		return next, err // nobody knows whether the secret is wrong
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), dialTimeout, errTimeout)
	defer cancel()
	site, err := g.siteOf(ctx, base, secret)
	wrong := errors.Is(err, errSecret) || errors.Is(err, errNoSuchSite)
	switch {
	case wrong: // the only thing that is counted
		g.hooks.note(call, false)
		return next, g.noteWrong(ctx, peer, cmp.Or(g.hooks.admit(peer), err), "of", "webhook")
	case err != nil:
		return next, g.provoked(peer, err)
	}
	g.hooks.note(call, true)
	next = site.NextCrawl
	if at := g.hooks.spaced(site, time.Now()); !site.waits(time.Now()) {
		next, err = hostCall(func() (time.Time, error) { return g.o.Sites.MakeDue(ctx, site.ID, at) })
	}
	switch {
	case errors.Is(err, ErrNoSite): // it has just gone
		return next, errNoSuchSite
	case err != nil:
		return next, fault.FromHost("site store", err)
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
	sites, err := hostCall(func() ([]Site, error) { return g.o.Sites.Enrolled(ctx, base) })
	if err != nil {
		return Site{}, fault.FromHost("site store", err)
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
	hookRate    = 10          // look-ups a second for wrong secrets of one address
	hookBurst   = 50
	hookCalls   = 10_000 // calls that are known to be right, or wrong, of all sites
	hookLabel   = "farwire secrets of webhooks"
)

// hooks bounds what callers without a key can set going.
type hooks struct {
	peers limits.Buckets

	mu    sync.Mutex
	last  bounded.Map[int64, time.Time]             // when a site was last made due at
	right bounded.Map[[sha256.Size]byte, time.Time] // when a call last had a secret that fits
	wrong bounded.Map[[sha256.Size]byte, time.Time] // and when it last did not fit
}

// A hookCall names a call by what it shows, and does not tell it.
type hookCall struct {
	sum  [sha256.Size]byte // of the base URL, which has no NUL, and the secret
	made bool              // a gateway has made this secret for the site
}

// mayAsk refuses a peer that has shown too many wrong secrets before the store is asked,
// unless it shows one that was right, or one that was made for the site and is not known to
// be wrong since; it counts nothing.
func (h *hooks) mayAsk(peer netip.Addr, call hookCall) error {
	a, err := h.peers.Left(attempts.Network(peer).String(), hookRate, hookBurst, time.Now())
	if err != nil || a.Remaining > 0 {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.right.Get(call.sum).IsZero() || call.made && h.wrong.Get(call.sum).IsZero() {
		return nil
	}
	return limited(fault.RateLimited, "rate limit exceeded", Quota{Limit: a.Limit, RetryAfter: time.Second / hookRate})
}

// note remembers for a day whether a call was right.
func (h *hooks) note(call hookCall, right bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, is, isNot := time.Now(), &h.right, &h.wrong
	if !right {
		is, isNot = isNot, is
	}
	isNot.Delete(call.sum)
	if !right && !call.made {
		return // it is no matter which of all guesses these were
	}
	is.Most = hookCalls
	is.Set(call.sum, now, func(_ [sha256.Size]byte, at time.Time) bool { return now.Sub(at) >= day })
}

// admit counts a wrong secret by its peer. An IPv6 peer has a whole /64 to call from.
func (h *hooks) admit(peer netip.Addr) error {
	a, err := h.peers.Take(attempts.Network(peer).String(), hookRate, hookBurst, time.Now())
	if err != nil {
		return err
	}
	if a.RetryAfter > 0 {
		return limited(fault.RateLimited, "rate limit exceeded", Quota(a))
	}
	return nil
}

// crawls notes that this gateway begins to crawl a site.
func (h *hooks) crawls(id int64, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last.Set(id, now, func(_ int64, at time.Time) bool { return now.Sub(at) >= hookSpacing })
}

// waits reports whether the site is due and waits for its crawl, which needs no call: one that
// comes when the crawl has just begun would ask for another.
func (s Site) waits(now time.Time) bool {
	return !s.Leased && !s.Resting && s.Failures == 0 && !s.NextCrawl.After(now)
}

// spaced returns the next time at which a hook may have the site crawled.
func (h *hooks) spaced(s Site, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := now
	if s.Leased { // the crawl that is under way began a moment ago, for all that is known
		at = now.Add(hookSpacing)
	}
	next := h.last.Get(s.ID)
	if !next.After(now) { // else it is still to come, and will do
		next = next.Add(hookSpacing)
	}
	for _, crawled := range []time.Time{s.LastCrawl, s.LastFailure} {
		if crawled.After(now) { // by the store's clock
			crawled = now
		}
		if earliest := crawled.Add(hookSpacing); earliest.After(next) {
			next = earliest
		}
	}
	if next.After(at) {
		at = next
	}
	h.last.Set(s.ID, at, func(_ int64, at time.Time) bool { return now.Sub(at) >= hookSpacing })
	return at
}
