package redislimit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

const quarter = 15 * 60 // seconds

func giveBack(t testing.TB, q farwire.PageQuota, n int) {
	t.Helper()
	if err := q.Return(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

// TestPages_TwoGateways_AreShared takes and gives back at two gateways.
func TestPages_TwoGateways_AreShared(t *testing.T) {
	s := harness.Redis(t)
	one, two := open(t, s, redislimit.Options{}), open(t, s, redislimit.Options{})
	p := caller(farwire.Limits{PagesPerDay: 100})
	first := takePages(t, one, p, 70)
	if first.Granted != 70 || first.Used != 70 {
		t.Errorf("70 of 100: %+v", first)
	}
	second := takePages(t, two, p, 70)
	if second.Granted != 30 || second.Used != 100 {
		t.Errorf("70 of 30: %+v", second)
	}
	q := takePages(t, two, p, 1)
	if q.Granted != 0 || q.Used != 100 || q.Return != nil || q.RetryAfter < 24*time.Hour || q.RetryAfter > 24*time.Hour+15*time.Minute {
		t.Errorf("one of none: %+v", q)
	}
	giveBack(t, first, 60)
	if q := takePages(t, two, p, 0); q.Granted != 0 || q.Used != 40 || q.RetryAfter != 0 {
		t.Errorf("only asked: %+v", q)
	}
	giveBack(t, second, 1000) // no more than it was granted
	if q := takePages(t, one, p, 0); q.Used != 10 {
		t.Errorf("after all: %+v", q)
	}
	all := takePages(t, one, caller(farwire.Limits{PagesPerDay: -1}), 1<<30)
	if all.Granted != 1<<30 || all.Used != 1<<30+10 {
		t.Errorf("without a limit: %+v", all)
	}
	giveBack(t, all, 1<<30-5)
	other := p
	other.Subject = "bob"
	if q := takePages(t, one, other, 100); q.Granted != 100 {
		t.Errorf("somebody else: %+v", q)
	}
	if q := takePages(t, two, p, 1000); q.Granted != 85 {
		t.Errorf("what is left: %+v", q)
	}
}

// TestPages_AfterADay_ComeBack dates pages back: they count until a day after the end of
// their quarter of an hour.
func TestPages_AfterADay_ComeBack(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	p := caller(farwire.Limits{PagesPerDay: 100})
	takePages(t, l, p, 1)
	key := onlyKey(t, c, "farwire:pages:")
	this := clock(t, c) / 1e6 / quarter
	for ago, n := range map[int64]int{200: 50, 98: 50, 97: 50, 95: 20, 60: 30, 59: 1} {
		if err := c.HSet(t.Context(), key, strconv.FormatInt(this-ago, 10), n).Err(); err != nil {
			t.Fatal(err)
		}
	}
	q := takePages(t, l, p, 100)
	if q.Granted != 100-52 || q.Used != 100 {
		t.Errorf("granted %+v", q)
	}
	check := func(p farwire.Principal, ago int64) {
		t.Helper()
		before := clock(t, c)
		q := takePages(t, l, p, 1)
		after := clock(t, c)
		free := (this - ago + 97) * quarter * 1e6
		if us := q.RetryAfter.Microseconds(); q.Granted != 0 || us > free-before || us < free-after {
			t.Errorf("free in %v, want between %d and %d µs", q.RetryAfter, free-after, free-before)
		}
	}
	check(p, 95)
	check(caller(farwire.Limits{PagesPerDay: 79}), 60) // the 20 alone make no room
	if fields := c.HLen(t.Context(), key).Val(); fields != 4 {
		t.Errorf("%d quarters are kept", fields)
	}
}

// TestPages_ServersClockSetBack_CountForADayFromNow has pages that were counted while the
// server's clock was ahead not count for longer than those of a clock which is right, and come
// back when they are given back.
func TestPages_ServersClockSetBack_CountForADayFromNow(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	p := caller(farwire.Limits{PagesPerDay: 100})
	took := takePages(t, l, p, 30)
	key := onlyKey(t, c, "farwire:pages:")
	for ahead, n := range map[int64]int{1: 20, 100: 10, 40_000: 40} {
		if err := c.HSet(t.Context(), key, strconv.FormatInt(clock(t, c)/1e6/quarter+ahead, 10), n).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		// Nearly all have to come back before there is room for one.
		if q := takePages(t, l, caller(farwire.Limits{PagesPerDay: 5}), 1); q.Granted != 0 || q.Used != 100 || q.RetryAfter > 24*time.Hour+15*time.Minute {
			t.Errorf("one of none: %+v", q)
		}
	}
	giveBack(t, took, 30)
	if q := takePages(t, l, p, 0); q.Used != 70 {
		t.Errorf("after they were given back: %+v", q)
	}
	if fields := c.HLen(t.Context(), key).Val(); fields > 2 {
		t.Errorf("%d quarters are kept", fields)
	}
}

// TestPages_ServersClockSetBackToAnEmptyQuarter_AllCount has pages that were counted while the
// server's clock was ahead stay when those of the present quarter, which stands behind them, have
// all come back.
func TestPages_ServersClockSetBackToAnEmptyQuarter_AllCount(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	p := caller(farwire.Limits{PagesPerDay: 100})
	giveBack(t, takePages(t, l, p, 30), 30)
	key := onlyKey(t, c, "farwire:pages:")
	now := clock(t, c) / 1e6 / quarter
	if err := c.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	for _, of := range [][2]int64{{now + 1, 20}, {now + 2, 10}, {now, 0}} {
		if err := c.HSet(t.Context(), key, strconv.FormatInt(of[0], 10), of[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if q := takePages(t, l, p, 0); q.Used != 30 {
			t.Errorf("used %d, want 30", q.Used)
		}
	}
}

// TestTakePages_RedisUnavailable_UsesTheShare checks that pages come from the share, and those of Redis come back
// when it does.
func TestTakePages_RedisUnavailable_UsesTheShare(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{Gateways: 2})
	p := caller(farwire.Limits{PagesPerDay: 100, Rate: 1, Burst: 1})
	q := takePages(t, l, p, 90)
	s.Freeze()
	// Whoever finds out that Redis is unavailable waits; with a client that has left
	// this would take as long as the testTimeout of the other tests.
	hasty := open(t, s, redislimit.Options{Gateways: 2, Timeout: 3 * time.Second})
	local := takePages(t, hasty, p, 90)
	if local.Granted != 50 {
		t.Errorf("of a share of 50: %+v", local)
	}
	giveBack(t, local, 20)
	if local := takePages(t, hasty, p, 90); local.Granted != 20 {
		t.Errorf("of what came back: %+v", local)
	}
	s.Thaw()
	giveBack(t, q, 80)
	waitFor(t, "Redis is asked again", func() bool { take(t, hasty, p); return !hasty.Stats().Unavailable })

	// Frozen between the two, it is sent later.
	q = takePages(t, hasty, p, 20)
	if q.Granted != 20 || q.Used != 30 {
		t.Errorf("shared again: %+v", q)
	}
	s.Freeze()
	waitFor(t, "Redis is missed", func() bool { take(t, hasty, p); return hasty.Stats().Unavailable })
	giveBack(t, q, 15)
	s.Thaw()
	waitFor(t, "Redis is asked again", func() bool { take(t, hasty, p); return !hasty.Stats().Unavailable })
	if q := takePages(t, hasty, p, 1); q.Granted != 1 || q.Used != 16 {
		t.Errorf("after the pages were given back: %+v", q)
	}
}
