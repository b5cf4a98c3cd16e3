package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"github.com/farwire/farwire"
)

var _ farwire.SecretKeeper = (*Store)(nil)

// Secret implements [farwire.SecretKeeper]. A reader of the database knows it.
func (s *Store) Secret(ctx context.Context, name string) (secret []byte, err error) {
	fresh := make([]byte, sha256.Size)
	rand.Read(fresh) // never fails
	err = s.write(ctx, "keeping a secret", func(ctx context.Context, c conn) error {
		if _, err := c.exec(ctx, `INSERT INTO farwire_secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return c.row(ctx, `SELECT value FROM farwire_secrets WHERE name = $1`, name).Scan(&secret)
	})
	return secret, err
}
