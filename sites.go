package farwire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/check"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/llmstxt"
)

// A SiteStore remembers enrolled sites and leases their recrawls, so that any
// number of gateways may do them and each due crawl runs once.
//
// A site belongs to the subject that enrolled it. Work on it is a lease: it
// ends at a time, by the store's own clock, and carries a fencing token that
// grows with every lease of the site. Whatever is done under a lease that has
// run out, or under a token that is no longer the newest, changes nothing and
// returns an error that wraps [ErrLeaseLost]. The token is also the version of
// the file that is saved under the lease, so that the storage refuses the same
// stale workers ([ErrStale]). It should grow by one: a gap looks like a lost
// worker, after which even an unchanged file is saved again. A site's first
// token should be above 1, the version of a file whose site is not enrolled.
//
// All methods are called concurrently and by several processes. One that is a
// [SecretKeeper] keeps a secret too; one that is a [FittingClaimer] keeps a gateway
// from claiming the sites that none of its agents fits; one that is a [SiteClock] says what
// time it is.
type SiteStore interface {
	// Enroll adds the site, or gives the one that the same subject enrolled
	// under the same BaseURL the new Options, Interval and KeyID, and ends its
	// rest. The site is due now, if it has not been before, and leased for d to
	// the caller, whose crawl that is; the worker that has it leased loses it.
	//
	// What it has stored of a known site stays, the webhook secret too. So does
	// what MakeDue asked for and no claimed crawl has served: the caller's crawl
	// may have begun before. The count of lost leases begins anew, but a lease
	// that had run out still counts in Failures.
	//
	// A new site of a subject that has most of them already is refused with an
	// error that wraps [ErrTooManySites]; a negative most means no limit.
	Enroll(ctx context.Context, s Site, most int, d time.Duration) (Lease, error)

	// Enrolled returns the sites, of all subjects, with this base URL; none is
	// an empty list. They say whether they are leased now (Site.Leased).
	Enrolled(ctx context.Context, baseURL string) ([]Site, error)

	// Sites returns the sites that the subject has enrolled; none is an empty
	// list.
	Sites(ctx context.Context, subject string) ([]Site, error)

	// Count returns how many sites the subject has enrolled.
	Count(ctx context.Context, subject string) (int, error)

	// Remove forgets the site and its pages. The worker that has it leased loses it. Its
	// hosted file stays where it is. An unknown id wraps [ErrNoSite].
	Remove(ctx context.Context, id int64) error

	// MakeDue moves the site's next crawl to at, unless it is due earlier, and
	// returns when it is due now. It ends a site's rest. The count of lost leases begins
	// anew, and the site does not wait for what they took. An unknown id wraps [ErrNoSite].
	//
	// It holds for a site that is leased too: the crawl under way may have passed what
	// changed, so Commit does not set the next one later than at. The site's NextCrawl, and
	// the count of its lost leases, stay as they are meanwhile, and the answer is the
	// earliest time that was asked for. Except under a lease of Claim whose Due is at or
	// later: its crawl is the one that is asked for, and the answer is that Due.
	//
	// Whether the site was leased or not, what was asked for stands until a Claim at or
	// after that time serves it, and the Commit under that lease forgets it. Release keeps
	// it. A crawl of Enroll does not serve it: Commit sets the next one no later.
	MakeDue(ctx context.Context, id int64, at time.Time) (time.Time, error)

	// Claim leases for d a site that is due and not resting, and that nobody has
	// leased. When no site is due the error wraps ErrNoSite.
	//
	// Subjects take turns: the site is one of a subject with the fewest sites
	// leased, of these of the subject whose last claim is the longest ago, and
	// of its sites the one that has been due longest.
	//
	// A lease that ran out without an outcome counts as a crawl that failed, in
	// the site's Failures and LastError. The site is then claimed again only
	// when as much time as the lease was long has passed once more, after a
	// second such lease in a row twice as much. After a third the site is
	// resting. Commit begins this count anew; Release leaves it.
	Claim(ctx context.Context, d time.Duration) (Lease, error)

	// Renew extends the lease by d from now and returns it with its new Expiry.
	Renew(ctx context.Context, l Lease, d time.Duration) (Lease, error)

	// Release ends the lease without an outcome: the site is due as it was, and what MakeDue
	// asked for holds.
	Release(ctx context.Context, l Lease) error

	// Pages returns the pages that the last Commit left, in their order.
	Pages(ctx context.Context, siteID int64) ([]llmstxt.Page, error)

	// Commit ends the lease with its outcome, in one transaction.
	Commit(ctx context.Context, l Lease, r RecrawlResult) error
}

// A FittingClaimer is a [SiteStore] that claims a site for the exits that a gateway has.
// A gateway whose agents are listed ([AgentLister]) claims through it, so that a site that
// none of them fits stays due, as it is, for a gateway that has one. With another store
// such a site is claimed, and waits for a minute.
type FittingClaimer interface {
	SiteStore

	// ClaimFitting is Claim among the sites whose Options.Geo and Options.Agent
	// fits accepts. Nothing changes for the others, and a subject without a due
	// site that fits takes no turn. The answer of fits depends on its arguments
	// alone; it returns at once, and calls no method of the store.
	ClaimFitting(ctx context.Context, d time.Duration, fits func(geo, agent string) bool) (Lease, error)
}

