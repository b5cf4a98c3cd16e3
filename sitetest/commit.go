package sitetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

func commit(b *bench) {
	l := b.enroll("https://a.example/")
	other := b.enroll("https://b.example/")
	untouched := b.site(other.Site)
	want := l.Site
	want.NextCrawl, want.LastCrawl, want.LastFailure, want.Failures, want.LastError = past(50), past(40), past(45), 3, "HTTP 503"
	want.Hash, want.Version, want.HostedURL = strings.Repeat("0f", 32), l.Token, "https://files.example.com/a.txt"
	want.LastChange, want.SitemapLastmod, want.ChangeInterval = past(39), past(30), 5*time.Hour+time.Microsecond
	b.commit(l, farwire.RecrawlResult{Site: want})
	if got := b.site(want); got != want {
		b.Errorf("stored\n%+v, want\n%+v", got, want)
	}
	if got := b.site(other.Site); got != untouched {
		b.Errorf("another site is\n%+v, was\n%+v", got, untouched)
	}
	b.lost(l) // it ended

	l = b.claim(long)
	if l.Site != want || !l.Due.Equal(past(50)) {
		b.Errorf("claimed\n%+v, want\n%+v", l.Site, want)
	}
	zero := farwire.Site{ID: want.ID, Subject: want.Subject, BaseURL: want.BaseURL, Interval: want.Interval, Created: want.Created, NextCrawl: past(60)}
	b.commit(l, farwire.RecrawlResult{Site: zero})
	if got := b.site(want); got != zero {
		b.Errorf("stored\n%+v, want\n%+v", got, zero)
	}
}

func commitKeepsIdentity(b *bench) {
	l, err := b.store.Enroll(b.ctx, full(), -1, long)
	if err != nil {
		b.Fatal(err)
	}
	other := b.enroll("https://b.example/")
	want := l.Site
	want.NextCrawl = past(1)
	b.commit(l, farwire.RecrawlResult{Site: farwire.Site{
		ID: other.Site.ID, Subject: "mallory", BaseURL: "https://evil.example/", Options: farwire.SiteOptions{MaxPages: 1},
		Interval: time.Second, WebhookSecret: "mine", Created: past(9), NextCrawl: past(1),
	}})
	if got := b.site(l.Site); got != want {
		b.Errorf("stored\n%+v, want\n%+v", got, want)
	}
	if got := b.site(other.Site); got != other.Site {
		b.Errorf("another site is\n%+v, was\n%+v", got, other.Site)
	}
}

func times(b *bench) {
	east := time.FixedZone("east", 5*3600+1800)
	l := b.enroll("https://a.example/")
	for _, at := range []time.Time{
		time.Date(2026, 3, 29, 2, 30, 0, 1000, east),
		time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1969, 7, 20, 20, 17, 40, 500000000, time.UTC),
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		outcome := l.Site
		outcome.NextCrawl, outcome.LastCrawl, outcome.SitemapLastmod = at, at, at
		b.commit(l, farwire.RecrawlResult{Site: outcome})
		got := b.site(l.Site)
		for _, t := range []time.Time{got.NextCrawl, got.LastCrawl, got.SitemapLastmod} {
			if !t.Equal(at) || t.Location() != time.UTC {
				b.Errorf("stored %v of %v", t, at)
			}
		}
		l = b.claim(long)
		if !l.Due.Equal(at) || l.Due.Location() != time.UTC || l.Expiry.Location() != time.UTC {
			b.Errorf("claimed %+v, due at %v", l, at)
		}
	}
	// What is finer than a microsecond may go, and nothing more.
	fine := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	outcome := l.Site
	outcome.LastCrawl = fine
	b.commit(l, farwire.RecrawlResult{Site: outcome})
	if got := b.site(l.Site).LastCrawl; got.Sub(fine).Abs() > time.Microsecond {
		b.Errorf("stored %v of %v", got, fine)
	}
}

