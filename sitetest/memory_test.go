package sitetest_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// A memoryStore is a SiteStore of one process. Fault names a mistake that it makes; empty:
// it makes none.
type memoryStore struct {
	fault string

	mu    sync.Mutex
	last  int64 // id
	turn  int64
	sites map[int64]*entry
	turns map[string]int64 // when a subject had one, by subject
}

type entry struct {
	site    farwire.Site
	pages   []llmstxt.Page
	token   uint64
	leased  bool
	claimed bool          // it is leased by Claim, not by Enroll
	length  time.Duration // of the lease
	due     time.Time     // of the lease
	expiry  time.Time
	lost    int       // leases in a row
	free    time.Time // when it may be claimed after a lost one
	wanted  time.Time // what MakeDue asked for; zero: nothing
	served  bool      // by the lease of now
	meant   time.Time // what MakeDue asked for during the lease, which does not serve it
}

func newMemoryStore(fault string) *memoryStore {
	return &memoryStore{fault: fault, sites: map[int64]*entry{}, turns: map[string]int64{}}
}

func now() time.Time { return micro(time.Now()) }

// Now makes a memoryStore a SiteClock.
func (m *memoryStore) Now(ctx context.Context) (time.Time, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer leave()
	if m.fault == "the clock is another's" {
		return now().Add(time.Hour), nil
	}
	return now(), nil
}

func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// enter locks the store, and ends the leases that have run out.
func (m *memoryStore) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil && m.fault != "the context is ignored" {
		return nil, err
	}
	m.mu.Lock()
	for _, e := range m.sites {
		if !e.leased || now().Before(e.expiry) {
			continue
		}
		e.ended()
		e.lost++
		e.site.Failures++
		e.site.LastError = "its worker is gone"
		e.free = e.expiry.Add(e.length << (e.lost - 1))
		if m.fault == "a lost lease is not waited for" {
			e.free = e.expiry
		}
		e.site.Resting = e.lost >= 3
	}
	return m.mu.Unlock, nil
}

// ended ends a lease. What was asked for meanwhile holds.
func (e *entry) ended() {
	if e.wanted.IsZero() || !e.meant.IsZero() && e.meant.Before(e.wanted) {
		e.wanted = e.meant
	}
	e.leased, e.served, e.meant = false, false, time.Time{}
}

func (m *memoryStore) lease(e *entry, d time.Duration, claimed bool) farwire.Lease {
	if e.token++; m.fault == "the token does not grow" {
		e.token = 2
	}
	e.leased, e.claimed, e.length, e.due, e.expiry = true, claimed, d, e.site.NextCrawl, now().Add(d)
	return farwire.Lease{Site: e.site, Token: e.token, Due: e.due, Expiry: e.expiry}
}

// held returns what a lease is of, unless it is lost.
func (m *memoryStore) held(l farwire.Lease) (*entry, error) {
	e := m.sites[l.Site.ID]
	if e == nil || !e.leased || e.token != l.Token && m.fault != "an old token is taken" {
		return nil, farwire.ErrLeaseLost
	}
	return e, nil
}

func (m *memoryStore) Enroll(ctx context.Context, s farwire.Site, most int, d time.Duration) (farwire.Lease, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	defer leave()
	var e *entry
	count := 0
	for _, other := range m.sites {
		if other.site.Subject == s.Subject {
			if count++; other.site.BaseURL == s.BaseURL {
				e = other
			}
		}
	}
	if e == nil {
		if most >= 0 && count >= most && m.fault != "most does not count" {
			return farwire.Lease{}, farwire.ErrTooManySites
		}
		m.last++
		s.ID, s.NextCrawl = m.last, now()
		e = &entry{site: s, token: 1}
		m.sites[s.ID] = e
		return m.lease(e, d, false), nil
	}
	e.ended()
	e.site.Options, e.site.Interval, e.site.KeyID, e.site.Resting = s.Options, s.Interval, s.KeyID, false
	if m.fault == "an enrolment changes the secret" {
		e.site.WebhookSecret = s.WebhookSecret
	}
	if e.free = (time.Time{}); m.fault != "an enrolment keeps the count of lost leases" {
		e.lost = 0
	}
	if at := now(); at.Before(e.site.NextCrawl) {
		e.site.NextCrawl = at
	}
	return m.lease(e, d, false), nil
}

func (m *memoryStore) list(ctx context.Context, is func(farwire.Site) bool) (list []farwire.Site, err error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, e := range m.sites {
		if s := e.site; is(s) {
			s.Leased = e.leased
			list = append(list, s)
		}
	}
	return list, nil
}

