package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/llmstxt"
)

// openSites is PostgreSQL if there is a URL of one, else SQLite in the data
// folder.
func (v *services) openSites(ctx context.Context, dataDir string, log *slog.Logger) error {
	address, err := serviceVariable("DATABASE_URL")
	if err != nil {
		return err
	}
	if address == "" {
		file := filepath.Join(dataDir, "sites.db")
		store, err := sqlstore.Open(ctx, "sqlite:"+file)
		if err != nil {
			return misusef("--data-dir: cannot keep sites in %s: %s", file, strings.TrimPrefix(err.Error(), "sqlstore: "))
		}
		v.sites = store
		v.use("sites in SQLite at "+file, store.Close)
		return nil
	}
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return misuse("DATABASE_URL: not an address of PostgreSQL; write it as postgres://user:password@host:5432/database, or leave it out for SQLite in --data-dir")
	}
	sites := newReopeningSites(address)
	v.sites = sites
	v.use("sites in PostgreSQL at "+hostOf(address), sites.close)
	v.checks = append(v.checks, func(ctx context.Context) error {
		switch _, err := sites.store(ctx); {
		case err == nil:
			return nil
		case isUnavailable(err):
			log.Warn("the database cannot be reached yet; sites are enrolled and crawled again as soon as it can", "err", err)
			return nil
		default:
			return misuse("DATABASE_URL: " + strings.TrimPrefix(err.Error(), "sqlstore: "))
		}
	})
	return nil
}

// isUnavailable reports whether an error of opening a database is that of one that may
// be back later, and not its answer.
func isUnavailable(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		switch answer.Code[:2] {
		case "08", "53", "57": // connections, resources, an operator at work
			return true
		}
		return false
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) || strings.Contains(err.Error(), "server refused TLS") {
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// reopeningSites are the sites of a database that need not be there when the gateway
// starts. Until it is, whatever is asked of them is an error, and a reason to
// try again.
type reopeningSites struct {
	address string
	turn    chan struct{} // holds one token: who has it may look at the rest
	opened  *sqlstore.Store
	tried   time.Time
	failed  error
}

// openPause is between two tries to open the database.
const openPause = time.Second

func newReopeningSites(address string) *reopeningSites {
	l := &reopeningSites{address: address, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// store returns the store, opened if that works now.
func (l *reopeningSites) store(ctx context.Context) (*sqlstore.Store, error) {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("the database is not open yet: %w", context.Cause(ctx))
	}
	if l.opened != nil {
		return l.opened, nil
	}
	if l.failed != nil && time.Since(l.tried) < openPause {
		return nil, l.failed
	}
	try, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	store, err := sqlstore.Open(try, l.address)
	switch {
	case err == nil:
		l.opened, l.failed = store, nil
	case ctx.Err() == nil: // else this says nothing to others
		l.failed, l.tried = err, time.Now()
	}
	return store, err
}

func (l *reopeningSites) close() error {
	<-l.turn
	if l.opened == nil {
		return nil
	}
	return l.opened.Close()
}

func (l *reopeningSites) Enroll(ctx context.Context, site farwire.Site, most int, d time.Duration) (farwire.Lease, error) {
	s, err := l.store(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	return s.Enroll(ctx, site, most, d)
}

func (l *reopeningSites) Enrolled(ctx context.Context, baseURL string) ([]farwire.Site, error) {
	s, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	return s.Enrolled(ctx, baseURL)
}

func (l *reopeningSites) Count(ctx context.Context, subject string) (int, error) {
	s, err := l.store(ctx)
	if err != nil {
		return 0, err
	}
	return s.Count(ctx, subject)
}

func (l *reopeningSites) Sites(ctx context.Context, subject string) ([]farwire.Site, error) {
	s, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	return s.Sites(ctx, subject)
}

func (l *reopeningSites) Remove(ctx context.Context, id int64) error {
	s, err := l.store(ctx)
	if err != nil {
		return err
	}
	return s.Remove(ctx, id)
}

func (l *reopeningSites) Now(ctx context.Context) (time.Time, error) {
	s, err := l.store(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return s.Now(ctx)
}

func (l *reopeningSites) MakeDue(ctx context.Context, id int64, at time.Time) (time.Time, error) {
	s, err := l.store(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return s.MakeDue(ctx, id, at)
}

func (l *reopeningSites) Secret(ctx context.Context, name string) ([]byte, error) {
	s, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	return s.Secret(ctx, name)
}

func (l *reopeningSites) Claim(ctx context.Context, d time.Duration) (farwire.Lease, error) {
	s, err := l.store(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	return s.Claim(ctx, d)
}

func (l *reopeningSites) ClaimFitting(ctx context.Context, d time.Duration, fits func(geo, agent string) bool) (farwire.Lease, error) {
	s, err := l.store(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	return s.ClaimFitting(ctx, d, fits)
}

func (l *reopeningSites) Renew(ctx context.Context, lease farwire.Lease, d time.Duration) (farwire.Lease, error) {
	s, err := l.store(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	return s.Renew(ctx, lease, d)
}

func (l *reopeningSites) Release(ctx context.Context, lease farwire.Lease) error {
	s, err := l.store(ctx)
	if err != nil {
		return err
	}
	return s.Release(ctx, lease)
}

func (l *reopeningSites) Pages(ctx context.Context, siteID int64) ([]llmstxt.Page, error) {
	s, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	return s.Pages(ctx, siteID)
}

func (l *reopeningSites) Commit(ctx context.Context, lease farwire.Lease, r farwire.RecrawlResult) error {
	s, err := l.store(ctx)
	if err != nil {
		return err
	}
	return s.Commit(ctx, lease, r)
}
