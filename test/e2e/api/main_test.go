// Package api holds the descriptions of the gateway's interfaces, OpenAPI and
// AsyncAPI, to what the gateway does.
package api

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) {
	status := m.Run()
	client.CloseIdleConnections()
	leak.Exit(status)
}
