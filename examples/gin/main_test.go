package main

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/farwire/farwire/examples/internal/embedding"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	leak.Main(m)
}

func TestHost_GinRouter_HandlersWork(t *testing.T) { embedding.Test(t, mount) }
