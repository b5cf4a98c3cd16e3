package farwire

import (
	"context"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// A SiteStore remembers enrolled sites and hands out their recrawls, so that
// any number of gateways may work them and each due time is worked once.
//
// A site belongs to the subject that enrolled it. Work on it is a lease: it
// ends at a time, by the store's own clock, and carries a fencing token that
// grows with every lease of the site. Whatever is done under a lease that has
// run out, or under a token that is no longer the newest, changes nothing and
// returns an error that wraps [ErrLeaseLost]. The token is also the version of
// the file that is saved under the lease, so that the storage refuses the same
// stale workers ([ErrStale]). It should grow by one: a gap looks like a worker
// that is gone, after which even a file that is as it was is saved anew.
//
// All methods are called concurrently and by several processes.
type SiteStore interface {
	// Enroll adds the site, or gives the one that the same subject enrolled
	// under the same BaseURL the new Options and Interval. The site is due now,
	// if it has not been before, and leased for d to the caller, whose crawl
	// that is; whoever has it leased loses it. What it has stored of a known
	// site stays, the webhook secret too. A new site of a subject that has most
	// of them already is refused with an error that wraps [ErrTooManySites]; a
	// negative most is no limit.
	Enroll(ctx context.Context, s Site, most int, d time.Duration) (Lease, error)

	// Enrolled returns the sites, of all subjects, with this base URL; none is
	// an empty list.
	Enrolled(ctx context.Context, baseURL string) ([]Site, error)

	// Count returns how many sites the subject has enrolled.
	Count(ctx context.Context, subject string) (int, error)

	// MakeDue moves the site's next crawl to at, unless it is due earlier, and
	// returns when it is due now. It holds for a site that is leased too: the
	// crawl under way may have passed what changed, so Commit does not set the
	// next one later than at. An unknown id wraps [ErrNoSite].
	MakeDue(ctx context.Context, id int64, at time.Time) (time.Time, error)

	// Claim leases the site that has been due longest, and that nobody has
	// leased, for d. When there is none the error wraps ErrNoSite.
	Claim(ctx context.Context, d time.Duration) (Lease, error)

	// Renew extends the lease by d from now and returns it with its new Expiry.
	Renew(ctx context.Context, l Lease, d time.Duration) (Lease, error)

	// Release ends the lease without an outcome: the site is due as it was.
	Release(ctx context.Context, l Lease) error

	// Pages returns the pages that the last Commit left, in their order.
	Pages(ctx context.Context, siteID int64) ([]llmstxt.Page, error)

	// Commit ends the lease with its outcome, in one transaction.
	Commit(ctx context.Context, l Lease, r Recrawl) error
}

// A Site is an enrolled site.
type Site struct {
	ID            int64 // given by the store
	Subject       string
	BaseURL       string
	Options       SiteOptions
	Interval      time.Duration // between crawls
	WebhookSecret string
	Created       time.Time

	NextCrawl      time.Time
	LastCrawl      time.Time // the last that did not fail; zero: none
	Failures       int       // crawls that failed since the last one that did not
	LastError      string
	Hash           string        // SHA-256 of the file before a model reworded it, lower-case hex; empty: none yet
	Version        uint64        // the newest token up to which no lease is open that could still change the hosted file
	HostedURL      string        // empty: none yet
	SitemapLastmod time.Time     // the newest lastmod of its sitemaps; zero: none
	ChangeInterval time.Duration // average time between observed changes; zero: unknown
}

// SiteOptions are the options of a crawl request that recrawls repeat.
type SiteOptions struct {
	MaxPages   int    `json:"max_pages"`
	DescLength int    `json:"desc_length"`
	Format     string `json:"format"`
	Enhance    bool   `json:"enhance"`
	Remote     bool   `json:"remote"` // useBrightdata
	Geo        string `json:"geo,omitempty"`
	Agent      string `json:"agent,omitempty"`
}

// A Lease is one worker's claim of a site.
type Lease struct {
	Site   Site      // as it was when the lease began
	Token  uint64    // the fencing token, at least 1
	Due    time.Time // the time that the site was due
	Expiry time.Time // by the store's clock
}

// A Recrawl is the outcome of a leased crawl.
type Recrawl struct {
	// Site is the site's new state, from NextCrawl down. What comes before,
	// its identity and its options, is not changed by a Commit.
	Site Site

	// Pages replaces those that are stored; nil leaves them as they are.
	Pages []llmstxt.Page
}
