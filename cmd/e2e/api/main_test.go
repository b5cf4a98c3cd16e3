// Package api holds the descriptions of the gateway's interfaces, OpenAPI and
// AsyncAPI, to what the gateway does.
package api

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	status := m.Run()
	client.CloseIdleConnections()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString("goroutines were left behind: " + err.Error() + "\n")
			status = 1
		}
	}
	os.Exit(status)
}
