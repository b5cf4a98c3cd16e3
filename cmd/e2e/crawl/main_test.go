// Package crawl holds the crawl's end-to-end tests: the program as it is run,
// and other people's clients as they are.
package crawl

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
