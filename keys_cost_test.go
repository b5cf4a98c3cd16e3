//go:build linux

package farwire_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// threadCPU is what the thread has used. The test must be locked to it.
func threadCPU(t *testing.T) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// An operator with many keys may replace them all while requests come: four times as many
// cost about four times as much, and not sixteen times.
func TestKeySet_ManyKeys_CostIsLinear(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	keysOf := func(generation string, n int) map[string]farwire.Principal {
		keys := make(map[string]farwire.Principal, n)
		for i := range n {
			keys[fmt.Sprintf("a key of %s, number %d", generation, i)] = farwire.Principal{Subject: "alice"}
		}
		return keys
	}
	costs := func(n int) (making, revoking time.Duration) {
		first, second := keysOf("the first generation", n), keysOf("the second generation", n)
		runtime.GC()
		began := threadCPU(t)
		set, err := farwire.NewKeySet(first)
		if err != nil {
			t.Fatal(err)
		}
		making = threadCPU(t) - began
		var bus farwire.LocalBus
		gw, err := farwire.New(farwire.Options{Auth: set, Bus: bus.Join("one")})
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Replace(second); err != nil {
			t.Fatal(err)
		}
		began = threadCPU(t)
		gw.EndRevoked(context.Background())
		return making, threadCPU(t) - began
	}
	const n = 4000
	for try := 0; ; try++ {
		making, revoking := costs(n)
		making4, revoking4 := costs(4 * n)
		if making4 < 8*making && revoking4 < 8*revoking {
			return
		}
		if try == 4 {
			t.Fatalf("making a set of %d keys takes %v and of %d %v; revoking them %v and %v", n, making, 4*n, making4, revoking, revoking4)
		}
	}
}

// A gateway is told by another one of many keys that are gone. What that costs goes by
// the keys and the sessions that end, and not by keys times sessions.
func TestRevocation_ManyKeysAndSessions_CostIsNoProduct(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const n = 8000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	costs := func(sessions int) time.Duration {
		var bus farwire.LocalBus
		elsewhere := bus.Join("elsewhere")
		gw, err := farwire.New(farwire.Options{Logger: slog.New(slog.DiscardHandler), Bus: bus.Join("here")})
		if err != nil {
			t.Fatal(err)
		}
		ended, end, err := gw.RunSessions(keys[:sessions])
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		began := threadCPU(t)
		for _, key := range keys {
			elsewhere.Publish(farwire.Revocation{KeyID: key})
		}
		cost := threadCPU(t) - began
		if ended() != sessions {
			t.Errorf("%d of %d sessions end with their keys", ended(), sessions)
		}
		end()
		if kept := gw.SessionKeys(); kept != 0 {
			t.Errorf("%d keys are kept, whose sessions are over", kept)
		}
		return cost
	}
	for try := 0; ; try++ {
		few, many := costs(n/32), costs(n/4)
		if many < 4*few {
			return
		}
		if try == 4 {
			t.Fatalf("%d revoked keys take %v beside %d sessions, and %v beside %d", n, few, n/32, many, n/4)
		}
	}
}
