package htmlpage

import (
	"bytes"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Where a page's main content begins and how much of it is needed, and what
// links it has: decided from what the pass noted.

// region chooses where the words are.
func (s *scanner) region(size, need int) {
	start, end := 0, size
	if s.streamAt >= 0 && (s.mainAt < 0 || s.mainAt < s.streamAt && s.mainEnd > s.mainAt && s.mainSaid < bareText) {
		start = s.streamAt
	} else if s.mainAt >= 0 && !s.hollowMain() {
		start = s.mainAt
		if s.mainEnd > start {
			end = s.mainEnd
		}
	} else if m, certain := s.bestMark(); m != nil {
		start = m.offset
		if !certain && s.firstPara >= 0 && s.firstPara < start {
			start = s.firstPara
		}
		if s.articleAt >= 0 && s.articleAt < start {
			start = s.articleAt
		}
	} else if s.articleAt >= 0 {
		start = s.articleAt
	} else if s.firstPara >= 0 {
		start = s.firstPara
	}
	s.wholeEnd = max(start, end)
	before := 0
	for _, c := range s.checks {
		if c.offset <= start {
			before = c.prose
		} else if c.prose-before >= need {
			end = min(end, c.offset)
			break
		}
	}
	s.from, s.to = start, min(end, start+maxRegion)
}

// hollowMain reports whether the element that is named the main one says next
// to nothing, and what the page has to say stands before it. Applications put
// their controls there.
func (s *scanner) hollowMain() bool {
	if s.firstPara < 0 || s.firstPara >= s.mainAt || s.mainEnd <= s.mainAt {
		return false
	}
	return s.mainSaid < bareText
}

// bestMark is the heading that the page's title repeats, which is then
// certain, else the first that is not the site's own in a banner.
func (s *scanner) bestMark() (m *mark, certain bool) {
	longest := 0
	for i := range s.marks {
		h := &s.marks[i]
		if h.linked || h.header || len(h.text) <= longest {
			continue
		}
		if plain.StartsWith(s.Title, h.text) || plain.StartsWith(h.text, s.Title) {
			m, longest = h, len(h.text)
		}
	}
	if m != nil {
		return m, true
	}
	best := 0
	for i := range s.marks {
		cost := s.marks[i].level
		if s.marks[i].header {
			cost += 3
		}
		if s.marks[i].linked {
			cost += 6
		}
		if m == nil || cost < best {
			m, best = &s.marks[i], cost
		}
	}
	return m, false
}

// edge remembers the texts that the page begins and ends with, for the vote on
// what the site repeats.
func (s *scanner) edge(text []byte) {
	if len(text) < 12 || bytes.IndexByte(text, ' ') < 0 {
		return
	}
	if len(text) > 160 {
		text = text[:160]
	}
	if len(s.before) < maxEdge {
		s.before = append(s.before, edge{s.lexer.start, string(text)})
		return
	}
	if len(s.after) == 2*maxEdge {
		s.after = append(s.after[:0], s.after[maxEdge:]...)
	}
	s.after = append(s.after, edge{s.lexer.start, string(text)})
}

// edges are those outside the region.
func (s *scanner) edges() []string {
	var out []string
	for _, list := range [][]edge{s.before, s.after[max(0, len(s.after)-maxEdge):]} {
		for _, e := range list {
			if e.offset < s.from || e.offset >= s.to {
				out = append(out, plain.OneLine(html.UnescapeString(e.text)))
			}
		}
	}
	return out
}

// closeHeader moves the headings of a banner behind it: what else stands in it
// is not content.
func (s *scanner) closeHeader() {
	if s.header > 0 {
		s.header--
	}
	if s.header == 0 {
		for i := range s.marks {
			if s.marks[i].header && !s.marks[i].moved {
				s.marks[i].offset, s.marks[i].moved = s.lexer.start, true
			}
		}
	}
}

func (s *scanner) closeParagraph() {
	if s.paraAt >= 0 && s.paraProse >= 80 && s.firstPara < 0 && s.skipDepth == 0 {
		s.firstPara = s.paraAt
	}
	s.paraAt, s.paraProse = -1, 0
}

func headingLevel(tag atom.Atom) int {
	switch tag {
	case atom.H1:
		return 1
	case atom.H2:
		return 2
	}
	return 3
}
