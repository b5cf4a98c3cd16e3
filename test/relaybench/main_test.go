//go:build linux

package main

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/leak"
)

// TestMain lets this test's binary play the roles, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		exit(play(os.Args[2], os.Args[3:]))
	}
	leak.Main(m)
}

// Every relay carries every load, and each goal gets a figure. How good the
// figures are is no matter for a test.
func TestRun_EveryRelayAndLoad_GivesEachGoalAFigure(t *testing.T) {
	p := &plan{
		parts: []string{"cost", "setup", "idle", "fairness", "path", "tunnel"}, relays: append([]string{"direct"}, relayNames()...),
		loads: []string{"lockstep", "pipelined", "bulk", "requests", "bodies", "opening", "sessions"}, rounds: 1, sessions: 8, stalled: 2,
		slice: 10 * time.Millisecond, settle: 10 * time.Millisecond,
	}
	goals, err := run(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goals {
		if math.IsNaN(g.figure) {
			t.Errorf("%s has no figure", g.what)
		}
	}
	if want := 32; len(goals) != want {
		t.Errorf("%d goals have figures, want %d", len(goals), want)
	}
}
