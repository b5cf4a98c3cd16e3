package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/llmstxt"
)

// manySites is how many sites the benchmarks have.
const manySites = 100_000

// fill enrols n sites: site i is due i seconds after the time given.
func fill(t testing.TB, url string, n int, first time.Time) {
	t.Helper()
	series, due, key := "WITH RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i + 1 < %d)",
		"strftime('%%Y-%%m-%%d %%H:%%M:%%f000Z', '%s', i || ' seconds')", "CAST('key' || i AS BLOB)"
	if strings.HasPrefix(url, "postgres") {
		series, due, key = "WITH series AS (SELECT generate_series(0, %d - 1) AS i)",
			"TIMESTAMPTZ '%s' + make_interval(secs => i)", "decode(md5(i::text), 'hex')"
	}
	execute(t, url, fmt.Sprintf(series, n)+`
		INSERT INTO farwire_sites (subject, base_url, options, interval_seconds, webhook_secret, created, next_crawl, failures,
			last_error, hash, version, hosted_url, change_interval_seconds, token, subject_key, base_key)
		SELECT 'subject' || (i % 1000), 'https://' || i || '.example/', '{}', 86400, 'secret', '2026-01-01 00:00:00.000000Z',
			`+fmt.Sprintf(due, first.UTC().Format("2006-01-02 15:04:05.000000Z"))+`, 0,
			'', '', 0, '', 0, 1, `+key+", "+key+` FROM series`)
	execute(t, url, "ANALYZE")
}

// BenchmarkClaim is of claims among 100 000 sites: of one that is due while the
// others are too; while a thousand others are leased; and of none, while nobody
// is due, which is what idle workers ask for.
func BenchmarkClaim(b *testing.B) {
	ctx := context.Background()
	for _, d := range databases(b) {
		claim := func(b *testing.B, s *sqlstore.Store) {
			l, err := s.Claim(ctx, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Release(ctx, l); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(d.name+"/due", func(b *testing.B) {
			url := d.url(b)
			s := open(b, url)
			fill(b, url, manySites, time.Now().Add(-manySites*time.Second))
			for b.Loop() {
				claim(b, s)
			}
		})
		b.Run(d.name+"/leased", func(b *testing.B) {
			url := d.url(b)
			s := open(b, url)
			fill(b, url, manySites, time.Now().Add(-manySites*time.Second))
			for range 1000 {
				if _, err := s.Claim(ctx, time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				claim(b, s)
			}
		})
		b.Run(d.name+"/none", func(b *testing.B) {
			url := d.url(b)
			s := open(b, url)
			fill(b, url, manySites, time.Now().Add(time.Hour))
			for b.Loop() {
				if _, err := s.Claim(ctx, time.Hour); !errors.Is(err, farwire.ErrNoSite) {
					b.Fatal(err)
				}
			}
		})
		b.Run(d.name+"/workers", func(b *testing.B) {
			url := d.url(b)
			s := open(b, url)
			fill(b, url, manySites, time.Now().Add(-manySites*time.Second))
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l, err := s.Claim(ctx, time.Hour)
					if err != nil {
						b.Error(err)
						return
					}
					l.Site.NextCrawl = l.Due.Add(manySites * time.Second)
					if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// manuals are n pages as a crawl of technical documentation leaves them.
func manuals(n int) []llmstxt.Page {
	pages := make([]llmstxt.Page, n)
	for i := range pages {
		url := fmt.Sprintf("https://docs.example.com/library/module-%d.html", i)
		p := &pages[i]
		*p = llmstxt.Page{URL: url, Title: fmt.Sprintf("module %d", i), Note: "Read and write module files.", Section: "Library", Depth: 2,
			ETag: fmt.Sprintf(`"%x-61d"`, i*7919), LastModified: "Thu, 29 Feb 2024 12:00:00 GMT", Hash: fmt.Sprintf("%064x", i*104729)}
		for k := range 12 {
			p.Excerpt += fmt.Sprintf("Sentence %d of page %d says what the module is for. ", k, i)
		}
		for k := range 80 {
			p.Links = append(p.Links, fmt.Sprintf("https://docs.example.com/library/module-%d.html", (i*k+k)%1000))
		}
		p.Evidence = llmstxt.Evidence{Version: 1, Need: 500, Title: p.Title + " — Documentation", Description: p.Excerpt, Crumbs: []string{"Docs", "Library"}}
	}
	return pages
}

// BenchmarkCommit is of a site of 1000 pages: all of them new, one of them
// changed, none of them changed, and none of them given.
func BenchmarkCommit(b *testing.B) {
	ctx := context.Background()
	for _, d := range databases(b) {
		s := open(b, d.url(b))
		l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/"}, -1, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		pages := manuals(1000)
		commit := func(b testing.TB, pages []llmstxt.Page) {
			outcome := l.Site
			outcome.NextCrawl = time.Now()
			if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: outcome, Pages: pages}); err != nil {
				b.Fatal(err)
			}
			if l, err = s.Claim(ctx, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
		commit(b, pages)
		n := 0
		b.Run(d.name+"/new", func(b *testing.B) {
			for b.Loop() {
				n++
				for i := range pages {
					pages[i].Depth = n
				}
				commit(b, pages)
			}
		})
		b.Run(d.name+"/one", func(b *testing.B) {
			for b.Loop() {
				n++
				pages[500].Depth = n
				commit(b, pages)
			}
		})
		b.Run(d.name+"/same", func(b *testing.B) {
			for b.Loop() {
				commit(b, pages)
			}
		})
		b.Run(d.name+"/nil", func(b *testing.B) {
			for b.Loop() {
				commit(b, nil)
			}
		})
		b.Run(d.name+"/read", func(b *testing.B) {
			for b.Loop() {
				if got, err := s.Pages(ctx, l.Site.ID); err != nil || len(got) != len(pages) {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
