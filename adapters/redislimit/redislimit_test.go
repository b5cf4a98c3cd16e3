package redislimit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// TestLimit_TwoGateways_IsShared has two limiters hold callers to one limit, each caller
// to its own.
func TestLimit_TwoGateways_IsShared(t *testing.T) {
	s := harness.Redis(t)
	one, two := open(t, s, redislimit.Options{}), open(t, s, redislimit.Options{})
	var both sync.WaitGroup
	passed := make([]int, 2)
	for i, l := range []*redislimit.Limiter{one, two} {
		both.Go(func() {
			for range 40 {
				q, err := l.Take(context.Background(), slow(50), farwire.BucketRequests)
				if err != nil {
					t.Error(err)
				}
				if q.RetryAfter == 0 {
					passed[i]++
				}
			}
		})
	}
	both.Wait()
	if passed[0]+passed[1] != 50 {
		t.Errorf("%v passed, want 50 in all", passed)
	}
	if q := take(t, one, slow(50)); q.Limit != 50 || q.Remaining != 0 || q.RetryAfter < time.Hour {
		t.Errorf("refused with %+v", q)
	}
	for _, p := range []farwire.Principal{
		{Subject: "alice"}, {Subject: "alice", KeyID: "k2"}, {Subject: "bob", KeyID: "k1"},
		{Subject: "alicek", KeyID: "1"}, {KeyID: "alicek1"}, {Subject: "farwire:rate:*\r\nFLUSHALL\r\n", KeyID: "\x00"},
	} {
		p.Limits = farwire.Limits{Rate: 1e-6, Burst: 3}
		if q := take(t, one, p); q != (farwire.Quota{Limit: 3, Remaining: 2}) {
			t.Errorf("%q %q: %+v", p.Subject, p.KeyID, q)
		}
		if q := take(t, two, p); q != (farwire.Quota{Limit: 3, Remaining: 1}) {
			t.Errorf("%q %q, at the other gateway: %+v", p.Subject, p.KeyID, q)
		}
	}
	asked := slow(50)
	for range 3 { // to ask takes nothing
		if q, err := two.Left(t.Context(), asked, farwire.BucketRequests); err != nil || q != (farwire.Quota{Limit: 50}) {
			t.Errorf("left of what is used up: %+v, %v", q, err)
		}
	}
	asked.KeyID += "/unused"
	if q, err := one.Left(t.Context(), asked, farwire.BucketRequests); err != nil || q != (farwire.Quota{Limit: 50, Remaining: 50}) {
		t.Errorf("left of what nobody used: %+v, %v", q, err)
	}
	keys, err := admin(t, s).Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 7 {
		t.Fatalf("%q, %v", keys, err)
	}
	form := regexp.MustCompile(`^farwire:rate:[A-Za-z0-9_-]{22}$`)
	for _, key := range keys {
		if !form.MatchString(key) {
			t.Errorf("a key is called %q", key)
		}
	}
	if got := one.Stats(); got.Shared == 0 || got.Fallbacks != 0 || got.Unavailable {
		t.Errorf("stats %+v", got)
	}
}

// TestPrefix_Different_KeepsCountsApart keeps apart what does not belong together.
func TestPrefix_Different_KeepsCountsApart(t *testing.T) {
	s := harness.Redis(t)
	one, two := open(t, s, redislimit.Options{}), open(t, s, redislimit.Options{Prefix: "test:"})
	if n := passes(t, one, slow(2)); n != 2 {
		t.Errorf("%d passed", n)
	}
	if n := passes(t, two, slow(2)); n != 2 {
		t.Errorf("under another prefix %d passed", n)
	}
	onlyKey(t, admin(t, s), "test:rate:")
}

