package redislimit

import (
	"context"
	"time"

	"github.com/farwire/farwire"
)

// AddBytes counts bytes as TakePages counts pages. Those that could not be
// sent to Redis are counted with the caller's next ones; meanwhile this gateway counts its
// own share. Those that Redis may or may not have got before it stopped answering are not
// sent again. Its errors are those of TakePages.
func (l *Limiter) AddBytes(ctx context.Context, p farwire.Principal, n int64) (farwire.ByteQuota, error) {
	if err := ctx.Err(); err != nil {
		return farwire.ByteQuota{}, err
	}
	key := l.key("bytes", p)
	unsent := n + l.unsent.take(key)[0]
	a, err := l.count(ctx, key, unsent, -1)
	if err != nil {
		if unsent > 0 && !asked(err) {
			l.unsent.add(key, map[int64]int64{0: unsent})
		}
		return l.local.AddBytes(ctx, l.share(p), n)
	}
	q := farwire.ByteQuota{Used: a[1]}
	if most := p.Limits.BytesPerDay; most > 0 && q.Used >= most {
		// One more is refused, and the script says when it would not be.
		if a, err = l.count(ctx, key, 1, most); err != nil {
			q.RetryAfter = time.Minute // nobody can say now
		} else {
			q.RetryAfter = time.Duration(a[3]) * time.Microsecond
		}
	}
	return q, nil
}
