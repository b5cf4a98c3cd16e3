package farwire

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/farwire/farwire/internal/daycount"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/limits"
	"github.com/farwire/farwire/internal/safetext"
)

// Limits are the limits of one principal. In every field zero means the gateway's
// default (Options.Limits) and a negative number means no limit. If Burst has no
// limit, Rate has none either.
//
// Beyond a limit a caller gets "rate limit exceeded", or "limit reached: 5
// relay sessions at a time" and the like, with status 429 and Retry-After, or
// with close code 1008 after the upgrade. A crawl ends, and says so, when the
// pages that are left are used up. It is refused when no page is left.
//
// Rate, Burst and PagesPerDay hold over all gateways that share a [Limiter]. Sessions,
// Streams and Crawls do so if it is a [SlotLimiter]. Sites hold over all gateways that
// share a [SiteStore].
type Limits struct {
	Rate        float64 `json:"rate,omitempty"`          // requests per second
	Burst       int     `json:"burst,omitempty"`         // requests at once; zero with a Rate: the Rate, at least 1
	Sessions    int     `json:"sessions,omitempty"`      // relays at a time, and as many HTTP requests and as many tunnels
	Streams     int     `json:"streams,omitempty"`       // AMQP streams at a time
	Crawls      int     `json:"crawls,omitempty"`        // crawls at a time
	Sites       int     `json:"sites,omitempty"`         // enrolled sites
	PagesPerDay int     `json:"pages_per_day,omitempty"` // crawled pages in 24 hours

	// Requests and tunnels of the path form and the forward proxy count here, and
	// not towards Rate and Burst.
	HTTPRate  float64 `json:"http_rate,omitempty"`
	HTTPBurst int     `json:"http_burst,omitempty"`

	// Payload in both directions in 24 hours. When it is used up, new sessions are
	// refused and running ones go on.
	BytesPerDay int64 `json:"bytes_per_day,omitempty"`

	// A session that has reached its time, or its payload in both directions, is ended
	// with "limit reached" and close code 1008. Both are checked once a second, so a
	// session may get a little more of each.
	SessionTime  time.Duration `json:"session_time,omitempty"`  // of one session
	SessionBytes int64         `json:"session_bytes,omitempty"` // of one session
}

// A Bucket is what a request counts towards. Each principal has one of each,
// and they are counted apart. The zero value stands for BucketRequests.
type Bucket string

// The buckets.
const (
	BucketRequests Bucket = "requests" // by Limits.Rate and Burst: all but the others
	BucketHTTP     Bucket = "http"     // by Limits.HTTPRate and HTTPBurst: requests and tunnels of the path form and the forward proxy
)

// String returns the word of the constant.
func (b Bucket) String() string { return string(b) }

// A Limiter counts the requests of principals.
//
// Take is called concurrently, once for each request, with the defaults already
// filled into the principal's Limits. The request counts towards the bucket, which
// has the rate and the burst of Limits.RateOf: BucketHTTP in the path form and the
// forward proxy, WebSockets and tunnels too, and for [Gateway.Open]; else
// BucketRequests. An error is an internal error of the limiter and refuses the request as an
// internal error; a limiter that would rather let requests pass decides so itself.
// Those who share a KeyID but not the Subject are different callers.
//
// What runs at a time (Limits.Sessions, Streams, Crawls) is counted by the limiter
// if it is a [SlotLimiter], crawled pages if it is a [PageLimiter], and payload if it is
// a [ByteLimiter]; a [LeftLimiter] says what is left. That of [NewLimiter] is all four.
type Limiter interface {
	Take(context.Context, Principal, Bucket) (Quota, error)
}

// Quota is a Limiter's answer.
type Quota struct {
	Limit      int           // the burst; negative: no limit
	Remaining  int           // requests left at once
	RetryAfter time.Duration // zero: go ahead; else refused, and when to come back
}

// A LeftLimiter is a Limiter that can be asked what is left without taking of it.
// Without one, [Gateway.Usage] says nothing of the rate of the path form and the forward
// proxy. Left is called concurrently, with the principal and the bucket as Take has them,
// takes nothing and never refuses: its Quota has no RetryAfter. An error leaves the bucket
// out of what the caller is told.
type LeftLimiter interface {
	Limiter
	Left(context.Context, Principal, Bucket) (Quota, error)
}

// A PageLimiter is a Limiter that counts crawled pages too, by
// Limits.PagesPerDay. A gateway whose Limiter is not a PageLimiter counts pages in the
// memory of its own process, and several gateways each allow the whole number.
//
// TakePages is called concurrently, once for each crawl, for as many pages as
// the crawl may need, and grants as many of them as are left. A caller without
// a limit (not positive) is granted all; whether they are counted is up to the
// limiter. A want of zero only asks what was used. An error is an internal
// error of the limiter and refuses the crawl as an internal error.
//
// A page counts for a day, or a little longer where pages are counted by spans
// of time.
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

