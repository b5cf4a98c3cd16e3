package farwire

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/webhook"
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

// host saves the file and enrols the site. A file that cannot be saved is worth
// sending all the same; its error ends the crawl only if the client counts on
// recrawls, and then behind the result.
func (c *crawl) host(ctx context.Context, j *crawlJob, out *crawlOutcome) error {
	if c.req.enroll {
		return c.enroll(ctx, j, out)
	}
	url, files, err := c.saveOnce(ctx, j, out)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		told := "The file could not be hosted"
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) && refusal != nil {
			told += ": " + public(err).Text
		}
		j.log(told)
		c.g.o.Logger.WarnContext(ctx, "file not saved", "session", c.session.ID, "subject", c.session.Subject, "err", err)
	}
	out.url, out.files = url, files
	return nil
}

// onceVersion is older than the token of every enrolment, and newer than a file of no version.
const onceVersion = 1

// saveOnce saves the file of a crawl that will not be repeated, unless the caller has
// enrolled the site: then the hosted file belongs to the recrawls, which would never
// notice that it was replaced, by one with other options perhaps. So a file that an
// enrolment saves meanwhile stays. The file of a site that is not enrolled any more is
// replaced.
func (c *crawl) saveOnce(ctx context.Context, j *crawlJob, out *crawlOutcome) (url string, files []hostedFile, err error) {
	if c.g.o.Sites == nil {
		return j.save(ctx, out.site, out.text, 0, "")
	}
	for _, version := range []uint64{onceVersion, 0} {
		enrolled, err := c.enrolled(ctx, out.site.BaseURL)
		if err != nil {
			return "", nil, err
		}
		if enrolled {
			j.log("This site is enrolled and its hosted file is kept by its recrawls; send enableAutoUpdate to replace it")
			return "", nil, nil
		}
		if url, files, err = j.save(ctx, out.site, out.text, version, ""); !errors.Is(err, ErrStale) {
			return url, files, err
		}
	}
	return "", nil, err
}

// enrolled reports whether the caller has enrolled the site.
func (c *crawl) enrolled(ctx context.Context, baseURL string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	sites, err := hostcall.Get(func() ([]Site, error) { return c.g.o.Sites.Enrolled(ctx, baseURL) })
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
	n, err := hostcall.Get(func() (int, error) { return c.g.o.Sites.Count(asked, c.session.Subject) })
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
	return limited(fault.LimitReached, "limit reached: "+safetext.Count(most, "enrolled site"), Quota{Limit: most})
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
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	asked := c.siteToEnroll(out.site.BaseURL)
	lease, began, err := c.leaseSite(ctx, asked)
	if err != nil {
		return err
	}
	// From here on the site is there, whatever becomes of its file, and nobody
	// else will tell the secret.
	out.base = lease.Site.BaseURL
	if lease.Site.WebhookSecret == asked.WebhookSecret {
		out.secret = asked.WebhookSecret
	}
	url, files, err := j.save(ctx, out.site, out.text, lease.Token, lease.Site.HostedURL)
	if err != nil {
		j.log(fmt.Sprintf("The file could not be hosted; %s is enrolled and crawled again", lease.Site.BaseURL))
		return errors.Join(err, c.releaseSite(ctx, lease))
	}
	if err := c.commitSite(ctx, lease, began, out.site, url); err != nil {
		return err
	}
	out.url, out.files = url, files
	j.log(fmt.Sprintf("Enrolled %s: it is crawled again every %s", lease.Site.BaseURL, intervalText(lease.Site.Interval)))
	return nil
}

// siteToEnroll is the site with the options of the client's request.
func (c *crawl) siteToEnroll(baseURL string) Site {
	return Site{Subject: c.session.Subject, KeyID: c.session.KeyID, BaseURL: baseURL, Options: c.req.siteOptions(), Interval: c.req.interval,
		WebhookSecret: c.g.tokens.NewSecret(hookLabel, baseURL), Created: time.Now()}
}

