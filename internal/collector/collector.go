// Package collector sets Go's garbage collector by the size of the heap.
//
// GOGC is a share of what is live. A process that holds many idle sessions wants a
// small one, because what a session is charged for others' garbage is that share of
// it. With few sessions a small share is a few megabytes, and the collector runs
// all the time. So the share follows from the size after each collection:
//
//	garbage before the next collection = max(floor, live × share)
//
// A process that goes quiet would keep that garbage, and the memory of the one before,
// until it is busy again. So it collects once more then, and gives the system back what
// is free.
package collector

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// share is how much of what is live, in percent, may be garbage.
	share = 50
	// floor is how much garbage, in bytes, there may be in any case.
	floor = 16 << 20
	// leastLive is what the runtime takes any heap for, in bytes: it collects
	// no heap below leastLive × GOGC.
	leastLive = 4 << 20
	// lookEvery is how often it is looked whether the process has gone quiet.
	lookEvery = 2 * time.Second
	// quiet is how many bytes a quiet process allocates at most from one look to the next.
	quiet = 1 << 20
	// worth is which part of the garbage that there may be is worth a collection.
	worth = 4
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
		tuner.percent = percentFor(read().live)
		tuner.before = debug.SetGCPercent(tuner.percent)
		if !tuner.armed {
			tuner.armed = true
			arm(new(*byte))
		}
		if !tuner.looking {
			tuner.looking = true
			tuner.seen = read()
			time.AfterFunc(lookEvery, look)
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

	looking bool
	seen    heap // at the last look
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
	want := percentFor(read().live)
	if d := want - tuner.percent; d*10 > tuner.percent || -d*10 > tuner.percent || want == share && d != 0 {
		debug.SetGCPercent(want)
		tuner.percent = want
	}
	arm(mark)
}

// look collects when the process has gone quiet, and looks again later.
func look() {
	tuner.Lock()
	now := read()
	due := tuner.users > 0 && now.due(tuner.seen)
	tuner.seen = now
	tuner.Unlock()
	if due {
		debug.FreeOSMemory()
	}
	tuner.Lock()
	defer tuner.Unlock()
	if tuner.looking = tuner.users > 0; tuner.looking {
		time.AfterFunc(lookEvery, look)
	}
}

// A heap is how many bytes there are of what.
type heap struct {
	allocated uint64 // since the process began
	live      uint64 // found in use by the last collection
	objects   uint64 // in use, or garbage by now
	free      uint64 // of the system, for objects to come
}

// due reports whether a process that saw an earlier heap at the last look has been quiet
// since, and has enough that it can do without.
func (h heap) due(earlier heap) bool {
	garbage := h.free + h.objects - min(h.objects, h.live)
	return h.allocated-earlier.allocated <= quiet && garbage >= max(floor, h.live*share/100)/worth
}

// percentFor returns the GOGC for so many live bytes.
func percentFor(live uint64) int {
	return int(max(share, floor*100/max(live, leastLive)))
}

// read returns the heap as it is.
func read() heap {
	var s [4]metrics.Sample
	for i, name := range [...]string{"/gc/heap/allocs:bytes", "/gc/heap/live:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes"} {
		s[i].Name = name
	}
	metrics.Read(s[:])
	return heap{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
}
