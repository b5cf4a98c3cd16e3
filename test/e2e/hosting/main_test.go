// Package hosting holds the end-to-end tests of hosted files and enrolled
// sites: the program as it is run, with the services that it may use.
package hosting

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
