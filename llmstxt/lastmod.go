package llmstxt

import (
	"time"
)

// What a sitemap says of a page's last change can spare asking for the page:
//
//	 lastmod      settled             asked          now
//	────┼────────────┼──────────────────┼──────────────┼──▶
//	    the page has     what we have of    the page has
//	    changed          it is that         not changed since
//
// A lastmod is a day more often than a moment, in a time zone that one has to
// guess, and what serves the page may be a copy that lags behind. So a page
// counts as settled some time after its lastmod, and only what was read later
// than that is taken for what it is now.
//
// Many sitemaps do not tell the truth. These safeguards keep a lie from hiding
// a change for long:
//
//   - A lastmod of now, as servers give that make the sitemap when it is asked
//     for, is never settled.
//   - A value that more than half of the pages share is that of a build, or of
//     nothing at all, and is not believed.
//   - A page is asked for once in Options.TrustLastmod, whatever is said of it.
//   - A page that has changed behind a lastmod that said it had not is marked
//     for ever (Page.Misdated), and never believed again. When that is one page
//     in twenty, the whole sitemap is not.
//   - The base page is always asked for.
//
// Of what is asked for, everything else follows as ever; so the file is the one
// that a crawl without records gives, if the sitemap is honest.

// trustLastmods decides which pages need not be asked for.
func (c *crawler) trustLastmods(maps sitemapPages) {
	c.settled, c.complete = maps.settled, maps.complete
	if c.TrustLastmod <= 0 {
		return
	}
	listed, misdated := 0, 0
	for _, p := range c.previous {
		if _, ok := maps.settled[p.URL]; ok {
			listed++
			if p.Misdated {
				misdated++
			}
		}
	}
	if 20*misdated > listed {
		return
	}
	shared := map[time.Time]int{}
	for _, at := range maps.settled {
		shared[at]++
	}
	c.spared = map[string]*Page{}
	for url, p := range c.previous {
		at := maps.settled[url]
		age := c.began.Sub(p.Asked)
		if c.unchangedSince(p) && !p.Misdated && 2*shared[at] <= len(maps.settled) && age >= 0 && age < c.TrustLastmod {
			c.spared[url] = p
		}
	}
}

// unchangedSince reports that the sitemap says so of a page, since it was last
// asked for.
func (c *crawler) unchangedSince(p *Page) bool {
	at := c.settled[p.URL]
	return !at.IsZero() && !p.Asked.IsZero() && !at.After(p.Asked)
}

// recordLastmods writes down what the sitemaps said of the pages, and which pages of
// before they list no more or are gone for good.
func (c *crawler) recordLastmods() {
	in := make(map[string]bool, len(c.pages))
	for i := range c.pages {
		p := &c.pages[i]
		in[p.URL] = true
		_, p.Listed = c.settled[p.URL]
		if prev := c.previous[p.URL]; prev != nil {
			p.Misdated = prev.Misdated || prev.Hash != p.Hash && c.unchangedSince(prev)
		}
	}
	for i := range c.Previous {
		p := &c.Previous[i]
		_, listed := c.settled[p.URL]
		switch {
		case in[p.URL]:
		case c.gone[p.URL]:
			c.stats.Gone++
		case c.complete && p.Listed && !listed:
			c.stats.Delisted++
		}
	}
}
