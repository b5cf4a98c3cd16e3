// Package crawl holds the crawl's end-to-end tests: the program as it is run,
// and other people's clients as they are.
package crawl

import (
	"testing"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
