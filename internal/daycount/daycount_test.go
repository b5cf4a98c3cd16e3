package daycount_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire/internal/daycount"
)

func TestCounter_Take_GrantsUpToTheLimit(t *testing.T) {
	var b daycount.Counter
	now := time.Date(2026, 1, 2, 3, 14, 0, 0, time.UTC)
	if g := b.Take("alice", 7, 10, now); g.Count != 7 || g.Used != 7 || g.RetryAfter != 0 {
		t.Errorf("seven of ten: %+v", g)
	}
	second := b.Take("alice", 7, 10, now.Add(time.Hour))
	if second.Count != 3 || second.Used != 10 {
		t.Errorf("seven more: %+v", second)
	}
	// The quarter of an hour in which the first were granted began at 3:00.
	if g := b.Take("alice", 1, 10, now.Add(2*time.Hour)); g.Count != 0 || g.RetryAfter != 22*time.Hour+time.Minute || g.Return != nil {
		t.Errorf("one too many: %+v", g)
	}
	if g := b.Take("bob", 1, 10, now); g.Count != 1 {
		t.Errorf("another account: %+v", g)
	}
	second.Return(2)
	if g := b.Take("alice", 5, 10, now.Add(2*time.Hour)); g.Count != 2 || g.Used != 10 {
		t.Errorf("after two were given back: %+v", g)
	}
	if g := b.Take("alice", 0, 10, now.Add(24*time.Hour)); g.Used != 10 || g.Count != 0 || g.RetryAfter != 0 {
		t.Errorf("what was used, a day later: %+v", g)
	}
	if g := b.Take("alice", 20, 10, now.Add(48*time.Hour)); g.Count != 10 {
		t.Errorf("two days later: %+v", g)
	}
	if g := b.Take("alice", 1000, 0, now.Add(48*time.Hour)); g.Count != 1000 {
		t.Errorf("without a limit: %+v", g)
	}
}

func TestCounter_ReturnLate_NothingBelowZero(t *testing.T) {
	var b daycount.Counter
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	g := b.Take("alice", 5, 10, now)
	later := now.Add(48 * time.Hour)
	b.Take("alice", 1, 10, later)
	g.Return(5)
	if g := b.Take("alice", 0, 10, later); g.Used != 1 {
		t.Errorf("used %d, want 1", g.Used)
	}
}

// TestCounter_ClockSetBack_CountsForADayFromNow has what was used while the clock was
// ahead, by whatever time, not count for longer than that of a clock which is right.
func TestCounter_ClockSetBack_CountsForADayFromNow(t *testing.T) {
	const day = 24 * time.Hour
	for _, ahead := range []time.Duration{time.Second, time.Hour, 25 * time.Hour, 365 * day} {
		var b daycount.Counter
		now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
		early := b.Take("alice", 6, 10, now.Add(ahead))
		b.Take("alice", 4, 10, now.Add(-time.Hour))
		if g := b.Take("alice", 1, 10, now); g.Count != 0 || g.Used != 10 || g.RetryAfter > day {
			t.Errorf("%v ahead: %+v", ahead, g)
		}
		early.Return(2)
		if g := b.Take("alice", 0, 10, now); g.Used != 8 {
			t.Errorf("%v ahead, two given back: %+v", ahead, g)
		}
		if g := b.Take("alice", 10, 10, now.Add(day+15*time.Minute)); g.Count != 10 {
			t.Errorf("%v ahead, a day later: %+v", ahead, g)
		}
	}
}
