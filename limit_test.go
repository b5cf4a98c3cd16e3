package farwire_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

func caller(l farwire.Limits) farwire.Principal {
	return farwire.Principal{Subject: "alice", KeyID: "k1", Limits: l}
}

func take(t *testing.T, l farwire.Limiter, p farwire.Principal) farwire.Quota {
	t.Helper()
	q, err := l.Take(t.Context(), p, farwire.BucketRequests)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func takePages(t *testing.T, l farwire.PageLimiter, p farwire.Principal, want int) farwire.PageQuota {
	t.Helper()
	q, err := l.TakePages(t.Context(), p, want)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRate_Refused_RetryAfterIsExact comes back when it was told to, and a microsecond
// before.
func TestRate_Refused_RetryAfterIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0.3, 1, 3, 7, 10, 333, 1e5} {
			for _, burst := range []int{1, 2, 10} {
				l, p := farwire.NewLimiter(), caller(farwire.Limits{Rate: rate, Burst: burst})
				for i := range burst {
					if q := take(t, l, p); q.RetryAfter != 0 || q.Limit != burst || q.Remaining != burst-1-i {
						t.Fatalf("rate %v, burst %d: request %d got %+v", rate, burst, i, q)
					}
				}
				for range 5 {
					q := take(t, l, p)
					if q.RetryAfter <= 0 || q.Remaining != 0 {
						t.Fatalf("rate %v, burst %d: one more got %+v", rate, burst, q)
					}
					time.Sleep(q.RetryAfter - time.Microsecond)
					if q := take(t, l, p); q.RetryAfter <= 0 {
						t.Errorf("rate %v, burst %d: passed before its time", rate, burst)
					}
					time.Sleep(time.Microsecond)
					if q := take(t, l, p); q.RetryAfter != 0 {
						t.Errorf("rate %v, burst %d: to wait %v longer than it was told", rate, burst, q.RetryAfter)
					}
				}
			}
		}
	})
}

// TestLimits_Changed_HoldAtOnce raises and lowers what a caller may while it calls.
func TestLimits_Changed_HoldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := farwire.NewLimiter()
		passes := func(rate float64, burst int) (n int, wait time.Duration) {
			for {
				q := take(t, l, caller(farwire.Limits{Rate: rate, Burst: burst}))
				if q.RetryAfter > 0 {
					return n, q.RetryAfter.Round(time.Microsecond)
				}
				n++
			}
		}
		for _, c := range []struct {
			what  string
			rate  float64
			burst int
			n     int
			wait  time.Duration
		}{
			{"a full bucket", 1, 5, 5, time.Second},
			{"a larger burst", 1, 8, 3, time.Second},
			{"a larger rate", 100, 8, 0, 10 * time.Millisecond},
			{"a smaller burst", 100, 2, 0, 10 * time.Millisecond},
			{"a smaller rate", 0.5, 2, 0, 2 * time.Second},
		} {
			if n, wait := passes(c.rate, c.burst); n != c.n || wait != c.wait {
				t.Errorf("%s: %d passed, then wait %v; want %d and %v", c.what, n, wait, c.n, c.wait)
			}
		}
		if q := take(t, l, caller(farwire.Limits{Rate: -1})); q != (farwire.Quota{Limit: -1, Remaining: -1}) {
			t.Errorf("without a limit: %+v", q)
		}
	})
}

// TestLimits_SimilarNames_AreCountedApart has callers whose names run into each other.
func TestLimits_SimilarNames_AreCountedApart(t *testing.T) {
	l := farwire.NewLimiter()
	for _, p := range []farwire.Principal{
		{Subject: "a", KeyID: "1"}, {Subject: "b", KeyID: "1"}, {Subject: "a"}, {Subject: "a1"},
		{KeyID: "a1"}, {Subject: "1 a"}, {Subject: "a", KeyID: "2"},
	} {
		p.Limits = farwire.Limits{Rate: 1e-9, Burst: 1, PagesPerDay: 1}
		if q := take(t, l, p); q.RetryAfter != 0 {
			t.Errorf("%q, %q: somebody else was counted", p.Subject, p.KeyID)
		}
		if q := take(t, l, p); q.RetryAfter == 0 {
			t.Errorf("%q, %q: not counted", p.Subject, p.KeyID)
		}
		if q := takePages(t, l, p, 1); q.Granted != 1 {
			t.Errorf("%q, %q: somebody else's pages were counted", p.Subject, p.KeyID)
		}
	}
}

// TestPages_AnyDay_NeverExceedTheLimit takes pages for some days and looks at every span of 24
// hours.
func TestPages_AnyDay_NeverExceedTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100
		l, p := farwire.NewLimiter(), caller(farwire.Limits{PagesPerDay: limit})
		type grant struct {
			at time.Time
			n  int
		}
		var grants []grant
		total := 0
		for range 5 * 24 * 60 / 7 {
			time.Sleep(7 * time.Minute)
			q := takePages(t, l, p, 9)
			if q.Granted > 2 {
				if err := q.Return(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
				q.Granted -= 2
			}
			grants = append(grants, grant{time.Now(), q.Granted})
			total += q.Granted
			if q.Granted == 0 && (q.RetryAfter <= 0 || q.RetryAfter > 24*time.Hour+15*time.Minute) {
				t.Fatalf("refused and told to wait %v", q.RetryAfter)
			}
		}
		for i := range grants {
			n := 0
			for _, g := range grants[i:] {
				if g.at.Sub(grants[i].at) < 24*time.Hour {
					n += g.n
				}
			}
			if n > limit {
				t.Fatalf("%d pages in the 24 hours from %v", n, grants[i].at)
			}
		}
		if total < 4*limit {
			t.Errorf("%d pages in five days, of %d a day", total, limit)
		}
	})
}

// TestPages_AfterRetryAfter_ComeBack waits as long as it is told.
func TestPages_AfterRetryAfter_ComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := farwire.NewLimiter(), caller(farwire.Limits{PagesPerDay: 10})
		takePages(t, l, p, 4)
		time.Sleep(time.Hour)
		if q := takePages(t, l, p, 20); q.Granted != 6 || q.Used != 10 {
			t.Errorf("of 6 left: %+v", q)
		}
		q := takePages(t, l, p, 1)
		if q.Granted != 0 || q.Used != 10 || q.Return != nil {
			t.Errorf("of none left: %+v", q)
		}
		time.Sleep(q.RetryAfter - time.Nanosecond)
		if q := takePages(t, l, p, 1); q.Granted != 0 {
			t.Error("passed before its time")
		}
		time.Sleep(time.Nanosecond)
		if q := takePages(t, l, p, 9); q.Granted != 4 {
			t.Errorf("after its time: %+v", q)
		}
		// A limit that falls below what was used waits for as much to go.
		lowered := caller(farwire.Limits{PagesPerDay: 2})
		q = takePages(t, l, lowered, 1)
		if want := 24 * time.Hour; q.Granted != 0 || q.RetryAfter < want {
			t.Errorf("with a lowered limit: %+v", q)
		}
		unlimited := takePages(t, l, caller(farwire.Limits{PagesPerDay: -1}), 1<<30)
		if unlimited.Granted != 1<<30 || unlimited.Used != 1<<30+10 {
			t.Errorf("without a limit: %+v", unlimited)
		}
		if err := unlimited.Return(context.Background(), 1<<30); err != nil {
			t.Fatal(err)
		}
		if q := takePages(t, l, p, 0); q.Granted != 0 || q.Used != 10 || q.RetryAfter != 0 {
			t.Errorf("only asked: %+v", q)
		}
	})
}
