// Package monitoring holds the end-to-end tests of what an operator sees of a
// gateway: its metrics, and the dashboard and the rules that are made of them.
package monitoring

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
