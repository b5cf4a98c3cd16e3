package network_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/loadtest"
)

// Many clients, as few as still show something. The soak has thousands.

func loaded(t *testing.T, agents int, guarded bool) *loadtest.Network {
	t.Helper()
	t.Parallel()
	target, err := loadtest.NewEcho()
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadtest.Open(t.Context(), harness.Farwire(t).Path, agents, guarded, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		target.Close()
	})
	return s
}

// Idle sessions outlast the gateway's own pings.
func TestGateway_IdleSessions_Stay(t *testing.T) {
	r, err := loaded(t, 3, false).Idle(t.Context(), 200, 28*time.Second)
	if err != nil {
		t.Errorf("%v\n%v", r, err)
	}
}

func TestGateway_ManySessions_Drain(t *testing.T) {
	// More than a hundred are told over the first half of the 30 seconds that it has.
	r, err := loaded(t, 2, false).Drain(t.Context(), 200)
	if err != nil || r.Took < 10*time.Second || r.Took > 30*time.Second {
		t.Errorf("%v\n%v", r, err)
	}
}

func TestGateway_SilentConnections_AreClosed(t *testing.T) {
	r, err := loaded(t, 1, false).Silent(t.Context(), 200)
	if err != nil {
		t.Errorf("%v\n%v", r, err)
	}
}

func TestGateway_SessionsEnd_ResourcesAreFreed(t *testing.T) {
	r, err := loaded(t, 2, false).Churn(t.Context(), 1000)
	if err != nil {
		t.Errorf("%v\n%v", r, err)
	}
}

func TestGateway_HostileInputs_GoesOn(t *testing.T) {
	const seed = 42
	r, err := loaded(t, 1, true).Hostile(t.Context(), 5000, seed)
	if err != nil {
		t.Errorf("seed %d: %v\n%v", seed, r, err)
	}
}
