package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/farwire/farwire"
)

// siteColumns are what scanSite takes.
const siteColumns = `id, subject, base_url, options, interval_seconds, webhook_secret, created, key_id,
	next_crawl, last_crawl, last_change, last_failure,` + lostFailures + `,` + lostError + `, hash, version, hosted_url, sitemap_lastmod, change_interval_seconds,
	CASE WHEN lost >= 2 AND leased_until <= :now THEN 1 WHEN resting THEN 1 ELSE 0 END,
	CASE WHEN leased_until > :now THEN 1 ELSE 0 END`

// What a site has failed with, a lease that ended without an outcome included.
const (
	lostFailures = ` CASE WHEN leased_until <= :now AND failures < 1000000 THEN failures + 1 ELSE failures END `
	lostError    = ` CASE WHEN leased_until <= :now THEN 'The crawl ended without an outcome' ELSE last_error END `
)

// scanSite reads siteColumns, and after them what more is wanted.
func scanSite(scan func(...any) error, s *farwire.Site, more ...any) error {
	var options []byte
	var version, resting, leased int64
	err := scan(append([]any{
		&s.ID, text{&s.Subject}, text{&s.BaseURL}, &options, span{&s.Interval}, text{&s.WebhookSecret}, moment{&s.Created}, text{&s.KeyID},
		moment{&s.NextCrawl}, moment{&s.LastCrawl}, moment{&s.LastChange}, moment{&s.LastFailure}, &s.Failures, text{&s.LastError}, text{&s.Hash}, &version,
		text{&s.HostedURL}, moment{&s.SitemapLastmod}, span{&s.ChangeInterval}, &resting, &leased,
	}, more...)...)
	if err != nil {
		return err
	}
	s.Version, s.Resting, s.Leased = uint64(version), resting != 0, leased != 0
	if err := json.Unmarshal(options, &s.Options); err != nil {
		return fmt.Errorf("the options of site %d: %w", s.ID, err)
	}
	for _, text := range optionTexts(&s.Options) {
		*text = unescape(*text)
	}
	return nil
}

// optionTexts are the texts of the options, which may hold any bytes.
func optionTexts(o *farwire.SiteOptions) []*string {
	return []*string{&o.Format, &o.Geo, &o.Agent, &o.Include, &o.Exclude, &o.Header, &o.Language, &o.Version}
}