// leaseSite enrols the site and leases it. began is when it was, by the store's clock.
func (c *crawl) leaseSite(ctx context.Context, asked Site) (lease Lease, began time.Time, err error) {
	most, leased := c.session.principal.Limits.Sites, enrollLease
	if c.req.markdown {
		leased = enrollTexts
	}
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	lease, err = hostcall.Get(func() (Lease, error) { return c.g.o.Sites.Enroll(ctx, asked, most, leased) })
	switch {
	case errors.Is(err, ErrTooManySites):
		return lease, began, tooManySites(most)
	case err != nil:
		return lease, began, fault.FromHost("site store", err)
	case lease.Expiry.IsZero():
		return lease, asked.Created, nil
	}
	return lease, lease.Expiry.Add(-leased), nil
}

// commitSite ends the lease of a site whose file is hosted at url.
func (c *crawl) commitSite(ctx context.Context, lease Lease, began time.Time, crawled *llmstxt.CrawledSite, url string) error {
	site, hash := lease.Site, hashOf(crawled, c.req.layout)
	site.LastCrawl, site.NextCrawl = began, began.Add(c.req.interval)
	site.Failures, site.LastError = 0, ""
	if hash != site.Hash {
		site.LastChange = began
	}
	site.Hash, site.Version, site.HostedURL = hash, lease.Token, url
	site.SitemapLastmod = crawled.Newest
	asked, cancel := toTheEnd(ctx)
	defer cancel()
	err := hostcall.Do(func() error {
		return c.g.o.Sites.Commit(asked, lease, RecrawlResult{Site: site, Pages: crawled.Pages})
	})
	switch {
	case errors.Is(err, ErrLeaseLost):
		return fault.FromHost("site store", err)
	case err != nil:
		return errors.Join(fault.FromHost("site store", err), c.releaseSite(ctx, lease))
	}
	return nil
}

// releaseSite leaves a site that was enrolled to its recrawls.
func (c *crawl) releaseSite(ctx context.Context, lease Lease) error {
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	if err := hostcall.Do(func() error { return c.g.o.Sites.Release(ctx, lease) }); err != nil {
		return fault.FromHost("site store", err)
	}
	return nil
}

// toTheEnd returns a context for a call that begins or ends a lease. Neither a client that
// leaves nor a drain ends it: a lease that is not known here keeps the site, and counts as a
// crawl that failed.
func toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// SiteChanged returns the handler by which a site, or whoever publishes it,
// says that it has changed: a POST of {"base_url": "…", "webhook_secret": "…"}
// makes the enrolled site due now. Secret and base URL are those that the crawl
// which enrolled the site was sent; any spelling of the URL will do. The answer
// is 202 with {"next_crawl_at": "…"}, a time as in RFC 3339.
//
// Calls may come in bursts: a site that is due already is crawled once. If it was crawled,
// or called for, less than a minute ago, the next crawl waits until that minute is over. If
// it is being crawled, the next crawl begins a minute after the call, because the crawl
// under way may have passed what changed. This holds for all gateways that share the site,
// and after crawls that failed.
//
// A base URL that nobody has enrolled is answered with 404, and a secret that
// is missing or fits no enrolment with 401. So anyone can find out whether a
// site is enrolled, but not by whom or by how many.
//
// Only secrets that fit no site count as wrong credentials: after ten in a minute further
// ones from that address get 429. After 50, of which ten a second are forgotten, the store
// is asked only for secrets that a gateway with one of [Options.TokenKeys] made for the
// site, and for those that this gateway has taken in the last day.
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
	base, secret, err := g.readHook(w, r)
	if err != nil {
		return next, err
	}
	peer, call := g.o.ClientAddr(r), webhook.NewCall(base, secret, g.tokens.MadeSecret(hookLabel, base, secret))
	if err := g.hooks.Check(peer, call); err != nil {
		return next, err // the secret was not compared, so it does not count as wrong
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), dialTimeout, errTimeout)
	defer cancel()
	site, err := g.siteOf(ctx, base, secret)
	switch {
	case errors.Is(err, errSecret), errors.Is(err, errNoSuchSite): // the only thing that is counted
		return next, g.noteWrong(ctx, peer, cmp.Or(g.hooks.NoteWrong(peer, call), err), "of", "webhook")
	case err != nil:
		return next, g.provoked(peer, err)
	}
	g.hooks.NoteRight(call)
	return g.makeDue(ctx, site)
}

