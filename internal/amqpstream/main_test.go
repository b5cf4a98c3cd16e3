package amqpstream_test

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) { leak.Main(m) }
