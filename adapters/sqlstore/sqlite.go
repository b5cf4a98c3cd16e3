package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFlavor has this process's clock. Its transactions take the one lock
// that writers have when they begin, which is why there are no others.
var sqliteFlavor = &flavor{
	name: "sqlite",
	statement: replacer(
		":micros", "CAST(unixepoch(:now, 'subsec') * 1000000 AS INTEGER)",
		":lock", "",
		":skip", "",
		":among", "(SELECT value FROM json_each($2))",
	),
	args: func(query string, args []any) []any {
		now := time.Now()
		if strings.Contains(query, ":now") {
			args = append(args, sql.Named("now", stamp(now)))
		}
		for n, name := range []string{"until", "once", "twice"} {
			if strings.Contains(query, ":"+name) {
				args = append(args, sql.Named(name, stamp(now.Add(duration(float64(n+1)*args[0].(float64))))))
			}
		}
		return args
	},
	hasTable: `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1`,
	busy: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
	},
	remedy:   remedySQLite,
	putPages: putPagesSQLite,
}

// remedySQLite is for what SQLite says in few words, or in wrong ones: that the file that its
// processes share cannot grow is a full disk, too.
func remedySQLite(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code() {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE:
		return "; make room on its disk"
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return "; restore the file from a backup, or move it away to begin without sites"
	}
	return ""
}

// writerWait is how long SQLite waits for another process's transaction before
// it says so and the context is looked at.
const writerWait = 100 * time.Millisecond

func openSQLite(raw string) (*Store, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(raw, "sqlite:"), "//")
	if name == "" || strings.HasPrefix(name, ":memory:") {
		return nil, errors.New("the database's URL names no file: sqlite:PATH")
	}
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	// SQLite would make it readable to all, and secrets of webhooks are in it.
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	db, err := openFile(name, "&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	// Writers queue here, in their order, instead of asking for the lock.
	db.SetMaxOpenConns(1)
	reads, err := openFile(name, "&_query_only=1")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	reads.SetMaxOpenConns(4)
	reads.SetMaxIdleConns(4)
	return &Store{flavor: sqliteFlavor, db: db, reads: reads}, nil
}

func openFile(name, more string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(name)}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path // C:/…
	}
	u.RawQuery = fmt.Sprintf("_busy_timeout=%d&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_dqs=0", writerWait.Milliseconds()) + more
	return sql.Open("sqlite", u.String())
}

func putPagesSQLite(ctx context.Context, c conn, siteID int64, rows []row) error {
	put, err := c.on.(*sql.Tx).PrepareContext(ctx, `
		INSERT INTO farwire_pages (site_id, pos, url, title, excerpt, etag, last_modified, links, rest, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (site_id, pos) DO UPDATE SET
			url = excluded.url, title = excluded.title, excerpt = excluded.excerpt, etag = excluded.etag,
			last_modified = excluded.last_modified, links = excluded.links, rest = excluded.rest, digest = excluded.digest`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, r := range rows {
		args := []any{siteID, r.pos}
		for _, text := range r.texts() {
			args = append(args, text)
		}
		if _, err := put.ExecContext(ctx, append(args, r.rest, r.digest)...); err != nil {
			return err
		}
	}
	return nil
}
