package natscluster_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// What one gateway revokes while it alone has no NATS reaches the others when it has one again,
// though nobody asks for it.
func TestBus_RevokedWithoutNATS_ReachesTheOthersLater(t *testing.T) {
	s := harness.NATS(t)
	line := harness.NewLine(t, strings.TrimPrefix(s.URL, "nats://"))
	two := open(t, s, "two")
	var mu sync.Mutex
	heard := map[string]int{}
	two.Subscribe(func(r farwire.Revocation) {
		mu.Lock()
		defer mu.Unlock()
		heard[r.KeyID]++
	})
	one := open(t, &harness.Server{URL: "nats://" + line.Addr}, "one")
	eventually(t, "it is seen", func() bool { return two.sees("one", 0, 0) })
	line.Cut()
	eventually(t, "it has no NATS", func() bool { return !one.Connected() })
	for _, key := range []string{"k1", "k2"} {
		one.Publish(farwire.Revocation{KeyID: key})
	}
	line.Heal()
	eventually(t, "both keys are revoked", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard["k1"] == 1 && heard["k2"] == 1
	})
}
