package main

import (
	"testing"

	"github.com/farwire/farwire/examples/internal/embedding"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestHost_EchoRouter_HandlersWork(t *testing.T) { embedding.Test(t, mount) }
