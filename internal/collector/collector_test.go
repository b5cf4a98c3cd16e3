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

func TestTune_EnvironmentHasGOGC_ChangesNothing(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := percent()
	defer collector.Tune()()
	if p := percent(); p != before {
		t.Errorf("GOGC is %d, was %d", p, before)
	}
}
