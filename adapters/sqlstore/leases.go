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

// scanLease reads the token, the end of the lease and siteColumns.
func scanLease(r *sql.Row, l *farwire.Lease) error {
	var token int64
	var expiry time.Time
	var site farwire.Site
	scan := func(columns ...any) error {
		return r.Scan(append([]any{&token, moment{&expiry}}, columns...)...)
	}
	if err := scanSite(scan, &site); err != nil {
		return err
	}
	site.Leased = false // to others, who ask for it
	*l = farwire.Lease{Site: site, Token: uint64(token), Due: site.NextCrawl, Expiry: expiry}
	return nil
}

// Claim implements [farwire.SiteStore].
func (s *Store) Claim(ctx context.Context, d time.Duration) (farwire.Lease, error) {
	return s.claim(ctx, d, "")
}

// ClaimFitting implements [farwire.FittingClaimer]. It asks first for all the different
// exits that sites ask for: there are far fewer than sites. A | in a geo, which no country
// has, is replaced by a ?.
func (s *Store) ClaimFitting(ctx context.Context, d time.Duration, fits func(geo, agent string) bool) (farwire.Lease, error) {
	var fitting []string // their keys
	err := s.read(ctx, "reading the exits of sites", func(ctx context.Context, c conn) error {
		fitting = nil
		return c.each(ctx, func(scan func(...any) error) error {
			var key, exits string
			if err := scan(&key, &exits); err != nil {
				return err
			}
			if geo, agent, _ := strings.Cut(exits, "|"); fits(unescape(geo), unescape(agent)) {
				fitting = append(fitting, key)
			}
			return nil
		}, `
			WITH RECURSIVE different (exits_key) AS (
				SELECT min(exits_key) FROM farwire_sites
				UNION ALL
				SELECT (SELECT min(s.exits_key) FROM farwire_sites s WHERE s.exits_key > different.exits_key)
				FROM different WHERE different.exits_key IS NOT NULL)
			SELECT exits_key, (SELECT s.exits FROM farwire_sites s WHERE s.exits_key = different.exits_key LIMIT 1)
			FROM different WHERE exits_key IS NOT NULL`)
	})
	if err == nil && len(fitting) == 0 {
		err = farwire.ErrNoSite
	}
	if err != nil {
		return farwire.Lease{}, err
	}
	among, err := marshal(fitting)
	if err != nil {
		return farwire.Lease{}, fmt.Errorf("sqlstore: claiming a site: %w", err)
	}
	return s.claim(ctx, d, ` AND exits_key IN :among`, string(among))
}

// claim leases one of the sites for which more holds, a condition on the arguments from
// $2 on.
func (s *Store) claim(ctx context.Context, d time.Duration, more statement, args ...any) (farwire.Lease, error) {
	var l farwire.Lease
	err := s.write(ctx, "claiming a site", func(ctx context.Context, c conn) error {
		// Two claims at once would not see whose sites the other takes.
		if c.flavor.lockClaims != "" {
			if _, err := c.exec(ctx, statement(c.flavor.lockClaims)); err != nil {
				return err
			}
		}
		// What was wanted by now is what this crawl is for.
		err := scanLease(c.row(ctx, `
			UPDATE farwire_sites
			SET token = token + 1, leased_until = :until,
				free_again = CASE WHEN lost > 0 OR leased_until IS NOT NULL THEN :twice ELSE :once END,
				failures = `+lostFailures+`, last_error = `+lostError+`,
				lost = lost + CASE WHEN leased_until IS NULL THEN 0 ELSE 1 END,
				called = coalesce(called, FALSE) OR coalesce(wanted <= :now, FALSE),
				wanted = CASE WHEN wanted > :now THEN wanted END
			WHERE id = (
				SELECT s.id FROM farwire_sites s
				LEFT JOIN (
					SELECT subject_key, count(*) AS workers FROM farwire_sites
					WHERE leased_until > :now GROUP BY subject_key
				) busy ON busy.subject_key = s.subject_key
				LEFT JOIN farwire_turns turn ON turn.subject_key = s.subject_key
				WHERE next_crawl <= :now AND NOT resting AND (leased_until IS NULL OR lost < 2 AND leased_until <= :now AND coalesce(free_again, leased_until) <= :now)`+more+`
				ORDER BY coalesce(workers, 0), claimed NULLS FIRST, next_crawl, id LIMIT 1 :skip)
			RETURNING token, leased_until, `+siteColumns, append([]any{seconds(d)}, args...)...), &l)
		if errors.Is(err, sql.ErrNoRows) {
			return farwire.ErrNoSite
		}
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `
			INSERT INTO farwire_turns (subject_key, claimed) SELECT subject_key, :now FROM farwire_sites WHERE id = $1
			ON CONFLICT (subject_key) DO UPDATE SET claimed = excluded.claimed`, l.Site.ID)
		return err
	})
	return l, err
}

