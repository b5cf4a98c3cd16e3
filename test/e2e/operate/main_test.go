// Package operate runs what docs/operating.md and the Dockerfile say: the image
// without Docker, nginx and Caddy in front of a gateway, and the units of systemd.
package operate

import (
	"testing"

	"github.com/farwire/farwire/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
