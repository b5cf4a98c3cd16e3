package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/llmstxt"
)

// plain opens the database as people do.
func plain(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if name, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", name
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t testing.TB, url, query string) {
	t.Helper()
	db := plain(t, url)
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// lines returns the first column of a query's answer.
func lines(t testing.TB, url, query string) []string {
	t.Helper()
	db := plain(t, url)
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(*values[len(values)-1].(*any))) // the plan's text in SQLite is the last
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func number(t testing.TB, url, query string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(lines(t, url, query)[0], &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// enrolled enrols a site and commits its first pages. It is due again at once.
func enrolled(t testing.TB, s *sqlstore.Store, pages ...llmstxt.Page) farwire.Site {
	t.Helper()
	l, err := s.Enroll(context.Background(), farwire.Site{
		Subject: "alice", BaseURL: "https://docs.example.com/", Interval: 36 * time.Hour, Options: farwire.SiteOptions{Format: "index"},
	}, -1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.Site.NextCrawl, l.Site.Version = time.Date(2026, 1, 2, 3, 4, 5, 60000, time.UTC), l.Token
	if err := s.Commit(context.Background(), l, farwire.RecrawlResult{Site: l.Site, Pages: pages}); err != nil {
		t.Fatal(err)
	}
	return l.Site
}

// recrawled claims the one site there is and commits it again.
func recrawled(t testing.TB, s *sqlstore.Store, failure string, pages []llmstxt.Page) farwire.Lease {
	t.Helper()
	l, err := s.Claim(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.Site.NextCrawl, l.Site.LastError = l.Due.Add(time.Second), failure
	if err := s.Commit(context.Background(), l, farwire.RecrawlResult{Site: l.Site, Pages: pages}); err != nil {
		t.Fatal(err)
	}
	return l
}

// What docs/operating.md has people ask the tables works.
func readable(t *testing.T, url string) {
	s := open(t, url)
	enrolled(t, s,
		llmstxt.Page{URL: "https://docs.example.com/", Title: "Home & more", ETag: `"x"`, Links: []string{"https://docs.example.com/a?b&c", "https://docs.example.com/d"}},
		llmstxt.Page{URL: "https://docs.example.com/d", Title: "caf\xe9\x00"})
	links, format, next := "SELECT value FROM farwire_pages, json_each(links) ORDER BY value", "SELECT options ->> 'format' FROM farwire_sites",
		"SELECT datetime(next_crawl) FROM farwire_sites"
	if strings.HasPrefix(url, "postgres") {
		links = "SELECT value FROM farwire_pages, json_array_elements_text(links) AS value ORDER BY value"
		next = "SELECT to_char(next_crawl AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM farwire_sites"
	}
	for query, want := range map[string][]string{
		links:  {"https://docs.example.com/a?b&c", "https://docs.example.com/d"},
		format: {"index"},
		next:   {"2026-01-02 03:04:05"},
		"SELECT title FROM farwire_pages ORDER BY pos":                                                              {"Home & more", "caf\ufffde9\ufffd00"},
		"SELECT interval_seconds / 3600 FROM farwire_sites":                                                         {"36"},
		"SELECT base_url FROM farwire_sites WHERE subject = 'alice' AND failures = 0":                               {"https://docs.example.com/"},
		"SELECT pages FROM farwire_recrawls WHERE version = token AND error = ''":                                   {"2"},
		"SELECT p.title FROM farwire_sites s JOIN farwire_pages p ON p.site_id = s.id WHERE etag <> '' AND pos = 0": {"Home & more"},
	} {
		if got := lines(t, url, query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	late, hour := "unixepoch(committed) - unixepoch(due)", "datetime('now', '-1 hour')"
	if strings.HasPrefix(url, "postgres") {
		late, hour = "committed - due", "now() - interval '1 hour'"
	}
	for _, query := range []string{
		"SELECT subject, base_url, failures, last_error, next_crawl FROM farwire_sites WHERE failures >= 0",
		"SELECT subject, count(*), sum(pages) FROM farwire_sites GROUP BY subject ORDER BY 2 DESC",
		"SELECT site_id, due, " + late + " AS late, error FROM farwire_recrawls ORDER BY committed DESC LIMIT 20",
	} {
		if got := lines(t, url, query); len(got) != 1 {
			t.Errorf("%s: %q", query, got)
		}
	}
	execute(t, url, "UPDATE farwire_sites SET next_crawl = "+hour+" WHERE leased_until IS NULL")
	l, err := s.Claim(context.Background(), time.Hour)
	if late := l.Expiry.Sub(l.Due); err != nil || (late-2*time.Hour).Abs() > time.Minute {
		t.Errorf("claimed %+v, %v", l, err)
	}
}

// Pages that are as they were are not written.
func unchanged(t *testing.T, url string) {
	s := open(t, url)
	pages := manuals(20)
	site := enrolled(t, s, pages...)
	execute(t, url, "UPDATE farwire_pages SET title = 'as it was'")
	recrawled(t, s, "", pages)
	recrawled(t, s, "", nil)
	if n := number(t, url, "SELECT count(*) FROM farwire_pages WHERE title = 'as it was'"); n != len(pages) {
		t.Errorf("%d of %d pages were left alone", n, len(pages))
	}
	pages[7].Evidence.Description = "New"
	recrawled(t, s, "", pages)
	if n := number(t, url, "SELECT count(*) FROM farwire_pages WHERE title = 'as it was'"); n != len(pages)-1 {
		t.Errorf("%d of %d pages were left alone", n, len(pages)-1)
	}
	if got, err := s.Pages(context.Background(), site.ID); err != nil || got[7].Evidence.Description != "New" || got[7].Title != pages[7].Title {
		t.Errorf("page %+v, %v", got[7], err)
	}
}

func logLines(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	site := enrolled(t, s, manuals(3)...)
	second := recrawled(t, s, "HTTP 503", nil)
	third := recrawled(t, s, "", manuals(2))
	got, err := s.Log(ctx, site.ID, 2)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range []sqlstore.Line{
		{Token: third.Token, Due: third.Due, Committed: got[0].Committed, Version: site.Version, Pages: 2},
		{Token: second.Token, Due: second.Due, Committed: got[1].Committed, Version: site.Version, Pages: 3, Error: "HTTP 503"},
	} {
		if got[i] != want {
			t.Errorf("line %d is\n%+v, want\n%+v", i, got[i], want)
		}
		if began := third.Expiry.Add(-time.Hour); got[i].Committed.Sub(began).Abs() > time.Minute {
			t.Errorf("line %d was committed at %v, and the last claim was at %v", i, got[i].Committed, began)
		}
	}
	if got, err := s.Log(ctx, site.ID+1, 2); err != nil || len(got) != 0 {
		t.Errorf("the log of no site has %+v, %v", got, err)
	}

	// The oldest lines go.
	series := "WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < 1500)"
	execute(t, url, series+` INSERT INTO farwire_recrawls (site_id, token, due, committed, error, hash, version, pages)
		SELECT s.id, s.token - 10000 + i, s.next_crawl, s.next_crawl, '', '', 0, 0 FROM farwire_sites s, series`)
	fourth := recrawled(t, s, "", nil)
	got, err = s.Log(ctx, site.ID, 10_000)
	if err != nil || len(got) != sqlstore.LogLines || got[0].Token != fourth.Token || got[1].Token != third.Token {
		t.Errorf("%d lines, %v", len(got), err)
	}
}

func remove(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	site := enrolled(t, s, manuals(3)...)
	if list, err := s.Sites(ctx, "alice"); err != nil || len(list) != 1 || list[0].ID != site.ID {
		t.Errorf("sites %+v, %v", list, err)
	}
	l, err := s.Claim(ctx, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, site.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, site.ID); !errors.Is(err, farwire.ErrNoSite) {
		t.Errorf("removed twice: %v", err)
	}
	if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site, Pages: manuals(1)}); !errors.Is(err, farwire.ErrLeaseLost) {
		t.Errorf("committed a site that is gone: %v", err)
	}
	for _, table := range []string{"sites", "pages", "recrawls"} {
		if n := number(t, url, "SELECT count(*) FROM farwire_"+table); n != 0 {
			t.Errorf("%d rows are left of %s", n, table)
		}
	}
	if list, err := s.Sites(ctx, "alice"); err != nil || len(list) != 0 {
		t.Errorf("sites %+v, %v", list, err)
	}
	// Its file may still be hosted, with a version that the next ones pass.
	again := enrolled(t, s)
	if again.ID == site.ID || again.Version <= l.Token {
		t.Errorf("enrolled again as %+v after token %d", again, l.Token)
	}
}

// A gap between tokens would tell of a worker that has gone.
func tokens(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	site := enrolled(t, s)
	for i := range 3 {
		if l := recrawled(t, s, "", nil); l.Token != site.Version+1+uint64(i) {
			t.Errorf("token %d after %d", l.Token, site.Version+uint64(i))
		}
	}
	// A database that is new takes up where another one was.
	moved := farwire.Site{Subject: "bob", BaseURL: "https://b.example/", Version: 1 << 60}
	if l, err := s.Enroll(ctx, moved, -1, time.Hour); err != nil || l.Token != 1<<60+1 {
		t.Errorf("token %d, %v", l.Token, err)
	}
}

// The queries that are asked for every crawl find their rows by an index.
func plans(t *testing.T, url string) {
	open(t, url)
	const n = 2000
	fill(t, url, n, time.Now().Add(-n/2*time.Second))
	execute(t, url, `INSERT INTO farwire_pages (site_id, pos, digest, url, title, excerpt, etag, last_modified, links, rest)
		SELECT id, 0, subject_key, base_url, '', '', '', '', '[]', subject_key FROM farwire_sites`)
	execute(t, url, `INSERT INTO farwire_recrawls (site_id, token, due, committed, error, hash, version, pages)
		SELECT id, 1, created, created, '', '', 0, 1 FROM farwire_sites`)
	execute(t, url, "ANALYZE")
	explain, now, skip, scan := "EXPLAIN QUERY PLAN ", "'2030-01-01'", "", "SCAN"
	if strings.HasPrefix(url, "postgres") {
		explain, now, skip, scan = "EXPLAIN ", "statement_timestamp()", "FOR UPDATE SKIP LOCKED", "Seq Scan"
	}
	for query, index := range map[string]string{
		`SELECT id FROM farwire_sites WHERE next_crawl <= ` + now + ` AND (leased_until IS NULL OR leased_until <= ` + now + `)
			ORDER BY next_crawl, id LIMIT 1 ` + skip: "farwire_sites_due",
		"SELECT min(exits_key) FROM farwire_sites WHERE exits_key > 'x'":                      "farwire_sites_exits",
		"SELECT exits FROM farwire_sites WHERE exits_key = 'x' LIMIT 1":                       "farwire_sites_exits",
		"SELECT id FROM farwire_sites WHERE base_key = 'x'":                                   "farwire_sites_base",
		"SELECT count(*) FROM farwire_sites WHERE subject_key = 'x'":                          "subject_key",
		"SELECT id FROM farwire_sites WHERE subject_key = 'x' AND base_key = 'y'":             "farwire_sites",
		"SELECT url FROM farwire_pages WHERE site_id = 1 ORDER BY pos":                        "farwire_pages",
		"SELECT token FROM farwire_recrawls WHERE site_id = 1 ORDER BY token DESC LIMIT 1000": "farwire_recrawls",
	} {
		plan := strings.Join(lines(t, url, explain+query), "\n")
		if strings.HasPrefix(url, "sqlite") && index == "subject_key" {
			index = "sqlite_autoindex_farwire_sites_1"
		}
		if !strings.Contains(strings.ToLower(plan), "index") || !strings.Contains(plan, index) || strings.Contains(plan, scan+" farwire") {
			t.Errorf("%s:\n%s", query, plan)
		}
	}
}

// A site whose row another transaction has is passed over.
func lockedElsewhere(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	fill(t, url, 10, time.Now().Add(-time.Hour))
	tx, err := plain(t, url).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SELECT id FROM farwire_sites ORDER BY next_crawl LIMIT 3 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Claim(ctx, time.Hour); err != nil || l.Site.BaseURL != "https://3.example/" {
		t.Errorf("claimed %+v, %v", l, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Claim(ctx, time.Hour); err != nil || l.Site.BaseURL != "https://0.example/" {
		t.Errorf("claimed %+v, %v", l, err)
	}
}

// Times and durations that are out of any reason are kept as near as they go.
func extremes(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", Interval: math.MaxInt64, ChangeInterval: math.MinInt64}, -1, math.MaxInt64)
	if err != nil || l.Expiry.Year() < 2300 || l.Site.Interval < 290*365*24*time.Hour || l.Site.ChangeInterval > -290*365*24*time.Hour {
		t.Fatalf("leased %+v, %v", l, err)
	}
	l.Site.NextCrawl, l.Site.Version, l.Site.Failures = time.Time{}, math.MaxUint64, math.MaxInt
	l.Site.LastCrawl = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
		t.Fatal(err)
	}
	l, err = s.Claim(ctx, time.Hour)
	if err != nil || !l.Due.IsZero() || l.Site.Version != math.MaxUint64 || l.Site.Failures != math.MaxInt || l.Site.LastCrawl.Year() != 9999 {
		t.Fatalf("leased %+v, %v", l, err)
	}
	l.Site.NextCrawl = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
		t.Fatal(err)
	}
	if l, err = s.Claim(ctx, math.MinInt64); err != nil || !l.Due.IsZero() {
		t.Fatalf("leased %+v, %v", l, err)
	}
	if _, err := s.Renew(ctx, l, time.Hour); !errors.Is(err, farwire.ErrLeaseLost) {
		t.Errorf("renewed what had ended before it began: %v", err)
	}
	if at, err := s.MakeDue(ctx, l.Site.ID, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || !at.IsZero() {
		t.Errorf("due at %v, %v", at, err)
	}
	l.Token = math.MaxUint64
	if err := s.Release(ctx, l); !errors.Is(err, farwire.ErrLeaseLost) {
		t.Errorf("released with another token: %v", err)
	}
}

// A database that is restored has forgotten tokens; what docs/operating.md has
// its operator do makes up for them.
func restored(t *testing.T, url string) {
	s := open(t, url)
	enrolled(t, s)
	before := uint64(time.Now().UnixMicro())
	clock := "unixepoch() * 1000000"
	if strings.HasPrefix(url, "postgres") {
		clock = "extract(epoch FROM now()) * 1000000"
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // SQLite's is in whole seconds
	execute(t, url, "UPDATE farwire_sites SET leased_until = NULL, token = "+clock)
	if l := recrawled(t, s, "", nil); l.Token <= before {
		t.Errorf("token %d, and %d may have been given before", l.Token, before)
	}
}
