// Package browser holds the end-to-end tests of pages that need a browser, in
// a real Chromium.
package browser

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "showing" {
		os.Exit(showing(os.Args[2]))
	}
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString("goroutines were left behind: " + err.Error() + "\n")
			status = 1
		}
	}
	os.Exit(status)
}
