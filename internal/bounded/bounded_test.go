package bounded_test

import (
	"testing"

	"github.com/farwire/farwire/internal/bounded"
)

func TestMap_IdleEntries_DroppedWhenItHasGrown(t *testing.T) {
	var m bounded.Map[int, bool] // whether the entry is in use
	idle := func(_ int, used bool) bool { return !used }
	most := 0
	for n := range 100_000 {
		m.Set(n, n%100 == 0, idle)
		most = max(most, m.Len())
	}
	if most > 3*1024 {
		t.Errorf("it grew to %d entries, of which 1000 are in use", most)
	}
	for n := 0; n < 100_000; n += 100 {
		if !m.Get(n) {
			t.Fatalf("entry %d was in use and is gone", n)
		}
	}
}

func TestMap_AllInUse_GrowsUnlessBounded(t *testing.T) {
	for _, c := range []struct{ most, want int }{{0, 50_000}, {10_000, 10_000}, {10, 10}} {
		m := bounded.Map[int, int]{Most: c.most}
		largest, looks := 0, 0
		for n := range 50_000 {
			m.Set(n, n, func(int, int) bool { looks++; return false })
			largest = max(largest, m.Len())
		}
		if largest != c.want {
			t.Errorf("at most %d: it held %d entries, want %d", c.most, largest, c.want)
		}
		if looks > 4*50_000 {
			t.Errorf("at most %d: it looked at %d entries to add 50,000", c.most, looks)
		}
	}
}

func TestMap_Full_DropsIdleEntriesOrElseTheFirst(t *testing.T) {
	const most = 5000
	m := bounded.Map[int, bool]{Most: most} // whether the entry is in use
	idle := func(_ int, used bool) bool { return !used }
	for n := range 3 * most {
		m.Set(n, true, idle)
		m.Set(max(0, n-most/2), true, idle) // what is set again is no younger
		if n >= most && (m.Get(n-most) || !m.Get(n-most+1)) {
			t.Fatalf("after %d: the first is there: %v, the second: %v", n, m.Get(n-most), m.Get(n-most+1))
		}
	}
	few := bounded.Map[int, bool]{Most: 10}
	for n := range 11 {
		few.Set(n, n%2 == 0, idle)
	}
	for n := range 11 {
		if few.Get(n) != (n%2 == 0) {
			t.Errorf("%d of a few is there: %v", n, few.Get(n))
		}
	}
	few.Delete(0)
	for n := range 5 {
		few.Set(20+n, true, idle)
	}
	if few.Len() != 10 || !few.Get(2) || few.Get(0) {
		t.Errorf("after a deletion it holds %d entries", few.Len())
	}
}

func TestMap_KnownKey_IsReplacedWithoutSweep(t *testing.T) {
	m := bounded.Map[string, int]{Most: 1}
	m.Set("a", 1, nil)
	m.Set("a", 2, nil) // a look would call nil
	if got := m.Get("a"); got != 2 || m.Len() != 1 {
		t.Errorf("it holds %d in %d entries, want 2 in 1", got, m.Len())
	}
	for key := range m.All() {
		m.Delete(key)
	}
	if m.Len() != 0 || m.Get("a") != 0 {
		t.Errorf("%d entries are left", m.Len())
	}
}