// readHook reads which site a call of the webhook names, and the secret that it shows.
func (g *Gateway) readHook(w http.ResponseWriter, r *http.Request) (base, secret string, err error) {
	body, err := request.Body(g.leaving, w, r)
	if err != nil {
		return "", "", err
	}
	f, err := request.Read(body)
	if err != nil {
		return "", "", err
	}
	given, secret := f.Text("base_url", ""), f.Text("webhook_secret", "")
	if f.Err != nil {
		return "", "", f.Err
	}
	base, ok := llmstxt.ResolveURL("", given)
	switch {
	case given == "":
		return "", "", fault.Invalidf("base_url is missing")
	case !ok:
		return "", "", fault.Invalidf("base_url must be an http or https URL")
	case secret == "": // without a look whether there is such a site
		return "", "", errSecret
	}
	return base, secret, nil
}

// makeDue has a site crawled as soon as it may be, and returns when that is.
func (g *Gateway) makeDue(ctx context.Context, site Site) (next time.Time, err error) {
	now, err := g.sitesNow(ctx)
	if err != nil {
		return now, fault.FromHost("site store", err)
	}
	at := g.hooks.NextCrawl(webhook.Site{ID: site.ID, Leased: site.Leased, Crawled: []time.Time{site.LastCrawl, site.LastFailure}}, now)
	if site.waits(now) { // if it has been claimed meanwhile, that crawl will do
		at = site.NextCrawl
	}
	next, err = hostcall.Get(func() (time.Time, error) { return g.o.Sites.MakeDue(ctx, site.ID, at) })
	switch {
	case errors.Is(err, ErrNoSite): // it has just gone
		return next, errNoSuchSite
	case err != nil:
		return next, fault.FromHost("site store", err)
	}
	select {
	case g.due <- struct{}{}:
	default: // a worker is told to look already
	}
	return next, nil
}

// sitesNow returns the time by which calls of the webhook are spaced: the store's, if it
// tells it.
func (g *Gateway) sitesNow(ctx context.Context) (time.Time, error) {
	clock, ok := g.o.Sites.(SiteClock)
	if !ok {
		return time.Now(), nil
	}
	return hostcall.Get(func() (time.Time, error) { return clock.Now(ctx) })
}

// crawlBegins has calls of the webhook spaced from a crawl. The same moment is told by this
// process's clock and by the store's.
func (g *Gateway) crawlBegins(siteID int64, at, storesAt time.Time) {
	if _, ok := g.o.Sites.(SiteClock); ok {
		at = storesAt
	}
	g.hooks.CrawlBegins(siteID, at)
}

var errNoSuchSite = fault.New(fault.NotFound, "no such site is enrolled")

// siteOf returns the site with this secret. It compares with that of every
// caller who has enrolled the base URL, and in the same time whatever is sent.
func (g *Gateway) siteOf(ctx context.Context, base, secret string) (Site, error) {
	if g.o.Sites == nil {
		return Site{}, errNoSuchSite
	}
	sites, err := hostcall.Get(func() ([]Site, error) { return g.o.Sites.Enrolled(ctx, base) })
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

// hookLabel is what the secrets of webhooks are derived under.
const hookLabel = "farwire secrets of webhooks"

// waits reports whether the site is due and waits for its crawl.
func (s Site) waits(now time.Time) bool {
	return !s.Leased && !s.Resting && s.Failures == 0 && !s.NextCrawl.After(now)
}
