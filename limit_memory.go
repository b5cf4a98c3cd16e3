package farwire

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/farwire/farwire/internal/daycount"
	"github.com/farwire/farwire/internal/fault"
)

type memoryLimiter struct {
	mu      sync.Mutex // of the buckets
	buckets map[string]*rate.Limiter
	sweep   int // sweep when the map has grown to this

	pages, bytes daycount.Book
	memorySlots
}

const (
	day        = 24 * time.Hour
	firstSweep = 1024
)

func newMemoryLimiter() *memoryLimiter {
	return &memoryLimiter{buckets: make(map[string]*rate.Limiter), sweep: firstSweep}
}

func (m *memoryLimiter) Take(_ context.Context, p Principal) (Quota, error) {
	rps, burst := p.Limits.Rate, p.Limits.Burst
	switch {
	case rps < 0, math.IsInf(rps, 1):
		return Quota{Limit: -1, Remaining: -1}, nil
	case !(rps > 0), burst < 1:
		return Quota{}, fmt.Errorf("a rate of %v with a burst of %d lets nothing pass", rps, burst)
	}
	now := time.Now()
	b := m.bucket(p, now)
	r := b.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		// The bucket rounds down: after its wait a sliver may still be missing.
		return Quota{Limit: b.Burst(), RetryAfter: max(wait, wait+time.Nanosecond)}, nil
	}
	return Quota{Limit: b.Burst(), Remaining: int(b.TokensAt(now))}, nil
}

func (m *memoryLimiter) TakePages(_ context.Context, p Principal, want int) (PageQuota, error) {
	g := m.pages.Take(p.account(), int64(want), int64(p.Limits.PagesPerDay), time.Now())
	q := PageQuota{Granted: int(g.Count), Used: int(g.Used), RetryAfter: g.RetryAfter}
	if g.Return != nil {
		q.Return = func(_ context.Context, n int) error { g.Return(int64(n)); return nil }
	}
	return q, nil
}

func (m *memoryLimiter) AddBytes(_ context.Context, p Principal, n int64) (ByteQuota, error) {
	now := time.Now()
	q := ByteQuota{Used: m.bytes.Take(p.account(), n, 0, now).Used}
	if most := p.Limits.BytesPerDay; most > 0 && q.Used >= most {
		q.RetryAfter = m.bytes.Take(p.account(), 1, most, now).RetryAfter
	}
	return q, nil
}

// bucket returns the principal's bucket with its limits as they are today.
func (m *memoryLimiter) bucket(p Principal, now time.Time) *rate.Limiter {
	limit, burst := rate.Limit(p.Limits.Rate), p.Limits.Burst
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.buckets[p.account()]
	if b == nil {
		if len(m.buckets) >= m.sweep {
			m.forget(now)
		}
		b = rate.NewLimiter(limit, burst)
		m.buckets[p.account()] = b
		return b
	}
	if b.Limit() != limit {
		b.SetLimitAt(now, limit)
	}
	if b.Burst() != burst {
		b = resized(b, burst, now)
		m.buckets[p.account()] = b
	}
	return b
}

// resized returns a bucket of another size from which as much is taken. To set
// the size alone would leave a larger bucket as empty as the smaller one was.
func resized(b *rate.Limiter, burst int, now time.Time) *rate.Limiter {
	taken := int(math.Ceil(float64(b.Burst()) - b.TokensAt(now)))
	b = rate.NewLimiter(b.Limit(), burst)
	b.AllowN(now, min(taken, burst))
	return b
}

// forget drops the full buckets: a key that comes back finds a full one anyway.
func (m *memoryLimiter) forget(now time.Time) {
	for key, b := range m.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(m.buckets, key)
		}
	}
	m.sweep = max(firstSweep, 2*len(m.buckets))
}

// A SlotLimiter is a Limiter that counts what runs at a time too, so that
// Limits.Sessions, Streams and Crawls hold over all gateways that share it. A
// gateway whose Limiter is not a SlotLimiter counts in the memory of its own
// process.
//
// TakeSlot is called concurrently, once for each session of a kind that has a
// limit, which is positive. It takes one of the limit's slots of the principal
// and the kind, or reports that none is free. Who got one calls release once,
// when the session has ended; it returns at once. An error is the limiter's own
// trouble and refuses the session as an internal error.
type SlotLimiter interface {
	Limiter
	TakeSlot(ctx context.Context, p Principal, k Kind, limit int) (release func(), taken bool, err error)
}

// memorySlots counts what runs in this process.
type memorySlots struct {
	mu      sync.Mutex
	running map[string]int
}

// TakeSlot counts in the memory of this process.
func (m *memorySlots) TakeSlot(_ context.Context, p Principal, k Kind, limit int) (func(), bool, error) {
	key := k.String() + " " + p.account()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[key] >= limit {
		return nil, false, nil
	}
	if m.running == nil {
		m.running = make(map[string]int)
	}
	m.running[key]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.running[key]--; m.running[key] == 0 {
			delete(m.running, key)
		}
	}, true, nil
}

// takeSlot counts a session of the principal in, or says that there are as many
// as there may be.
func (s *session) takeSlot(ctx context.Context, p Principal) error {
	g, most := s.g, p.Limits.allows(s.Kind)
	tooMany := func() error {
		return limited(fault.LimitReached, fmt.Sprintf("limit reached: %d %s sessions at a time", most, s.Kind),
			Quota{Limit: most, RetryAfter: time.Second})
	}
	slots, shared := g.o.Limiter.(SlotLimiter)
	if !shared || most <= 0 {
		if !g.meters.begin(p, s.Kind, most) {
			return tooMany()
		}
		return nil
	}
	release, taken, err := slots.TakeSlot(ctx, p, s.Kind, most)
	switch {
	case err != nil && ctx.Err() != nil:
		return errClientGone
	case err != nil:
		return fmt.Errorf("limiter: %w", err)
	case !taken:
		g.meters.refuse(p)
		return tooMany()
	}
	g.meters.begin(p, s.Kind, -1)
	s.release = release
	return nil
}
