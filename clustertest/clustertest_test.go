package clustertest_test

import (
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/clustertest"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestDirectory_Local_Passes(t *testing.T) {
	clustertest.Directory(t, func(*testing.T) clustertest.OpenDirectory {
		d := new(agent.LocalDirectory)
		return func(*testing.T, string) agent.Directory { return d }
	})
}

func TestBus_Local_Passes(t *testing.T) {
	clustertest.Bus(t, func(*testing.T) clustertest.OpenBus {
		b := new(farwire.LocalBus)
		return func(_ *testing.T, gateway string) farwire.Bus { return b.Join(gateway) }
	})
}

func TestSlotLimiter_Local_Passes(t *testing.T) {
	clustertest.SlotLimiter(t, func(*testing.T) clustertest.OpenSlots {
		l := farwire.NewLimiter().(farwire.SlotLimiter)
		return func(*testing.T, string) farwire.SlotLimiter { return l }
	})
}
