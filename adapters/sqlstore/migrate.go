package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"path"
)

// Each database's folder holds the same steps, 0001_… and on. A step that has
// been released is never changed.
//
//go:embed migrations
var migrations embed.FS

// migrate takes the steps that the database has not taken yet, all or none.
func (s *Store) migrate(ctx context.Context) error {
	folder := path.Join("migrations", s.flavor.name)
	steps, err := migrations.ReadDir(folder)
	if err != nil {
		return err
	}
	// Most of the time there is nothing to do, and no right to do it is needed.
	var have int
	if err := s.read(ctx, "reading the schema's version", func(ctx context.Context, c conn) (err error) {
		have, err = schemaVersion(ctx, c, len(steps))
		return err
	}); err != nil || have == len(steps) {
		return err
	}
	// A large table, or another program at it, takes the time it takes.
	return s.attempt(ctx, "migrating the schema", s.transaction(func(ctx context.Context, c conn) error {
		if s.flavor.lockSchema != "" {
			if _, err := c.exec(ctx, statement(s.flavor.lockSchema)); err != nil {
				return err
			}
		}
		have, err := schemaVersion(ctx, c, len(steps))
		if err != nil {
			return err
		}
		if have == 0 {
			const table = `CREATE TABLE IF NOT EXISTS farwire_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)`
			if _, err := c.exec(ctx, table); err != nil {
				return err
			}
		}
		for i, step := range steps[have:] {
			text, err := migrations.ReadFile(path.Join(folder, step.Name()))
			if err != nil {
				return err
			}
			if _, err := c.on.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", step.Name(), err)
			}
			if _, err := c.exec(ctx, `INSERT INTO farwire_migrations (version, name) VALUES ($1, $2)`, have+i+1, step.Name()); err != nil {
				return err
			}
		}
		return nil
	}))
}

// schemaVersion returns how many steps the database has taken. More than known
// is an error.
func schemaVersion(ctx context.Context, c conn, known int) (have int, err error) {
	if err := c.row(ctx, statement(c.flavor.hasTable), "farwire_migrations").Scan(&have); err != nil || have == 0 {
		return 0, err
	}
	if err := c.row(ctx, `SELECT coalesce(max(version), 0) FROM farwire_migrations`).Scan(&have); err != nil {
		return 0, err
	}
	if have > known {
		return 0, fmt.Errorf("the schema has version %d and this program knows %d: a newer program has been here", have, known)
	}
	return have, nil
}
