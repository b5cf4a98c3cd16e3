// Package llmstxt crawls a website and describes it in one text file, as
// llmstxt.org proposes: for each page its title, its address and an excerpt of
// its own words.
//
//	site, err := llmstxt.Crawl(ctx, "https://docs.example.com/", llmstxt.Options{})
//	if err != nil { … }
//	os.Stdout.Write(site.Render(llmstxt.Index))
//
// The package stands alone. Its requests go through the *http.Client that it is
// given. A caller that crawls on behalf of others gives it a client whose
// dialer refuses private addresses.
//
// # How a crawl goes
//
// The base page is fetched after robots.txt (RFC 9309) allowed it. Its final
// URL, after redirects, fixes the scope: that host, and that path prefix. The
// frontier is a queue: the base page, what it links to, then what site maps list
// and other pages link to, in turns. Several workers fetch ahead, but pages are
// committed strictly in frontier order, and a page's links enter the frontier
// only when it is committed. So the same site gives the same bytes, whatever the
// order in which answers arrive. See commit.go.
//
// After a 429 or 503 all workers slow down, and the page is requested again.
//
// A page costs one pass of a tokenizer, which finds its head, its links and the
// beginning of its main content; only a bounded part from there becomes a tree,
// for the words. What was read is kept as Evidence, a few kilobytes a page.
// Titles, excerpts and sections are decided when the whole site is known,
// because what is boilerplate, or a suffix of every title, shows only then.
package llmstxt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Options says how to crawl. The zero value is usable.
//
// In every number zero stands for the default that the field names. A negative number
// means none where the field says so; everywhere else Crawl and Newest refuse it with the
// name of the field. A positive number out of a field's range counts as the nearest one in
// it.
type Options struct {
	// Client sends every request; nil is http.DefaultClient, which reaches
	// private addresses too. Its redirect policy is not used: redirects are
	// followed here, so that scope and robots.txt hold at every hop. Its cookie
	// jar, if any, is; without one a cookie of the base page, and one that comes
	// with a redirect, is sent back. A request that fails is sent again, unless
	// the error has a method Permanent() bool that says true.
	Client *http.Client

	UserAgent  string // "": DefaultUserAgent. Its first word up to a slash is the name looked for in robots.txt
	MaxPages   int    // pages in the result; 0: 50. At most three times as many are fetched
	DescLength int    // longest excerpt in characters (code points); 0: 500, at least 40
	Workers    int    // requests at the same time; 0: 8, at most 1000. A Crawl-delay in robots.txt makes it one

	Timeout       time.Duration // of the whole crawl; 0: ten minutes. The pages found by then are the result
	PageTimeout   time.Duration // of a request with its answer; 0: 20 s. A page that begins and drips has 15 s, and one try
	MaxPageBytes  int64         // after decompression; 0: 8 MiB. A larger page is skipped
	MaxRedirects  int           // hops, meta refresh included; 0: 10, negative: none
	Retries       int           // further tries after a failed connection or 5xx; 0: 2, negative: none. After 429 and 503 there are five, unless negative
	MaxCrawlDelay time.Duration // a longer Crawl-delay counts as this; 0: 30 s
	MaxDepth      int           // clicks from the base page; 0: 32. The next page of a chain costs none
	IgnoreRobots  bool          // and noindex; for a site that is the caller's own

	// Include and Exclude choose pages by globs on their paths, in which "*"
	// stays within a segment and "**" does not. A page that no Include matches,
	// or that an Exclude matches, is not fetched, except the base page. Empty:
	// all, none.
	Include, Exclude []string

	// Header and Cookies are sent to the scheme, host and port of the base URL
	// that was asked for, and nowhere else, as are a user and password in it.
	// Accept, Accept-Language and User-Agent go to every host, and the last is asked
	// for in robots.txt in place of the field UserAgent. What belongs to
	// the connection (Host, Content-Length, Accept-Encoding, If-None-Match …)
	// is left out.
	Header  http.Header
	Cookies map[string]string

	// Language and Version say which of a page's translations ("de", "pt-BR") and
	// versions ("2.0", "latest") is kept. "": those of the base page; else of
	// versions the one that is marked as the latest or stable, else the highest.
	Language, Version string

	// Text keeps the whole texts of the pages, without navigation, as Markdown, for
	// CrawledSite.TextFiles; ten million bytes of them, and an Event says when there are
	// more. Nothing of Previous is used then, because it has no texts. The caller
	// closes the CrawledSite.
	Text bool

	Delay   time.Duration // between requests; the longer of it and Crawl-delay counts. Zero: none
	Signals bool          // follow ai-input=no of Content-Signal and Content-Usage: ErrSignals, or a page left out

	// Owner says for whom the crawl is. The crawls of a process share cores and
	// memory for reading pages; of those that wait, the owner who has the least
	// comes first. "": this crawl is an owner of its own.
	Owner string

	// KeepRoom counts the site's memory towards the bound for all crawls of
	// this process until CrawledSite.Close, instead of until Crawl returns. The
	// caller then closes the CrawledSite. It is for servers that hold many
	// sites at once.
	KeepRoom bool

	// Progress is called with each step, in an order that depends on the site
	// alone, in Crawl's own goroutine. A slow Progress slows the crawl. nil:
	// none.
	Progress func(Event)

	// Render returns the HTML that a browser makes of a page whose static form
	// has no words without scripts. It is called by several workers at once.
	// When it fails the static form is used, with an Event that says so, and
	// why if the error is a [DetailedError]. nil: never.
	Render func(ctx context.Context, url, reason string) ([]byte, error)

	// Previous are the Pages of an earlier crawl of this site, from which
	// requests become conditional: an unchanged page is neither sent nor parsed
	// again. Those read with another DescLength are not used.
	Previous []Page

	// TrustLastmod is how long a page of Previous is not requested again if, by
	// its lastmod in the site map, it has not changed since the last request.
	// Site maps with implausible dates are ignored; see lastmod.go. Zero: every
	// page is requested.
	TrustLastmod time.Duration
}

