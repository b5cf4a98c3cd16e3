// Package observe holds the end-to-end tests of what an operator sees of a
// gateway: its metrics, and the dashboard and the rules that are made of them.
package observe

import (
	"testing"

	"github.com/farwire/farwire/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
