// Package sitetest tests whether a [farwire.SiteStore] does what its documentation
// says, sentence by sentence. A host with a store of its own tests it like this:
//
//	func TestStore(t *testing.T) {
//		sitetest.Run(t, func(t *testing.T) sitetest.Open {
//			url := newDatabase(t)
//			return func(t *testing.T) farwire.SiteStore { return open(t, url) }
//		})
//	}
//
// A store that is a [farwire.FittingClaimer] or a [farwire.SiteClock] too is tested as one.
//
// The tests judge the ends of leases by the store's own clock, as its leases tell it,
// and do not expect the store to be quick.
package sitetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// An Open opens the store of one test. Each call returns one more handle on the same
// data, as another process would have it, and closes it by t.Cleanup; the handles are
// used at the same time. For a store that can be open once only, it returns the same
// handle each time.
type Open func(t *testing.T) farwire.SiteStore

// Run runs the tests as subtests of t, one after the other. It calls empty for each,
// which makes an empty store and returns how it is opened.
func Run(t *testing.T, empty func(t *testing.T) Open) {
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"Enroll", enroll},
		{"EnrollAgain", enrollAgain},
		{"Subjects", subjects},
		{"Remove", remove},
		{"TooMany", tooMany},
		{"TooManyAtOnce", tooManyAtOnce},
		{"EnrollOneAtOnce", enrollOneAtOnce},
		{"MakeDue", makeDue},
		{"MakeDueLeased", makeDueLeased},
		{"MakeDueAtOnce", makeDueAtOnce},
		{"MakeDueReleased", makeDueReleased},
		{"MakeDueClaimed", makeDueClaimed},
		{"MakeDueLost", makeDueLost},
		{"MakeDueEnrolled", makeDueEnrolled},
		{"Leased", leased},
		{"ClaimOrder", claimOrder},
		{"ClaimLeased", claimLeased},
		{"Tokens", tokens},
		{"Expiry", expiry},
		{"Lost", lost},
		{"LostRenewed", lostRenewed},
		{"LostReleased", lostReleased},
		{"LostCommitted", lostCommitted},
		{"LostEnrolled", lostEnrolled},
		{"LostMadeDue", lostMadeDue},
		{"Rest", rest},
		{"Turns", turns},
		{"Fitting", ifFitting(fitting)},
		{"FittingOrder", ifFitting(fittingOrder)},
		{"FittingEnrolledAgain", ifFitting(fittingEnrolledAgain)},
		{"ExpiredUnclaimed", expiredUnclaimed},
		{"Renew", renew},
		{"Release", release},
		{"Commit", commit},
		{"CommitKeepsIdentity", commitKeepsIdentity},
		{"Times", times},
		{"Clock", clock},
		{"Pages", pages},
		{"ManyPages", manyPages},
		{"Strings", anyStrings},
		{"Workers", workers},
		{"Context", contexts},
	} {
		t.Run(c.name, func(t *testing.T) {
			open := empty(t)
			c.test(&bench{T: t, open: open, store: open(t), ctx: t.Context()})
		})
	}
}

// A bench is what a test works at.
type bench struct {
	*testing.T
	open  Open
	store farwire.SiteStore
	ctx   context.Context
}

const (
	long    = time.Hour             // a lease that does not run out
	short   = 20 * time.Millisecond // one that does
	timeout = time.Minute           // for what has to happen in the end
)

// enroll leases a site of subject alice for a long time.
func (b *bench) enroll(baseURL string) farwire.Lease {
	b.Helper()
	l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: "alice", BaseURL: baseURL, Interval: time.Hour}, -1, long)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// due enrolls a site whose first crawl is over and the next one due at.
func (b *bench) due(baseURL string, at time.Time) farwire.Site {
	b.Helper()
	l := b.enroll(baseURL)
	l.Site.NextCrawl = at
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	return l.Site
}

func (b *bench) commit(l farwire.Lease, r farwire.RecrawlResult) {
	b.Helper()
	if err := b.store.Commit(b.ctx, l, r); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) claim(d time.Duration) farwire.Lease {
	b.Helper()
	l, err := b.store.Claim(b.ctx, d)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// await claims the site that can be claimed first.
func (b *bench) await(s farwire.SiteStore, d time.Duration) farwire.Lease {
	b.Helper()
	for end := time.Now().Add(timeout); ; time.Sleep(short / 8) {
		l, err := s.Claim(b.ctx, d)
		if err == nil {
			return l
		}
		if !errors.Is(err, farwire.ErrNoSite) || time.Now().After(end) {
			b.Fatal(err)
		}
	}
}

// nothingDue fails if there is a site to claim.
func (b *bench) nothingDue() {
	b.Helper()
	switch l, err := b.store.Claim(b.ctx, long); {
	case err == nil:
		b.Fatalf("a site can be claimed, and none should: %+v", l)
	case !errors.Is(err, farwire.ErrNoSite):
		b.Fatalf("Claim, when no site is due: %v; want an error that wraps ErrNoSite", err)
	}
}

// site returns the site as it is stored.
func (b *bench) site(s farwire.Site) farwire.Site {
	b.Helper()
	list, err := b.store.Enrolled(b.ctx, s.BaseURL)
	if err != nil {
		b.Fatal(err)
	}
	for _, found := range list {
		if found.ID == s.ID {
			found.Leased = false // as in a Lease
			return found
		}
	}
	b.Fatalf("site %d is not among %+v", s.ID, list)
	panic("unreachable")
}

// lost fails if anything can be done under the lease, or if trying to do it
// changes the site.
func (b *bench) lost(l farwire.Lease) {
	b.Helper()
	before := b.site(l.Site)
	changed := l.Site
	changed.NextCrawl, changed.LastError, changed.Version = l.Due.Add(48*time.Hour), "by a stale worker", l.Token
	for what, err := range map[string]error{
		"Renew":   second(b.store.Renew(b.ctx, l, long)),
		"Release": b.store.Release(b.ctx, l),
		"Commit":  b.store.Commit(b.ctx, l, farwire.RecrawlResult{Site: changed}),
	} {
		if !errors.Is(err, farwire.ErrLeaseLost) {
			b.Errorf("%s under a lost lease: %v", what, err)
		}
	}
	if after := b.site(l.Site); after != before {
		b.Errorf("a lost lease made\n%+v of\n%+v", after, before)
	}
}

func second[T any](_ T, err error) error { return err }

// now is the store's clock, which every new lease tells.
func (b *bench) now() time.Time {
	b.Helper()
	l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: "clock", BaseURL: "https://clock.example/"}, -1, long)
	if err != nil {
		b.Fatal(err)
	}
	return l.Expiry.Add(-long)
}

// after returns when the store's clock is at t.
func (b *bench) after(t time.Time) {
	b.Helper()
	for end := time.Now().Add(timeout); b.now().Before(t); time.Sleep(short / 4) {
		if time.Now().After(end) {
			b.Fatalf("the store's clock does not reach %v", t)
		}
	}
}

// past is a time that is over by any clock, n slots of a second later.
func past(n int) time.Time {
	return time.Date(2024, 2, 29, 12, 0, n, 123456000, time.UTC)
}

// future is one that has not come.
func (b *bench) future() time.Time { return b.now().Add(24 * time.Hour).Truncate(time.Microsecond) }

// same reports whether two values are the same once they have been JSON, which
// is what a store may make of texts that are no UTF-8.
func same(a, b any) bool {
	x, errX := asJSON(a)
	y, errY := asJSON(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func asJSON(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &out)
	return out, err
}
