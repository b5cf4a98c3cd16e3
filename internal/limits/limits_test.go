package limits_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/limits"
)

func TestBuckets_Take_RefillsAndFollowsChanges(t *testing.T) {
	var b limits.Buckets
	now := time.Unix(1e9, 0)
	take := func(perSecond float64, burst int) limits.Answer {
		t.Helper()
		a, err := b.Take("alice", perSecond, burst, now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for left := 2; left >= 0; left-- {
		if a := take(2, 3); a != (limits.Answer{Limit: 3, Remaining: left}) {
			t.Errorf("%d left: %+v", left, a)
		}
	}
	left := func(perSecond float64, burst int) int {
		t.Helper()
		a, err := b.Left("alice", perSecond, burst, now)
		if err != nil || a.RetryAfter != 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		return a.Remaining
	}
	if got := left(2, 3); got != 0 {
		t.Errorf("left of an empty bucket: %d", got)
	}
	refused := take(2, 3)
	if refused.RetryAfter < 500*time.Millisecond || refused.RetryAfter > 501*time.Millisecond {
		t.Errorf("empty: %+v", refused)
	}
	if now = now.Add(refused.RetryAfter); take(2, 3).RetryAfter != 0 {
		t.Error("refused after the time that it was told to wait")
	}
	if a := take(2, 10); a.RetryAfter != 0 || a.Remaining != 6 { // three are taken, and this one
		t.Errorf("a larger bucket, of which as much is taken: %+v", a)
	}
	if got := left(2, 10); got != 6 || left(2, 10) != 6 || left(-1, 1) != -1 {
		t.Errorf("to ask what is left says %d, or takes of it", got)
	}
	for _, unlimited := range []float64{-1, math.Inf(1)} {
		if a := take(unlimited, 1); a.Limit >= 0 || a.RetryAfter != 0 {
			t.Errorf("a rate of %v: %+v", unlimited, a)
		}
	}
	for _, c := range []struct {
		perSecond float64
		burst     int
	}{{0, 1}, {math.NaN(), 1}, {1, 0}, {1, -1}} {
		if _, err := b.Take("alice", c.perSecond, c.burst, now); err == nil {
			t.Errorf("a rate of %v with a burst of %d is taken", c.perSecond, c.burst)
		}
	}
}

func TestSlots_Take_AsManyAsThereAre(t *testing.T) {
	var s limits.Slots
	first, taken := s.Take("relay alice", 2)
	if _, second := s.Take("relay alice", 2); !taken || !second {
		t.Fatal("two of two slots are not to be had")
	}
	if _, third := s.Take("relay alice", 2); third {
		t.Error("three of two slots")
	}
	if _, other := s.Take("relay bob", 1); !other {
		t.Error("another account's slots are taken")
	}
	first()
	if _, again := s.Take("relay alice", 2); !again {
		t.Error("a slot that was given back is not free")
	}
}

func TestMeters_Sessions_CountedInAndOut(t *testing.T) {
	m, alice := limits.NewMeters(), limits.Account{Name: "5 alice", Subject: "alice"}
	if !m.Begin(alice, "relay", 2, 1) || m.Begin(alice, "relay", 2, 1) || !m.Begin(alice, "crawl", 10, -1) {
		t.Error("one relay at a time, and any number of crawls")
	}
	m.End(alice, "relay", 2, 3, 4)
	if !m.Begin(alice, "relay", 2, 1) {
		t.Error("refused though nothing runs")
	}
	m.Refuse(alice)
	u := m.Read(alice)
	if u.Active["relay"] != 1 || u.Total["relay"] != 2 || u.Active["crawl"] != 1 || u.BytesToTarget != 3 || u.BytesToClient != 4 || u.Refused != 2 {
		t.Errorf("%+v", u)
	}
	u.Active["relay"] = 7
	if m.Read(alice).Active["relay"] != 1 {
		t.Error("what was read is no copy")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestBuckets_ManyAccounts_OnlyFullBucketsAreForgotten(t *testing.T) {
	var b limits.Buckets
	now := time.Unix(1e9, 0)
	take := func(account string) limits.Answer {
		t.Helper()
		a, err := b.Take(account, 1, 2, now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	many := func(from, n int) {
		for i := range n {
			take(fmt.Sprint("account ", from+i))
		}
	}
	take("alice")
	take("alice")
	many(0, 3000) // none of them is full again
	if a := take("alice"); a.RetryAfter == 0 {
		t.Error("an account whose bucket was empty has a full one")
	}
	before := heap()
	for n := range 10 {
		now = now.Add(time.Minute) // all are full again
		many(n*8000, 8000)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d MiB are held for accounts whose buckets are full", grown>>20)
	}
	runtime.KeepAlive(&b)
}

func TestMeters_ManyAccounts_OnlyIdleOnesAreForgotten(t *testing.T) {
	m := limits.NewMeters()
	busy, idle := limits.Account{Name: "busy", Subject: "busy"}, limits.Account{Name: "idle", Subject: "idle"}
	m.Begin(busy, "relay", 0, 1)
	m.Begin(idle, "relay", 0, 1)
	m.End(idle, "relay", 0, 0, 0)
	for n := range 100_000 { // more than are kept
		m.Refuse(limits.Account{Name: fmt.Sprint(n)})
	}
	if m.Begin(busy, "relay", 0, 1) || m.Read(busy).Total["relay"] != 1 {
		t.Error("an account is forgotten while its session runs")
	}
	if total := m.Read(idle).Total["relay"]; total != 0 {
		t.Errorf("of an idle account %d sessions are still known", total)
	}
}

func TestMeters_ExceedsShare_WhoHoldsMoreThanItsPart(t *testing.T) {
	m := limits.NewMeters()
	for n := range 30 {
		m.Begin(limits.Account{Name: fmt.Sprint(n), Subject: "greedy"}, "relay", 2, -1)
	}
	for range 5 {
		m.Begin(limits.Account{Name: "b", Subject: "modest"}, "relay", 2, -1)
	}
	for _, c := range []struct {
		subject    string
		open, most int
		want       bool
	}{
		{"greedy", 80, 100, false}, // enough is left
		{"greedy", 81, 100, true},
		{"modest", 81, 100, false},
		{"unknown", 99, 100, false},
		{"greedy", 99, 0, false}, // nobody knows how many there are
	} {
		if got := m.ExceedsShare(c.subject, c.open, c.most); got != c.want {
			t.Errorf("%s with %d of %d open: %v", c.subject, c.open, c.most, got)
		}
	}
}
