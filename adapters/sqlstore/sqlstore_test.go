package sqlstore_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/internal/services"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A database is one of the two kinds. Each URL that it gives is of a new and
// empty database.
type database struct {
	name string
	url  func(t testing.TB) string
}

// databases are both kinds; the server runs until the test ends.
func databases(t testing.TB) []database {
	server := services.Postgres(t)
	return []database{
		{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "sites.db") }},
		{"postgres", func(t testing.TB) string { return emptySchema(t, server) }},
	}
}

var schemas atomic.Int64

// emptySchema makes a schema in the server's database.
func emptySchema(t testing.TB, server *services.Server) string {
	t.Helper()
	name := fmt.Sprintf("test%d", schemas.Add(1))
	execute(t, server.URL, "CREATE SCHEMA "+name)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery += "&search_path=" + name
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
