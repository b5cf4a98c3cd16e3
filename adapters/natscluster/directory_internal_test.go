package natscluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A talk is what one gateway says of itself and what another one makes of it.
type talk struct {
	t       *testing.T
	rand    *rand.Rand
	own     agent.Holding
	sender  *membership
	on      []message // the way
	other   *other
	heard   agent.Holding // without agents
	table   map[uint64]agent.Held
	asked   int  // how often something was missed
	lists   int  // how often all was told
	exact   bool // nothing was ever lost
	counted map[string]int
}

func newTalk(t *testing.T, seed uint64) *talk {
	k := &talk{t: t, rand: rand.New(rand.NewPCG(seed, 0)), own: agent.Holding{Gateway: "one", URL: "http://one.example"},
		other: &other{links: make(map[uint64]agent.Held)}, table: make(map[uint64]agent.Held), counted: make(map[string]int)}
	k.sender = &membership{links: make(map[uint64]agent.Held), send: func(m message) { k.on = append(k.on, m) },
		Member: agent.Member{Holding: func() agent.Holding { return k.own }}}
	return k
}

// change has the gateway hold something else.
func (k *talk) change() {
	switch agents := k.own.Agents; k.rand.IntN(9) {
	case 0:
		k.own.Leaving = !k.own.Leaving
	case 1:
		k.own.URL = fmt.Sprintf("http://one.example:%d", k.rand.IntN(3))
	case 2, 3: // links go
		from := k.rand.IntN(len(agents) + 1)
		k.own.Agents = slices.Delete(slices.Clone(agents), from, min(len(agents), from+1+k.rand.IntN(3)))
	case 4, 5: // one changes
		if len(agents) > 0 {
			l := &agents[k.rand.IntN(len(agents))]
			switch k.rand.IntN(3) {
			case 0:
				l.Draining = !l.Draining
			case 1:
				l.Slug += "b"
			case 2:
				l.Since = l.Since.Add(time.Second)
			}
		}
	default: // some come
		most := 3
		if k.rand.IntN(10) == 0 {
			most = 2*inOnePart + 500
		}
		next := uint64(1 + k.rand.IntN(1000))
		for _, l := range agents {
			next = max(next, l.Link+1)
		}
		for i := range uint64(1 + k.rand.IntN(most)) {
			k.own.Agents = append(k.own.Agents, agent.Held{Link: next + i, ID: "farwire-a", Slug: fmt.Sprint("a", i), Since: time.Unix(int64(i), 0)})
		}
	}
	for i := range k.own.Agents {
		k.own.Agents[i].RTT = time.Duration(k.rand.IntN(1000)) // which is not a change
		if k.rand.IntN(4) == 0 {
			k.own.Agents[i].Sessions = k.rand.IntN(5)
		}
	}
}

// deliver brings what is on the way, and loses some of it.
func (k *talk) deliver(loss float64) {
	for len(k.on) > 0 {
		m := k.on[0]
		k.on = k.on[1:]
		k.counted[m.Kind]++
		if k.rand.Float64() < loss {
			continue
		}
		if h := m.Holding; h != nil {
			if len(h.Agents)+len(h.Gone) > inOnePart {
				k.t.Fatalf("a message has %d links", len(h.Agents)+len(h.Gone))
			}
			copied := *h
			copied.Agents, copied.Gone = slices.Clone(h.Agents), slices.Clone(h.Gone)
			m.Holding = &copied
		}
		for number, n := range m.Sessions {
			if loss == 0 && k.exact && k.table[number].Sessions == n {
				k.t.Fatalf("link %d has %d sessions as before", number, n)
			}
		}
		change, missed := k.other.take(m)
		if missed {
			k.asked++
			if k.rand.Float64() >= loss {
				k.lists++
				k.sender.announceAll()
			}
		}
		if change != nil {
			k.hear(*change)
		}
	}
}

// hear is what a member does.
func (k *talk) hear(h agent.Holding) {
	if !h.Partial {
		clear(k.table)
	}
	for _, l := range h.Agents {
		k.table[l.Link] = l
	}
	for _, number := range h.Gone {
		if _, known := k.table[number]; !known {
			k.t.Errorf("link %d is gone, and was not there", number)
		}
		delete(k.table, number)
	}
	k.heard = h
}

// check compares what is known with what is held; without sessions between heartbeats.
func (k *talk) check(when string, sessions bool) {
	k.t.Helper()
	want := make(map[uint64]agent.Held)
	for _, l := range k.own.Agents {
		want[l.Link] = l
	}
	equal := func(a, b agent.Held) bool {
		if a.RTT = b.RTT; !sessions {
			a.Sessions = b.Sessions
		}
		return a == b
	}
	alike := maps.EqualFunc(k.table, want, equal) && maps.EqualFunc(k.other.links, want, equal)
	if !alike || k.heard.URL != k.own.URL || k.heard.Leaving != k.own.Leaving {
		k.t.Fatalf("%s: %d links are known of %d, URL %s of %s, leaving %v of %v", when,
			len(k.table), len(want), k.heard.URL, k.own.URL, k.heard.Leaving, k.own.Leaving)
	}
}