// A SlotLimiter is a Limiter that counts what runs at a time too, so that
// Limits.Sessions, Streams and Crawls hold over all gateways that share it. A
// gateway whose Limiter is not a SlotLimiter counts in the memory of its own
// process.
//
// TakeSlot is called concurrently, once for each session of a kind that has a
// limit, which is positive. It takes one of the limit's slots of the principal
// and the kind, or reports that none is free. Whoever got one calls release
// once, when the session has ended; it returns at once. An error is an internal
// error of the limiter and refuses the session as such.
type SlotLimiter interface {
	Limiter
	TakeSlot(ctx context.Context, p Principal, k Kind, limit int) (release func(), taken bool, err error)
}

// A ByteLimiter is a Limiter that counts payload too, by Limits.BytesPerDay. A
// gateway whose Limiter is not a ByteLimiter counts in the memory of its own
// process, and several gateways each allow the whole number.
//
// AddBytes is called concurrently, for principals that have a limit: before
// each session and every few seconds with what was carried since, which may be
// nothing. It counts n, refuses nothing, and returns what was used. An error
// means that n was not counted; before a session it is an internal error of the
// limiter and refuses the session as an internal error.
//
// A byte counts for a day, or a little longer where bytes are counted by spans
// of time.
type ByteLimiter interface {
	Limiter
	AddBytes(ctx context.Context, p Principal, n int64) (ByteQuota, error)
}

// ByteQuota is a ByteLimiter's answer.
type ByteQuota struct {
	Used       int64         // in the last 24 hours, what was just counted included
	RetryAfter time.Duration // when Limits.BytesPerDay is used up: when bytes are free again
}

// NewLimiter returns the Limiter that a gateway uses by default: a token bucket
// for each [Bucket] and counts of pages and of bytes for each key, in the
// memory of this process. It is a [SlotLimiter], a [ByteLimiter] and a
// [LeftLimiter] as well and safe for concurrent use. It forgets keys that have
// full buckets and no other counts. A change of a key's rate or burst counts
// from its next request on.
func NewLimiter() PageLimiter { return new(memoryLimiter) }

