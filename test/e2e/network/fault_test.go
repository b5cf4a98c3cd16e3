package network_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/faulttest"
)

// Sessions cross four agents that are killed one after the other. Nobody may
// miss a byte but those whose own agent died, and these must know it.
func TestAgents_KilledInTurn_OtherSessionsStayWhole(t *testing.T) {
	t.Parallel()
	r, err := faulttest.Run(t.Context(), faulttest.Options{
		Program:   harness.Farwire(t).Path,
		Agents:    4,
		Sessions:  100,
		For:       20 * time.Second,
		KillEvery: 2500 * time.Millisecond,
		Rate:      4 << 20,
		Limit:     4 * time.Second, // twice what the contract says
		Logf:      t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	for _, w := range r.Wrong {
		t.Error(w)
	}
	for what, n := range map[string]int{
		"agents killed": r.Kills,
		"survivors":     r.Survivors,
		"sessions that ended between frames (1013)": r.Closed,
		"sessions that were cut inside a frame":     r.Cut,
	} {
		if n == 0 {
			t.Errorf("no %s: nothing has been shown", what)
		}
	}
}
