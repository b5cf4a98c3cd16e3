//go:build unix

// Package browser holds the end-to-end tests of pages that need a browser, in
// a real Chromium.
package browser

import (
	"os"
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "showing" {
		os.Exit(showing(os.Args[2]))
	}
	leak.Main(m)
}
