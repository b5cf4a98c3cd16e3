package redislimit

import (
	"context"
	_ "embed"
	"sync"
	"time"

	"github.com/farwire/farwire"
)

//go:embed pages_per_day.lua
var pagesSource string

var pagesScript = newScript(pagesSource, 4)

// TakePages counts the pages of a crawl by quarters of an hour: one counts for
// a day, and for a quarter more at the most. What a gateway that was killed had
// taken for its running crawls stays taken for as long. An error means that ctx had
// ended before; a caller that leaves later is answered too, so that it can give the
// pages back.
//
// Pages given back while Redis is unavailable are remembered, and given back with the
// caller's next crawl. Those that Redis may or may not have got before it
// stopped answering stay taken.
func (l *Limiter) TakePages(ctx context.Context, p farwire.Principal, want int) (farwire.PageQuota, error) {
	if err := ctx.Err(); err != nil {
		return farwire.PageQuota{}, err
	}
	key := l.key("pages", p)
	pending := l.returned.take(key)
	args := []any{want, p.Limits.PagesPerDay}
	for quarter, n := range pending {
		args = append(args, quarter, n)
	}
	a, err := l.count(ctx, key, args...)
	if err != nil {
		if !asked(err) {
			l.returned.add(key, pending)
		}
		return l.local.TakePages(ctx, l.share(p), want)
	}
	q := farwire.PageQuota{Granted: int(a[0]), Used: int(a[1]), RetryAfter: time.Duration(a[3]) * time.Microsecond}
	if q.Granted > 0 {
		quarter := a[2]
		q.Return = func(ctx context.Context, n int) error { return l.giveBack(ctx, key, quarter, min(n, q.Granted)) }
	}
	return q, nil
}

func (l *Limiter) giveBack(ctx context.Context, key string, quarter int64, n int) error {
	if n <= 0 {
		return nil
	}
	_, err := l.count(ctx, key, 0, -1, quarter, n)
	if err != nil && !asked(err) {
		l.returned.add(key, map[int64]int64{quarter: int64(n)})
		return nil
	}
	return err
}

// count runs the script of pages and bytes on a key. It does not end with ctx, but with
// Options.Timeout: what Redis has counted for a caller that leaves meanwhile must be known.
// An error is an unavailableError.
func (l *Limiter) count(ctx context.Context, key string, args ...any) ([]int64, error) {
	return l.run(context.WithoutCancel(ctx), pagesScript, key, args...)
}

// pendingCounts are counts to send once Redis is available again, by key and quarter.
type pendingCounts struct {
	mu sync.Mutex
	of map[string]map[int64]int64
}

// maxPendingKeys is for how many keys counts are kept. Beyond it the pages stay
// taken: the limit holds, and memory too.
const maxPendingKeys = 10_000

func (d *pendingCounts) add(key string, pages map[int64]int64) {
	if len(pages) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = make(map[string]map[int64]int64)
	}
	if d.of[key] == nil {
		if len(d.of) >= maxPendingKeys {
			return
		}
		d.of[key] = make(map[int64]int64)
	}
	for quarter, n := range pages {
		d.of[key][quarter] += n
	}
}

// take returns the counts of a key and forgets them.
func (d *pendingCounts) take(key string) map[int64]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	pages := d.of[key]
	delete(d.of, key)
	return pages
}