func (m *memoryStore) Enrolled(ctx context.Context, baseURL string) ([]farwire.Site, error) {
	return m.list(ctx, func(s farwire.Site) bool { return s.BaseURL == baseURL })
}

func (m *memoryStore) Sites(ctx context.Context, subject string) ([]farwire.Site, error) {
	return m.list(ctx, func(s farwire.Site) bool { return s.Subject == subject })
}

func (m *memoryStore) Count(ctx context.Context, subject string) (int, error) {
	list, err := m.Sites(ctx, subject)
	return len(list), err
}

func (m *memoryStore) Remove(ctx context.Context, id int64) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if m.sites[id] == nil {
		return farwire.ErrNoSite
	}
	delete(m.sites, id)
	return nil
}

func (m *memoryStore) MakeDue(ctx context.Context, id int64, at time.Time) (time.Time, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer leave()
	e, at := m.sites[id], micro(at)
	if e == nil {
		return time.Time{}, farwire.ErrNoSite
	}
	e.site.Resting = false
	switch {
	case !e.leased:
		if e.lost = 0; m.fault != "a site that is asked for waits" {
			e.free = time.Time{}
		}
		if at.Before(e.site.NextCrawl) {
			e.site.NextCrawl = at
		}
		e.wanted = e.site.NextCrawl
		return e.wanted, nil
	case e.claimed && !e.due.Before(at):
		e.wanted, e.served = at, true
		return e.due, nil
	case e.meant.IsZero() || at.Before(e.meant):
		e.meant = at
	}
	return e.meant, nil
}

func (m *memoryStore) Claim(ctx context.Context, d time.Duration) (farwire.Lease, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	defer leave()
	at, working := now(), map[string]int{}
	var due []*entry
	for _, e := range m.sites {
		switch s := &e.site; {
		case e.leased:
			working[s.Subject]++
		case (!s.Resting || m.fault == "a resting site is claimed") && !at.Before(s.NextCrawl) && !at.Before(e.free):
			due = append(due, e)
		}
	}
	if len(due) == 0 {
		return farwire.Lease{}, farwire.ErrNoSite
	}
	e := slices.MinFunc(due, func(a, b *entry) int {
		x, y := a.site, b.site
		longest := x.NextCrawl.Compare(y.NextCrawl)
		if m.fault == "subjects take no turns" {
			return longest
		}
		return cmp.Or(working[x.Subject]-working[y.Subject], cmp.Compare(m.turns[x.Subject], m.turns[y.Subject]), longest)
	})
	m.turn++
	m.turns[e.site.Subject] = m.turn
	e.served = !e.wanted.IsZero() && !at.Before(e.wanted)
	return m.lease(e, d, true), nil
}

func (m *memoryStore) Renew(ctx context.Context, l farwire.Lease, d time.Duration) (farwire.Lease, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return farwire.Lease{}, err
	}
	defer leave()
	e, err := m.held(l)
	if err != nil {
		return farwire.Lease{}, err
	}
	e.expiry, e.length = now().Add(d), d
	l.Expiry = e.expiry
	return l, nil
}

func (m *memoryStore) Release(ctx context.Context, l farwire.Lease) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, err := m.held(l)
	if err == nil {
		e.ended()
	}
	return err
}

func (m *memoryStore) Pages(ctx context.Context, id int64) ([]llmstxt.Page, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if e := m.sites[id]; e != nil {
		return slices.Clone(e.pages), nil
	}
	return nil, nil
}

func (m *memoryStore) Commit(ctx context.Context, l farwire.Lease, r farwire.RecrawlResult) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, err := m.held(l)
	if err != nil {
		return err
	}
	was, s := e.site, r.Site
	s.ID, s.Subject, s.BaseURL, s.Options, s.Interval = was.ID, was.Subject, was.BaseURL, was.Options, was.Interval
	s.WebhookSecret, s.Created, s.KeyID, s.Leased = was.WebhookSecret, was.Created, was.KeyID, false
	for _, t := range []*time.Time{&s.NextCrawl, &s.LastCrawl, &s.LastChange, &s.LastFailure, &s.SitemapLastmod} {
		*t = micro(*t)
	}
	if e.served {
		e.wanted = time.Time{}
	}
	e.ended()
	if !e.wanted.IsZero() && e.wanted.Before(s.NextCrawl) && m.fault != "what was asked for is forgotten" {
		s.NextCrawl = e.wanted
	}
	e.site, e.lost, e.free = s, 0, time.Time{}
	if r.Pages != nil || m.fault == "a commit without pages loses them" {
		e.pages = slices.Clone(r.Pages)
	}
	return nil
}
