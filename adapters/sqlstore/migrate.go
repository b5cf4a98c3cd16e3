package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// Each database's folder holds the same steps, 0001_… and on. A step that has
// been released is never changed.
//
//go:embed migrations
var migrations embed.FS

// migrate takes the steps that the database has not taken yet, each whole or
// not at all.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := fs.Sub(migrations, path.Join("migrations", s.flavor.name))
	if err != nil {
		return err
	}
	names, err := fs.Glob(steps, "*.sql")
	if err != nil {
		return err
	}
	// Most of the time there is nothing to do, and no right to do it is needed.
	have, err := s.schemaVersion(ctx, len(names))
	if err != nil || have == len(names) {
		return err
	}
	// Older programs have made this table without goose, and take part with it.
	if err := s.write(ctx, "migrating the schema", func(ctx context.Context, c conn) error {
		if s.flavor.lockSchema != "" {
			if _, err := c.exec(ctx, statement(s.flavor.lockSchema)); err != nil {
				return err
			}
		}
		if _, err := c.exec(ctx, `CREATE TABLE IF NOT EXISTS farwire_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)`); err != nil {
			return err
		}
		_, err := c.exec(ctx, `INSERT INTO farwire_migrations (version, name) VALUES (0, 'goose') ON CONFLICT DO NOTHING`)
		return err
	}); err != nil {
		return err
	}
	o := []goose.ProviderOption{goose.WithStore(versions{s.flavor}), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if s.flavor.lockID != 0 {
		// A large table, or another program at it, takes the time it takes.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(s.flavor.lockID), lock.WithLockTimeout(1, 3600))
		if err != nil {
			return err
		}
		o = append(o, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider("", s.db, steps, o...)
	if err != nil {
		return fmt.Errorf("sqlstore: migrating the schema: %w", err)
	}
	return s.attempt(ctx, "migrating the schema", func(ctx context.Context) error {
		_, err := provider.Up(ctx)
		if err == nil {
			return nil
		}
		// Where there is no lock another program may have taken the same step.
		now, other := s.schemaVersion(ctx, len(names))
		switch {
		case other != nil:
			return errors.Join(err, other)
		case now == len(names):
			return nil
		case now > have:
			have = now
			return errAgain
		}
		return err
	})
}

// errAgain has attempt try again.
var errAgain = errors.New("another program is migrating")

// schemaVersion returns how many steps the database has taken. More than known
// is an error.
func (s *Store) schemaVersion(ctx context.Context, known int) (have int, err error) {
	err = s.read(ctx, "reading the schema's version", func(ctx context.Context, c conn) error {
		if err := c.row(ctx, statement(c.flavor.hasTable), versions{}.Tablename()).Scan(&have); err != nil || have == 0 {
			return err
		}
		if err := c.row(ctx, `SELECT coalesce(max(version), 0) FROM farwire_migrations`).Scan(&have); err != nil {
			return err
		}
		if have > known {
			return fmt.Errorf("the schema has version %d and this program knows %d: a newer program has been here; run that version or a later one", have, known)
		}
		return nil
	})
	return have, err
}

// versions is goose's store of versions in the table that this package has
// always had.
type versions struct{ flavor *flavor }

var _ database.StoreExtender = versions{}

// Tablename implements [database.Store].
func (versions) Tablename() string { return "farwire_migrations" }

// TableExists implements [database.StoreExtender]: migrate has made it.
func (versions) TableExists(context.Context, database.DBTxConn) (bool, error) { return true, nil }

// CreateVersionTable implements [database.Store].
func (versions) CreateVersionTable(context.Context, database.DBTxConn) error {
	return database.ErrNotImplemented
}

// Insert implements [database.Store].
func (versions) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	_, err := db.ExecContext(ctx, `INSERT INTO farwire_migrations (version, name) VALUES ($1, $2)`, r.Version, fmt.Sprintf("%04d", r.Version))
	return err
}

// Delete implements [database.Store].
func (versions) Delete(ctx context.Context, db database.DBTxConn, version int64) error {
	_, err := db.ExecContext(ctx, `DELETE FROM farwire_migrations WHERE version = $1`, version)
	return err
}

// GetMigration implements [database.Store].
func (versions) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	err := db.QueryRowContext(ctx, `SELECT version FROM farwire_migrations WHERE version = $1`, version).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, database.ErrVersionNotFound
	}
	return &database.GetMigrationResult{IsApplied: true}, err
}

// GetLatestVersion implements [database.Store].
func (versions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (version int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version), -1) FROM farwire_migrations`).Scan(&version)
	if err == nil && version < 0 {
		err = database.ErrVersionNotFound
	}
	return version, err
}

// ListMigrations implements [database.Store].
func (v versions) ListMigrations(ctx context.Context, db database.DBTxConn) (list []*database.ListMigrationsResult, err error) {
	err = conn{v.flavor, db}.each(ctx, func(scan func(...any) error) error {
		m := &database.ListMigrationsResult{IsApplied: true}
		list = append(list, m)
		return scan(&m.Version)
	}, `SELECT version FROM farwire_migrations ORDER BY version DESC`)
	return list, err
}
