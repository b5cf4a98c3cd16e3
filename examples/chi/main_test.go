package main

import (
	"testing"

	"github.com/farwire/farwire/examples/internal/embedding"
	"github.com/farwire/farwire/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func TestHost(t *testing.T) { embedding.Test(t, mount) }
