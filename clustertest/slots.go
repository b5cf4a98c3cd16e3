package clustertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/farwire/farwire"
)

var alice = farwire.Principal{Subject: "alice", KeyID: "k1"}

// take takes a slot; release is nil when none is free.
func take(t *testing.T, l farwire.SlotLimiter, p farwire.Principal, k farwire.Kind, limit int) (release func()) {
	t.Helper()
	release, taken, err := l.TakeSlot(t.Context(), p, k, limit)
	switch {
	case err != nil:
		t.Error(err)
	case !taken:
		return nil
	case release == nil:
		t.Error("a slot was given that cannot be given back")
	}
	return release
}

// free waits until a slot can be taken, and takes it.
func free(t *testing.T, l farwire.SlotLimiter, limit int) (release func()) {
	t.Helper()
	eventually(t, "a slot is free", func() bool { release = take(t, l, alice, farwire.KindRelay, limit); return release != nil })
	return release
}

func openSlots(t *testing.T, open OpenSlots, n int) (list []farwire.SlotLimiter) {
	t.Helper()
	for i := range n {
		list = append(list, open(t, fmt.Sprint("gateway-", i)))
	}
	return list
}

// As many slots as the limit says are given over all gateways, and each that is
// given back, once more.
func limit(t *testing.T, open OpenSlots) {
	gateways := openSlots(t, open, 2)
	var held []func()
	for i := range 3 {
		release := take(t, gateways[i%2], alice, farwire.KindRelay, 3)
		if release == nil {
			t.Fatalf("slot %d of 3 is not given", i+1)
		}
		held = append(held, release)
	}
	for i, l := range gateways {
		if take(t, l, alice, farwire.KindRelay, 3) != nil {
			t.Errorf("gateway %d gives a fourth of 3", i)
		}
	}
	for i, release := range held {
		release()
		held[i] = free(t, gateways[(i+1)%2], 3)
		if take(t, gateways[i%2], alice, farwire.KindRelay, 3) != nil {
			t.Error("a slot that was given back is given twice")
		}
	}
	for _, release := range held {
		release()
	}
}

// A slot of another kind, key or caller is another's.
func accounts(t *testing.T, open OpenSlots) {
	l := open(t, "one")
	for _, p := range []farwire.Principal{alice, {Subject: "alice", KeyID: "k2"}, {Subject: "alice"}, {Subject: "bob", KeyID: "k1"}, {Subject: "alicek1"}} {
		for _, k := range []farwire.Kind{farwire.KindRelay, farwire.KindAMQP, farwire.KindCrawl} {
			if take(t, l, p, k, 1) == nil {
				t.Errorf("%+v has no slot of kind %s", p, k)
			}
			if take(t, l, p, k, 1) != nil {
				t.Errorf("%+v has two slots of kind %s", p, k)
			}
		}
	}
}

// Of 40 that come at once for 10 slots, to five gateways, 10 are let in.
func slotsAtOnce(t *testing.T, open OpenSlots) {
	gateways := openSlots(t, open, 5)
	var mu sync.Mutex
	var held []func()
	var work sync.WaitGroup
	for i := range 40 {
		work.Go(func() {
			if release := take(t, gateways[i%len(gateways)], alice, farwire.KindRelay, 10); release != nil {
				mu.Lock()
				defer mu.Unlock()
				held = append(held, release)
			}
		})
	}
	work.Wait()
	if len(held) != 10 {
		t.Errorf("%d of 40 were let in, want 10", len(held))
	}
	for _, release := range held {
		work.Go(release)
	}
	work.Wait()
	free(t, gateways[0], 1)() // as soon as none of them counts any more
}

// The limit that counts is that of the one who asks.
func limitChanges(t *testing.T, open OpenSlots) {
	gateways := openSlots(t, open, 2)
	var held []func()
	for range 4 {
		held = append(held, free(t, gateways[0], 4))
	}
	if take(t, gateways[1], alice, farwire.KindRelay, 2) != nil {
		t.Error("above a limit that was lowered a slot is given")
	}
	held = append(held, free(t, gateways[1], 5))
	for _, release := range held[:4] {
		release()
	}
	free(t, gateways[1], 2)()
}