// page is a page of which nothing is zero.
func page(n int) llmstxt.Page {
	url := fmt.Sprintf("https://docs.example.com/guide/page-%d.html?q=1&r=%%20", n)
	return llmstxt.Page{
		URL: url, Title: fmt.Sprintf("Page <%d> & more", n), Excerpt: "One.\n\nTwo: “drei”.", Note: "A note", Section: "Guide",
		Secondary: true, Depth: n + 1, Rendered: true, ETag: fmt.Sprintf(`W/"%d"`, n), LastModified: "Thu, 29 Feb 2024 12:00:00 GMT",
		Hash: strings.Repeat("cd", 32), Links: []string{"https://docs.example.com/guide/", url + "#x"},
		Evidence: llmstxt.Evidence{Version: 3, Need: 500, Lang: "en", Title: "Page – Guide", Description: "About it", Crumbs: []string{"Docs", "Guide"}},
	}
}

func pages(b *bench) {
	l := b.enroll("https://a.example/")
	other := b.enroll("https://b.example/")
	b.commit(other, farwire.RecrawlResult{Site: other.Site, Pages: []llmstxt.Page{page(99)}})
	site := l.Site
	site.NextCrawl = past(0)
	stored := func(name string, id int64, want []llmstxt.Page) {
		b.Helper()
		got, err := b.store.Pages(b.ctx, id)
		if err != nil || len(got) != len(want) || len(want) > 0 && !same(got, want) {
			b.Errorf("%s: stored %v\n%+v, want\n%+v", name, err, got, want)
		}
	}
	one, two, three := page(1), page(2), page(3)
	changed := two
	changed.ETag, changed.Links, changed.Depth = "", nil, 0
	for _, c := range []struct {
		name        string
		given, want []llmstxt.Page
	}{
		{"first", []llmstxt.Page{three, one, two}, []llmstxt.Page{three, one, two}},
		{"nil leaves them", nil, []llmstxt.Page{three, one, two}},
		{"same", []llmstxt.Page{three, one, two}, []llmstxt.Page{three, one, two}},
		{"one changed", []llmstxt.Page{three, one, changed}, []llmstxt.Page{three, one, changed}},
		{"another order", []llmstxt.Page{changed, three, one}, []llmstxt.Page{changed, three, one}},
		{"fewer", []llmstxt.Page{three, one}, []llmstxt.Page{three, one}},
		{"more", []llmstxt.Page{two, three, one, page(4)}, []llmstxt.Page{two, three, one, page(4)}},
		{"one URL twice", []llmstxt.Page{one, one}, []llmstxt.Page{one, one}},
		{"zero", make([]llmstxt.Page, 2), make([]llmstxt.Page, 2)},
		{"none", []llmstxt.Page{}, nil},
		{"again", []llmstxt.Page{one}, []llmstxt.Page{one}},
	} {
		given := slices.Clone(c.given)
		b.commit(l, farwire.RecrawlResult{Site: site, Pages: c.given})
		stored(c.name, site.ID, c.want)
		if !same(given, c.given) {
			b.Errorf("%s: the store has changed the caller's pages", c.name)
		}
		l = b.claim(long)
	}
	// What a stale worker has seen is not kept.
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	if err := b.store.Commit(b.ctx, l, farwire.RecrawlResult{Site: site, Pages: []llmstxt.Page{two}}); err == nil {
		b.Error("committed without a lease")
	}
	stored("after a stale commit", site.ID, []llmstxt.Page{one})
	stored("the other site", other.Site.ID, []llmstxt.Page{page(99)})
}

