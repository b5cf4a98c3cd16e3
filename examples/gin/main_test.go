package main

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/farwire/farwire/examples/internal/embedding"
	"github.com/farwire/farwire/internal/rig"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	rig.Main(m)
}

func TestHost(t *testing.T) { embedding.Test(t, mount) }
