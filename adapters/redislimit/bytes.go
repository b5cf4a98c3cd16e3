package redislimit

import (
	"context"
	"errors"
	"time"

	"github.com/farwire/farwire"
)

// AddBytes counts bytes as TakePages counts pages. Those that could not be
// sent to Redis are counted with the caller's next ones; meanwhile this gateway counts its
// own share. Those that Redis may or may not have got are not sent again. Its errors
// are those of Take.
func (l *Limiter) AddBytes(ctx context.Context, p farwire.Principal, n int64) (farwire.ByteQuota, error) {
	if err := ctx.Err(); err != nil {
		return farwire.ByteQuota{}, err
	}
	key := l.key("bytes", p)
	pending := l.unsent.take(key)[0]
	a, err := l.run(ctx, pagesScript, 4, key, n+pending, -1)
	var unavailable *unavailableError
	switch {
	case errors.As(err, &unavailable):
		if unsent := n + pending; unsent > 0 && !unavailable.asked {
			l.unsent.add(key, map[int64]int64{0: unsent})
		}
		return l.local.AddBytes(ctx, l.share(p), n)
	case err != nil:
		if pending > 0 {
			l.unsent.add(key, map[int64]int64{0: pending}) // the caller counts n again
		}
		return farwire.ByteQuota{}, err
	}
	q := farwire.ByteQuota{Used: a[1]}
	if most := p.Limits.BytesPerDay; most > 0 && q.Used >= most {
		// One more is refused, and the script says when it would not be.
		a, err = l.run(ctx, pagesScript, 4, key, 1, most)
		switch {
		case errors.As(err, &unavailable):
			q.RetryAfter = time.Minute // nobody can say now
		case err != nil:
			return farwire.ByteQuota{}, err
		default:
			q.RetryAfter = time.Duration(a[3]) * time.Microsecond
		}
	}
	return q, nil
}
