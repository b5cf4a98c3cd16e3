package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// memorySites is a SiteStore in memory: what one does to the other's leases
// and times is all there. Several gateways may share it.
type memorySites struct {
	mu      sync.Mutex
	rows    []*siteRow
	commits []commit
	claims  int
	renews  int
	first   uint64                    // tokens of new sites begin behind it
	outage  error                     // answers every call, when it is not nil
	before  func(method string) error // called first, outside the lock; nil: nothing
	ahead   time.Duration             // its clock, of the gateways'
}

type siteRow struct {
	farwire.Site
	token  uint64
	expiry time.Time // zero: not leased
	called time.Time // what MakeDue asked for and no claim has served; zero: nothing
	slot   bool      // MakeDue asked for NextCrawl
	own    bool      // the newest lease is an enrolment's
	pages  []byte    // as JSON, as a database has them
}

// ask has the commit of the lease leave the site due at a time at the latest.
func (r *siteRow) ask(at time.Time) {
	if r.called.IsZero() || at.Before(r.called) {
		r.called = at
	}
}

func (r *siteRow) told(now time.Time) farwire.Site {
	s := r.Site
	s.Leased = r.expiry.After(now)
	return s
}

// A commit is what ended a lease.
type commit struct {
	lease farwire.Lease
	farwire.RecrawlResult
	at time.Time
}

func (m *memorySites) now() time.Time { return time.Now().Add(m.ahead) }

func (m *memorySites) Now(context.Context) (time.Time, error) {
	if err := m.begin("Now"); err != nil {
		return time.Time{}, err
	}
	defer m.mu.Unlock()
	return m.now(), nil
}

func (m *memorySites) begin(method string) error {
	if m.before != nil {
		if err := m.before(method); err != nil {
			return err
		}
	}
	m.mu.Lock()
	if m.outage != nil {
		defer m.mu.Unlock()
		return m.outage
	}
	return nil
}

func (m *memorySites) setUnavailable(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outage = err
}

func (m *memorySites) lease(r *siteRow, d time.Duration) farwire.Lease {
	r.token++
	r.expiry = m.now().Add(d)
	return farwire.Lease{Site: r.Site, Token: r.token, Due: r.NextCrawl, Expiry: r.expiry}
}

