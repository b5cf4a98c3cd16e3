package llmstxt

import (
	"encoding/json"
	"math"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// CrawledSite is the result of a crawl.
type CrawledSite struct {
	Title   string `json:"title"`    // of the base page, or the site's name; never empty
	Summary string `json:"summary"`  // one line from the base page; never empty
	BaseURL string `json:"base_url"` // where the base page was in the end
	Pages   []Page `json:"pages"`    // in frontier order, the base page first

	// Sections are the names of sections in the order of the site's navigation;
	// those that are not among them come behind, in the order of their pages.
	Sections []string `json:"sections,omitempty"`

	Stats   CrawlStats `json:"stats"`
	Skipped []Skip     `json:"skipped,omitempty"` // pages left out, in frontier order, at most ten times MaxPages
	Lost    []Skip     `json:"lost,omitempty"`    // of these, those that would be in the result had the site answered: 429, 5xx, time-outs, broken connections

	// Signals are the values of Content-Signal and Content-Usage in robots.txt and in the header
	// of the base page.
	Signals []string `json:"signals,omitempty"`

	// Newest is the latest lastmod in the sitemaps for a page in scope; zero
	// when they have none.
	Newest time.Time `json:"newest,omitzero"`

	descLength int
	whole      wholeTexts
	room       []func() // give back what the site takes (Options.KeepRoom)
}

// Page is one page of a CrawledSite. It holds all that a later crawl needs to leave
// an unchanged page alone (see Options.Previous) and survives JSON.
type Page struct {
	URL       string `json:"url"`                 // canonical: where it was in the end, without fragment and tracking
	Title     string `json:"title"`               // its own, without what every title of the site ends or begins with; never empty
	Excerpt   string `json:"excerpt"`             // at most DescLength characters; paragraphs apart by a blank line; never empty
	Note      string `json:"note"`                // one line of at most 200 characters, for an index; never empty
	Section   string `json:"section"`             // heading in the Index layout; "" for the base page
	Secondary bool   `json:"secondary,omitempty"` // belongs under Optional: licences, changes, indexes
	Place     int    `json:"place,omitempty"`     // orders the pages of a section as the site's navigation has them
	Depth     int    `json:"depth"`               // clicks from the base page; 1 for what a sitemap listed
	Rendered  bool   `json:"rendered,omitempty"`  // read from Options.Render's answer

	ETag         string    `json:"etag,omitempty"`          // validators as the server gave them
	LastModified string    `json:"last_modified,omitempty"` // likewise
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

// CrawlStats are counts of one crawl.
type CrawlStats struct {
	Pages      int            `json:"pages"`                // in the result
	Fetched    int            `json:"fetched"`              // pages asked for, without hops and further tries
	Unchanged  int            `json:"unchanged"`            // of those in the result, known from Previous and not parsed again
	Spared     int            `json:"spared"`               // of these, not even asked for (Options.TrustLastmod)
	Delisted   int            `json:"delisted"`             // pages of Previous that are gone from the sitemaps and from the result
	Gone       int            `json:"gone"`                 // pages of Previous that are not in the result because they answer 410
	Lost       int            `json:"lost"`                 // of those left out, to 429, 5xx, time-outs and broken connections
	Rendered   int            `json:"rendered"`             // of those asked for, sent to Options.Render
	Unrendered int            `json:"unrendered,omitempty"` // of those asked for, that say next to nothing without a browser and were not shown in one
	Bytes      int64          `json:"bytes"`                // of bodies, after decompression
	Skipped    map[Reason]int `json:"skipped"`              // pages left out, by reason
	Limited    bool           `json:"limited"`              // stopped at MaxPages (or at three times that in fetches) with pages left
	TimedOut   bool           `json:"timed_out"`            // stopped by Timeout or the context's deadline with pages left
	Duration   time.Duration  `json:"-"`                    // in JSON "seconds", a number with a fraction
}

// MarshalJSON writes the duration as "seconds".
func (s CrawlStats) MarshalJSON() ([]byte, error) {
	type counts CrawlStats
	return json.Marshal(struct {
		counts
		Seconds float64 `json:"seconds"`
	}{counts(s), s.Duration.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *CrawlStats) UnmarshalJSON(text []byte) error {
	type counts CrawlStats
	read := struct {
		*counts
		Seconds float64 `json:"seconds"`
	}{counts: (*counts)(s)}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	s.Duration = time.Duration(math.Round(read.Seconds * 1e9))
	return nil
}

// A Reason says why a page is not in the result.
type Reason string

// The reasons.
const (
	SkipRobots    Reason = "robots"    // robots.txt forbids it, or a hop on the way
	SkipScope     Reason = "scope"     // redirected out of the base URL's host or path
	SkipRedirect  Reason = "redirect"  // redirected to a page that has a place of its own
	SkipCanonical Reason = "canonical" // names another page of the site as its canonical form
	SkipDuplicate Reason = "duplicate" // same title and text as an earlier page
	SkipNoIndex   Reason = "noindex"   // asks not to be indexed
	SkipStatus    Reason = "status"    // answered with a status that no page has, or with a part of one (206)
	SkipType      Reason = "type"      // not HTML
	SkipSize      Reason = "size"      // larger than MaxPageBytes
	SkipTimeout   Reason = "timeout"   // took longer than PageTimeout
	SkipError     Reason = "error"     // the connection failed, or the redirects went in a circle
	SkipURL       Reason = "url"       // the address is longer than 2000 bytes or repeats its own path
	SkipPattern   Reason = "pattern"   // one of many addresses of the same shape, as calendars and facets have, or in a folder of dead links, for which no room was left
	SkipDepth     Reason = "depth"     // more than MaxDepth clicks away

	SkipExcluded    Reason = "excluded"    // by Include or Exclude
	SkipTranslation Reason = "translation" // another language's form of a page that is kept
	SkipVersion     Reason = "version"     // another version's form of a page that is kept
	SkipLogin       Reason = "login"       // asks for a password, or for consent or an age before it shows anything
	SkipNotFound    Reason = "not found"   // says so, with a status of 200
	SkipChallenge   Reason = "challenge"   // asks for a browser that can prove itself
	SkipEncoding    Reason = "encoding"    // cannot be decoded
	SkipSignals     Reason = "signals"     // its own Content-Signal or that of robots.txt refuses (Options.Signals)
	SkipTool        Reason = "tool"        // for work on pages and not to be read: edit, history, print, an empty cart, a list of tags
)

// Reasons returns all of them, for those who count.
func Reasons() []Reason {
	return []Reason{SkipRobots, SkipScope, SkipRedirect, SkipCanonical, SkipDuplicate, SkipNoIndex, SkipStatus,
		SkipType, SkipSize, SkipTimeout, SkipError, SkipURL, SkipPattern, SkipDepth,
		SkipExcluded, SkipTranslation, SkipVersion, SkipLogin, SkipNotFound, SkipChallenge, SkipEncoding, SkipSignals, SkipTool}
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

// Outcome says how the crawl of one page ended.
type Outcome struct {
	URL    string `json:"url"`
	Title  string `json:"title,omitempty"`  // of a page in the file
	Reason Reason `json:"reason,omitempty"` // why it is not; "": it is
	Detail string `json:"detail,omitempty"` // for people
	Lost   bool   `json:"lost,omitempty"`   // it would be, had the site answered
}

// Outcomes returns one for each page: those in the result, then those left out,
// both in frontier order.
func (s *CrawledSite) Outcomes() []Outcome {
	out := make([]Outcome, 0, len(s.Pages)+len(s.Skipped))
	for i := range s.Pages {
		out = append(out, Outcome{URL: s.Pages[i].URL, Title: s.Pages[i].Title})
	}
	lost := make(map[string]bool, len(s.Lost))
	for _, k := range s.Lost {
		lost[k.URL] = true
	}
	for _, k := range s.Skipped {
		out = append(out, Outcome{URL: k.URL, Reason: k.Reason, Detail: k.Detail, Lost: lost[k.URL]})
	}
	return out
}
