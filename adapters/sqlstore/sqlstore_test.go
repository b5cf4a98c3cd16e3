package sqlstore_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/sitetest"
)

// A database is one of the two kinds. Each URL that it gives is of a new and
// empty database.
type database struct {
	name string
	url  func(t testing.TB) string
}

// databases are both kinds; the server runs until the test ends.
func databases(t testing.TB) []database {
	server := harness.Postgres(t)
	return []database{
		{"sqlite", databaseFile},
		{"postgres", func(t testing.TB) string { return emptySchema(t, server) }},
	}
}

func databaseFile(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "sites.db")
}

var schemas atomic.Int64

// emptySchema makes a schema in the server's database. On a busy machine, and while a
// worker is stopped, a transaction waits for its process longer than the store lets it.
func emptySchema(t testing.TB, server *harness.Server) string {
	t.Helper()
	name := fmt.Sprintf("test%d", schemas.Add(1))
	execute(t, server.URL, "CREATE SCHEMA "+name)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery += "&idle_in_transaction_session_timeout=10s&search_path=" + name
	return u.String()
}

func open(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore_EachDatabase_PassesTheSuite(t *testing.T) {
	for _, d := range databases(t) {
		t.Run(d.name, func(t *testing.T) {
			t.Run("Conformance", func(t *testing.T) {
				sitetest.Run(t, func(t *testing.T) sitetest.Open {
					url := d.url(t)
					return func(t *testing.T) farwire.SiteStore { return open(t, url) }
				})
			})
			tests := map[string]func(*testing.T, string){
				"OpenTogether": openTogether, "OpenAgain": openAgain, "OpenNewer": openNewer, "OpenOlder": openOlder,
				"Secrets": secrets, "Readable": readable, "Page": page, "Unchanged": unchanged, "Moved": moved, "Log": logLines, "Remove": remove, "Tokens": tokens,
				"Extremes": extremes, "Restored": restored, "Plans": plans, "Processes": processes,
			}
			if d.name == "postgres" { // SQLite has one lock for all
				tests["LockedElsewhere"], tests["ClaimedTogether"] = lockedElsewhere, claimedTogether
				tests["URLOptions"] = urlOptions
			}
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, d.url(t)) })
			}
		})
	}
}