// DefaultUserAgent names the crawler when Options has no other name.
const DefaultUserAgent = "farwire/1 (+https://github.com/farwire/farwire)"

const maxWorkers = 1000

func (o Options) withDefaults() (Options, error) {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.UserAgent == "" {
		o.UserAgent = DefaultUserAgent
	}
	err := errors.Join(
		setNumber("MaxPages", &o.MaxPages, 50),
		setNumber("DescLength", &o.DescLength, 500),
		setNumber("Workers", &o.Workers, 8),
		setNumber("MaxDepth", &o.MaxDepth, 32),
		setNumber("Timeout", &o.Timeout, 10*time.Minute),
		setNumber("PageTimeout", &o.PageTimeout, 20*time.Second),
		setNumber("MaxPageBytes", &o.MaxPageBytes, 8<<20),
		setNumber("MaxCrawlDelay", &o.MaxCrawlDelay, 30*time.Second),
		setNumber("Delay", &o.Delay, 0),
		setNumber("TrustLastmod", &o.TrustLastmod, 0),
	)
	o.DescLength = max(o.DescLength, 40)
	o.Workers = min(o.Workers, maxWorkers)
	o.MaxRedirects = max(cmp.Or(o.MaxRedirects, 10), 0)
	o.Retries = max(cmp.Or(o.Retries, 2), 0)
	return o, err
}

// setNumber puts the default in place of zero and refuses a negative number.
func setNumber[T int | int64 | time.Duration](field string, value *T, zero T) error {
	if *value < 0 {
		return fmt.Errorf("llmstxt: Options.%s: %v is negative", field, *value)
	}
	*value = cmp.Or(*value, zero)
	return nil
}
