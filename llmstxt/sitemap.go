package llmstxt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

// Sitemaps, as sitemaps.org has them: a list of pages, a list of such lists,
// or plain text with an address a line; each of them possibly gzipped.

const (
	maxSitemaps     = 50       // files read for one crawl
	maxSitemapPages = 50_000   // of one file, the protocol's own limit
	maxSitemapDepth = 3        // of lists of lists
	maxSitemapBytes = 50 << 20 // after decompression, the protocol's own limit
	maxSitemapFile  = 10 << 20 // as sent
)

// sitemap is one file's content.
type sitemap struct {
	pages    []sitemapEntry
	children []string // further sitemaps
}

type sitemapEntry struct {
	loc     string
	lastmod time.Time // zero if not given
	settled time.Time // see settledAt
}

// parseSitemap reads a sitemap of any of the three forms and stops after limit
// pages or size bytes. What was read before an error is returned with it.
func parseSitemap(r io.Reader, limit int, size int64) (sitemap, error) {
	br := bufio.NewReader(r)
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return sitemap{}, err
		}
		br = bufio.NewReader(z)
	}
	br = bufio.NewReader(io.LimitReader(br, size))
	head, _ := br.Peek(512)
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	switch {
	case len(head) == 0:
		return sitemap{}, errors.New("empty")
	case head[0] == '<':
		return parseSitemapXML(br, limit)
	}
	return parseSitemapText(br, limit)
}

func parseSitemapText(r io.Reader, limit int) (sitemap, error) {
	var m sitemap
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() && len(m.pages) < limit {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://") {
			return m, errors.New("neither XML nor a list of addresses")
		}
		m.pages = append(m.pages, sitemapEntry{loc: line})
	}
	return m, lines.Err()
}

func parseSitemapXML(r io.Reader, limit int) (sitemap, error) {
	var m sitemap
	d := xml.NewDecoder(r)
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	var entry sitemapEntry
	var text strings.Builder
	depth, field := 0, "" // of the element being read, below urlset or sitemapindex
	for {
		t, err := d.Token()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && t.Name.Local != "urlset" && t.Name.Local != "sitemapindex":
				return m, fmt.Errorf("not a sitemap: <%.40s>", t.Name.Local)
			case depth == 2:
				entry = sitemapEntry{}
			case depth == 3 && (t.Name.Local == "loc" || t.Name.Local == "lastmod"):
				field = t.Name.Local
				text.Reset()
			case depth > 100:
				return m, errors.New("nested too deep")
			}
		case xml.CharData:
			if field != "" && text.Len() < maxURL {
				text.Write(t)
			}
		case xml.EndElement:
			switch depth {
			case 3:
				switch s := strings.TrimSpace(text.String()); field {
				case "loc":
					entry.loc = s
				case "lastmod":
					entry.lastmod = parseW3CDate(s)
					entry.settled = settledAt(s, entry.lastmod)
				}
				field = ""
			case 2:
				if entry.loc == "" {
					break
				}
				if t.Name.Local == "sitemap" {
					if len(m.children) < 1000 {
						m.children = append(m.children, entry.loc)
					}
				} else if t.Name.Local == "url" {
					if m.pages = append(m.pages, entry); len(m.pages) >= limit {
						return m, nil
					}
				}
			}
			depth--
		}
	}
}

// parseW3CDate reads the profile of ISO 8601 that sitemaps use; zero if it is
// none.
func parseW3CDate(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

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
func (c *crawler) readSitemaps(ctx context.Context, robots *Robots, s scope, room int) sitemapPages {
	out := sitemapPages{settled: map[string]time.Time{}}
	whole := true
	type file struct {
		u     *url.URL
		depth int
		guess bool
	}
	var queue []file
	root := &url.URL{Scheme: s.scheme, Host: s.host, Path: "/"}
	for _, loc := range robots.Sitemaps {
		if u := resolve(root, loc); u != nil {
			queue = append(queue, file{u, 1, false})
		}
	}
	if len(queue) == 0 {
		if dir := s.dir(); dir != "/" {
			queue = append(queue, file{resolve(root, dir+"sitemap.xml"), 1, true})
		}
		queue = append(queue, file{resolve(root, "/sitemap.xml"), 1, true})
	}
	files := map[string]bool{}
	for len(queue) > 0 && len(files) < maxSitemaps && ctx.Err() == nil && len(out.urls) < room {
		f := queue[0]
		queue = queue[1:]
		if f.u == nil || files[f.u.String()] {
			continue
		}
		files[f.u.String()] = true
		if f.u.Host == s.host && !robots.Allowed(f.u) && f.guess {
			continue
		}
		body, err := c.getPlain(ctx, f.u, maxSitemapFile)
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
		m, err := parseSitemap(bytes.NewReader(body), maxSitemapPages, maxSitemapBytes)
		if err != nil || len(m.pages) >= maxSitemapPages || len(body) >= maxSitemapFile {
			whole = false
		}
		if err != nil && (!f.guess || len(m.pages) > 0) {
			out.notes = append(out.notes, fmt.Sprintf("Sitemap %s is not well formed: %v", f.u, err))
		}
		found := 0
		for _, e := range m.pages {
			u := resolve(f.u, e.loc)
			if u == nil || !s.has(u) {
				continue
			}
			if e.lastmod.After(out.newest) {
				out.newest = e.lastmod
			}
			k := u.String()
			at, seen := out.settled[k]
			switch {
			case !seen && len(out.urls) < room:
				out.settled[k] = e.settled
				out.urls = append(out.urls, u)
				found++
			case !seen:
				whole = false
			case e.settled.After(at) && !at.IsZero() || e.settled.IsZero():
				out.settled[k] = e.settled // the later word of two, and none at all before any
			}
		}
		if len(m.pages) > 0 {
			out.notes = append(out.notes, fmt.Sprintf("Sitemap %s lists %d pages, %d of them new and in scope", f.u, len(m.pages), found))
		}
		if f.depth < maxSitemapDepth {
			for _, loc := range m.children {
				if u := resolve(f.u, loc); u != nil {
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

func (c *crawler) startSitemaps(ctx context.Context, r *Robots, s scope) *sitemaps {
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
	robots, err := c.readRobots(ctx, u)
	if err != nil {
		return time.Time{}, baseError(u, 0, err)
	}
	if !robots.Allowed(u) {
		return time.Time{}, baseError(u, 0, ErrRobots)
	}
	c.setPace(robots)
	return c.readSitemaps(ctx, robots, scopeOf(u), 3*c.MaxPages).newest, ctx.Err()
}
