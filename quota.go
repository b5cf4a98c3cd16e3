package farwire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/limits"
)

// What a caller's sessions hold and use is counted here: slots of those that run at a
// time, descriptors, pages and bytes of a day.

// counter is whom the principal's sessions count for.
func (p Principal) counter() limits.Account {
	return limits.Account{Name: p.account(), Subject: p.Subject}
}

// files returns about how many descriptors a session holds.
func (k Kind) files() int {
	for _, row := range kinds {
		if row.kind == k {
			return row.files
		}
	}
	return 0
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
		if !g.meters.Begin(p.counter(), s.Kind.String(), s.Kind.files(), most) {
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
		g.meters.Refuse(p.counter())
		return tooMany()
	}
	g.meters.Begin(p.counter(), s.Kind.String(), s.Kind.files(), -1)
	s.release = release
	return nil
}

// takePages takes what a crawl may need from what its caller has left for the
// day. Release returns what it did not use.
func (g *Gateway) takePages(ctx context.Context, p Principal, want int) (granted int, release func(used int), err error) {
	q, err := g.pages.TakePages(ctx, p, want)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("limiter: %w", err)
	case q.Granted <= 0:
		g.meters.Refuse(p.counter())
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

// byteInterval is how often running sessions are counted.
const byteInterval = 5 * time.Second

// traffic is the payload of keys that have a limit of bytes, as far as the
// ByteLimiter does not know of it.
type traffic struct {
	mu      sync.Mutex
	of      map[string]*keyTraffic // by account
	timer   *time.Timer            // nil: nothing is to be counted
	telling sync.WaitGroup
}

// keyTraffic is that of one key.
type keyTraffic struct {
	principal Principal
	unsaid    int64              // bytes that the limiter has not been told of
	running   map[*session]int64 // and how much of each is in unsaid, or was told
}

// checkBytes refuses a session of a key that has used up its bytes of the day.
func (g *Gateway) checkBytes(ctx context.Context, p Principal) error {
	most := p.Limits.BytesPerDay
	if most <= 0 {
		return nil
	}
	q, err := g.tellBytes(ctx, p)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("limiter: %w", err)
	case q.Used < most:
		return nil
	}
	g.meters.Refuse(p.counter())
	return limited(fault.LimitReached,
		fmt.Sprintf("limit reached: %d bytes a day; try again in %s", most, roughly(q.RetryAfter)),
		Quota{Limit: int(most), RetryAfter: q.RetryAfter})
}

// tellBytes tells the limiter what sessions of a key have carried since it was told
// last, those of this gateway that run now included.
func (g *Gateway) tellBytes(ctx context.Context, p Principal) (ByteQuota, error) {
	n := g.collectBytes(p.account())
	q, err := g.bytes.AddBytes(ctx, p, n)
	if err != nil && n > 0 {
		g.traffic.mu.Lock()
		defer g.traffic.mu.Unlock()
		g.traffic.key(p).unsaid += n
		g.armBytes()
	}
	return q, err
}

// dayBytes are the payload of a day.
type dayBytes struct {
	Today *int64 `json:"today"` // null: without a limit, or when the gateway cannot tell now
	Limit *int64 `json:"limit"` // null: none
}

func (g *Gateway) bytesOfDay(ctx context.Context, p Principal) (d dayBytes) {
	if p.Limits.BytesPerDay <= 0 {
		return d
	}
	d.Limit = &p.Limits.BytesPerDay
	q, err := g.tellBytes(ctx, p)
	if err != nil {
		g.o.Logger.WarnContext(ctx, "bytes of a day not counted", "subject", p.Subject, "err", err)
		return d
	}
	d.Today = &q.Used
	return d
}

// collectBytes returns what is to be told of an account.
func (g *Gateway) collectBytes(account string) int64 {
	g.mu.Lock() // it guards who carries a session
	defer g.mu.Unlock()
	t := &g.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.of[account]
	if k == nil {
		return 0
	}
	for s, told := range k.running {
		c := s.carrier.Counters()
		if carried := c.BytesToTarget + c.BytesToClient; carried > told {
			k.unsaid += carried - told
			k.running[s] = carried
		}
	}
	n := k.unsaid
	k.unsaid = 0
	if len(k.running) == 0 {
		delete(t.of, account)
	}
	return n
}

// key returns the traffic of a principal's key; mu is held.
func (t *traffic) key(p Principal) *keyTraffic {
	k := t.of[p.account()]
	if k == nil {
		if t.of == nil {
			t.of = make(map[string]*keyTraffic)
		}
		k = &keyTraffic{running: make(map[*session]int64)}
		t.of[p.account()] = k
	}
	k.principal = p
	return k
}

// countBytes has a session count for its key's limit of bytes, if that has one.
func (s *session) countBytes() {
	if s.principal.Limits.BytesPerDay <= 0 {
		return
	}
	t := &s.g.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	t.key(s.principal).running[s] = 0
	s.g.armBytes()
}

// bytesEnded counts what a session has carried in all.
func (s *session) bytesEnded(r SessionResult) {
	if s.principal.Limits.BytesPerDay <= 0 {
		return
	}
	t := &s.g.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.key(s.principal)
	k.unsaid += max(0, r.BytesToTarget+r.BytesToClient-k.running[s])
	delete(k.running, s)
	s.g.armBytes()
}

// armBytes has the limiter told before long; traffic.mu is held.
func (g *Gateway) armBytes() {
	if g.traffic.timer == nil {
		g.traffic.timer = time.AfterFunc(byteInterval, g.tellAllBytes)
	}
}

// tellAllBytes tells the limiter of all keys.
func (g *Gateway) tellAllBytes() {
	t := &g.traffic
	t.mu.Lock()
	if t.timer == nil { // Shutdown tells
		t.mu.Unlock()
		return
	}
	t.telling.Add(1)
	defer t.telling.Done()
	t.timer = nil
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), byteInterval)
	defer cancel()
	if err := g.tellBytesOf(ctx); err != nil {
		g.o.Logger.Warn("bytes of a day not counted; they are counted later", "err", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) > 0 {
		g.armBytes()
	}
}

// tellBytesOf tells the limiter of every key that has anything to tell.
func (g *Gateway) tellBytesOf(ctx context.Context) error {
	t := &g.traffic
	t.mu.Lock()
	keys := make([]Principal, 0, len(t.of))
	for _, k := range t.of {
		keys = append(keys, k.principal)
	}
	t.mu.Unlock()
	var failed error
	for _, p := range keys {
		if _, err := g.tellBytes(ctx, p); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// lastBytes tells the limiter what is left to tell once all sessions have ended.
func (g *Gateway) lastBytes(ctx context.Context) {
	t := &g.traffic
	t.mu.Lock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	t.mu.Unlock()
	t.telling.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := g.tellBytesOf(ctx); err != nil {
		g.o.Logger.Warn("bytes of a day not counted", "err", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil { // for what could not be told
		t.timer.Stop()
		t.timer = nil
	}
}
