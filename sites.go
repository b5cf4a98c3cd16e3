package farwire

import (
	"context"
	"time"
)

// A SiteStore remembers enrolled sites and hands out their recrawls, so that
// any number of gateways may work them and each due time is worked once.
//
// All methods are called concurrently and by several processes. A site belongs
// to the subject that enrolled it. A claim is a lease: it ends at a time, it
// carries a fencing token that grows with every claim of the site, and a write
// under an older token is refused with an error that wraps [ErrLeaseLost].
type SiteStore interface {
	// Enroll adds the site, or updates the options of the one that the same
	// subject enrolled under the same BaseURL, and returns it as stored. The
	// webhook secret of a known site stays.
	Enroll(context.Context, Site) (Site, error)

	// Enrolled returns the sites, of all subjects, with this base URL; none is
	// an empty list.
	Enrolled(ctx context.Context, baseURL string) ([]Site, error)

	// Count returns how many sites the subject has enrolled.
	Count(ctx context.Context, subject string) (int, error)

	// MakeDue moves the site's next crawl to at, unless it is due earlier, and
	// returns when it is due now. An unknown id wraps ErrNoSite.
	MakeDue(ctx context.Context, id int64, at time.Time) (time.Time, error)

	// Claim leases the site that has been due longest for d. When none is due
	// the error wraps ErrNoSite.
	Claim(ctx context.Context, d time.Duration) (Lease, error)

	// Renew extends the lease by d from now.
	Renew(ctx context.Context, l Lease, d time.Duration) error

	// Pages returns the records that the last Commit left.
	Pages(ctx context.Context, siteID int64) ([]PageRecord, error)

	// Commit ends the lease with its outcome, in one transaction.
	Commit(context.Context, Lease, Recrawl) error
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
	LastCrawl      time.Time // zero: never
	Failures       int       // crawls that failed since the last one that did not
	LastError      string
	Hash           string // SHA-256 of the hosted file, lower-case hex
	Version        uint64 // of the hosted file
	HostedURL      string
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

// A PageRecord is what a recrawl needs to know of a page so that an unchanged
// one is neither fetched in full nor parsed.
type PageRecord struct {
	URL          string
	ETag         string
	LastModified string
	Links        []string
	Title        string
	Excerpt      string
	Hash         string // SHA-256 of the body, lower-case hex
}

// A Lease is one worker's claim of a site.
type Lease struct {
	Site   Site
	Token  uint64 // the fencing token
	Due    time.Time
	Expiry time.Time
}

// A Recrawl is the outcome of a leased crawl.
type Recrawl struct {
	Site  Site         // the site's new state: NextCrawl, LastCrawl, Hash, Version and so on
	Pages []PageRecord // nil: the records stay as they are
}