// or returns l with every zero field taken from def, and a burst in any case.
func (l Limits) or(def Limits) Limits {
	l.Rate, l.Burst = rateOr(l.Rate, l.Burst, def.Rate, def.Burst)
	l.HTTPRate, l.HTTPBurst = rateOr(l.HTTPRate, l.HTTPBurst, def.HTTPRate, def.HTTPBurst)
	for _, f := range []struct{ have, def *int }{
		{&l.Sessions, &def.Sessions}, {&l.Streams, &def.Streams}, {&l.Crawls, &def.Crawls},
		{&l.Sites, &def.Sites}, {&l.PagesPerDay, &def.PagesPerDay},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	if l.BytesPerDay == 0 {
		l.BytesPerDay = def.BytesPerDay
	}
	if l.SessionTime == 0 {
		l.SessionTime = def.SessionTime
	}
	if l.SessionBytes == 0 {
		l.SessionBytes = def.SessionBytes
	}
	return l
}

// rateOr returns a rate and a burst, or the default. Any number at once is any number
// a second; what JSON cannot hold becomes what it can.
func rateOr(rate float64, burst int, defRate float64, defBurst int) (float64, int) {
	if rate == 0 {
		rate = defRate
		if burst == 0 {
			burst = defBurst
		}
	}
	if burst < 0 || math.IsInf(rate, 0) {
		rate = -1
	}
	if burst == 0 {
		burst = int(min(math.Ceil(rate), math.MaxInt32))
	}
	return rate, max(burst, 1)
}

// RateOf returns the requests per second of a bucket, and how many may come at once.
func (l Limits) RateOf(b Bucket) (perSecond float64, burst int) {
	if b == BucketHTTP {
		return l.HTTPRate, l.HTTPBurst
	}
	return l.Rate, l.Burst
}

// A memoryLimiter counts in the memory of this process.
type memoryLimiter struct {
	buckets      limits.Buckets
	slots        limits.Slots
	pages, bytes daycount.Counter
}

const day = 24 * time.Hour

func (m *memoryLimiter) Take(_ context.Context, p Principal, b Bucket) (Quota, error) {
	perSecond, burst := p.Limits.RateOf(b)
	a, err := m.buckets.Take(p.bucket(b), perSecond, burst, time.Now())
	return Quota(a), err
}

func (m *memoryLimiter) Left(_ context.Context, p Principal, b Bucket) (Quota, error) {
	perSecond, burst := p.Limits.RateOf(b)
	a, err := m.buckets.Left(p.bucket(b), perSecond, burst, time.Now())
	return Quota(a), err
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

func (m *memoryLimiter) TakeSlot(_ context.Context, p Principal, k Kind, most int) (func(), bool, error) {
	release, taken := m.slots.Take(k.String()+" "+p.account(), most)
	return release, taken, nil
}

// What a caller's sessions hold and use is counted here: slots, descriptors, pages, bytes.

// counter is whom the principal's sessions count for.
func (p Principal) counter() limits.Account {
	return limits.Account{Name: p.account(), Subject: p.Subject}
}

// takeSlot counts a session of the principal in, or says that there are as many
// as there may be.
func (s *session) takeSlot(ctx context.Context, p Principal) error {
	g, most := s.g, p.Limits.allows(s.Kind)
	tooMany := func() error {
		return limited(fault.LimitReached, fmt.Sprintf("limit reached: %s at a time", safetext.Count(most, string(s.Kind)+" session")),
			Quota{Limit: most, RetryAfter: time.Second})
	}
	slots, shared := g.o.Limiter.(SlotLimiter)
	if !shared || most <= 0 {
		if !s.countIn(p, most) {
			return tooMany()
		}
		return nil
	}
	var taken bool
	release, err := hostcall.Get(func() (release func(), err error) {
		release, taken, err = slots.TakeSlot(ctx, p, s.Kind, most)
		return release, err
	})
	switch why := endOf(ctx); {
	case err != nil && why != nil:
		return why
	case err != nil:
		return fault.FromHost("limiter", err)
	case !taken:
		g.meters.Refuse(p.counter())
		return tooMany()
	}
	s.countIn(p, -1)
	s.release = release
	return nil
}

// countIn counts the session in where fewer than most are (at most 0: no limit).
func (s *session) countIn(p Principal, most int) bool {
	s.counter = p.counter() // which it is counted out of
	return s.g.meters.Begin(s.counter, s.Kind.String(), s.Kind.row().files, most)
}

// takePages takes what a crawl may need from what its caller has left for the
// day. Release returns what it did not use.
func (g *Gateway) takePages(ctx context.Context, p Principal, want int) (granted int, release func(used int), err error) {
	q, err := hostcall.Get(func() (PageQuota, error) { return g.pages.TakePages(ctx, p, want) })
	switch {
	case err != nil:
		return 0, nil, fault.FromHost("limiter", err)
	case q.Granted <= 0:
		g.meters.Refuse(p.counter())
		return 0, nil, limited(fault.LimitReached,
			fmt.Sprintf("limit reached: %s a day; try again in %s", safetext.Count(p.Limits.PagesPerDay, "page"), roundedUp(q.RetryAfter)),
			Quota{Limit: p.Limits.PagesPerDay, RetryAfter: q.RetryAfter})
	}
	release = func(used int) {
		if q.Return == nil || used >= q.Granted {
			return
		}
		// Whatever ended the crawl must not cost its caller pages.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := hostcall.Do(func() error { return q.Return(ctx, q.Granted-used) }); err != nil {
			g.o.Logger.WarnContext(ctx, "pages not given back", "subject", p.Subject, "pages", q.Granted-used, "err", err)
		}
	}
	return min(q.Granted, want), release, nil
}

// roundedUp writes a time to wait for people, rounded up: "23h15m", "4m".
func roundedUp(d time.Duration) string {
	minutes := max(1, (d+time.Minute-1)/time.Minute)
	if minutes < 60 {
		return fmt.Sprintf("%dm", minutes)
	}
	return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
}

// checkBytes refuses a session of a key that has used up its bytes of the day.
func (g *Gateway) checkBytes(ctx context.Context, p Principal) error {
	most := p.Limits.BytesPerDay
	if most <= 0 {
		return nil
	}
	q, err := g.reportBytes(ctx, p)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fault.FromHost("limiter", err)
	case q.Used < most:
		return nil
	}
	g.meters.Refuse(p.counter())
	text := fmt.Sprintf("limit reached: %s a day; try again in %s", safetext.Count(most, "byte"), roundedUp(q.RetryAfter))
	return &fault.Error{Class: fault.LimitReached, Text: text, RetryAfter: q.RetryAfter, Quota: &fault.Quota{Limit: most}}
}

// reportBytes reports to the ByteLimiter what sessions of a key have carried and it does not
// know of, and returns what was used.
func (g *Gateway) reportBytes(ctx context.Context, p Principal) (ByteQuota, error) {
	return g.traffic.Report(ctx, p.account(), p)
}

// countBytes has a session count for its key's limit of bytes, if that has one.
func (s *session) countBytes() {
	if s.principal.Limits.BytesPerDay <= 0 {
		return
	}
	s.flow = s.g.traffic.Begin(s.principal.account(), *s.principal, func() int64 {
		s.g.mu.Lock()
		defer s.g.mu.Unlock()
		c := s.carrier.Counters()
		return c.BytesToTarget + c.BytesToClient
	})
}

// endOf returns why ctx has ended; nil when it has not, or its time ran out.
func endOf(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled): // net/http does
		return errClientGone
	case !fault.IsTimeout(cause):
		return cause
	}
	return nil
}
