package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/farwire/farwire"
)

// answerTimeout bounds a call whose context has no earlier deadline, so that a
// server that has stopped answering holds nobody for ever.
const answerTimeout = 30 * time.Second

var errAnswerTimeout = fmt.Errorf("the database has not answered for %v: %w", answerTimeout, context.DeadlineExceeded)

// busyPause is between two attempts to begin while another process writes.
const busyPause = 5 * time.Millisecond

// A Store is a [farwire.SiteStore] in a database. All methods are safe for
// concurrent use, by several processes too.
type Store struct {
	flavor *flavor
	db     *sql.DB // writes, and reads unless reads is set
	reads  *sql.DB // SQLite: readers do not wait for the writer
}

var (
	_ farwire.FittingClaimer = (*Store)(nil)
	_ farwire.SiteClock      = (*Store)(nil)
)

// A flavor is what the two databases do not have in common.
type flavor struct {
	name       string // of the folder of its migrations
	statement  func(statement) string
	args       func(query string, args []any) []any
	hasTable   string // a query that counts the tables named $1
	lockSchema string // keeps other migrations out until the transaction ends; empty: it does already
	lockID     int64  // by which migrations take turns; zero: by writing
	lockName   string // keeps other enrolments of subject $1 out; empty: as lockSchema
	lockClaims string // keeps other claims out; empty: as lockSchema
	busy       func(error) bool
	remedy     func(error) string // what a person can do about it, behind a colon or the like; empty: not known
	putPages   func(ctx context.Context, c conn, siteID int64, pages []row) error
}

// Open opens the database and brings its schema up to date. The URL is one of
//
//	postgres://user:password@host:5432/database?sslmode=verify-full
//	sqlite:/var/lib/farwire/sites.db
//
// The first takes what libpq takes, among it search_path for a schema of its
// own, and pool_max_conns (10) for how many connections there may be. The
// second makes the file, readable by its owner alone, if it is missing. No
// error of this package holds the URL's password.
//
// Programs that open the same database at the same time wait for each other's
// migrations. A schema that is newer than this program is an error, and is left
// alone. The caller closes the store.
func Open(ctx context.Context, url string) (*Store, error) {
	open := openPostgres
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "postgres", "postgresql":
	case "sqlite":
		open = openSQLite
	default:
		return nil, errors.New("sqlstore: the scheme of the database's URL is neither postgres nor sqlite")
	}
	s, err := open(url)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the store's connections. Calls that are under way may fail.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.reads != nil {
		err = errors.Join(err, s.reads.Close())
	}
	if err != nil {
		return fmt.Errorf("sqlstore: closing: %w", err)
	}
	return nil
}

// A statement is written once for both databases. Its words that begin with a
// colon differ:
//
//	:now     the clock of the lease
//	:until   the same, $1 seconds later
//	:once    the same, 2 * $1 seconds later
//	:twice   the same, 3 * $1 seconds later
//	:micros  the same, in microseconds since 1970
//	:lock    locks the rows that are read
//	:skip    locks those that nobody else has locked
//	:among   the texts of the JSON array $2
type statement string

// A conn runs statements, in a transaction or outside of one.
type conn struct {
	flavor *flavor
	on     interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (c conn) exec(ctx context.Context, q statement, args ...any) (rows int64, err error) {
	query := c.flavor.statement(q)
	result, err := c.on.ExecContext(ctx, query, c.flavor.args(query, args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c conn) row(ctx context.Context, q statement, args ...any) *sql.Row {
	query := c.flavor.statement(q)
	return c.on.QueryRowContext(ctx, query, c.flavor.args(query, args)...)
}

// each calls f for each row.
func (c conn) each(ctx context.Context, f func(scan func(...any) error) error, q statement, args ...any) error {
	query := c.flavor.statement(q)
	rows, err := c.on.QueryContext(ctx, query, c.flavor.args(query, args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs f in a transaction, which an error of f undoes.
func (s *Store) write(ctx context.Context, what string, f func(context.Context, conn) error) error {
	return s.call(ctx, what, s.transaction(f))
}

func (s *Store) transaction(f func(context.Context, conn) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := f(ctx, conn{s.flavor, tx}); err != nil {
			// The connection is no longer used if this fails too.
			_ = tx.Rollback()
			return &undone{err}
		}
		if err := tx.Commit(); err != nil {
			return &undone{err}
		}
		return nil
	}
}

// undone is an error of a transaction that had begun. It is not tried again.
type undone struct{ error }

func (e *undone) Unwrap() error { return e.error }

// read runs f, which reads, and perhaps runs it once more.
func (s *Store) read(ctx context.Context, what string, f func(context.Context, conn) error) error {
	db := s.db
	if s.reads != nil {
		db = s.reads
	}
	return s.call(ctx, what, func(ctx context.Context) error { return f(ctx, conn{s.flavor, db}) })
}

// call bounds the time of f.
func (s *Store) call(ctx context.Context, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errAnswerTimeout)
	defer cancel()
	return s.attempt(ctx, what, f)
}

// attempt waits for the writers of other processes.
func (s *Store) attempt(ctx context.Context, what string, f func(context.Context) error) error {
	for {
		err := f(ctx)
		var began *undone
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)):
			// Drivers have words of their own for a context that has ended.
			return fmt.Errorf("sqlstore: %s: %w (%v)", what, context.Cause(ctx), err)
		case ctx.Err() != nil || errors.As(err, &began) || !s.flavor.busy(err) && !errors.Is(err, errAgain):
			return fmt.Errorf("sqlstore: %s: %w%s", what, err, s.flavor.remedy(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(busyPause):
		}
	}
}
