package describe

import (
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// SameWords reports two pages that are forms of one: with the same heading, or where one has
// none with the title of the one in that of the other, and with half of the sentences of the
// shorter one in both. Without sentences the same heading is enough.
func SameWords(a, b *htmlpage.Evidence, ofA, ofB []Said) bool {
	x, y := plain.Key(heading(a)), plain.Key(heading(b))
	headed := x != "" && y != ""
	if headed && x != y {
		return false
	}
	if x, y = plain.Key(a.Title), plain.Key(b.Title); !headed && (x == "" || y == "" || !strings.Contains(x, y) && !strings.Contains(y, x)) {
		return false
	}
	said, there := saidIn(ofA), saidIn(ofB)
	fewer, both := min(len(said), len(there)), 0
	for s := range said {
		if there[s] {
			both++
		}
	}
	if fewer == 0 {
		return headed
	}
	return 2*both >= fewer
}

// saidIn is the set of the sentences of blocks.
func saidIn(blocks []Said) map[string]bool {
	set := map[string]bool{}
	for _, block := range blocks {
		for _, s := range block.Sentences {
			if key := plain.Key(s); key != "" {
				set[key] = true
			}
		}
	}
	return set
}
