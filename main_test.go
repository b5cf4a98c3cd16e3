package farwire_test

import (
	"flag"
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

var update = flag.Bool("update", false, "write the transcripts in testdata anew")

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) { leak.Main(m) }