func (m *memorySites) find(id int64) *siteRow {
	for _, r := range m.rows {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// held returns the row of a lease that still holds.
func (m *memorySites) held(l farwire.Lease) (*siteRow, error) {
	r := m.find(l.Site.ID)
	if r == nil || r.token != l.Token || !r.expiry.After(m.now()) {
		return nil, fmt.Errorf("site %d, token %d: %w", l.Site.ID, l.Token, farwire.ErrLeaseLost)
	}
	return r, nil
}

func (m *memorySites) Enroll(_ context.Context, s farwire.Site, most int, d time.Duration) (farwire.Lease, error) {
	if err := m.begin("Enroll"); err != nil {
		return farwire.Lease{}, err
	}
	defer m.mu.Unlock()
	owned := 0
	for _, r := range m.rows {
		if r.Subject != s.Subject {
			continue
		}
		if owned++; r.BaseURL == s.BaseURL {
			r.Options, r.Interval, r.KeyID, r.Resting = s.Options, s.Interval, s.KeyID, false
			if r.slot {
				r.ask(r.NextCrawl)
			}
			r.slot, r.own = false, true
			if now := m.now(); r.NextCrawl.After(now) {
				r.NextCrawl = now
			}
			return m.lease(r, d), nil
		}
	}
	if most >= 0 && owned >= most {
		return farwire.Lease{}, farwire.ErrTooManySites
	}
	s.ID, s.NextCrawl = int64(len(m.rows)+1), m.now()
	m.rows = append(m.rows, &siteRow{Site: s, token: m.first, own: true})
	return m.lease(m.rows[len(m.rows)-1], d), nil
}

func (m *memorySites) Enrolled(_ context.Context, baseURL string) (list []farwire.Site, err error) {
	if err := m.begin("Enrolled"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.BaseURL == baseURL {
			list = append(list, r.told(m.now()))
		}
	}
	return list, nil
}

func (m *memorySites) Sites(_ context.Context, subject string) (list []farwire.Site, err error) {
	if err := m.begin("Sites"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Subject == subject {
			list = append(list, r.told(m.now()))
		}
	}
	return list, nil
}

func (m *memorySites) Remove(_ context.Context, id int64) error {
	if err := m.begin("Remove"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	r := m.find(id)
	if r == nil {
		return farwire.ErrNoSite
	}
	m.rows = slices.DeleteFunc(m.rows, func(other *siteRow) bool { return other == r })
	return nil
}

func (m *memorySites) Count(_ context.Context, subject string) (n int, err error) {
	if err := m.begin("Count"); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Subject == subject {
			n++
		}
	}
	return n, nil
}

func (m *memorySites) MakeDue(_ context.Context, id int64, at time.Time) (time.Time, error) {
	if err := m.begin("MakeDue"); err != nil {
		return time.Time{}, err
	}
	defer m.mu.Unlock()
	r := m.find(id)
	if r == nil {
		return time.Time{}, farwire.ErrNoSite
	}
	r.Resting = false
	leased := r.expiry.After(m.now())
	if leased && (r.own || at.After(r.NextCrawl)) { // for after the crawl that is under way
		r.ask(at)
		return r.called, nil
	}
	if !leased && at.Before(r.NextCrawl) {
		r.NextCrawl = at
	}
	r.slot = true
	return r.NextCrawl, nil
}

func (m *memorySites) Claim(_ context.Context, d time.Duration) (farwire.Lease, error) {
	return m.claim("Claim", d, func(*siteRow) bool { return true })
}

func (m *memorySites) claim(method string, d time.Duration, fits func(*siteRow) bool) (farwire.Lease, error) {
	if err := m.begin(method); err != nil {
		return farwire.Lease{}, err
	}
	defer m.mu.Unlock()
	m.claims++
	var due *siteRow
	for _, r := range m.rows {
		if now := m.now(); !r.Resting && !r.NextCrawl.After(now) && !r.expiry.After(now) && (due == nil || r.NextCrawl.Before(due.NextCrawl)) && fits(r) {
			due = r
		}
	}
	if due == nil {
		return farwire.Lease{}, farwire.ErrNoSite
	}
	if !due.called.IsZero() && !due.called.After(m.now()) {
		due.called, due.slot = time.Time{}, true
	}
	due.own = false
	return m.lease(due, d), nil
}

func (m *memorySites) Renew(_ context.Context, l farwire.Lease, d time.Duration) (farwire.Lease, error) {
	if err := m.begin("Renew"); err != nil {
		return farwire.Lease{}, err
	}
	defer m.mu.Unlock()
	m.renews++
	r, err := m.held(l)
	if err != nil {
		return farwire.Lease{}, err
	}
	r.expiry = m.now().Add(d)
	l.Expiry = r.expiry
	return l, nil
}

func (m *memorySites) Release(_ context.Context, l farwire.Lease) error {
	if err := m.begin("Release"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	r, err := m.held(l)
	if err != nil {
		return err
	}
	r.expiry = time.Time{}
	return nil
}

func (m *memorySites) Pages(_ context.Context, id int64) (pages []llmstxt.Page, err error) {
	if err := m.begin("Pages"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	r := m.find(id)
	if r == nil {
		return nil, farwire.ErrNoSite
	}
	if r.pages == nil {
		return nil, nil
	}
	err = json.Unmarshal(r.pages, &pages)
	return pages, err
}

func (m *memorySites) Commit(_ context.Context, l farwire.Lease, c farwire.RecrawlResult) error {
	if err := m.begin("Commit"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	r, err := m.held(l)
	if err != nil {
		return err
	}
	if c.Pages != nil {
		if r.pages, err = json.Marshal(c.Pages); err != nil {
			return err
		}
	}
	kept := r.Site
	r.Site = c.Site
	r.ID, r.Subject, r.BaseURL, r.Options, r.Interval = kept.ID, kept.Subject, kept.BaseURL, kept.Options, kept.Interval
	r.WebhookSecret, r.Created, r.KeyID = kept.WebhookSecret, kept.Created, kept.KeyID
	if r.slot = !r.called.IsZero(); r.slot && r.called.Before(r.NextCrawl) {
		r.NextCrawl = r.called
	}
	r.expiry, r.called, r.own = time.Time{}, time.Time{}, false
	m.commits = append(m.commits, commit{l, c, m.now()})
	return nil
}

// only returns the one site there is.
func (m *memorySites) only(t testing.TB) farwire.Site {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.rows) != 1 {
		t.Fatalf("%d sites", len(m.rows))
	}
	return m.rows[0].Site
}

func (m *memorySites) committed() []commit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.commits)
}

// newest is the token of the one site's last lease.
func (m *memorySites) newest() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[0].token
}

// steal leases a site to nobody, as if its worker had been thought dead.
func (m *memorySites) steal(d time.Duration) farwire.Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lease(m.rows[0], d)
}

var errUnavailable = errors.New("connection to 10.0.0.5:5432 refused")
