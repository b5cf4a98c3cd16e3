// Package recrawl_test runs recrawls as operators do: several gateways on one
// database and one folder, killed, stopped and frozen.
package recrawl_test

import (
	"log"
	"os"
	"testing"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/test/internal/recrawltest"
)

// TestMain is also the main of the processes that the tests start.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(recrawltest.WorkerVariable) != "":
		if err := recrawltest.Work(); err != nil {
			log.Fatal(err)
		}
		return
	case os.Getenv(savingVariable) != "":
		if err := saving(os.Getenv(savingVariable)); err != nil {
			log.Fatal(err)
		}
		return
	}
	leak.Main(m)
}