// TestTake_NoLimit_DoesNotAskRedis asks nobody.
func TestTake_NoLimit_DoesNotAskRedis(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{})
	for _, rate := range []float64{-1, math.Inf(1)} {
		if q := take(t, l, caller(farwire.Limits{Rate: rate, Burst: 1})); q != (farwire.Quota{Limit: -1, Remaining: -1}) {
			t.Errorf("a rate of %v: %+v", rate, q)
		}
	}
	for _, limits := range []farwire.Limits{{Burst: 1}, {Rate: math.NaN(), Burst: 1}, {Rate: 1}, {Rate: 1, Burst: -1}} {
		if q, err := l.Take(t.Context(), caller(limits), farwire.BucketRequests); err == nil {
			t.Errorf("%+v: %+v", limits, q)
		}
	}
	if n := admin(t, s).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys", n)
	}
}

// TestTake_ExtremeLimits_AreCounted stay within what a script can count.
func TestTake_ExtremeLimits_AreCounted(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{})
	for _, limits := range []farwire.Limits{
		{Rate: 1e-300, Burst: 1}, {Rate: 5e-324, Burst: 2}, {Rate: 1e-12, Burst: 1}, {Rate: 1e-6, Burst: 3},
		{Rate: 1e300, Burst: 1}, {Rate: math.MaxFloat64, Burst: math.MaxInt}, {Rate: 1e-9, Burst: math.MaxInt},
	} {
		p := caller(limits)
		p.KeyID = fmt.Sprint(limits)
		if q := take(t, l, p); q.RetryAfter != 0 || q.Remaining < 0 {
			t.Errorf("%+v: the first got %+v", limits, q)
		}
		for range min(limits.Burst, 3) {
			if q := take(t, l, p); q.RetryAfter < 0 || q.Remaining < 0 {
				t.Errorf("%+v: %+v", limits, q)
			}
		}
	}
	if got := l.Stats(); got.Fallbacks != 0 {
		t.Errorf("stats %+v", got)
	}
}

// TestTake_LimitChanges_HoldsAtOnce raises and lowers what a caller may while it calls;
// the gateways may disagree for a while.
func TestTake_LimitChanges_HoldsAtOnce(t *testing.T) {
	l := open(t, harness.Redis(t), redislimit.Options{})
	for _, c := range []struct {
		what  string
		rate  float64
		burst int
		n     int
		wait  time.Duration
	}{
		{"a full bucket", 0.0001, 5, 5, 10_000 * time.Second},
		{"a larger burst", 0.0001, 8, 3, 10_000 * time.Second},
		{"a larger rate", 0.001, 8, 0, 1000 * time.Second},
		{"a smaller burst", 0.001, 2, 0, 1000 * time.Second},
		{"a smaller rate", 0.00001, 2, 0, 100_000 * time.Second},
	} {
		p := caller(farwire.Limits{Rate: c.rate, Burst: c.burst})
		n, q := passes(t, l, p), take(t, l, p)
		if n != c.n || q.Limit != c.burst || q.RetryAfter > c.wait || q.RetryAfter < c.wait*9/10 {
			t.Errorf("%s: %d passed, then %+v; want %d and a wait of %v", c.what, n, q, c.n, c.wait)
		}
	}
}

// TestTake_Refused_RetryAfterIsExact asks without a pause, with a look at the server's
// clock before and after each request. A request that began when its time had
// come must pass, and one that was answered a millisecond or more before must
// not. What lies between says nothing.
func TestTake_Refused_RetryAfterIsExact(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	early, late := 0, 0
	rates := []float64{3, 7, 10, 33.3, 61}
	for round := 0; round < 10 || (early == 0 || late == 0) && round < 500; round++ {
		rate := 100.0
		if round < len(rates) {
			rate = rates[round]
		}
		p := caller(farwire.Limits{Rate: rate, Burst: 1 + round%3})
		p.KeyID = strconv.Itoa(round)
		for range p.Limits.Burst {
			take(t, l, p)
		}
		before := clock(t, c)
		q := take(t, l, p)
		after := clock(t, c)
		if q.RetryAfter <= 0 {
			continue // the machine was so slow that one had leaked
		}
		// Between these two the request passes at the soonest.
		soonest, latest := before+q.RetryAfter.Microseconds(), after+q.RetryAfter.Microseconds()
		for passed := false; !passed; {
			before := clock(t, c)
			passed = take(t, l, p).RetryAfter == 0
			after := clock(t, c)
			switch {
			case !passed && before >= latest:
				t.Fatalf("rate %v: refused %d µs after its time", rate, before-latest)
			case passed && after <= soonest-1000:
				t.Fatalf("rate %v: passed %d µs before its time", rate, soonest-after)
			case !passed && after > soonest-2000:
				early++
			case passed && before < latest+2000:
				late++
			}
		}
	}
	if early == 0 || late == 0 {
		t.Errorf("%d requests just before their time and %d just after: nothing is shown", early, late)
	}
}

