// Package llmstxt crawls a website and describes it in one text file, as
// llmstxt.org proposes: for each page its title, its address and an excerpt of
// its own words.
//
//	site, err := llmstxt.Crawl(ctx, "https://docs.example.com/", llmstxt.Options{})
//	if err != nil { … }
//	os.Stdout.Write(site.Render(llmstxt.Index))
//
// The package stands alone. It is given an *http.Client and so knows nothing
// of where its requests leave; a caller that crawls on behalf of strangers
// gives it a client whose dialer refuses private addresses.
//
// # How a crawl goes
//
// The base page is fetched after robots.txt (RFC 9309) allowed it. Its final
// URL, after redirects, fixes the scope: that host, and that path prefix. The
// frontier is a queue: the base page, then what the sitemaps list, then links,
// breadth first. Several workers fetch ahead, but pages are committed strictly
// in frontier order, and a page's links enter the frontier only when it is
// committed. So the same site gives the same bytes, whatever the order in
// which answers arrive. See frontier.go.
//
// A page costs one pass of a tokenizer, which finds its head, its links and
// where its main content begins; only a bounded part from there becomes a tree,
// for the words. What was read is kept as Evidence, a few kilobytes a page.
// Titles, excerpts and sections are decided when the whole site is known,
// because what is boilerplate, or a suffix of every title, shows only then.
package llmstxt

