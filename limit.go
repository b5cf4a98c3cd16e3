package farwire

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// NewLimiter returns the Limiter that a gateway uses by default: a token
// bucket for each key, in the memory of this process. It is safe for
// concurrent use and forgets keys whose bucket has filled up again.
func NewLimiter() Limiter { return newMemoryLimiter() }

type memoryLimiter struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	sweep   int // sweep when the map has grown to this
}

const firstSweep = 1024

func newMemoryLimiter() *memoryLimiter {
	return &memoryLimiter{buckets: make(map[string]*rate.Limiter), sweep: firstSweep}
}

func (m *memoryLimiter) Take(_ context.Context, p Principal) (Quota, error) {
	if p.Limits.Rate < 0 {
		return Quota{Limit: -1, Remaining: -1}, nil
	}
	now := time.Now()
	b := m.bucket(p, now)
	r := b.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return Quota{Limit: b.Burst(), RetryAfter: wait}, nil
	}
	return Quota{Limit: b.Burst(), Remaining: int(b.TokensAt(now))}, nil
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
		b.SetBurstAt(now, burst)
	}
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

// or returns l with every zero field taken from def, and a burst in any case.
func (l Limits) or(def Limits) Limits {
	if l.Rate == 0 {
		l.Rate = def.Rate
		if l.Burst == 0 {
			l.Burst = def.Burst
		}
	}
	if l.Burst == 0 {
		l.Burst = int(math.Ceil(l.Rate))
	}
	l.Burst = max(l.Burst, 1)
	for _, f := range []struct{ have, def *int }{
		{&l.Sessions, &def.Sessions}, {&l.Streams, &def.Streams}, {&l.Crawls, &def.Crawls},
		{&l.Sites, &def.Sites}, {&l.PagesPerDay, &def.PagesPerDay},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	return l
}

// account is what a principal is counted under: its key, or the subject when
// the host named it without one.
func (p Principal) account() string {
	if p.KeyID != "" {
		return "key " + p.KeyID
	}
	return "subject " + p.Subject
}

// A meter holds what the gateway counts for one account.
type meter struct {
	active [kinds]int
	total  [kinds]uint64

	bytesToTarget, bytesToClient int64
	refused                      uint64

	pages []pageCount // of the last day, oldest first
}

// A pageCount is how many pages were crawled in the quarter of an hour that
// began at a time.
type pageCount struct {
	at    time.Time
	pages int
}

// meters counts sessions for each account, to enforce what may run at a time
// and to tell callers what they used. An account that has nothing running may
// be forgotten when there are very many.
type meters struct {
	mu sync.Mutex
	of map[string]*meter
}

const maxIdleMeters = 100_000

// begin counts a session in, or says that the account has as many as it may.
func (m *meters) begin(p Principal, k kind, limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.get(p)
	if limit > 0 && a.active[k] >= limit {
		a.refused++
		return false
	}
	a.active[k]++
	a.total[k]++
	return true
}

// end counts a session out with the bytes that it carried.
func (m *meters) end(p Principal, k kind, toTarget, toClient int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.get(p)
	a.active[k]--
	a.bytesToTarget += toTarget
	a.bytesToClient += toClient
}

const day = 24 * time.Hour

// reservePages counts want pages, or as many as the limit of a day leaves, and
// returns how many.
func (m *meters) reservePages(p Principal, want, limit int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, now := m.get(p), time.Now()
	used := 0
	for len(a.pages) > 0 && now.Sub(a.pages[0].at) > day {
		a.pages = a.pages[1:]
	}
	for _, c := range a.pages {
		used += c.pages
	}
	if limit > 0 {
		want = min(want, max(0, limit-used))
	}
	if want == 0 {
		a.refused++
		return 0
	}
	if limit <= 0 {
		return want
	}
	at := now.Truncate(15 * time.Minute)
	if n := len(a.pages); n == 0 || !a.pages[n-1].at.Equal(at) {
		a.pages = append(a.pages, pageCount{at: at})
	}
	a.pages[len(a.pages)-1].pages += want
	return want
}

// returnPages gives back pages of those reserved last.
func (m *meters) returnPages(p Principal, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.get(p)
	for i := len(a.pages) - 1; i >= 0 && n > 0; i-- {
		back := min(n, a.pages[i].pages)
		a.pages[i].pages -= back
		n -= back
	}
}

func (m *meters) refuse(p Principal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.get(p).refused++
}

// read returns a copy of the account's meter.
func (m *meters) read(p Principal) meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.get(p)
}

func (m *meters) get(p Principal) *meter {
	if a := m.of[p.account()]; a != nil {
		return a
	}
	if len(m.of) >= maxIdleMeters {
		for key, a := range m.of {
			if a.active == [kinds]int{} && len(a.pages) == 0 {
				delete(m.of, key)
			}
		}
	}
	if m.of == nil {
		m.of = make(map[string]*meter)
	}
	a := new(meter)
	m.of[p.account()] = a
	return a
}
