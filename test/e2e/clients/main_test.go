// Package clients holds the end-to-end tests of the path form and the forward proxy:
// other people's programs, unmodified, that reach their own servers through the
// gateway.
package clients

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