// key is the text as an index has it.
func key(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Enroll implements [farwire.SiteStore]. The lease is of the slot that is due
// longest: that of the known site if it is due already, else one that is due
// now. If the lease ends without an outcome the slot is there for Claim.
//
// A site that is new to the store gets the state that the argument has, except
// for NextCrawl. Its first token is the time in microseconds, or site.Version + 1
// if that is more; each later one is one more.
func (s *Store) Enroll(ctx context.Context, site farwire.Site, most int, d time.Duration) (farwire.Lease, error) {
	o := site.Options
	for _, text := range optionTexts(&o) {
		*text = escape(*text)
	}
	options, err := marshal(o)
	if err != nil {
		return farwire.Lease{}, fmt.Errorf("sqlstore: enrolling a site: %w", err)
	}
	subject := escape(site.Subject)
	subjectKey, baseKey := key(site.Subject), key(site.BaseURL)
	var l farwire.Lease
	err = s.write(ctx, "enrolling a site", func(ctx context.Context, c conn) error {
		if c.flavor.lockName != "" {
			if _, err := c.exec(ctx, statement(c.flavor.lockName), subject); err != nil {
				return err
			}
		}
		err := scanLease(c.row(ctx, `
			UPDATE farwire_sites
			SET options = $2, interval_seconds = $3, key_id = $6,
				next_crawl = CASE WHEN next_crawl < :now THEN next_crawl ELSE :now END,
				wanted = CASE WHEN called AND (wanted IS NULL OR wanted > next_crawl) THEN next_crawl ELSE wanted END, called = NULL,
				failures = `+lostFailures+`, last_error = `+lostError+`, lost = 0, resting = FALSE,
				token = token + 1, leased_until = :until, free_again = :once
			WHERE subject_key = $4 AND base_key = $5
			RETURNING token, leased_until, `+siteColumns,
			seconds(d), string(options), seconds(site.Interval), subjectKey, baseKey, escape(site.KeyID)), &l)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = scanLease(c.row(ctx, `
			INSERT INTO farwire_sites (options, interval_seconds, subject, base_url, subject_key, base_key, webhook_secret,
				created, next_crawl, last_crawl, failures, last_error, hash, version, hosted_url,
				sitemap_lastmod, change_interval_seconds, token, leased_until, free_again, key_id, last_change, last_failure, called)
			SELECT $2, $3, $4, $5, $6, $7, $8,
				coalesce($9, :now), :now, $10, $11, $12, $13, $14, $15,
				$16, $17, CASE WHEN CAST($14 AS BIGINT) < :micros THEN :micros ELSE $14 + 1 END, :until, :once, $19, $20, $21, NULL
			WHERE CAST($18 AS BIGINT) < 0 OR (SELECT count(*) FROM farwire_sites WHERE subject_key = $6) < $18
			RETURNING token, leased_until, `+siteColumns,
			seconds(d), string(options), seconds(site.Interval), subject, escape(site.BaseURL), subjectKey, baseKey, escape(site.WebhookSecret),
			stampOrNull(site.Created), stampOrNull(site.LastCrawl), site.Failures, escape(site.LastError), escape(site.Hash), int64(site.Version), escape(site.HostedURL),
			stampOrNull(site.SitemapLastmod), seconds(site.ChangeInterval), most, escape(site.KeyID), stampOrNull(site.LastChange), stampOrNull(site.LastFailure)), &l)
		if errors.Is(err, sql.ErrNoRows) {
			return farwire.ErrTooManySites
		}
		return err
	})
	return l, err
}

// Enrolled implements [farwire.SiteStore]. The sites are in the order in which
// they were enrolled.
func (s *Store) Enrolled(ctx context.Context, baseURL string) ([]farwire.Site, error) {
	return s.sites(ctx, `SELECT `+siteColumns+` FROM farwire_sites WHERE base_key = $1 ORDER BY id`, key(baseURL))
}

// Sites implements [farwire.SiteStore]. The sites are in the order in which
// they were enrolled.
func (s *Store) Sites(ctx context.Context, subject string) ([]farwire.Site, error) {
	return s.sites(ctx, `SELECT `+siteColumns+` FROM farwire_sites WHERE subject_key = $1 ORDER BY id`, key(subject))
}

func (s *Store) sites(ctx context.Context, q statement, args ...any) ([]farwire.Site, error) {
	var sites []farwire.Site
	err := s.read(ctx, "reading sites", func(ctx context.Context, c conn) error {
		sites = nil
		return c.each(ctx, func(scan func(...any) error) error {
			var site farwire.Site
			err := scanSite(scan, &site)
			sites = append(sites, site)
			return err
		}, q, args...)
	})
	return sites, err
}

// Count implements [farwire.SiteStore].
func (s *Store) Count(ctx context.Context, subject string) (n int, err error) {
	err = s.read(ctx, "counting sites", func(ctx context.Context, c conn) error {
		return c.row(ctx, `SELECT count(*) FROM farwire_sites WHERE subject_key = $1`, key(subject)).Scan(&n)
	})
	return n, err
}

// isSlot is true of a leased site whose crawl is the one that is asked for: it was claimed for
// that time or a later one.
const isSlot = `(called IS NOT NULL AND next_crawl >= $2)`

// Now implements [farwire.SiteClock].
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.read(ctx, "reading the clock", func(ctx context.Context, c conn) error {
		return c.row(ctx, `SELECT :now`).Scan(moment{&now})
	})
	return now, err
}

// MakeDue implements [farwire.SiteStore]. For a site that is leased it returns
// when the crawl after the one under way is due at the latest.
func (s *Store) MakeDue(ctx context.Context, id int64, at time.Time) (due time.Time, err error) {
	err = s.write(ctx, "making a site due", func(ctx context.Context, c conn) error {
		err := c.row(ctx, `
			UPDATE farwire_sites
			SET next_crawl = CASE WHEN leased_until > :now OR next_crawl < $2 THEN next_crawl ELSE $2 END,
				failures = `+lostFailures+`, last_error = `+lostError+`, resting = FALSE,
				lost = CASE WHEN leased_until > :now THEN lost ELSE 0 END,
				leased_until = CASE WHEN leased_until > :now THEN leased_until END,
				wanted = CASE WHEN leased_until > :now AND NOT `+isSlot+` AND (wanted IS NULL OR wanted > $2) THEN $2 ELSE wanted END,
				called = CASE WHEN leased_until > :now AND NOT `+isSlot+` THEN called ELSE TRUE END
			WHERE id = $1
			RETURNING CASE WHEN leased_until > :now AND NOT `+isSlot+` THEN wanted ELSE next_crawl END`,
			id, stamp(at)).Scan(moment{&due})
		if errors.Is(err, sql.ErrNoRows) {
			return farwire.ErrNoSite
		}
		return err
	})
	return due, err
}

// Remove implements [farwire.SiteStore]. The site's log goes with it.
func (s *Store) Remove(ctx context.Context, id int64) error {
	return s.write(ctx, "removing a site", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `DELETE FROM farwire_sites WHERE id = $1`, id)
		if err == nil && n == 0 {
			return farwire.ErrNoSite
		}
		return err
	})
}
