package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres has the server's clock as it was when the statement came in: an
// index does not help to find what is later than a clock that goes on.
var postgres = &flavor{
	name: "postgres",
	statement: replacer(
		":now", "statement_timestamp()",
		":until", "(statement_timestamp() + make_interval(secs => $1))",
		":micros", "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)",
		":once", "(statement_timestamp() + make_interval(secs => $1) * 2)",
		":twice", "(statement_timestamp() + make_interval(secs => $1) * 3)",
		":lock", "FOR UPDATE",
		":skip", "FOR UPDATE OF s SKIP LOCKED",
		":among", "(SELECT json_array_elements_text(CAST($2 AS json)))",
	),
	args:       func(_ string, args []any) []any { return args },
	hasTable:   `SELECT count(*) FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid)`,
	lockSchema: `SELECT pg_advisory_xact_lock(6103541921)`,
	lockID:     6103541922,
	lockClaims: `SELECT pg_advisory_xact_lock(6103541923)`,
	lockName:   `SELECT pg_advisory_xact_lock(610354192, hashtext($1))`,
	busy:       func(error) bool { return false },
	remedy:     func(error) string { return "" },
	putPages:   putPagesPostgres,
}

func replacer(words ...string) func(statement) string {
	r := strings.NewReplacer(words...)
	return func(q statement) string { return r.Replace(string(q)) }
}

// serverLimits are what a session asks of the server, unless the URL says
// otherwise. A worker that is stopped in the middle of a transaction, or whose
// machine is gone, holds the lock of its site until the last of them ends it:
// for no longer than the shortest lease, or nobody could take the site when the
// lease is over.
var serverLimits = map[string]string{
	"application_name":                    "farwire",
	"statement_timeout":                   "30s",
	"idle_in_transaction_session_timeout": "1s",
}

func openPostgres(raw string) (*Store, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error quotes what it could not read, and that may be the password.
		return nil, errors.New("the database's URL cannot be parsed; special characters of a password are percent-encoded")
	}
	query := u.Query()
	conns := 10
	if text := query.Get("pool_max_conns"); text != "" {
		if conns, err = strconv.Atoi(text); err != nil || conns < 1 {
			return nil, errors.New("the database's URL: pool_max_conns is not a number above 0")
		}
		query.Del("pool_max_conns")
		u.RawQuery = query.Encode()
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("the database's URL: %s", withoutSecrets(err, u))
	}
	for name, value := range serverLimits {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	// A connection that a restart of the server has cut is to be noticed before
	// it is used: afterwards it is a crawl's outcome that fails.
	ping := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return true })
	db := stdlib.OpenDB(*config, ping)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return &Store{flavor: postgres, db: db}, nil
}

// withoutSecrets returns what went wrong with the URL, without the passwords
// that are in it.
func withoutSecrets(err error, u *url.URL) string {
	text := err.Error()
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		text = inner.Error() // the outer one quotes the URL
	}
	password, _ := u.User.Password()
	for _, secret := range []string{password, u.Query().Get("password"), u.Query().Get("sslpassword")} {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "xxxxx")
			}
		}
	}
	return text
}

// putPagesPostgres sends all pages in one statement, as columns.
func putPagesPostgres(ctx context.Context, c conn, siteID int64, rows []row) error {
	n := len(rows)
	pos, rest, digest := make([]int64, n), make([][]byte, n), make([][]byte, n)
	texts := make([][]string, 6)
	for i := range texts {
		texts[i] = make([]string, n)
	}
	for i, r := range rows {
		pos[i], rest[i], digest[i] = r.pos, r.rest, r.digest
		for j, text := range r.texts() {
			texts[j][i] = text
		}
	}
	_, err := c.exec(ctx, `
		INSERT INTO farwire_pages (site_id, pos, url, title, excerpt, etag, last_modified, links, rest, digest)
		SELECT $1, pos, url, title, excerpt, etag, last_modified, links, rest, digest
		FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[], $9::bytea[], $10::bytea[])
			AS page (pos, url, title, excerpt, etag, last_modified, links, rest, digest)
		ON CONFLICT (site_id, pos) DO UPDATE SET
			url = excluded.url, title = excluded.title, excerpt = excluded.excerpt, etag = excluded.etag,
			last_modified = excluded.last_modified, links = excluded.links, rest = excluded.rest, digest = excluded.digest`,
		siteID, pos, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], rest, digest)
	return err
}