// A SiteClock is a [SiteStore] with a clock of its own, as a database server
// has. With another store a gateway makes sites due by its own clock.
type SiteClock interface {
	SiteStore

	// Now returns the time by which sites are due and leases run out.
	Now(ctx context.Context) (time.Time, error)
}

// newSitesCheck returns the check whether the store of sites answers: anybody may have it
// asked.
func (g *Gateway) newSitesCheck() *check.Check {
	return &check.Check{Timeout: storeTimeout, Every: time.Second, Ask: func(ctx context.Context) error {
		_, err := hostcall.Get(func() (int, error) { return g.o.Sites.Count(ctx, "") })
		return err
	}}
}

// sitesAnswer reports whether the store of sites answers in time: who does not require it is
// a probe, which waits for a second.
func (g *Gateway) sitesAnswer(ctx context.Context, required bool) bool {
	patience := 500 * time.Millisecond
	if required {
		patience = storeTimeout
	}
	return g.sitesOK.OK(ctx, patience)
}

// Errors that a SiteStore wraps, so that the gateway can tell an answer from a
// failure.
var (
	// ErrNoSite: there is no such site, or no site is due.
	ErrNoSite = errors.New("no such site")
	// ErrTooManySites: the subject has as many sites as it may have.
	ErrTooManySites = errors.New("too many sites")
	// ErrLeaseLost: the lease has run out or was taken by another worker.
	ErrLeaseLost = errors.New("the lease is lost")
)

// A Site is an enrolled site.
type Site struct {
	ID            int64 // given by the store
	Subject       string
	BaseURL       string
	Options       SiteOptions
	Interval      time.Duration // between crawls
	WebhookSecret string
	Created       time.Time
	KeyID         string // of the key that enrolled it; empty: the host named the caller

	NextCrawl      time.Time
	LastCrawl      time.Time // the last that did not fail; zero: none
	LastChange     time.Time // the last of these that made another file; zero: not known
	LastFailure    time.Time // when the last crawl that failed began; zero: none has, or not known
	Failures       int       // crawls that failed since the last one that did not
	LastError      string
	Hash           string        // SHA-256 of the file before a model reworded it, lower-case hex; empty: none yet
	Version        uint64        // the newest token up to which no lease is open that could still change the hosted file
	HostedURL      string        // empty: none yet
	SitemapLastmod time.Time     // the newest lastmod of its sitemaps; zero: none
	ChangeInterval time.Duration // average time between observed changes; zero: unknown
	Leased         bool          // by a worker, at the time of the answer; of what Enrolled and Sites return alone
	Resting        bool          // not claimed until MakeDue or Enroll: its crawls ended without an outcome, or its key is gone
}

// SiteOptions are the options of a crawl request that recrawls repeat.
type SiteOptions struct {
	MaxPages   int    `json:"max_pages"`
	DescLength int    `json:"desc_length"`     // characters of an excerpt
	Format     string `json:"format"`          // "pages" or "index", as llmstxt.Layout
	Enhance    bool   `json:"enhance"`         // by Options.Crawl.Enhance
	Remote     bool   `json:"remote"`          // useBrightdata
	Geo        string `json:"geo,omitempty"`   // countries, comma separated; empty: any
	Agent      string `json:"agent,omitempty"` // slugs, likewise

	Include  string  `json:"include,omitempty"`  // globs, one a line
	Exclude  string  `json:"exclude,omitempty"`  // the same
	Header   string  `json:"header,omitempty"`   // "Name: value", one a line; nothing secret
	Language string  `json:"language,omitempty"` // empty: the base page's
	Version  string  `json:"version,omitempty"`  // the same
	Delay    float64 `json:"delay,omitempty"`    // between requests, in seconds
	Signals  bool    `json:"signals,omitempty"`  // follow the site's content signals

	Full     bool `json:"full,omitempty"`     // llms-full.txt too
	Markdown bool `json:"markdown,omitempty"` // a file for each page too
}

// choice is what a crawl request had in these options.
func (o SiteOptions) choice() llmstxt.Options {
	delay, _ := jsonobject.Duration(o.Delay) // one that is not valid counts as zero
	c := llmstxt.Options{
		Include: lines(o.Include), Exclude: lines(o.Exclude), Header: http.Header{},
		Language: o.Language, Version: o.Version, Delay: delay, Signals: o.Signals,
	}
	for _, line := range lines(o.Header) {
		if name, value, ok := strings.Cut(line, ": "); ok {
			c.Header.Add(name, value)
		}
	}
	return c
}

// exits asks for the exits of a site's crawls.
func (o SiteOptions) exits() agent.Query {
	return agent.Query{Slugs: egress.SplitList(o.Agent), Countries: egress.SplitList(o.Geo)}
}

