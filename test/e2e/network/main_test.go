// Package network_test runs the network of agents as operators do: gateways
// and agents in processes of their own, killed, stopped and frozen, behind
// nginx, and with a file of agents.
package network_test

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
