//go:build unix

// Package deploy runs what docs/operating.md and the Dockerfile say: the image
// without Docker, nginx and Caddy in front of a gateway, and the units of systemd.
package deploy

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
