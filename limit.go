package farwire

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

// Limits says how much a principal may. In every field zero is the gateway's
// default (Options.Limits) and a negative number means no limit; without a
// limit of Burst, Rate has no limit either.
//
// What a caller has to be told is "rate limit exceeded", or "limit reached: 5
// relay sessions at a time" and the like: where an HTTP answer is still due,
// with status 429 and Retry-After, else with close code 1008. Pages and sites
// run out within a crawl: when fewer pages are left than it wants, the crawl
// ends there and says so; when none are, it is refused.
//
// Rate, Burst and PagesPerDay hold over all gateways that share a [Limiter], and
// Sessions, Streams and Crawls too where it is a [SlotLimiter]; Sites hold over
// those that share a [SiteStore].
type Limits struct {
	Rate        float64 `json:"rate,omitempty"`          // requests per second
	Burst       int     `json:"burst,omitempty"`         // requests at once; zero with a Rate: the Rate, at least 1
	Sessions    int     `json:"sessions,omitempty"`      // relay sessions at a time
	Streams     int     `json:"streams,omitempty"`       // AMQP streams at a time
	Crawls      int     `json:"crawls,omitempty"`        // crawls at a time
	Sites       int     `json:"sites,omitempty"`         // enrolled sites
	PagesPerDay int     `json:"pages_per_day,omitempty"` // crawled pages in 24 hours

	// The same as Rate and Burst, for requests and tunnels of the path form and
	// the forward proxy, which count here and not there.
	HTTPRate  float64 `json:"http_rate,omitempty"`
	HTTPBurst int     `json:"http_burst,omitempty"`

	// Payload both ways in 24 hours. Past it the next session is refused; those
	// that run go on.
	BytesPerDay int64 `json:"bytes_per_day,omitempty"`

	// A session that has had its time, or carried its payload both ways, is ended
	// with "limit reached" and close code 1008. Both are looked at once a second, so
	// that it may have a little more of each.
	SessionTime  time.Duration `json:"session_time,omitempty"`  // of one session
	SessionBytes int64         `json:"session_bytes,omitempty"` // of one session
}

// A Limiter counts the requests of principals.
//
// Take is called concurrently, once for each request, with the defaults
// already filled into the principal's Limits. An error is the limiter's own
// trouble and refuses the request as an internal error; a limiter that would
// rather let requests pass decides so itself. Those who share a KeyID but not
// the Subject are different callers.
//
// What runs at a time (Limits.Sessions, Streams, Crawls) is counted by the limiter
// if it is a [SlotLimiter], and crawled pages if it is a [PageLimiter]; that of
// [NewLimiter] is both.
type Limiter interface {
	Take(context.Context, Principal) (Quota, error)
}

// Quota is a Limiter's answer.
type Quota struct {
	Limit      int           // the burst; negative: no limit
	Remaining  int           // requests left at once
	RetryAfter time.Duration // zero: go ahead; else refused, and when to come back
}

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

// DefaultHTTPRate and DefaultHTTPBurst are the same for requests of the path
// form and the forward proxy: a browser's page of 300 files loads whole.
const (
	DefaultHTTPRate  = 100
	DefaultHTTPBurst = 500
)

// NewLimiter returns the Limiter that a gateway uses by default: a token
// bucket and counts of pages and of bytes for each key, in the memory of this
// process. It is a [ByteLimiter] as well, safe for concurrent use, and forgets keys
// whose bucket has filled up again and of which nothing else counts any more. A change of a key's rate or burst counts from
// its next request on.
func NewLimiter() PageLimiter { return newMemoryLimiter() }

