// Package observe holds the end-to-end tests of what an operator sees of a
// gateway: its metrics, and the dashboard and the rules that are made of them.
package observe

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/farwire/farwire/cmd/internal/rig"
)

func TestMain(m *testing.M) {
	status := rig.Main(m)
	if status == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString("goroutines were left behind: " + err.Error() + "\n")
			status = 1
		}
	}
	os.Exit(status)
}