func manyPages(b *bench) {
	l := b.enroll("https://a.example/")
	site := l.Site
	site.NextCrawl = past(0)
	want := make([]llmstxt.Page, 1000)
	for i := range want {
		want[i] = page(i)
	}
	want[500].Excerpt = strings.Repeat("A long story. ", 20_000)
	want[501].Links = slices.Repeat([]string{"https://docs.example.com/guide/" + strings.Repeat("x", 1900)}, 100)
	b.commit(l, farwire.RecrawlResult{Site: site, Pages: want})
	got, err := b.store.Pages(b.ctx, site.ID)
	if err != nil || !same(got, want) {
		b.Errorf("%d pages, %v; want the %d that were stored", len(got), err, len(want))
	}
	// As a handle has it that was open all the time.
	want = slices.Insert(want[:900], 10, page(2000))
	b.commit(b.claim(long), farwire.RecrawlResult{Site: site, Pages: want})
	got, err = b.open(b.T).Pages(b.ctx, site.ID)
	if err != nil || !same(got, want) {
		b.Errorf("%d pages, %v; want the %d that were stored", len(got), err, len(want))
	}
}

// texts are what pages of the web, and those who write them, come up with.
var texts = map[string]string{
	"quotes":         `'; DROP TABLE farwire_sites; -- "$1" :now ? %s \`,
	"NUL":            "a\x00b",
	"another NUL":    "a\x00c",
	"only NUL":       "\x00",
	"no UTF-8":       "caf\xe9 \xff\xfe \xed\xa0\x80",
	"cut off":        "caf\xc3",
	"replacement":    "a\ufffdb \ufffd\ufffd \ufffd00",
	"controls":       "\x01\x1a\x1b[31m\r\n\t\u2028\u202e",
	"outside of BMP": "𝄞 🏳️‍🌈 \U0010ffff",
	"long":           strings.Repeat("long ", 2000),
	"long, random":   random(10_000), // which nothing makes shorter
	"JSON":           `{"a":[null]}`,
	"backslashes":    `\x00 \u0000 \\`,
	"array":          `{a,"b",NULL}`,
	"spaces":         "  ",
}

// random returns a text of so many letters and digits that nothing can compress much.
func random(n int) string {
	var text strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for text.Len() < n {
		text.WriteString(strconv.FormatUint(r.Uint64(), 36))
	}
	return text.String()[:n]
}

func anyStrings(b *bench) {
	const clean = "https://a.example/"
	for name, text := range texts {
		l, err := b.store.Enroll(b.ctx, farwire.Site{
			Subject: text, BaseURL: clean + text, WebhookSecret: text, Options: farwire.SiteOptions{Format: text, Geo: text, Agent: text, Include: text, Exclude: text, Header: text, Language: text, Version: text},
		}, 1, long)
		if err != nil {
			b.Errorf("%s: %v", name, err)
			continue
		}
		want := l.Site
		want.LastError, want.Hash, want.HostedURL = text, text, text
		want.NextCrawl = b.future()
		p := page(1)
		p.URL, p.Title, p.Excerpt, p.Note, p.Section, p.ETag, p.LastModified, p.Hash = text, text, text, text, text, text, text, text
		p.Links, p.Evidence.Description, p.Evidence.Crumbs = []string{text, "", text}, text, []string{text}
		if err := b.store.Commit(b.ctx, l, farwire.RecrawlResult{Site: want, Pages: []llmstxt.Page{p}}); err != nil {
			b.Errorf("%s: %v", name, err)
			continue
		}
		if l.Site.Subject != text || l.Site.BaseURL != clean+text || l.Site.WebhookSecret != text {
			b.Errorf("%s: leased %q, %q, %q", name, l.Site.Subject, l.Site.BaseURL, l.Site.WebhookSecret)
		}
		list, err := b.store.Enrolled(b.ctx, clean+text)
		if err != nil || len(list) != 1 || !same(list[0], want) {
			b.Errorf("%s: stored %v\n%+v, want\n%+v", name, err, list, want)
		}
		if got, err := b.store.Pages(b.ctx, l.Site.ID); err != nil || !same(got, []llmstxt.Page{p}) {
			b.Errorf("%s: stored %v\n%+v, want\n%+v", name, err, got, p)
		}
		// No other text is the same subject.
		if n, err := b.store.Count(b.ctx, text); err != nil || n != 1 {
			b.Errorf("%s: %d sites, %v", name, n, err)
		}
	}
}
