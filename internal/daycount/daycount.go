// Package daycount counts what was used in the last day, crawled pages or bytes, in
// memory.
package daycount

import (
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

// A Counter counts by account and by the quarter of an hour. The
// zero Counter is ready for use and safe for concurrent use. It forgets accounts of which
// nothing counts any more. When the clock was ahead and was set right, what was counted
// until then counts for a day from now.
type Counter struct {
	mu sync.Mutex
	of bounded.Map[string, []*quarter] // in no order
}

// A quarter is what was used in one.
type quarter struct {
	begins time.Time
	count  int64
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
	quarters := still(c.of.Get(account), now)
	used := int64(0)
	for _, q := range quarters {
		used += q.count
	}
	grant := max(want, 0)
	if limit > 0 {
		grant = max(0, min(grant, limit-used))
	}
	g := Grant{Count: grant, Used: used + grant}
	switch {
	case grant == 0 && want > 0:
		g.RetryAfter = nextFree(quarters, used-limit, now)
	case grant > 0:
		var of *quarter
		quarters, of = current(quarters, now)
		of.count += grant
		g.Return = func(n int64) {
			c.mu.Lock()
			defer c.mu.Unlock()
			of.count = max(0, of.count-min(n, grant)) // the quarter may count no more by now
		}
	}
	if len(quarters) > 0 || c.of.Get(account) != nil {
		c.of.Set(account, quarters, func(_ string, quarters []*quarter) bool {
			return !slices.ContainsFunc(quarters, func(q *quarter) bool { return q.count > 0 && q.counts(now) })
		})
	}
	return g
}

func (q *quarter) counts(now time.Time) bool { return now.Sub(q.begins) < life }

// still returns the quarters that count. One that is to come is that of a clock which was
// ahead: it would count until that time and a day more.
func still(quarters []*quarter, now time.Time) []*quarter {
	for _, q := range quarters {
		if q.begins.After(now) {
			q.begins = now.Truncate(span)
		}
	}
	return slices.DeleteFunc(quarters, func(q *quarter) bool { return !q.counts(now) })
}

// current returns the quarters with that of now, and that one.
func current(quarters []*quarter, now time.Time) ([]*quarter, *quarter) {
	begins := now.Truncate(span)
	if i := slices.IndexFunc(quarters, func(q *quarter) bool { return q.begins.Equal(begins) }); i >= 0 {
		return quarters, quarters[i]
	}
	q := &quarter{begins: begins}
	return append(quarters, q), q
}

// nextFree returns when one more than over will count no more.
func nextFree(quarters []*quarter, over int64, now time.Time) time.Duration {
	for _, q := range slices.SortedFunc(slices.Values(quarters), func(a, b *quarter) int { return a.begins.Compare(b.begins) }) {
		if over -= q.count; over < 0 {
			return q.begins.Add(life).Sub(now)
		}
	}
	return life
}
