package sqlstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/llmstxt"
)

// A commit of which any statement fails says so, changes nothing, and can be made again.
func TestSQLite_CommitFails_NothingHasChanged(t *testing.T) {
	url := databaseFile(t)
	s := open(t, url)
	enrolled(t, s, llmstxt.Page{URL: "1"}, llmstxt.Page{URL: "2"}, llmstxt.Page{URL: "3"})
	execute(t, url, `INSERT INTO farwire_recrawls (site_id, token, due, committed, error, hash, version, pages)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		SELECT site_id, token - i, due, committed, error, hash, version, pages FROM farwire_recrawls, n`)
	l, err := s.Claim(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.Site.Hash = "another"
	result := farwire.RecrawlResult{Site: l.Site, Pages: []llmstxt.Page{{URL: "1"}, {URL: "two"}}}
	all := func() []string {
		return slices.Concat(lines(t, url, "SELECT hash || leased_until || pages FROM farwire_sites"),
			lines(t, url, "SELECT token FROM farwire_recrawls ORDER BY token"), lines(t, url, "SELECT url FROM farwire_pages ORDER BY pos"))
	}
	before := all()
	for _, statement := range []string{
		"UPDATE ON farwire_sites", "INSERT ON farwire_recrawls", "DELETE ON farwire_recrawls", "INSERT ON farwire_pages", "DELETE ON farwire_pages",
	} {
		execute(t, url, "CREATE TRIGGER fails BEFORE "+statement+" BEGIN SELECT RAISE(ABORT, 'it fails'); END")
		if err := s.Commit(t.Context(), l, result); err == nil || !strings.Contains(err.Error(), "it fails") {
			t.Errorf("%s: %v", statement, err)
		}
		execute(t, url, "DROP TRIGGER fails")
		if now := all(); !slices.Equal(now, before) {
			t.Errorf("%s: something has changed", statement)
		}
	}
	if err := s.Commit(t.Context(), l, result); err != nil {
		t.Fatal(err)
	}
	got, err := s.Pages(t.Context(), l.Site.ID)
	if err != nil || len(got) != 2 || got[1].URL != "two" {
		t.Errorf("%+v, %v", got, err)
	}
	if n := number(t, url, "SELECT count(*) FROM farwire_recrawls"); n != sqlstore.LogLines {
		t.Errorf("%d lines of the log, want %d", n, sqlstore.LogLines)
	}
}
