// Package daycount counts what was used in the last day, crawled pages or bytes, in
// memory.
package daycount

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

const (
	// What is used is counted by the quarter of an hour. What was granted at the
	// end of a quarter must count for a day too.
	span = 15 * time.Minute
	life = 24*time.Hour + span
)

// A Counter counts by account and by the beginning of a quarter of an hour. The
// zero Counter is ready for use and safe for concurrent use. It forgets accounts of which
// nothing counts any more.
type Counter struct {
	mu sync.Mutex
	of bounded.Map[string, map[time.Time]int64]
}

// A Grant is what a Counter answers.
type Grant struct {
	Count      int64         // how many of those wanted; zero: refused
	Used       int64         // in the last day, those granted included
	RetryAfter time.Duration // after a refusal: when the next one is free

	// Return gives back n of those granted. It is called at most once. Nil:
	// there is nothing to give back.
	Return func(n int64)
}

// Take grants as many as are left of limit; a limit that is not positive means no
// limit.
func (c *Counter) Take(account string, want, limit int64, now time.Time) Grant {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.of.Get(account)
	used := int64(0)
	for at, n := range counts {
		if now.Sub(at) >= life {
			delete(counts, at)
			continue
		}
		used += n
	}
	grant := max(want, 0)
	if limit > 0 {
		grant = max(0, min(grant, limit-used))
	}
	q := Grant{Count: grant, Used: used + grant}
	switch {
	case grant == 0 && want > 0:
		q.RetryAfter = nextFree(counts, used-limit, now)
	case grant > 0:
		at := now.Truncate(span)
		c.add(account, at, grant, now)
		q.Return = func(n int64) {
			c.mu.Lock()
			defer c.mu.Unlock()
			// By now they may count no more, and the account may be forgotten.
			if counts := c.of.Get(account); counts[at] > 0 {
				counts[at] = max(0, counts[at]-min(n, grant))
			}
		}
	}
	return q
}

// nextFree returns when one more than over will count no more.
func nextFree(counts map[time.Time]int64, over int64, now time.Time) time.Duration {
	for _, at := range slices.SortedFunc(maps.Keys(counts), time.Time.Compare) {
		if over -= counts[at]; over < 0 {
			return at.Add(life).Sub(now)
		}
	}
	return life
}

func (c *Counter) add(account string, at time.Time, n int64, now time.Time) {
	counts := c.of.Get(account)
	if counts == nil {
		counts = make(map[time.Time]int64)
		c.of.Set(account, counts, func(_ string, counts map[time.Time]int64) bool {
			maps.DeleteFunc(counts, func(at time.Time, n int64) bool { return n == 0 || now.Sub(at) >= life })
			return len(counts) == 0
		})
	}
	counts[at] += n
}
