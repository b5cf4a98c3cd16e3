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

// workers has each due slot committed once, whichever of the workers dies with a
// lease, is late, or gives it back.
func workers(b *bench) {
	const sites, slots, hands = 8, 6, 9
	never := b.future()
	for i := range sites {
		b.due(fmt.Sprintf("https://%d.example/", i), past(0))
	}
	type slot struct {
		site int64
		due  time.Time
	}
	var mu sync.Mutex
	commits := make(map[slot]int)
	type lease struct {
		site  int64
		token uint64
	}
	leases := make(map[lease]int)
	newest := make(map[int64]uint64)
	left := sites * slots

	ctx, cancel := context.WithTimeout(b.ctx, 2*timeout)
	defer cancel()
	// done reports whether the slots are all committed.
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return left <= 0
	}
	work := func(s farwire.SiteStore, dice *rand.Rand) error {
		d, way := long, dice.IntN(6)
		if way < 2 {
			d = short
		}
		// A claim and the note of its token are two steps, between which others
		// claim; so a token must be above those that were noted before it was asked for.
		mu.Lock()
		before := maps.Clone(newest)
		mu.Unlock()
		l, err := s.Claim(ctx, d)
		if errors.Is(err, farwire.ErrNoSite) {
			time.Sleep(short / 10)
			return wake(ctx, s, never)
		}
		if err != nil {
			return err
		}
		mu.Lock()
		leases[lease{l.Site.ID, l.Token}]++
		switch {
		case leases[lease{l.Site.ID, l.Token}] > 1:
			err = fmt.Errorf("site %d: token %d was given twice", l.Site.ID, l.Token)
		case l.Token <= before[l.Site.ID]:
			err = fmt.Errorf("site %d: token %d after %d", l.Site.ID, l.Token, before[l.Site.ID])
		}
		newest[l.Site.ID] = max(newest[l.Site.ID], l.Token)
		mu.Unlock()
		switch {
		case err != nil || way == 0: // dies
			return err
		case way == 1: // wakes up late
			time.Sleep(2 * short)
		case way == 2:
			return s.Release(ctx, l)
		}
		outcome := l.Site
		outcome.NextCrawl = l.Due.Add(time.Second)
		if !outcome.NextCrawl.Before(past(slots)) {
			outcome.NextCrawl = never
		}
		switch err := s.Commit(ctx, l, farwire.RecrawlResult{Site: outcome}); {
		case err == nil:
			mu.Lock()
			commits[slot{l.Site.ID, l.Due}]++
			left--
			mu.Unlock()
		case d == long || !errors.Is(err, farwire.ErrLeaseLost):
			return err
		}
		return nil
	}
	b.together(hands, func(i int, s farwire.SiteStore) {
		dice := rand.New(rand.NewPCG(uint64(i), 7))
		for !done() {
			if err := work(s, dice); err != nil {
				b.Errorf("worker %d: %v", i, err)
				return
			}
		}
	})
	for at, n := range commits {
		if n != 1 || at.due.Before(past(0)) || !at.due.Before(past(slots)) {
			b.Errorf("site %d, due at %v: %d commits", at.site, at.due, n)
		}
	}
	if len(commits) != sites*slots {
		b.Errorf("%d slots of %d", len(commits), sites*slots)
	}
	b.nothingDue()
}

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
