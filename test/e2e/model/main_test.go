// Package model holds the end-to-end tests of the language model: a site, a
// gateway, the adapter and a server of the chat completions API, each behind
// its own socket.
package model

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
