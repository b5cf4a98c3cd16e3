package redislimit_test

import (
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/clustertest"
	"github.com/farwire/farwire/internal/harness"
)

func TestTakeSlot_Redis_PassesTheSuite(t *testing.T) {
	clustertest.SlotLimiter(t, func(t *testing.T) clustertest.OpenSlots {
		s := harness.Redis(t)
		return func(t *testing.T, gateway string) farwire.SlotLimiter {
			return open(t, s, redislimit.Options{Name: gateway})
		}
	})
}
