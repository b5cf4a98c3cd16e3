package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// Of an account for which nothing runs any more a gateway keeps nothing, however its slots were
// asked for, and the others count none of it.
func TestTakeSlot_NothingRuns_NothingIsKept(t *testing.T) {
	s := harness.Redis(t)
	l, other := openLossy(t, s), open(t, s, redislimit.Options{})
	const accounts = 600 // more than one call tells of
	of := func(i int) farwire.Principal {
		p := caller(farwire.Limits{})
		p.Subject = fmt.Sprint("account ", i)
		return p
	}
	var released sync.WaitGroup
	for i := range accounts {
		release, taken, err := l.TakeSlot(t.Context(), of(i), farwire.KindRelay, 1)
		if err != nil || !taken {
			t.Fatal(taken, err)
		}
		switch i % 3 {
		case 0: // one more is refused
			if _, taken, err := l.TakeSlot(t.Context(), of(i), farwire.KindRelay, 1); taken || err != nil {
				t.Fatal(taken, err)
			}
		case 1: // and one leaves
			if _, taken, err := l.TakeSlot(leaving(t, 1), of(i), farwire.KindRelay, 2); taken || !errors.Is(err, context.Canceled) {
				t.Fatal(taken, err)
			}
		}
		released.Go(release)
	}
	released.Wait()
	waitFor(t, "nothing is kept", func() bool { return l.Accounts() == 0 })
	for i := range accounts {
		if _, taken, err := other.TakeSlot(t.Context(), of(i), farwire.KindRelay, 1); !taken || err != nil {
			t.Fatalf("account %d: taken %v, %v", i, taken, err)
		}
	}
}
