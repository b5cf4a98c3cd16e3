//go:build linux

package farwire_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// An operator with many keys may replace them all while requests come: four times as many
// cost about four times as much, and not sixteen times.
func TestKeySet_ManyKeys_CostIsLinear(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cpu := func() time.Duration {
		const thread = 1 // RUSAGE_THREAD, which package syscall does not name
		var u syscall.Rusage
		if err := syscall.Getrusage(thread, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
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
		began := cpu()
		set, err := farwire.NewKeySet(first)
		if err != nil {
			t.Fatal(err)
		}
		making = cpu() - began
		var bus farwire.LocalBus
		gw, err := farwire.New(farwire.Options{Auth: set, Bus: bus.Join("one")})
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Replace(second); err != nil {
			t.Fatal(err)
		}
		began = cpu()
		gw.EndRevoked(context.Background())
		return making, cpu() - began
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
