// Package limits counts, in the memory of one process, what callers do: requests by
// token buckets, what runs at a time, and what was used since the start.
package limits

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/farwire/farwire/internal/bounded"
)

// Buckets holds a token bucket for each account. The zero value is ready for use and
// safe for concurrent use. It forgets accounts whose bucket has filled up again.
type Buckets struct {
	mu sync.Mutex
	of bounded.Map[string, *rate.Limiter]
}

// An Answer says whether a request may pass.
type Answer struct {
	Limit      int           // the size of the bucket; negative: no limit
	Remaining  int           // requests left at once
	RetryAfter time.Duration // zero: go ahead; else refused, and when to come back
}

// Take takes one request of an account that may make so many a second, and burst at
// once. A rate that is negative or infinite means no limit. A change of either counts from
// the next request on.
func (b *Buckets) Take(account string, perSecond float64, burst int, now time.Time) (Answer, error) {
	bucket, err := b.bucket(account, perSecond, burst, now)
	if err != nil {
		return Answer{}, err
	}
	if bucket == nil {
		return Answer{Limit: -1, Remaining: -1}, nil
	}
	r := bucket.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		// The bucket rounds down: after its wait a sliver may still be missing.
		return Answer{Limit: bucket.Burst(), RetryAfter: max(wait, wait+time.Nanosecond)}, nil
	}
	return Answer{Limit: bucket.Burst(), Remaining: int(bucket.TokensAt(now))}, nil
}

// Left says what is left as Take does, and takes nothing.
func (b *Buckets) Left(account string, perSecond float64, burst int, now time.Time) (Answer, error) {
	bucket, err := b.bucket(account, perSecond, burst, now)
	if err != nil {
		return Answer{}, err
	}
	if bucket == nil {
		return Answer{Limit: -1, Remaining: -1}, nil
	}
	return Answer{Limit: bucket.Burst(), Remaining: int(bucket.TokensAt(now))}, nil
}

// bucket returns the account's bucket with its limits as they are today; nil: it has no
// limit.
func (b *Buckets) bucket(account string, perSecond float64, burst int, now time.Time) (*rate.Limiter, error) {
	switch {
	case perSecond < 0, math.IsInf(perSecond, 1):
		return nil, nil
	case !(perSecond > 0), burst < 1:
		return nil, fmt.Errorf("a rate of %v with a burst of %d lets nothing pass", perSecond, burst)
	}
	limit := rate.Limit(perSecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	// A full bucket can be forgotten: a key that comes back finds a full one anyway.
	full := func(_ string, bucket *rate.Limiter) bool { return bucket.TokensAt(now) >= float64(bucket.Burst()) }
	bucket := b.of.Get(account)
	if bucket == nil {
		bucket = rate.NewLimiter(limit, burst)
		b.of.Set(account, bucket, full)
		return bucket, nil
	}
	if bucket.Limit() != limit {
		bucket.SetLimitAt(now, limit)
	}
	if bucket.Burst() != burst {
		bucket = resized(bucket, burst, now)
		b.of.Set(account, bucket, full)
	}
	return bucket, nil
}

// resized returns a bucket of another size from which as much is taken. To set
// the size alone would leave a larger bucket as empty as the smaller one was.
func resized(b *rate.Limiter, burst int, now time.Time) *rate.Limiter {
	taken := int(math.Ceil(float64(b.Burst()) - b.TokensAt(now)))
	b = rate.NewLimiter(b.Limit(), burst)
	b.AllowN(now, min(taken, burst))
	return b
}

// Slots counts what runs at a time. The zero value is ready for use and safe for
// concurrent use.
type Slots struct {
	mu      sync.Mutex
	running map[string]int
}

// Take takes one of most slots, or reports that none is free. Who got one calls release
// once.
func (s *Slots) Take(key string, most int) (release func(), taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[key] >= most {
		return nil, false
	}
	if s.running == nil {
		s.running = make(map[string]int)
	}
	s.running[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running[key]--; s.running[key] == 0 {
			delete(s.running, key)
		}
	}, true
}
