package redislimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// testTimeout is a timeout that a busy machine does not run into.
const testTimeout = 10 * time.Second

// open returns a limiter on the server.
func open(t testing.TB, s *harness.Server, o redislimit.Options) *redislimit.Limiter {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = testTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := redislimit.Open("redis://"+s.Addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// admin returns a client of the test's own.
func admin(t testing.TB, s *harness.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { c.Close() })
	return c
}

func caller(l farwire.Limits) farwire.Principal {
	return farwire.Principal{Subject: "alice", KeyID: "k1", Limits: l}
}

// slow lets a burst through and then hardly anything.
func slow(burst int) farwire.Principal { return caller(farwire.Limits{Rate: 1e-6, Burst: burst}) }

func take(t testing.TB, l farwire.Limiter, p farwire.Principal) farwire.Quota {
	t.Helper()
	q, err := l.Take(t.Context(), p, farwire.BucketRequests)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// passes returns how many requests pass until one does not.
func passes(t testing.TB, l farwire.Limiter, p farwire.Principal) int {
	t.Helper()
	for n := 0; ; n++ {
		if take(t, l, p).RetryAfter > 0 {
			return n
		}
	}
}

func takePages(t testing.TB, l farwire.PageLimiter, p farwire.Principal, want int) farwire.PageQuota {
	t.Helper()
	q, err := l.TakePages(t.Context(), p, want)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(harness.Timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", harness.Timeout, what)
		}
	}
}

// clock returns the time of the server's clock in microseconds.
func clock(t testing.TB, c redis.UniversalClient) int64 {
	t.Helper()
	now, err := c.Time(context.Background()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return now.UnixMicro()
}

// onlyKey returns the name of the one key that begins so.
func onlyKey(t testing.TB, c *redis.Client, prefix string) string {
	t.Helper()
	keys, err := c.Keys(t.Context(), prefix+"*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(fmt.Errorf("keys %q, %w", keys, err))
	}
	return keys[0]
}