func (k *talk) step() {
	k.change()
	k.sender.Changed()
}

// Where nothing is lost, each change is known at once, nothing is asked for, and a gateway tells
// no more than what has changed.
func TestDirectory_NothingLost_EachChangeIsKnown(t *testing.T) {
	for seed := range uint64(8) {
		k := newTalk(t, seed)
		k.exact = true
		k.sender.Changed()
		k.sender.announceAll() // as for one that has just come
		k.on = k.on[1:]        // the change was before
		k.deliver(0)
		for range 60 {
			k.step()
			if k.rand.IntN(3) == 0 {
				k.sender.announceAll() // somebody else has come
			}
			k.deliver(0)
			k.check("after a change", false)
			changes, lists := k.counted[kindChange], k.counted[kindList]
			for i := range k.own.Agents {
				k.own.Agents[i].RTT++
				k.own.Agents[i].Sessions += k.rand.IntN(2)
			}
			k.sender.Changed() // it is not: sessions wait for the heartbeat
			if k.rand.IntN(2) == 0 {
				beats := k.counted[kindHeartbeat]
				k.sender.announce(true)
				k.deliver(0)
				k.check("after a heartbeat", true)
				if k.counted[kindHeartbeat] != beats+1 {
					t.Error("there was no heartbeat")
				}
			}
			k.deliver(0)
			if k.counted[kindChange] != changes || k.counted[kindList] != lists {
				t.Fatal("what has not changed is told again")
			}
		}
		if k.asked > 0 {
			t.Errorf("seed %d: it was asked %d times", seed, k.asked)
		}
	}
}

// Whatever is lost, the first heartbeat that arrives makes it known.
func TestDirectory_MessagesLost_AllIsKnownLater(t *testing.T) {
	for seed := range uint64(60) {
		k := newTalk(t, seed)
		for range 8 {
			for range 1 + k.rand.IntN(6) {
				k.step()
				if k.rand.IntN(3) == 0 {
					k.sender.announce(true)
				}
				if k.rand.IntN(3) == 0 {
					k.sender.announceAll() // somebody else has asked
				}
				k.deliver(0.4)
			}
			k.sender.announce(true)
			k.deliver(0)
			k.check(fmt.Sprintf("seed %d", seed), true)
			lists := k.lists
			k.sender.announce(true)
			k.deliver(0)
			if k.lists != lists {
				t.Fatalf("seed %d: all is known, and is asked for", seed)
			}
		}
	}
}

// Parts of two lists make none, though only numbers of sessions have changed between them.
func TestDirectory_PartsOfListsLost_SessionsAreKnownLater(t *testing.T) {
	for seed := range uint64(10) {
		k := newTalk(t, seed)
		for i := range uint64(2*inOnePart + 500) {
			k.own.Agents = append(k.own.Agents, agent.Held{Link: 1 + i})
		}
		for range 8 {
			for range 1 + k.rand.IntN(6) {
				k.own.Agents[k.rand.IntN(len(k.own.Agents))].Sessions++
				k.sender.announce(true)
				k.sender.announceAll() // somebody has asked
				k.deliver(0.5)
			}
			k.sender.announce(true)
			k.deliver(0)
			k.check(fmt.Sprintf("seed %d", seed), true)
		}
	}
}

// The heartbeats of a gateway that does not count them are taken as they come.
func TestDirectory_HeartbeatsNotCounted_AreTaken(t *testing.T) {
	k := newTalk(t, 1)
	k.own.Agents = []agent.Held{{Link: 1}}
	k.sender.announceAll()
	k.sender.Changed()
	k.sender.announceAll()
	k.on = k.on[1:]
	k.deliver(0)
	for n := range 5 {
		k.own.Agents[0].Sessions = n
		k.sender.announce(true)
		for i := range k.on {
			k.on[i].Loads = 0
		}
		k.deliver(0)
		k.check("after a heartbeat", true)
	}
	if k.asked > 0 {
		t.Errorf("it was asked %d times", k.asked)
	}
}

// A gateway that nobody could reach says nothing of itself.
func TestDirectory_NoURL_TellsNothing(t *testing.T) {
	k := newTalk(t, 1)
	k.own = agent.Holding{Gateway: "one", Agents: []agent.Held{{Link: 1}}}
	k.sender.Changed()
	k.sender.announce(true)
	k.sender.announceAll()
	if len(k.on) > 0 {
		t.Errorf("it says %+v", k.on)
	}
}