// TestTake_ManyCallers_NoWindowHoldsMore has many ask through two gateways, without a pause, and looks at
// the times by the server's clock at which requests passed: over no window
// more than burst and rate allow, and over the whole not less.
func TestTake_ManyCallers_NoWindowHoldsMore(t *testing.T) {
	const rate, burst = 100, 100
	s := harness.Redis(t)
	c := admin(t, s)
	passed := watch(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	p := caller(farwire.Limits{Rate: rate, Burst: burst})
	var all sync.WaitGroup
	last := open(t, s, redislimit.Options{})
	for _, l := range []*redislimit.Limiter{last, open(t, s, redislimit.Options{})} {
		for range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := l.Take(context.Background(), p, farwire.BucketRequests); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	end := clock(t, c)
	passes(t, last, p)
	at := passed()
	for i := range at {
		for j := i; j < len(at); j++ {
			window := float64(at[j]-at[i]) / 1e6
			if n := j - i + 1; float64(n) > burst+rate*window+1e-6 {
				t.Fatalf("%d requests passed in %v s", n, window)
			}
		}
	}
	// One was refused after all of them: the bucket was empty then.
	left, before := float64(burst), at[0]
	for _, now := range append(at, max(end, at[len(at)-1])) {
		left = min(burst, left+rate*float64(now-before)/1e6) - 1
		before = now
	}
	if left > 1e-3 {
		t.Errorf("%d requests passed, %v fewer than may", len(at), left)
	}
}

// watch notes the time in each state that is stored, until it is asked for
// what it has: one for each request that passed.
func watch(t *testing.T, s *harness.Server) func() []int64 {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil || !lines.Scan() || lines.Text() != "+OK" {
		t.Fatalf("%q, %v", lines.Text(), err)
	}
	var at []int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		stored := regexp.MustCompile(`lua\] "SET" "farwire:rate:\S+" "\S+ (\d+)"`)
		for lines.Scan() && !strings.Contains(lines.Text(), `"enough"`) {
			if m := stored.FindStringSubmatch(lines.Text()); m != nil {
				us, _ := strconv.ParseInt(m[1], 10, 64) // it is all digits
				at = append(at, us)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return func() []int64 {
		if err := admin(t, s).Echo(context.Background(), "enough").Err(); err != nil {
			t.Fatal(err)
		}
		<-done
		if len(at) == 0 || !slices.IsSorted(at) {
			t.Fatalf("the server's clock says %v", at)
		}
		return at
	}
}

// A caller that leaves gets its context's error, and Redis is not blamed.
func TestTake_CallerLeaves_ReturnsAtOnce(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Take(ctx, slow(1), farwire.BucketRequests); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := l.TakePages(ctx, slow(1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	take(t, l, slow(1))
	s.Freeze()
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Take(ctx, slow(1), farwire.BucketRequests); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.Thaw()
	if got := l.Stats(); got.Fallbacks != 0 || got.Unavailable {
		t.Errorf("stats %+v", got)
	}
}

func TestNew_BadOptions_NamesTheField(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	for want, o := range map[string]redislimit.Options{
		"Options.Gateways": {Gateways: -1},
		"Options.Timeout":  {Timeout: -1},
	} {
		if _, err := redislimit.New(client, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := redislimit.New(nil, redislimit.Options{}); err == nil {
		t.Error("no client will do")
	}
}
