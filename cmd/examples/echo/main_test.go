package main

import (
	"testing"

	"github.com/farwire/farwire/cmd/internal/embedding"
)

func TestMain(m *testing.M) { embedding.Main(m) }

func TestHost(t *testing.T) { embedding.Test(t, mount) }
