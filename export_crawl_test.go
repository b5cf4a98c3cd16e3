package farwire

import "time"

// A CrawlAsk is what a crawl request was understood as.
type CrawlAsk struct {
	URL, Host, Format    string
	MaxPages, DescLength int
	Interval             time.Duration
	Slugs, Countries     []string
}

// ParseCrawl reads a crawl request as a gateway with its defaults does.
func ParseCrawl(message []byte) (CrawlAsk, error) {
	g, err := New(Options{})
	if err != nil {
		return CrawlAsk{}, err
	}
	c := &crawl{g: g, session: &session{g: g}}
	if err := c.read(message); err != nil {
		return CrawlAsk{}, refusal(err)
	}
	r := c.req
	return CrawlAsk{r.url, r.query.Host, string(r.layout), r.maxPages, r.descLength, r.interval, r.query.Slugs, r.query.Countries}, nil
}
