// Package commands runs the commands of the README and of docs as they are printed there.
package commands

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