// or returns l with every zero field taken from def, and a burst in any case.
// Any number at once is any number a second.
func (l Limits) or(def Limits) Limits {
	if l.Rate == 0 {
		l.Rate = def.Rate
		if l.Burst == 0 {
			l.Burst = def.Burst
		}
	}
	if l.Burst < 0 {
		l.Rate = -1
	}
	if l.Burst == 0 {
		l.Burst = int(min(math.Ceil(l.Rate), math.MaxInt32))
	}
	l.Burst = max(l.Burst, 1)
	if l.HTTPRate == 0 {
		l.HTTPRate = def.HTTPRate
		if l.HTTPBurst == 0 {
			l.HTTPBurst = def.HTTPBurst
		}
	}
	if l.HTTPBurst < 0 {
		l.HTTPRate = -1
	}
	if l.HTTPBurst == 0 {
		l.HTTPBurst = int(min(math.Ceil(l.HTTPRate), math.MaxInt32))
	}
	l.HTTPBurst = max(l.HTTPBurst, 1)
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

// counted returns the principal as the Limiter is asked about it. Requests of the
// path form and the forward proxy have a rate of their own: they count under
// another key id.
func (p Principal) counted(http bool) Principal {
	if http {
		p.Limits.Rate, p.Limits.Burst = p.Limits.HTTPRate, p.Limits.HTTPBurst
		p.KeyID += "/http"
	}
	return p
}

// account is what a principal is counted under: the subject's key, or the
// subject when the host named it without one. No two pairs make the same.
func (p Principal) account() string {
	return strconv.Itoa(len(p.Subject)) + " " + p.Subject + p.KeyID
}

// A meter holds what the gateway counts for one account.
type meter struct {
	active map[Kind]int
	total  map[Kind]uint64

	bytesToTarget, bytesToClient int64
	refused                      uint64
}

// meters counts sessions for each account, to enforce what may run at a time
// and to tell callers what they used. An account that has nothing running may
// be forgotten when there are very many.
type meters struct {
	mu      sync.Mutex
	of      map[string]*meter
	holding holding
}

const maxIdleMeters = 100_000

// begin counts a session in, or says that the account has as many as it may.
func (m *meters) begin(p Principal, k Kind, limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.get(p)
	if limit > 0 && a.active[k] >= limit {
		a.refused++
		return false
	}
	a.active[k]++
	a.total[k]++
	m.holding.add(p.Subject, k.files())
	return true
}

// end counts a session out with the bytes that it carried.
func (m *meters) end(p Principal, k Kind, toTarget, toClient int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.get(p)
	a.active[k]--
	m.holding.add(p.Subject, -k.files())
	a.bytesToTarget += toTarget
	a.bytesToClient += toClient
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
	a := *m.get(p)
	a.active, a.total = maps.Clone(a.active), maps.Clone(a.total)
	return a
}

// idle reports that the account has nothing running.
func (a *meter) idle() bool {
	for _, n := range a.active {
		if n > 0 {
			return false
		}
	}
	return true
}

func (m *meters) get(p Principal) *meter {
	if a := m.of[p.account()]; a != nil {
		return a
	}
	if len(m.of) >= maxIdleMeters {
		for key, a := range m.of {
			if a.idle() {
				delete(m.of, key)
			}
		}
	}
	if m.of == nil {
		m.of = make(map[string]*meter)
	}
	a := &meter{active: make(map[Kind]int), total: make(map[Kind]uint64)}
	m.of[p.account()] = a
	return a
}

// takePages takes what a crawl may need from what its caller has left for the
// day. Release returns what it did not use.
func (g *Gateway) takePages(ctx context.Context, p Principal, want int) (granted int, release func(used int), err error) {
	q, err := g.pages.TakePages(ctx, p, want)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("limiter: %w", err)
	case q.Granted <= 0:
		g.meters.refuse(p)
		return 0, nil, limited(fault.LimitReached,
			fmt.Sprintf("limit reached: %d pages a day; try again in %s", p.Limits.PagesPerDay, roughly(q.RetryAfter)),
			Quota{Limit: p.Limits.PagesPerDay, RetryAfter: q.RetryAfter})
	}
	release = func(used int) {
		if q.Return == nil || used >= q.Granted {
			return
		}
		// Whatever ended the crawl must not cost its caller pages.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := q.Return(ctx, q.Granted-used); err != nil {
			g.o.Logger.WarnContext(ctx, "pages not given back", "subject", p.Subject, "pages", q.Granted-used, "err", err)
		}
	}
	return min(q.Granted, want), release, nil
}

// roughly writes a time to wait for people, rounded up: "23h15m", "4m".
func roughly(d time.Duration) string {
	minutes := max(1, (d+time.Minute-1)/time.Minute)
	if minutes < 60 {
		return fmt.Sprintf("%dm", minutes)
	}
	return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
}

// fullFrom is the part of a process's descriptors, in percent, above which callers
// are held to their share of them.
const fullFrom = 80

// files returns about how many descriptors a session holds.
func (k Kind) files() int {
	for _, row := range kinds {
		if row.kind == k {
			return row.files
		}
	}
	return 0
}

// A holding is what all sessions hold, and those of each caller.
type holding struct {
	files map[string]int // descriptors by subject; none is zero
	sum   int
}

// add counts the descriptors of a session in or, with a negative n, out.
func (h *holding) add(subject string, n int) {
	if h.files == nil {
		h.files = make(map[string]int)
	}
	h.sum += n
	if h.files[subject] += n; h.files[subject] == 0 {
		delete(h.files, subject)
	}
}

// exceedsShare reports whether a caller holds more than its share of the
// descriptors while few are left. What sessions may hold, all that is neither kept
// free nor held by others, is shared evenly by the callers that hold some: one that
// holds nothing is never refused.
func (m *meters) exceedsShare(subject string, open, most int) bool {
	full := most * fullFrom / 100
	if most <= 0 || open <= full {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.holding.files[subject]
	others := max(0, open-m.holding.sum)
	return held > 0 && held >= max(0, full-others)/len(m.holding.files)
}
