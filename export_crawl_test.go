package farwire

import (
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// A CrawlAsk is what a crawl request was understood as.
type CrawlAsk struct {
	URL, Host, Format    string
	MaxPages, DescLength int
	Interval             time.Duration
	Slugs, Countries     []string
}

// RepeatedChoice is what a crawl request had that became a site with these options.
func RepeatedChoice(o SiteOptions) llmstxt.Options { return o.choice() }

// AskedChoice is what a crawl request has of them.
func AskedChoice(message []byte) (llmstxt.Options, error) {
	c, err := parseCrawl(message)
	return c.req.choice, err
}

// WorthStoring reports whether a recrawl has pages stored anew.
func WorthStoring(before, after []llmstxt.Page) bool { return worthStoring(before, after) }

// ParseCrawl reads a crawl request as a gateway with its defaults does.
func ParseCrawl(message []byte) (CrawlAsk, error) {
	c, err := parseCrawl(message)
	if err != nil {
		return CrawlAsk{}, err
	}
	r := c.req
	return CrawlAsk{r.url, r.query.Host, string(r.layout), r.maxPages, r.descLength, r.interval, r.query.Slugs, r.query.Countries}, nil
}

func parseCrawl(message []byte) (*crawl, error) {
	g, err := New(Options{})
	c := &crawl{g: g, session: &session{g: g}}
	if err != nil {
		return c, err
	}
	if err := c.read(message); err != nil {
		return c, refusal(err)
	}
	return c, nil
}