import (
	"context"
	"net/http"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Options says how to crawl. The zero value is usable. A field out of its
// range is brought to the nearest value that makes sense, never an error.
type Options struct {
	// Client sends every request; nil is http.DefaultClient, which reaches
	// private addresses too. Its redirect policy is not used: redirects are
	// followed here, so that scope and robots.txt hold at every hop. Its cookie
	// jar, if any, is.
	Client *http.Client

	UserAgent  string // "": DefaultUserAgent. Its first word up to a slash is the name looked for in robots.txt
	MaxPages   int    // pages in the result; 0: 50. At most three times as many are fetched
	DescLength int    // longest excerpt in characters (code points); 0: 500, at least 40
	Workers    int    // requests at the same time; 0: 8. A Crawl-delay in robots.txt makes it one

	Timeout       time.Duration // of the whole crawl; 0: ten minutes. The pages found by then are the result
	PageTimeout   time.Duration // of a page with its redirects, each try; 0: 20 s
	MaxPageBytes  int64         // after decompression; 0: 8 MiB. A larger page is skipped
	MaxRedirects  int           // hops, meta refresh included; 0: 10, negative: none
	Retries       int           // further tries after a failed connection, 429 or 5xx; 0: 2, negative: none
	MaxCrawlDelay time.Duration // a longer Crawl-delay counts as this; 0: 10 s
	MaxDepth      int           // clicks from the base page; 0: 32
	IgnoreRobots  bool          // for a site that is the caller's own

	// Progress is told what happens, in an order that depends on the site
	// alone, by one goroutine at a time, which is Crawl's own. A slow Progress
	// slows the crawl. nil: none.
	Progress func(Event)

	// Render is asked for a page whose static form has no words without its
	// scripts, and answers with the HTML that a browser ended up with. It is
	// called by several workers at once. When it fails the static form is used,
	// with an Event that says so; why, it says in the words of the error's
	// method Detail() string if there is one. nil: never.
	Render func(ctx context.Context, url, reason string) ([]byte, error)

	// Previous are the Pages of an earlier crawl of this site, from which
	// requests become conditional: an unchanged page is neither sent nor parsed
	// again. Those read with another DescLength are not used.
	Previous []Page

	// TrustLastmod is how long the sitemaps' word is taken for a page of
	// Previous: one that has not changed since it was last asked for, if its
	// lastmod is right, is asked for again only when this time has passed since
	// then. Sitemaps whose dates cannot be right are not believed; see
	// lastmod.go. Zero: every page is asked for.
	TrustLastmod time.Duration
}

// DefaultUserAgent names the crawler when Options has no other name.
const DefaultUserAgent = "farwire/1 (+https://github.com/farwire/farwire)"

func (o Options) withDefaults() Options {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.UserAgent == "" {
		o.UserAgent = DefaultUserAgent
	}
	orInt := func(p *int, def, least int) {
		if *p == 0 {
			*p = def
		}
		*p = max(*p, least)
	}
	orInt(&o.MaxPages, 50, 1)
	orInt(&o.DescLength, 500, 40)
	orInt(&o.Workers, 8, 1)
	orInt(&o.MaxRedirects, 10, 0)
	orInt(&o.Retries, 2, 0)
	orInt(&o.MaxDepth, 32, 1)
	orDuration := func(p *time.Duration, def time.Duration) {
		if *p <= 0 {
			*p = def
		}
	}
	orDuration(&o.Timeout, 10*time.Minute)
	orDuration(&o.PageTimeout, 20*time.Second)
	orDuration(&o.MaxCrawlDelay, 10*time.Second)
	if o.MaxPageBytes <= 0 {
		o.MaxPageBytes = 8 << 20
	}
	return o
}

// Site is the result of a crawl.
type Site struct {
	Title   string `json:"title"`    // of the base page, or the site's name; never empty
	Summary string `json:"summary"`  // one line from the base page; never empty
	BaseURL string `json:"base_url"` // where the base page was in the end
	Pages   []Page `json:"pages"`    // in frontier order, the base page first
	Stats   Stats  `json:"stats"`
	Skipped []Skip `json:"skipped,omitempty"` // pages left out, in frontier order, at most ten times MaxPages

	// Newest is the latest lastmod in the sitemaps for a page in scope; zero
	// when they have none.
	Newest time.Time `json:"newest,omitzero"`

	descLength int
}

// Page is one page of a Site. It holds all that a later crawl needs to leave
// an unchanged page alone (see Options.Previous) and survives JSON.
type Page struct {
	URL       string `json:"url"`                 // canonical: where it was in the end, without fragment and tracking
	Title     string `json:"title"`               // its own, without what every title of the site ends or begins with; never empty
	Excerpt   string `json:"excerpt"`             // at most DescLength characters; paragraphs apart by a blank line; never empty
	Note      string `json:"note"`                // one line of at most 200 characters, for an index; never empty
	Section   string `json:"section"`             // heading in the Index layout; "" for the base page
	Secondary bool   `json:"secondary,omitempty"` // belongs under Optional: licences, changes, indexes
	Depth     int    `json:"depth"`               // clicks from the base page; 1 for what a sitemap listed
	Rendered  bool   `json:"rendered,omitempty"`  // read from Options.Render's answer

	ETag         string    `json:"etag,omitempty"`          // validators as the server gave them
	LastModified string    `json:"last_modified,omitempty"` //
	Hash         string    `json:"hash"`                    // of the body, as hexadecimal SHA-256
	Asked        time.Time `json:"asked,omitzero"`          // when the server was last asked for it
	Listed       bool      `json:"listed,omitempty"`        // by a site map
	Misdated     bool      `json:"misdated,omitempty"`      // it has changed once while its lastmod said it had not
	Links        []string  `json:"links,omitempty"`         // in scope, normalised, each once, in the page's order
	Evidence     Evidence  `json:"evidence"`                // what was read
}

// Evidence is what a crawl has read from a page: enough to choose its title,
// excerpt and section again without the page. Its fields are for this package.
type Evidence = htmlpage.Evidence

// Stats are counts of one crawl.
type Stats struct {
	Pages     int            `json:"pages"`     // in the result
	Fetched   int            `json:"fetched"`   // pages asked for, without hops and further tries
	Unchanged int            `json:"unchanged"` // of those in the result, known from Previous and not parsed again
	Spared    int            `json:"spared"`    // of these, not even asked for (Options.TrustLastmod)
	Delisted  int            `json:"delisted"`  // pages of Previous that are gone from the sitemaps and from the result
	Gone      int            `json:"gone"`      // pages of Previous that are not in the result because they answer 410
	Rendered  int            `json:"rendered"`  // of those asked for, sent to Options.Render
	Bytes     int64          `json:"bytes"`     // of bodies, after decompression
	Skipped   map[Reason]int `json:"skipped"`   // pages left out, by reason
	Limited   bool           `json:"limited"`   // stopped at MaxPages (or at three times that in fetches) with pages left
	TimedOut  bool           `json:"timed_out"` // stopped by Timeout or the context's deadline with pages left
	Duration  time.Duration  `json:"duration"`
}

// A Reason says why a page is not in the result.
type Reason string

// The reasons.
const (
	SkipRobots    Reason = "robots"    // robots.txt forbids it, or a hop on the way
	SkipScope     Reason = "scope"     // redirected out of the base URL's host or path
	SkipRedirect  Reason = "redirect"  // redirected to a page that has a place of its own
	SkipCanonical Reason = "canonical" // names another page of the site as its canonical form
	SkipDuplicate Reason = "duplicate" // same body as an earlier page
	SkipNoIndex   Reason = "noindex"   // asks not to be indexed
	SkipStatus    Reason = "status"    // answered with a status other than 200
	SkipType      Reason = "type"      // not HTML
	SkipSize      Reason = "size"      // larger than MaxPageBytes
	SkipTimeout   Reason = "timeout"   // took longer than PageTimeout
	SkipError     Reason = "error"     // the connection failed, or the redirects went in a circle
	SkipURL       Reason = "url"       // the address is longer than 2000 bytes or repeats its own path
	SkipPattern   Reason = "pattern"   // one of too many addresses of the same shape, as calendars and facets have
	SkipDepth     Reason = "depth"     // more than MaxDepth clicks away
)

// Reasons returns all of them, for those who count.
func Reasons() []Reason {
	return []Reason{SkipRobots, SkipScope, SkipRedirect, SkipCanonical, SkipDuplicate, SkipNoIndex, SkipStatus,
		SkipType, SkipSize, SkipTimeout, SkipError, SkipURL, SkipPattern, SkipDepth}
}

// Skip is a page that is not in the result.
type Skip struct {
	URL    string `json:"url"`
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"` // for people: "HTTP 404 Not Found"
}

// An Event is one step of a crawl.
type Event struct {
	Kind    EventKind
	Page    int    // Committed: the number of the page, from 1
	URL     string // of the page, if the event is about one
	Reason  Reason // Skipped: why
	Message string // for people, one line, always set
}

// EventKind tells Events apart.
type EventKind int

// The kinds of events.
const (
	Note      EventKind = iota // something worth a log line
	Committed                  // a page is in the result: "Crawling page 5/100..."
	Skipped                    // a page is left out
)
