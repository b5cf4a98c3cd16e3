package redislimit_test

import (
	"strconv"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// A slot that was given while Redis could not be asked counts as soon as it can.
func TestTakeSlot_RedisNotAsked_CountsLater(t *testing.T) {
	s := harness.Redis(t)
	l, other := openLossy(t, s), open(t, s, redislimit.Options{})
	release, taken, err := l.TakeSlot(losing(t.Context(), notSent), caller(farwire.Limits{}), farwire.KindRelay, 1)
	if err != nil || !taken {
		t.Fatalf("without Redis: %v, %v", taken, err)
	}
	waitFor(t, "it counts for other gateways", func() bool { return !ask(t, other, 1) })
	release()
	waitFor(t, "it is free for other gateways", func() bool { return ask(t, other, 1) })
}

// A gateway that was refused, because more runs than may, uses no slot again that becomes
// free: it belongs to those that are too many.
func TestTakeSlot_RefusedAboveTheLimit_NothingIsUsedAgain(t *testing.T) {
	s := harness.Redis(t)
	l, other := open(t, s, redislimit.Options{}), open(t, s, redislimit.Options{})
	release, taken := takeSlot(t, l, 1)
	if !taken {
		t.Fatal("a free slot was not given")
	}
	for range 2 {
		if _, taken := takeSlot(t, other, 3); !taken {
			t.Fatal("a slot within a higher limit was not given")
		}
	}
	if ask(t, l, 1) {
		t.Fatal("a fourth was let in")
	}
	release()
	if ask(t, l, 1) {
		t.Error("a third was let in where one may run")
	}
}

// A slot that has just become free is used again without Redis, though Redis has answered for
// another account meanwhile.
func TestTakeSlot_JustFree_IsUsedAgainWithoutRedis(t *testing.T) {
	l := openLossy(t, harness.Redis(t))
	release, taken := takeSlot(t, l, 1)
	if !taken {
		t.Fatal("a free slot was not given")
	}
	round := 0
	waitFor(t, "Redis is not asked", func() bool { // on a busy machine it may have heard already
		round++
		another := caller(farwire.Limits{})
		another.KeyID = strconv.Itoa(round)
		if _, taken, err := l.TakeSlot(t.Context(), another, farwire.KindRelay, 1); err != nil || !taken {
			t.Fatalf("another account: %v, %v", taken, err)
		}
		commands := 0
		release()
		ctx := losing(t.Context(), func(send func() error) error { commands++; return send() })
		var err error
		if release, taken, err = l.TakeSlot(ctx, caller(farwire.Limits{}), farwire.KindRelay, 1); err != nil || !taken {
			t.Fatalf("the slot again: %v, %v", taken, err)
		}
		return commands == 0
	})
}
