package llmstxt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/sitemap"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// sitemapPages is what all the sitemaps of a site list in its scope.
type sitemapPages struct {
	urls     []*url.URL
	settled  map[string]time.Time // of each of them, zero if it cannot be told
	newest   time.Time
	complete bool     // there was something to read, and nothing was left out
	notes    []string // for the log
	panicked error
}

// readSitemaps reads those that robots.txt names, else those in the usual
// places, until it has room pages in scope.
func (c *crawler) readSitemaps(ctx context.Context, rules *robots.Rules, s weburl.Scope, room int) sitemapPages {
	out := sitemapPages{settled: map[string]time.Time{}}
	whole := true
	type file struct {
		u     *url.URL
		depth int
		guess bool
	}
	var queue []file
	root := &url.URL{Scheme: s.Scheme, Host: s.Host, Path: "/"}
	for _, loc := range rules.Sitemaps {
		if u := weburl.Resolve(root, loc); u != nil {
			queue = append(queue, file{u, 1, false})
		}
	}
	if len(queue) == 0 {
		if dir := s.Dir(); dir != "/" {
			queue = append(queue, file{weburl.Resolve(root, dir+"sitemap.xml"), 1, true})
		}
		queue = append(queue, file{weburl.Resolve(root, "/sitemap.xml"), 1, true})
	}
	files := map[string]bool{}
	for len(queue) > 0 && len(files) < sitemap.MaxFiles && ctx.Err() == nil && len(out.urls) < room {
		f := queue[0]
		queue = queue[1:]
		if f.u == nil || files[f.u.String()] {
			continue
		}
		files[f.u.String()] = true
		if f.u.Host == s.Host && !rules.Allowed(f.u) && f.guess {
			continue
		}
		body, err := c.getPlain(ctx, f.u, sitemap.MaxSent)
		if err != nil {
			var status *statusError
			if !f.guess || !errors.As(err, &status) || status.code >= 500 {
				whole = false
			}
			if !f.guess {
				out.notes = append(out.notes, fmt.Sprintf("Sitemap %s could not be read: %s", f.u, detail(err)))
			}
			continue
		}
		m, err := sitemap.Parse(bytes.NewReader(body), sitemap.MaxPages, sitemap.MaxBytes)
		if err != nil || len(m.Pages) >= sitemap.MaxPages || len(body) >= sitemap.MaxSent {
			whole = false
		}
		if err != nil && (!f.guess || len(m.Pages) > 0) {
			out.notes = append(out.notes, fmt.Sprintf("Sitemap %s is not well formed: %v", f.u, err))
		}
		found := 0
		for _, e := range m.Pages {
			u := weburl.Resolve(f.u, e.Loc)
			if u == nil || !s.Has(u) {
				continue
			}
			if e.Lastmod.After(out.newest) {
				out.newest = e.Lastmod
			}
			k := u.String()
			at, seen := out.settled[k]
			switch {
			case !seen && len(out.urls) < room:
				out.settled[k] = e.Settled
				out.urls = append(out.urls, u)
				found++
			case !seen:
				whole = false
			case e.Settled.After(at) && !at.IsZero() || e.Settled.IsZero():
				out.settled[k] = e.Settled // the later word of two, and none at all before any
			}
		}
		if len(m.Pages) > 0 {
			out.notes = append(out.notes, fmt.Sprintf("Sitemap %s lists %d pages, %d of them new and in scope", f.u, len(m.Pages), found))
		}
		if f.depth < sitemap.MaxDepth {
			for _, loc := range m.Children {
				if u := weburl.Resolve(f.u, loc); u != nil {
					queue = append(queue, file{u, f.depth + 1, false})
				}
			}
		}
	}
	out.complete = whole && len(queue) == 0 && len(out.urls) > 0 && ctx.Err() == nil
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		out.notes = append(out.notes, "Reading the sitemaps took too long; going on with what they gave")
	}
	return out
}

// sitemaps are being read in the background.
type sitemaps struct {
	cancel context.CancelFunc
	done   chan sitemapPages
}

func (c *crawler) startSitemaps(ctx context.Context, r *robots.Rules, s weburl.Scope) *sitemaps {
	// A list of pages is worth a part of the time, not all of it.
	ctx, cancel := context.WithTimeout(ctx, c.Timeout/4)
	m := &sitemaps{cancel: cancel, done: make(chan sitemapPages, 1)}
	go func() {
		var pages sitemapPages
		pages.panicked = recovered(func() { pages = c.readSitemaps(ctx, r, s, 3*c.MaxPages) })
		m.done <- pages
	}()
	return m
}

func (m *sitemaps) wait() sitemapPages {
	defer m.cancel()
	pages := <-m.done
	if pages.panicked != nil {
		panic(pages.panicked)
	}
	return pages
}

func (m *sitemaps) stop() {
	m.cancel()
	<-m.done
}

// Newest is the latest lastmod that a site's sitemaps give for a page in the
// scope of base, read without fetching any page: what has not changed since
// Site.Newest need not be crawled again. It is zero when they give none, and
// then says nothing. Of Options it uses Client, UserAgent, the limits of time
// and IgnoreRobots; its errors are those of Crawl.
func Newest(ctx context.Context, base string, o Options) (time.Time, error) {
	u, err := baseURL(base)
	if err != nil {
		return time.Time{}, err
	}
	c := newCrawler(o)
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	rules, err := c.readRobots(ctx, u)
	if err != nil {
		return time.Time{}, baseError(u, 0, err)
	}
	if !rules.Allowed(u) {
		return time.Time{}, baseError(u, 0, ErrRobots)
	}
	c.setPace(rules)
	return c.readSitemaps(ctx, rules, weburl.ScopeOf(u), 3*c.MaxPages).newest, ctx.Err()
}
