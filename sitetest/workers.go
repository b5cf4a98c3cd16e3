package sitetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/farwire/farwire"
)

// wake ends the rest of the sites whose workers died three times in a row, and
// leaves them due when they are.
func wake(ctx context.Context, s farwire.SiteStore, never time.Time) error {
	sites, err := s.Sites(ctx, "alice")
	for _, site := range sites {
		if site.Resting {
			_, other := s.MakeDue(ctx, site.ID, never)
			err = errors.Join(err, other)
		}
	}
	return err
}

const (
	workerSites = 8
	workerSlots = 6 // of each site
	workerCount = 9
)

// workers has each due slot committed once, whichever of the workers dies with a
// lease, is late, or gives it back.
func workers(b *bench) {
	never := b.future()
	for i := range workerSites {
		b.due(fmt.Sprintf("https://%d.example/", i), past(0))
	}
	ctx, cancel := context.WithTimeout(b.ctx, 2*timeout)
	defer cancel()
	all := &tally{commits: map[slot]int{}, leases: map[leaseKey]int{}, newest: map[int64]uint64{}, left: workerSites * workerSlots}
	b.together(workerCount, func(i int, s farwire.SiteStore) {
		dice := rand.New(rand.NewPCG(uint64(i), 7))
		for !all.done() {
			if err := all.work(ctx, s, dice.IntN(6), never); err != nil {
				b.Errorf("worker %d: %v", i, err)
				return
			}
		}
	})
	for at, n := range all.commits {
		if n != 1 || at.due.Before(past(0)) || !at.due.Before(past(workerSlots)) {
			b.Errorf("site %d, due at %v: %d commits", at.site, at.due, n)
		}
	}
	if len(all.commits) != workerSites*workerSlots {
		b.Errorf("%d slots of %d", len(all.commits), workerSites*workerSlots)
	}
	b.nothingDue()
}

// A slot is a time at which a site is due.
type slot struct {
	site int64
	due  time.Time
}

type leaseKey struct {
	site  int64
	token uint64
}

// A tally is what all workers have done.
type tally struct {
	mu      sync.Mutex
	commits map[slot]int
	leases  map[leaseKey]int
	newest  map[int64]uint64 // tokens, by site
	left    int              // slots that are not committed yet
}

// done reports whether the slots are all committed.
func (t *tally) done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left <= 0
}

// newestTokens are the tokens that have been noted.
func (t *tally) newestTokens() map[int64]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.newest)
}

// claimed notes a lease, whose token is new and above those that were noted before it was
// asked for: a claim and the note of its token are two steps, between which others claim.
func (t *tally) claimed(l farwire.Lease, before map[int64]uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest[l.Site.ID] = max(t.newest[l.Site.ID], l.Token)
	key := leaseKey{l.Site.ID, l.Token}
	t.leases[key]++
	switch {
	case t.leases[key] > 1:
		return fmt.Errorf("site %d: token %d was given twice", l.Site.ID, l.Token)
	case l.Token <= before[l.Site.ID]:
		return fmt.Errorf("site %d: token %d after %d", l.Site.ID, l.Token, before[l.Site.ID])
	}
	return nil
}

func (t *tally) committed(l farwire.Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commits[slot{l.Site.ID, l.Due}]++
	t.left--
}

// work claims one site and does with it what way says. A site whose slots are over is due
// again at the time never.
func (t *tally) work(ctx context.Context, s farwire.SiteStore, way int, never time.Time) error {
	const dies, isLate, givesBack = 0, 1, 2
	d := long
	if way == dies || way == isLate {
		d = short
	}
	before := t.newestTokens()
	l, err := s.Claim(ctx, d)
	if errors.Is(err, farwire.ErrNoSite) {
		time.Sleep(short / 10)
		return wake(ctx, s, never)
	}
	if err != nil {
		return err
	}
	if err := t.claimed(l, before); err != nil {
		return err
	}
	switch way {
	case dies:
		return nil
	case isLate:
		time.Sleep(2 * short)
	case givesBack:
		return s.Release(ctx, l)
	}
	outcome := l.Site
	outcome.NextCrawl = l.Due.Add(time.Second)
	if !outcome.NextCrawl.Before(past(workerSlots)) {
		outcome.NextCrawl = never
	}
	err = s.Commit(ctx, l, farwire.RecrawlResult{Site: outcome})
	switch {
	case err == nil:
		t.committed(l)
	case d == short && errors.Is(err, farwire.ErrLeaseLost):
		return nil // another worker has it
	}
	return err
}

// contexts has every method called with a context that has ended: none changes anything.
func contexts(b *bench) {
	s := b.due("https://a.example/", past(1))
	l := b.claim(long)
	before := b.site(s)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	outcome := farwire.RecrawlResult{Site: l.Site}
	outcome.Site.NextCrawl = past(99)
	calls := map[string]error{
		"Enroll":   second(b.store.Enroll(ctx, full(), -1, long)),
		"Enrolled": second(b.store.Enrolled(ctx, s.BaseURL)),
		"Count":    second(b.store.Count(ctx, "alice")),
		"Sites":    second(b.store.Sites(ctx, "alice")),
		"Remove":   b.store.Remove(ctx, s.ID),
		"MakeDue":  second(b.store.MakeDue(ctx, s.ID, past(0))),
		"Claim":    second(b.store.Claim(ctx, long)),
		"Renew":    second(b.store.Renew(ctx, l, 2*long)),
		"Release":  b.store.Release(ctx, l),
		"Pages":    second(b.store.Pages(ctx, s.ID)),
		"Commit":   b.store.Commit(ctx, l, outcome),
	}
	if c, ok := b.store.(farwire.SiteClock); ok {
		calls["Now"] = second(c.Now(ctx))
	}
	if f, ok := b.store.(farwire.FittingClaimer); ok {
		calls["ClaimFitting"] = second(f.ClaimFitting(ctx, long, func(_, _ string) bool { return true }))
	}
	for what, err := range calls {
		if !errors.Is(err, context.Canceled) {
			b.Errorf("%s with a context that has ended: %v", what, err)
		}
	}
	if after := b.site(s); after != before {
		b.Errorf("now\n%+v, was\n%+v", after, before)
	}
	if n, err := b.store.Count(b.ctx, "alice"); err != nil || n != 1 {
		b.Errorf("%d sites, %v", n, err)
	}
	b.commit(l, outcome) // the lease was not harmed
}

// clock asks a SiteClock what time it is: the time from which leases are.
func clock(b *bench) {
	c, ok := b.store.(farwire.SiteClock)
	if !ok {
		return
	}
	before, err := c.Now(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	begun := b.enroll("https://a.example/").Expiry.Add(-long)
	after, err := c.Now(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	if begun.Before(before) || begun.After(after) {
		b.Errorf("leased at %v, between %v and %v", begun, before, after)
	}
}
