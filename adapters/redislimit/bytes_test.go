package redislimit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

func addBytes(t testing.TB, l farwire.ByteLimiter, p farwire.Principal, n int64) farwire.ByteQuota {
	t.Helper()
	q, err := l.AddBytes(t.Context(), p, n)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestAddBytes_TwoGateways_CountTogether(t *testing.T) {
	s := harness.Redis(t)
	one, two := open(t, s, redislimit.Options{}), open(t, s, redislimit.Options{})
	const large = int64(1) << 50
	p := caller(farwire.Limits{BytesPerDay: large + 10})
	if q := addBytes(t, one, p, large); q.Used != large || q.RetryAfter != 0 {
		t.Errorf("less than the limit: %+v", q)
	}
	if q := addBytes(t, two, p, 9); q.Used != large+9 || q.RetryAfter != 0 {
		t.Errorf("one less than the limit: %+v", q)
	}
	q := addBytes(t, two, p, 5)
	if q.Used != large+14 || q.RetryAfter < 24*time.Hour || q.RetryAfter > 24*time.Hour+15*time.Minute {
		t.Errorf("more than the limit: %+v", q)
	}
	if q := addBytes(t, one, p, 0); q.Used != large+14 || q.RetryAfter == 0 {
		t.Errorf("only asked: %+v", q)
	}
	other := p
	other.Subject = "bob"
	if q := addBytes(t, one, other, 3); q.Used != 3 {
		t.Errorf("somebody else: %+v", q)
	}
	takePages(t, one, caller(farwire.Limits{PagesPerDay: 100}), 7)
	if q := addBytes(t, one, p, 0); q.Used != large+14 {
		t.Errorf("pages count as bytes: %+v", q)
	}
}

// Without Redis a gateway counts its own share, and tells Redis of it later.
func TestAddBytes_RedisUnavailable_CountsItsShareAndTellsLater(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{Gateways: 2})
	p := caller(farwire.Limits{BytesPerDay: 100})
	addBytes(t, l, p, 10)
	s.Kill()
	// The first may be one that Redis could have got.
	if q := addBytes(t, l, p, 0); q.Used != 0 {
		t.Errorf("away: %+v", q)
	}
	if q := addBytes(t, l, p, 30); q.Used != 30 || q.RetryAfter != 0 {
		t.Errorf("away, less than the share: %+v", q)
	}
	if q := addBytes(t, l, p, 30); q.Used != 60 || q.RetryAfter == 0 {
		t.Errorf("away, more than the share of 50: %+v", q)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.AddBytes(gone, p, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	s.Start()
	waitFor(t, "Redis is used again", func() bool {
		addBytes(t, l, p, 0)
		return !l.Stats().Unavailable
	})
	// Its own count of before may have gone with it.
	if q := addBytes(t, l, p, 0); q.Used != 60 && q.Used != 70 {
		t.Errorf("back: %+v, want the 60 of meanwhile to be counted", q)
	}
}
