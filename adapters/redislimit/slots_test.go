package redislimit_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

func takeSlot(t testing.TB, l *redislimit.Limiter, limit int) (release func(), taken bool) {
	t.Helper()
	release, taken, err := l.TakeSlot(t.Context(), caller(farwire.Limits{}), farwire.KindRelay, limit)
	if err != nil {
		t.Error(err)
	}
	return release, taken
}

// ask tries for a slot and gives it back.
func ask(t testing.TB, l *redislimit.Limiter, limit int) bool {
	t.Helper()
	release, taken := takeSlot(t, l, limit)
	if taken {
		release()
	}
	return taken
}

func fiveGateways(t *testing.T, s *harness.Server) []*redislimit.Limiter {
	t.Helper()
	gateways := make([]*redislimit.Limiter, 5)
	for i := range gateways {
		gateways[i] = open(t, s, redislimit.Options{})
	}
	return gateways
}

// together asks many times at once, all gateways in turn, and returns the slots.
func together(t *testing.T, gateways []*redislimit.Limiter, times, limit int) (got []func()) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range times {
		all.Go(func() {
			if release, taken := takeSlot(t, gateways[i%len(gateways)], limit); taken {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, release)
			}
		})
	}
	all.Wait()
	return got
}

func TestTakeSlot_FortyAtOnceOverFiveGateways_LetsTenIn(t *testing.T) {
	gateways := fiveGateways(t, harness.Redis(t))
	for round := range 5 {
		got := together(t, gateways, 40, 10)
		if len(got) != 10 {
			t.Fatalf("round %d: %d were let in", round, len(got))
		}
		for _, release := range got {
			release()
		}
		// Each gateway must get all, so none of the ended ones counts.
		for _, l := range gateways {
			var mine []func()
			waitFor(t, "all slots are free again", func() bool {
				for len(mine) < 10 {
					release, taken := takeSlot(t, l, 10)
					if !taken {
						return false
					}
					mine = append(mine, release)
				}
				return true
			})
			if _, taken := takeSlot(t, l, 10); taken {
				t.Fatal("an eleventh was let in")
			}
			for _, release := range mine {
				release()
			}
		}
		waitFor(t, "the last gateway's slots are free", func() bool { return ask(t, gateways[0], 1) })
	}
}

// A slot of another kind, key or caller is another's.
func TestTakeSlot_OtherAccount_HasItsOwn(t *testing.T) {
	l := open(t, harness.Redis(t), redislimit.Options{})
	one := caller(farwire.Limits{})
	other := one
	other.KeyID = "k2"
	for _, p := range []farwire.Principal{one, other} {
		for _, k := range []farwire.Kind{farwire.KindRelay, farwire.KindAMQP} {
			for i, want := range []bool{true, false} {
				if _, taken, err := l.TakeSlot(t.Context(), p, k, 1); err != nil || taken != want {
					t.Errorf("%s %s, time %d: %v, %v", p.KeyID, k, i, taken, err)
				}
			}
		}
	}
}

// A gateway that is closed in the midst of it is gone for Redis as one that was
// killed: nobody renews what it held.
func TestTakeSlot_GatewayGone_FreeWithinFiveSeconds(t *testing.T) {
	s := harness.Redis(t)
	other := open(t, s, redislimit.Options{})
	dead, err := redislimit.New(admin(t, s), redislimit.Options{Timeout: testTimeout})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, taken := takeSlot(t, dead, 3); !taken {
			t.Fatal("a free slot was not given")
		}
	}
	if ask(t, other, 3) {
		t.Fatal("a fourth was let in")
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	waitFor(t, "its slots are free", func() bool { return ask(t, other, 3) })
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What runs stays counted over restarts of a Redis that keeps nothing, and while it
// is unavailable each gateway has its share, with what it runs counted in.
func TestTakeSlot_RedisUnavailable_HasItsShareAndTellsAgain(t *testing.T) {
	s := harness.Redis(t)
	one := open(t, s, redislimit.Options{Gateways: 2, Timeout: 300 * time.Millisecond})
	two := open(t, s, redislimit.Options{Gateways: 2, Timeout: 300 * time.Millisecond})
	var held []func()
	for range 4 {
		waitFor(t, "a free slot is given", func() bool { // a busy Redis may miss the timeout
			release, taken := takeSlot(t, one, 6)
			if taken {
				held = append(held, release)
			}
			return taken
		})
	}
	s.Kill()
	if ask(t, one, 6) {
		t.Error("more than the share was let in")
	}
	if got := together(t, []*redislimit.Limiter{two}, 10, 6); len(got) != 3 {
		t.Errorf("%d of a share of 3 were let in", len(got))
	} else {
		held = slices.Concat(held, got)
	}
	s.Start()
	// Seven run, one more than may.
	waitFor(t, "all that runs is counted again", func() bool { return !ask(t, one, 7) && !ask(t, two, 7) })
	held[0]()
	held[1]()
	waitFor(t, "there is room again", func() bool { return ask(t, two, 6) })
}
