package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/test/crawlbench/docs"
)

// Of static pages no more than maxSent may be sent to a browser, of those of an
// application all; and of the notes of these minMatched must begin with the
// first paragraph of the answer key.
const (
	maxSent    = 0.02
	minMatched = 0.90
)

// A sent counts the pages that need a browser, as far as one can tell without.
type sent struct{ pages atomic.Int64 }

func (s *sent) count(context.Context, string, string) ([]byte, error) {
	s.pages.Add(1)
	return nil, farwire.ErrNoBrowser
}

// shown is what came of an application.
type shown struct {
	pages, rendered int // of the key; of the crawl
	crawled         int
	before, after   int // notes that begin as the key's first paragraph does
	cost            browser.Stats
	took            time.Duration
	misses          []string
}

// measureApp crawls the documentation of npm twice: as it is sent, by a browser that
// shows nothing (without one a crawl reads the Markdown behind it), and in a browser.
func measureApp() (v shown, err error) {
	app, err := docs.NPMDocs()
	if err != nil {
		return v, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return v, err
	}
	srv := &http.Server{Handler: app.Handler}
	go srv.Serve(l)
	defer srv.Close()
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		return v, err
	}
	b, err := browser.New(browser.Options{})
	if err != nil {
		return v, err
	}
	defer b.Close()
	base := "http://" + l.Addr().String()
	var needy sent
	o := llmstxt.Options{MaxPages: pages, DescLength: descLength, Render: needy.count}
	plain, err := llmstxt.Crawl(context.Background(), base, o)
	if err != nil {
		return v, err
	}
	o.Render = func(ctx context.Context, url, _ string) ([]byte, error) {
		r, err := b.Render(ctx, farwire.RenderPage{URL: url, Exit: exit})
		return r.HTML, err
	}
	began := time.Now()
	site, err := llmstxt.Crawl(context.Background(), base, o)
	if err != nil {
		return v, err
	}
	v.took, v.cost = time.Since(began), b.Stats()
	v.before, _ = matched(app, base, plain)
	v.after, v.misses = matched(app, base, site)
	v.pages, v.rendered, v.crawled = len(app.Key), site.Stats.Rendered, len(site.Pages)
	return v, nil
}

// matched counts the pages of the key whose note begins as their first
// paragraph does.
func matched(app *docs.App, base string, site *llmstxt.CrawledSite) (n int, misses []string) {
	notes := map[string]string{}
	for _, p := range site.Pages {
		notes[strings.TrimPrefix(p.URL, base)] = p.Note
	}
	for at, key := range app.Key {
		want, got := squeeze(key), squeeze(notes[at])
		length := min(60, len(want), len(got))
		if length > 0 && want[:length] == got[:length] {
			n++
		} else {
			misses = append(misses, fmt.Sprintf("%s: %.100q, want %.100q", at, notes[at], key))
		}
	}
	return n, misses
}

func (v shown) failures() (out []string) {
	if v.after < int(minMatched*float64(v.pages)+0.5) {
		out = append(out, fmt.Sprintf("%d of %d notes begin as the answer key does, want %.0f %%", v.after, v.pages, 100*minMatched))
	}
	if v.rendered < v.crawled {
		out = append(out, fmt.Sprintf("%d of %d pages were sent to the browser, want all", v.rendered, v.crawled))
	}
	return out
}
