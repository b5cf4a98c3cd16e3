package main

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/farwire/farwire/cmd/internal/embedding"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	embedding.Main(m)
}

func TestHost(t *testing.T) { embedding.Test(t, mount) }
