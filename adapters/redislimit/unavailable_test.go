package redislimit_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// Redis is stopped, killed and frozen, and started again. Meanwhile the gateway
// allows its share, says so once, and lets nobody wait.
func TestTake_RedisUnavailable_UsesTheShare(t *testing.T) {
	const timeout = 2 * time.Second
	for name, c := range map[string]struct {
		leave, back func(*harness.Server)
		kept        bool // what was counted
	}{
		"killed":  {(*harness.Server).Kill, (*harness.Server).Start, false},
		"stopped": {(*harness.Server).Stop, (*harness.Server).Start, false},
		"frozen":  {(*harness.Server).Freeze, (*harness.Server).Thaw, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, log := harness.Redis(t), new(harness.Log)
			l := open(t, s, redislimit.Options{Gateways: 3, Timeout: timeout, Logger: log.Logger()})
			p := slow(10)
			round := 0
			waitFor(t, "all of the limit is used, and nothing of the share", func() bool {
				round++
				p.KeyID = strconv.Itoa(round)
				fallbacks := l.Stats().Fallbacks
				return passes(t, l, p) == 10 && l.Stats().Fallbacks == fallbacks
			})
			before := l.Stats()
			warned, returned := log.Count("Redis is unavailable"), log.Count("Redis is available again")

			c.leave(s)
			begin := time.Now()
			if n := passes(t, l, p); n != 3 {
				t.Errorf("%d passed of a third of 10", n)
			}
			for range 500 {
				if q := take(t, l, p); q.RetryAfter <= 0 || q.Limit != 3 {
					t.Fatalf("beyond the share: %+v", q)
				}
			}
			// One waits for the timeout, and one each second that this takes; if
			// each did, they would take a quarter of an hour.
			if took := time.Since(begin); took > 504*timeout/4 {
				t.Errorf("504 requests took %v", took)
			}
			after := l.Stats()
			if after.Fallbacks-before.Fallbacks != 504 || after.Shared != before.Shared || !after.Unavailable {
				t.Errorf("stats %+v, before %+v", after, before)
			}
			if log.Count("Redis is unavailable") != warned+1 || log.Count("Redis is available again") != returned {
				t.Errorf("the log says\n%s", log)
			}

			c.back(s)
			waitFor(t, "Redis is asked again", func() bool { take(t, l, p); return !l.Stats().Unavailable })
			q := take(t, l, p)
			if c.kept && q.RetryAfter == 0 || !c.kept && q.RetryAfter != 0 {
				t.Errorf("back again: %+v", q)
			}
			if log.Count("Redis is available again") != returned+1 {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
}

// The limiter starts without Redis, with many requests at once.
func TestTake_RedisNeverAvailable_UsesTheShare(t *testing.T) {
	s, log := harness.Redis(t), new(harness.Log)
	s.Kill()
	l := open(t, s, redislimit.Options{Logger: log.Logger()})
	if err := l.Ping(t.Context()); err == nil {
		t.Error("a dead server has answered")
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 20 {
		all.Go(func() {
			q, err := l.Take(t.Context(), slow(10), farwire.BucketRequests)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if q.RetryAfter == 0 {
				passed++
			}
		})
	}
	all.Wait()
	if passed != 10 || log.Count("Redis is unavailable") != 1 {
		t.Errorf("%d passed; the log says\n%s", passed, log)
	}
	s.Start()
	waitFor(t, "Redis is asked again", func() bool { take(t, l, slow(10)); return !l.Stats().Unavailable })
	if err := l.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestShare_LimitBelowTheGateways_IsAtLeastOne lets each gateway have at least one request and one page.
func TestShare_LimitBelowTheGateways_IsAtLeastOne(t *testing.T) {
	s := harness.Redis(t)
	s.Kill()
	l := open(t, s, redislimit.Options{Gateways: 100})
	p := caller(farwire.Limits{Rate: 10, Burst: 10, PagesPerDay: 5})
	if q := take(t, l, p); q != (farwire.Quota{Limit: 1}) {
		t.Errorf("got %+v", q)
	}
	q := take(t, l, p)
	if q.RetryAfter < 5*time.Second || q.RetryAfter > 10*time.Second {
		t.Errorf("a hundredth of 10 a second makes one wait %v", q.RetryAfter)
	}
	if q := takePages(t, l, p, 5); q.Granted != 1 {
		t.Errorf("pages: %+v", q)
	}
}
