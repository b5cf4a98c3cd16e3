package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

var (
	sqlBlock  = regexp.MustCompile("(?ms)^```sql\n(.*?)^```$")
	asSQLite  = regexp.MustCompile(`\(SQLite: (.*)\)`)
	inPlaceOf = regexp.MustCompile("write `([^`]+)` in place of `([^`]+)`")
)

// A statement of the page is below a comment that says what it is for.
type pageStatement struct{ about, sql string }

// pageStatements are those of docs/operating.md that ask or change the store's tables, as a
// database of this kind takes them.
func pageStatements(t *testing.T, sqlite bool) (all []pageStatement) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	clock := inPlaceOf.FindStringSubmatch(string(text))
	if clock == nil {
		t.Fatal("the page does not say how SQLite tells the time")
	}
	for _, block := range sqlBlock.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(block[1], "farwire_") {
			continue // of the server's users
		}
		about := ""
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if comment, ok := strings.CutPrefix(line, "-- "); ok {
				about = comment
				continue
			}
			if other := asSQLite.FindStringSubmatch(about); sqlite && other != nil {
				line = strings.ReplaceAll(line, "committed - due", other[1])
			}
			if sqlite {
				line = strings.ReplaceAll(line, clock[2], clock[1])
			}
			if kind := map[bool]string{true: "PostgreSQL", false: "SQLite"}[sqlite]; about != kind {
				all = append(all, pageStatement{about, line})
			}
		}
	}
	return all
}

// What the page has its reader run on the tables does what it says, as it is printed.
func page(t *testing.T, url string) {
	s := open(t, url)
	enrolled(t, s, llmstxt.Page{URL: "https://docs.example.com/", Title: "Home"})
	l, err := s.Claim(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.Site.Failures, l.Site.LastError, l.Site.NextCrawl = 3, "the site is gone", time.Now().Add(24*time.Hour)
	if err := s.Commit(context.Background(), l, farwire.RecrawlResult{Site: l.Site, Pages: []llmstxt.Page{{URL: l.Site.BaseURL, Title: "Home"}}}); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, statement := range pageStatements(t, strings.HasPrefix(url, "sqlite:")) {
		ran++
		query := strings.ReplaceAll(statement.sql, "id = 17", fmt.Sprint("id = ", l.Site.ID))
		switch verb, _, _ := strings.Cut(query, " "); verb {
		case "SELECT":
			if got := lines(t, url, query); len(got) == 0 {
				t.Errorf("%s: nothing comes of %s", statement.about, query)
			}
		case "UPDATE":
			before := l.Token
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // SQLite's clock has whole seconds
			execute(t, url, query)
			if strings.Contains(query, "next_crawl") {
				l = recrawled(t, s, "", nil)
				continue
			}
			execute(t, url, "UPDATE farwire_sites SET next_crawl = due FROM (SELECT min(due) AS due FROM farwire_recrawls) AS first")
			if l = recrawled(t, s, "", nil); l.Token <= before || l.Token < uint64(time.Now().Add(-time.Minute).UnixMicro()) {
				t.Errorf("%s: the next token is %d, after %d", query, l.Token, before)
			}
		case "DELETE":
			defer func() {
				execute(t, url, map[bool]string{true: "PRAGMA foreign_keys = ON; ", false: ""}[strings.HasPrefix(url, "sqlite:")]+query)
				if left := number(t, url, "SELECT (SELECT count(*) FROM farwire_sites) + (SELECT count(*) FROM farwire_pages)"); left != 0 {
					t.Errorf("%s: %d rows are left", query, left)
				}
			}()
		default:
			t.Errorf("the page has %s", query)
		}
	}
	if ran != 6 {
		t.Errorf("%d statements of the page were run", ran)
	}
}
