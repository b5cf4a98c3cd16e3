package preauth

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// Whatever connections do, those that make room are the ones that a search from the
// longest waiting on finds: the first that is not being served, else the first of all.
func TestGuard_AnyCourse_ClosesWhomASearchFinds(t *testing.T) {
	const perNetwork, total, steps = 40, 100, 20_000
	g := New(Options{PerNetwork: perNetwork, Total: total})
	random := rand.New(rand.NewPCG(1, 2))
	var order []*Conn // all that have a place, the longest waiting first
	search := func(in func(*Conn) bool) *Conn {
		first := slices.IndexFunc(order, func(c *Conn) bool { return in(c) && !c.active })
		if first < 0 {
			first = slices.IndexFunc(order, in)
		}
		return order[first]
	}
	count := func(in func(*Conn) bool) (n int) {
		for _, c := range order {
			if in(c) {
				n++
			}
		}
		return n
	}
	drop := func(c *Conn) { order = slices.DeleteFunc(order, func(o *Conn) bool { return o == c }) }
	anywhere := func(*Conn) bool { return true }
	surplus := 0
	for range steps {
		var one *Conn
		if len(order) > 0 {
			one = order[random.IntN(len(order))]
		}
		switch act := random.IntN(10); {
		case act < 4 || one == nil:
			c := &Conn{guard: g, network: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(4))}), 32)}
			same := func(o *Conn) bool { return o.network == c.network }
			var want []*Conn
			if count(same) >= perNetwork {
				want = append(want, search(same))
				drop(want[0])
			}
			if len(order) >= total {
				want = append(want, search(anywhere))
				drop(want[len(want)-1])
			}
			if got := g.enter(c); !slices.Equal(got, want) {
				t.Fatalf("%d connections made room, or other ones than the %d that a search finds", len(got), len(want))
			}
			surplus += len(want)
			order = append(order, c)
		case act < 9: // more are being served than wait, so that there are times with none that waits
			g.wait(one, random.IntN(8) > 0, false)
			drop(one)
			order = append(order, one)
		default:
			g.forget(one)
			drop(one)
		}
		if g.Len() != len(order) {
			t.Fatalf("%d connections count, want %d", g.Len(), len(order))
		}
	}
	if surplus < steps/20 {
		t.Errorf("only %d connections had to go", surplus)
	}
	for _, c := range order {
		g.forget(c)
	}
	if g.Len() != 0 || len(g.of) != 0 {
		t.Errorf("%d connections of %d networks are left", g.Len(), len(g.of))
	}
}
