package describe

import (
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Said is what a block of a page says, and what can be told of it while other pages are on
// their way: for the choice of texts, which comes when all are known, everybody waits.
type Said struct {
	Sentences []string
	prose     bool
	formal    bool // some of the sentences are
}

// Split cuts the blocks of a page into sentences.
func Split(e *htmlpage.Evidence) []Said {
	said := make([]Said, len(e.Blocks))
	for i, b := range e.Blocks {
		if b.Kind == htmlpage.Omitted {
			continue
		}
		s := &said[i]
		s.Sentences, s.prose = plain.Sentences(b.Text), isProse(b)
		switch b.Kind {
		case htmlpage.Heading, htmlpage.Title, htmlpage.Term: // which no excerpt takes
		default:
			s.formal = slices.ContainsFunc(s.Sentences, func(s string) bool { return formal(strings.TrimSpace(s)) })
		}
	}
	return said
}
