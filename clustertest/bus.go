package clustertest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// A listener keeps what one gateway is told.
type listener struct {
	farwire.Bus
	name string

	mu   sync.Mutex
	list []farwire.Revocation
}

func listen(t *testing.T, open OpenBus, name string) *listener {
	t.Helper()
	l := &listener{Bus: open(t, name), name: name}
	l.Subscribe(l.receive)
	return l
}

func (l *listener) receive(r farwire.Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r)
}

// last is what the gateway was told last of a key.
func (l *listener) last(keyID string, agent bool) (last farwire.Revocation, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.list {
		if r.KeyID == keyID && r.Agent == agent {
			last, known = r, true
		}
	}
	return last, known
}

// hears waits until the gateway was told that a key is gone, or there again.
func (l *listener) receives(t *testing.T, keyID string, gone bool) farwire.Revocation {
	t.Helper()
	var last farwire.Revocation
	eventually(t, fmt.Sprintf("%s is told of %q: gone %v", l.name, keyID, gone), func() bool {
		r, known := l.last(keyID, false)
		last = r
		return known && r.Restored != gone
	})
	return last
}

func (l *listener) never(t *testing.T, keyID string) {
	t.Helper()
	if r, known := l.last(keyID, false); known {
		t.Errorf("%s was told %+v", l.name, r)
	}
}

// All others are told who has said so, and when.
func told(t *testing.T, open OpenBus) {
	one, two, three := listen(t, open, "one"), listen(t, open, "two"), listen(t, open, "three")
	at := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	one.Publish(farwire.Revocation{KeyID: "k", At: at})
	for _, l := range []*listener{two, three} {
		if r := l.receives(t, "k", true); r.Gateway != "one" || !r.At.Equal(at) {
			t.Errorf("%s was told %+v", l.name, r)
		}
	}
	two.Publish(farwire.Revocation{KeyID: "now", Gateway: "somebody else"})
	if r := three.receives(t, "now", true); r.Gateway != "two" || time.Since(r.At) > timeout || time.Until(r.At) > timeout {
		t.Errorf("a revocation without a time: %+v", r)
	}
	one.receives(t, "now", true)
	one.never(t, "k")
	two.never(t, "now")
}

// Who comes later is told of the last day, and of nothing older.
func toldLater(t *testing.T, open OpenBus) {
	one, two := listen(t, open, "one"), listen(t, open, "two")
	one.Publish(farwire.Revocation{KeyID: "old", At: time.Now().Add(-25 * time.Hour)})
	one.Publish(farwire.Revocation{KeyID: "gone", At: time.Now().Add(-23 * time.Hour)})
	one.Publish(farwire.Revocation{KeyID: "back"})
	two.receives(t, "back", true)
	one.Publish(farwire.Revocation{KeyID: "back", Restored: true})
	two.receives(t, "back", false)
	two.receives(t, "gone", true)
	late := listen(t, open, "late")
	late.receives(t, "gone", true)
	late.receives(t, "back", false)
	late.never(t, "old")
	two.never(t, "old")

	again := &listener{name: "late, again"} // who subscribes behind another
	late.Subscribe(again.receive)
	again.receives(t, "gone", true)
	one.Publish(farwire.Revocation{KeyID: "next"})
	late.receives(t, "next", true)
	again.receives(t, "next", true)
}

// Only who has said that a key is gone can take that back.
func restored(t *testing.T, open OpenBus) {
	one, two, three := listen(t, open, "one"), listen(t, open, "two"), listen(t, open, "three")
	for round := range 2 {
		one.Publish(farwire.Revocation{KeyID: "k"})
		two.receives(t, "k", true)
		three.receives(t, "k", true)
		two.Publish(farwire.Revocation{KeyID: "k", Restored: true})
		two.Publish(farwire.Revocation{KeyID: fmt.Sprint("behind it ", round)})
		three.receives(t, fmt.Sprint("behind it ", round), true)
		if r, _ := three.last("k", false); r.Restored {
			t.Fatalf("another gateway has taken it back: %+v", r)
		}
		one.Publish(farwire.Revocation{KeyID: "k", Restored: true})
		two.receives(t, "k", false)
		three.receives(t, "k", false)
	}
}

// A key and the record of an agent are two things, even of the same name.
func agents(t *testing.T, open OpenBus) {
	one, two := listen(t, open, "one"), listen(t, open, "two")
	one.Publish(farwire.Revocation{KeyID: "same", Agent: true})
	eventually(t, "the record is gone", func() bool { _, known := two.last("same", true); return known })
	two.never(t, "same")
	one.Publish(farwire.Revocation{KeyID: "same"})
	two.receives(t, "same", true)
	one.Publish(farwire.Revocation{KeyID: "same", Agent: true, Restored: true})
	eventually(t, "the record is back", func() bool { r, _ := two.last("same", true); return r.Restored })
	two.receives(t, "same", true)
}

// A key's id is the host's to choose.
func anyID(t *testing.T, open OpenBus) {
	one, two := listen(t, open, "one"), listen(t, open, "two")
	for _, id := range []string{"*", "farwire.>", "a b", "ключ", "\t\"\\", strings.Repeat("k", 500)} {
		one.Publish(farwire.Revocation{KeyID: id})
		two.receives(t, id, true)
	}
}

// More than one message holds, from several gateways at once.
func manyAtOnce(t *testing.T, open OpenBus) {
	const each = 700
	gateways := []*listener{listen(t, open, "one"), listen(t, open, "two"), listen(t, open, "three")}
	var work sync.WaitGroup
	for _, l := range gateways {
		work.Go(func() {
			for n := range each {
				l.Publish(farwire.Revocation{KeyID: fmt.Sprint(l.name, " ", n)})
			}
		})
	}
	work.Wait()
	late := listen(t, open, "late")
	for _, from := range gateways {
		for _, to := range append([]*listener{late}, gateways...) {
			if from != to {
				for _, n := range []int{0, each / 2, each - 1} {
					to.receives(t, fmt.Sprint(from.name, " ", n), true)
				}
			}
		}
	}
	eventually(t, "who came late knows all", func() bool {
		late.mu.Lock()
		defer late.mu.Unlock()
		known := map[string]bool{}
		for _, r := range late.list {
			known[r.KeyID] = true
		}
		return len(known) == each*len(gateways)
	})
}
