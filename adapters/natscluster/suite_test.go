package natscluster_test

import (
	"log/slog"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/clustertest"
	"github.com/farwire/farwire/internal/harness"
)

// opens returns what opens the places of gateways on a NATS of its own.
func opens(t *testing.T) func(t *testing.T, gateway string) *natscluster.Cluster {
	s := harness.NATS(t)
	return func(t *testing.T, gateway string) *natscluster.Cluster {
		c, err := natscluster.Open(natscluster.Options{URL: s.URL, Name: gateway, Logger: slog.New(slog.DiscardHandler),
			Secrets: func() [][]byte { return [][]byte{[]byte(secret)} }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		return c
	}
}

func TestDirectory_NATS_PassesTheSuite(t *testing.T) {
	clustertest.Directory(t, func(t *testing.T) clustertest.OpenDirectory {
		open := opens(t)
		return func(t *testing.T, gateway string) agent.Directory { return open(t, gateway) }
	})
}

func TestBus_NATS_PassesTheSuite(t *testing.T) {
	clustertest.Bus(t, func(t *testing.T) clustertest.OpenBus {
		open := opens(t)
		return func(t *testing.T, gateway string) farwire.Bus { return open(t, gateway) }
	})
}
