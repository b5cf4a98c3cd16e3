// Package relay holds the relay's end-to-end tests: the program as it is run,
// other people's clients and servers as they are, and what stands in between.
package relay

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/farwire/farwire/cmd/internal/rig"
)

func TestMain(m *testing.M) {
	status := rig.Main(m)
	if status == 0 {
		// Idle connections of clients that net/http keeps, and of test servers
		// that are closed, end a moment later; Find waits for that.
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString("goroutines were left behind: " + err.Error() + "\n")
			status = 1
		}
	}
	os.Exit(status)
}
