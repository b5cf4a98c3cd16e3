// Package collector sets Go's garbage collector by the size of the heap.
//
// GOGC is a share of what is live. A process that holds many idle sessions wants a
// small one, because what a session is charged for others' garbage is that share of
// it. With few sessions a small share is a few megabytes, and the collector runs
// all the time. So the share follows from the size after each collection:
//
//	garbage before the next collection = max(floor, live × share)
package collector

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// share is how much of what is live, in percent, may be garbage.
	share = 50
	// floor is how much garbage, in bytes, there may be in any case.
	floor = 16 << 20
	// leastLive is what the runtime takes any heap for, in bytes: it collects
	// no heap below leastLive × GOGC.
	leastLive = 4 << 20
)

// Tune has the collector of this process follow the size of the heap until stop is
// called, which leaves it as it was. Where the environment has GOGC, that counts and
// Tune does nothing. It is safe for concurrent use; the one who stops last restores
// what the first found.
func Tune() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	tuner.Lock()
	defer tuner.Unlock()
	tuner.users++
	if tuner.users == 1 {
		tuner.percent = percentFor(live())
		tuner.before = debug.SetGCPercent(tuner.percent)
		if !tuner.armed {
			tuner.armed = true
			arm(new(*byte))
		}
	}
	return sync.OnceFunc(func() {
		tuner.Lock()
		defer tuner.Unlock()
		if tuner.users--; tuner.users == 0 {
			debug.SetGCPercent(tuner.before)
		}
	})
}

var tuner struct {
	sync.Mutex
	users   int
	armed   bool
	percent int // as it was set last
	before  int
}

// arm has follow called after the next collection, which finds that nobody holds
// on to mark.
func arm(mark **byte) { runtime.SetFinalizer(mark, follow) }

func follow(mark **byte) {
	tuner.Lock()
	defer tuner.Unlock()
	if tuner.users == 0 {
		tuner.armed = false
		return
	}
	// Setting it stops the world for a moment, so not for a small difference.
	want := percentFor(live())
	if d := want - tuner.percent; d*10 > tuner.percent || -d*10 > tuner.percent || want == share && d != 0 {
		debug.SetGCPercent(want)
		tuner.percent = want
	}
	arm(mark)
}

// percentFor returns the GOGC for so many live bytes.
func percentFor(live uint64) int {
	return int(max(share, floor*100/max(live, leastLive)))
}

// live returns the bytes that the last collection found in use.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
