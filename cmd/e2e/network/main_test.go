// Package network_test runs the network of agents as operators do: gateways
// and agents in processes of their own, killed, stopped and frozen, behind
// nginx, and with a file of agents.
package network_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/farwire/farwire/cmd/internal/rig"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(main{m})
}

type main struct{ *testing.M }

func (m main) Run() int {
	return rig.Main(m.M)
}