// joinHeader writes a header that is not secret, one field a line.
func joinHeader(h http.Header) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			list = append(list, name+": "+value)
		}
	}
	return strings.Join(list, "\n")
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// A Lease is one worker's claim of a site.
type Lease struct {
	Site   Site      // as it was when the lease began
	Token  uint64    // the fencing token, at least 1
	Due    time.Time // the time that the site was due
	Expiry time.Time // by the store's clock
}

// A RecrawlResult is the outcome of a leased crawl.
type RecrawlResult struct {
	// Site is the site's new state, from NextCrawl down. What comes before,
	// its identity and its options, is not changed by a Commit.
	Site Site

	// Pages replaces those that are stored; nil leaves them as they are.
	Pages []llmstxt.Page
}

// SitesHandler returns the handler with which callers list and leave their
// enrolled sites. Mount it at "/sites" and at "/sites/{id}", for all
// methods, so that it answers preflights too.
//
// A GET is answered with {"sites": [{"id", "base_url", "url", "next_crawl_at",
// "last_crawl_at", "last_outcome", "interval_minutes"}, …]}. Times are as in
// RFC 3339. A site that rests has no next_crawl_at, and one that has not been
// crawled no last_crawl_at. The outcome is "updated", "unchanged", "failed" or
// empty. A DELETE forgets the site, and its hosted file stays; another caller's
// site is 404. Asking counts as a request.
func (g *Gateway) SitesHandler() http.Handler {
	return origin.Any("GET, DELETE", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := g.manageSites(r)
		switch {
		case err != nil:
			g.refuse(w, r, KindSites, err)
		case answer == nil:
			w.Header().Set("X-Farwire-From", "gateway")
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, http.StatusOK, map[string]any{"sites": answer})
		}
	}))
}

// A siteAnswer is what a caller is told of a site.
type siteAnswer struct {
	ID              int64      `json:"id"`
	BaseURL         string     `json:"base_url"`
	URL             string     `json:"url"`
	NextCrawlAt     *time.Time `json:"next_crawl_at,omitempty"`
	LastCrawlAt     *time.Time `json:"last_crawl_at,omitempty"`
	LastOutcome     string     `json:"last_outcome"`
	LastError       string     `json:"last_error,omitempty"`
	IntervalMinutes int64      `json:"interval_minutes"`
}

// manageSites answers a request for the caller's sites; nil after a removal.
func (g *Gateway) manageSites(r *http.Request) ([]siteAnswer, error) {
	id := r.PathValue("id")
	switch {
	case id == "" && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, notAllowed("GET, HEAD")
	case id != "" && r.Method != http.MethodDelete:
		return nil, notAllowed("DELETE")
	case g.isDraining():
		return nil, errDraining
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), dialTimeout, errTimeout)
	defer cancel()
	p, _, err := g.admitWhole(ctx, g.readAuth(r))
	if err != nil {
		return nil, err
	}
	var own []Site
	if g.o.Sites != nil {
		if own, err = hostcall.Get(func() ([]Site, error) { return g.o.Sites.Sites(ctx, p.Subject) }); err != nil {
			return nil, fault.FromHost("site store", err)
		}
	}
	list := []siteAnswer{} // an empty list, not null
	for _, s := range own {
		if id == strconv.FormatInt(s.ID, 10) {
			err := hostcall.Do(func() error { return g.o.Sites.Remove(ctx, s.ID) })
			if errors.Is(err, ErrNoSite) { // it has just gone
				return nil, errNoSuchSite
			}
			if err != nil {
				return nil, fault.FromHost("site store", err)
			}
			return nil, nil
		}
		list = append(list, siteAnswer{
			ID: s.ID, BaseURL: s.BaseURL, URL: s.HostedURL, LastOutcome: s.outcome(), LastError: s.LastError,
			NextCrawlAt: timeOrNil(s.NextCrawl, !s.Resting), LastCrawlAt: timeOrNil(s.LastCrawl, true),
			IntervalMinutes: int64(s.Interval / time.Minute),
		})
	}
	if id != "" {
		return nil, errNoSuchSite
	}
	return list, nil
}

// outcome is the outcome of the last crawl in a word; empty: there was none.
func (s Site) outcome() string {
	switch {
	case s.Failures > 0:
		return "failed"
	case s.LastCrawl.IsZero():
		return ""
	case s.LastChange.Equal(s.LastCrawl):
		return "updated"
	}
	return "unchanged"
}

// intervalText writes how often a site is crawled.
func intervalText(every time.Duration) string {
	n, unit := every/time.Minute, "minute"
	switch {
	case every%day == 0:
		n, unit = every/day, "day"
	case every%time.Hour == 0:
		n, unit = every/time.Hour, "hour"
	case every%time.Minute != 0:
		return every.String()
	}
	if n == 1 {
		return unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

func timeOrNil(t time.Time, known bool) *time.Time {
	if !known || t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// hashOf is that of a site's files before a model reworded them, so that it differs only
// when the site has changed: a model seldom gives the same words twice.
func hashOf(site *llmstxt.CrawledSite, layout llmstxt.Layout) string {
	sum := sha256.Sum256([]byte(site.Render(layout) + site.TextSum()))
	return hex.EncodeToString(sum[:])
}
