// Package cluster_test runs the cluster of docs/scaling.md as the page writes it
// down: two gateways behind nginx, three agents, PostgreSQL, Redis and S3.
package cluster_test

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
