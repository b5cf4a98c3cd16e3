// Package relay holds the relay's end-to-end tests: the program as it is run,
// other people's clients and servers as they are, and what stands in between.
package relay

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
