package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
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
	if _, err := plain(t, url).Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
