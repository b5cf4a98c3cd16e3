// Package nats_test runs clusters of gateways on a real NATS server and a real Redis:
// what holds over a hop, and while gateways, NATS and agents are killed, frozen and
// drained.
package nats_test

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
