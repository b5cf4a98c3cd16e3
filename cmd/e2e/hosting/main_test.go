// Package hosting holds the end-to-end tests of hosted files and enrolled
// sites: the program as it is run, with the services that it may use.
package hosting

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