// Renew implements [farwire.SiteStore].
func (s *Store) Renew(ctx context.Context, l farwire.Lease, d time.Duration) (farwire.Lease, error) {
	err := s.write(ctx, "renewing a lease", func(ctx context.Context, c conn) error {
		return held(c.row(ctx, `
			UPDATE farwire_sites SET leased_until = :until, free_again = CASE WHEN lost > 0 THEN :twice ELSE :once END
			WHERE id = $2 AND token = $3 AND leased_until > :now
			RETURNING leased_until`, seconds(d), l.Site.ID, int64(l.Token)).Scan(moment{&l.Expiry}))
	})
	return l, err
}

// held says that no row means that the lease is lost.
func held(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return farwire.ErrLeaseLost
	}
	return err
}

// Release implements [farwire.SiteStore].
func (s *Store) Release(ctx context.Context, l farwire.Lease) error {
	return s.write(ctx, "releasing a site", func(ctx context.Context, c conn) error {
		var id int64
		return held(c.row(ctx, `
			UPDATE farwire_sites SET leased_until = NULL
			WHERE id = $1 AND token = $2 AND leased_until > :now
			RETURNING id`, l.Site.ID, int64(l.Token)).Scan(&id))
	})
}

// Commit implements [farwire.SiteStore]. It leaves a line in the site's log,
// see [Store.Log]. Only pages that differ from the stored ones are written.
func (s *Store) Commit(ctx context.Context, l farwire.Lease, r farwire.RecrawlResult) error {
	rows, err := pageRows(r.Pages) // not while others wait for the site
	if err != nil {
		return err
	}
	return s.write(ctx, "committing a recrawl", func(ctx context.Context, c conn) error {
		var due time.Time
		var pages int
		if err := held(c.row(ctx, `
			SELECT next_crawl, pages FROM farwire_sites
			WHERE id = $1 AND token = $2 AND leased_until > :now :lock`,
			l.Site.ID, int64(l.Token)).Scan(moment{&due}, &pages)); err != nil {
			return err
		}
		if r.Pages != nil {
			pages = len(rows)
			if err := replacePages(ctx, c, l.Site.ID, rows); err != nil {
				return err
			}
		}
		site := r.Site
		if _, err := c.exec(ctx, `
			UPDATE farwire_sites
			SET next_crawl = CASE WHEN wanted < $2 THEN wanted ELSE $2 END, called = wanted IS NOT NULL, wanted = NULL, leased_until = NULL, lost = 0, resting = $12, last_change = $13, last_failure = $14,
				last_crawl = $3, failures = $4, last_error = $5, hash = $6, version = $7, hosted_url = $8,
				sitemap_lastmod = $9, change_interval_seconds = $10, pages = $11
			WHERE id = $1`,
			l.Site.ID, stamp(site.NextCrawl), stampOrNull(site.LastCrawl), site.Failures, escape(site.LastError), escape(site.Hash),
			int64(site.Version), escape(site.HostedURL), stampOrNull(site.SitemapLastmod), seconds(site.ChangeInterval), pages, site.Resting, stampOrNull(site.LastChange), stampOrNull(site.LastFailure)); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `
			INSERT INTO farwire_recrawls (site_id, token, due, committed, error, hash, version, pages)
			VALUES ($1, $2, $3, :now, $4, $5, $6, $7)`,
			l.Site.ID, int64(l.Token), stamp(due), escape(site.LastError), escape(site.Hash), int64(site.Version), pages); err != nil {
			return err
		}
		_, err := c.exec(ctx, `
			DELETE FROM farwire_recrawls
			WHERE site_id = $1 AND token <= (
				SELECT token FROM farwire_recrawls WHERE site_id = $1 ORDER BY token DESC LIMIT 1 OFFSET $2)`,
			l.Site.ID, LogLines)
		return err
	})
}

// LogLines is how many lines of a site's log are kept.
const LogLines = 1000

// A Line of a site's log is a lease that ended in an outcome.
type Line struct {
	Token     uint64    // of the lease
	Due       time.Time // the slot that was worked
	Committed time.Time // by the store's clock
	Error     string    // empty: the crawl did not fail
	Hash      string    // the site's, afterwards; another than in the line before: the site had changed
	Version   uint64    // the site's, afterwards
	Pages     int       // that are stored, afterwards
}

// Log returns at most n lines of the site's log, the newest first. A site that it does not
// know has no lines.
func (s *Store) Log(ctx context.Context, siteID int64, n int) ([]Line, error) {
	var lines []Line
	err := s.read(ctx, "reading a log", func(ctx context.Context, c conn) error {
		lines = nil
		return c.each(ctx, func(scan func(...any) error) error {
			var l Line
			var token, version int64
			err := scan(&token, moment{&l.Due}, moment{&l.Committed}, text{&l.Error}, text{&l.Hash}, &version, &l.Pages)
			l.Token, l.Version = uint64(token), uint64(version)
			lines = append(lines, l)
			return err
		}, `SELECT token, due, committed, error, hash, version, pages FROM farwire_recrawls
			WHERE site_id = $1 ORDER BY token DESC LIMIT $2`, siteID, max(n, 0))
	})
	return lines, err
}
