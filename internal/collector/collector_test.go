package collector_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/collector"
)

// percent returns GOGC as it is.
func percent() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

// wantPercent waits for the collector to be set after a collection.
func wantPercent(t *testing.T, least, most int) {
	t.Helper()
	var p int
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		runtime.GC()
		if p = percent(); least <= p && p <= most {
			return
		}
	}
	t.Fatalf("GOGC is %d, want %d to %d", p, least, most)
}

func TestTune_HeapGrowsAndShrinks_SharesFollow(t *testing.T) {
	t.Setenv("GOGC", "")
	before := percent()
	stop, again := collector.Tune(), collector.Tune()
	wantPercent(t, 300, 400) // 16 MiB of 4, and of a little more
	held := make([]byte, 100<<20)
	wantPercent(t, 50, 50)
	runtime.KeepAlive(held)
	held = nil
	wantPercent(t, 300, 400)
	stop()
	stop()
	if p := percent(); p == before {
		t.Error("one of two has ended it for both")
	}
	again()
	if p := percent(); p != before {
		t.Errorf("GOGC is %d, was %d", p, before)
	}
	runtime.GC()
	collector.Tune()()
}

var sink []byte

// A small heap is collected once for 16 MiB of garbage, and not for two.
func TestTune_SmallHeap_IsCollectedSeldom(t *testing.T) {
	t.Setenv("GOGC", "")
	defer collector.Tune()()
	wantPercent(t, 300, 400)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	ran := m.NumGC
	const garbage = 320 << 20
	for range garbage >> 10 {
		sink = make([]byte, 1<<10)
	}
	runtime.ReadMemStats(&m)
	if ran = m.NumGC - ran; ran > 2*garbage>>24 {
		t.Errorf("collected %d times for %d MiB", ran, garbage>>20)
	}
}

// Less garbage than a collection waits for is not kept by a process that has gone quiet.
func TestTune_BurstEnds_MemoryIsGivenBack(t *testing.T) {
	t.Setenv("GOGC", "")
	defer collector.Tune()()
	wantPercent(t, 300, 400)
	var before, m runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 12 << 10 {
		sink = make([]byte, 1<<10)
	}
	// The runtime collects by itself after two minutes.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		runtime.ReadMemStats(&m)
		if m.NumForcedGC > before.NumForcedGC && m.HeapInuse+m.HeapIdle-m.HeapReleased < 8<<20 {
			return
		}
	}
	t.Errorf("%d collections, %d MiB in use, %d MiB free and not released", m.NumGC-before.NumGC,
		m.HeapInuse>>20, (m.HeapIdle-m.HeapReleased)>>20)
}

func TestDue_QuietOrNot_WorthItOrNot(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		allocated, live, objects, free uint64
		want                           bool
	}{
		{0, 4 * mb, 4 * mb, 0, false},
		{0, 4 * mb, 7 * mb, 0, false},
		{0, 4 * mb, 9 * mb, 0, true},
		{0, 4 * mb, 4 * mb, 5 * mb, true}, // the system's, since a collection in the burst
		{mb / 2, 4 * mb, 15 * mb, 0, true},
		{2 * mb, 4 * mb, 15 * mb, 0, false}, // busy
		{0, 200 * mb, 220 * mb, 0, false},   // little of so much
		{0, 200 * mb, 230 * mb, 0, true},
		{0, 5 * mb, 4 * mb, 0, false}, // some was freed since it was counted
	} {
		if got := collector.Due(c.allocated, c.live, c.objects, c.free); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestTune_EnvironmentHasGOGC_ChangesNothing(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := percent()
	defer collector.Tune()()
	if p := percent(); p != before {
		t.Errorf("GOGC is %d, was %d", p, before)
	}
}
