package natscluster_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// Clusters on one NATS that differ by their names alone hear nothing of each other: neither
// agents, nor which keys are gone, nor one with the same name of a gateway.
func TestOpen_ClustersOnOneNATS_StayApart(t *testing.T) {
	s := harness.NATS(t)
	one, two := openIn(t, s, "blue", "one"), openIn(t, s, "blue", "two")
	others := []*gateway{openIn(t, s, "green", "one"), openIn(t, s, "blue2", "three"), open(t, s, "four")}
	var heard atomic.Int64
	for _, g := range others {
		g.Subscribe(func(farwire.Revocation) { heard.Add(1) })
	}
	var own atomic.Int64
	two.Subscribe(func(farwire.Revocation) { own.Add(1) })
	for n := range 5 {
		one.hold(n+1, 0)
		one.Publish(farwire.Revocation{KeyID: fmt.Sprint("key ", n)})
		eventually(t, "the cluster's own gateway hears it", func() bool { return two.sees("one", n+1, 0) && own.Load() > int64(n) })
	}
	for i, g := range others {
		g.hold(i+10, 0)
		for _, name := range []string{"one", "two", "three", "four"} {
			if g.knows(name) {
				t.Errorf("gateway %d of another cluster knows %s", i, name)
			}
		}
		if n := g.log.Count("level=WARN"); n > 0 {
			t.Errorf("gateway %d of another cluster warns %d times", i, n)
		}
		if n := g.Stats().Gateways; n != 1 {
			t.Errorf("gateway %d of another cluster counts %d gateways", i, n)
		}
	}
	if heard.Load() > 0 {
		t.Errorf("%d revocations crossed", heard.Load())
	}
}
