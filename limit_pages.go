package farwire

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// A PageLimiter is a Limiter that counts crawled pages too, by
// Limits.PagesPerDay. A gateway whose Limiter is not a PageLimiter counts pages in the
// memory of its own process, and several gateways each allow the whole number.
//
// TakePages is called concurrently, once for each crawl, for as many pages as
// the crawl may need, and grants as many of them as are left. A caller without
// a limit, one that is not positive, is granted all; whether they are counted
// all the same is the limiter's choice. To want none only asks what was used.
// An error is the limiter's own trouble and refuses the crawl as an internal
// error.
//
// A page counts until a day after it was granted, or a little longer where
// pages are counted by spans of time, and never for less.
type PageLimiter interface {
	Limiter
	TakePages(ctx context.Context, p Principal, want int) (PageQuota, error)
}

// PageQuota is a PageLimiter's answer.
type PageQuota struct {
	Granted    int           // how many of those wanted; zero: refused
	Used       int           // in the last 24 hours, those granted included
	RetryAfter time.Duration // after a refusal: when the next page is free

	// Return gives back n of the pages granted, those that the crawl did not
	// come to. It is called at most once. Nil: there is nothing to give back.
	Return func(ctx context.Context, n int) error
}

const (
	day = 24 * time.Hour
	// Pages are counted by the quarter of an hour. One that was granted at the
	// end of a quarter must count for a day too.
	pageSpan = 15 * time.Minute
	pageLife = day + pageSpan
)

// A pageBook counts pages in memory, by account and by the beginning of a
// quarter of an hour.
type pageBook struct {
	mu    sync.Mutex
	of    map[string]map[time.Time]int
	sweep int // sweep when the map has grown to this
}

func (m *memoryLimiter) TakePages(_ context.Context, p Principal, want int) (PageQuota, error) {
	return m.pages.take(p.account(), want, p.Limits.PagesPerDay, time.Now()), nil
}

func (b *pageBook) take(account string, want, limit int, now time.Time) PageQuota {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := b.of[account]
	used := 0
	for at, n := range counts {
		if now.Sub(at) >= pageLife {
			delete(counts, at)
			continue
		}
		used += n
	}
	grant := max(want, 0)
	if limit > 0 {
		grant = max(0, min(grant, limit-used))
	}
	q := PageQuota{Granted: grant, Used: used + grant}
	switch {
	case grant == 0 && want > 0:
		q.RetryAfter = nextPage(counts, used-limit, now)
	case grant > 0:
		at := now.Truncate(pageSpan)
		b.add(account, at, grant, now)
		q.Return = func(_ context.Context, n int) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			// By now they may count no more, and the account may be forgotten.
			if counts := b.of[account]; counts[at] > 0 {
				counts[at] = max(0, counts[at]-min(n, grant))
			}
			return nil
		}
	}
	return q
}

// nextPage returns when one page more than over will count no more.
func nextPage(counts map[time.Time]int, over int, now time.Time) time.Duration {
	for _, at := range slices.SortedFunc(maps.Keys(counts), time.Time.Compare) {
		if over -= counts[at]; over < 0 {
			return at.Add(pageLife).Sub(now)
		}
	}
	return pageLife
}

func (b *pageBook) add(account string, at time.Time, n int, now time.Time) {
	counts := b.of[account]
	if counts == nil {
		if len(b.of) >= max(b.sweep, firstSweep) {
			b.forget(now)
		}
		if b.of == nil {
			b.of = make(map[string]map[time.Time]int)
		}
		counts = make(map[time.Time]int)
		b.of[account] = counts
	}
	counts[at] += n
}

// forget drops the accounts whose pages count no more.
func (b *pageBook) forget(now time.Time) {
	for account, counts := range b.of {
		maps.DeleteFunc(counts, func(at time.Time, n int) bool { return n == 0 || now.Sub(at) >= pageLife })
		if len(counts) == 0 {
			delete(b.of, account)
		}
	}
	b.sweep = 2 * len(b.of)
}
