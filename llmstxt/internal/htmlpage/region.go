package htmlpage

import (
	"bytes"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Where a page's main content begins and how much of it is needed, and what
// links it has: decided from what the pass noted.

// region chooses where the words are.
func (s *scanner) region(size, need int) {
	start, end := 0, size
	if s.mainAt >= 0 && !s.hollowMain() {
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

func (s *scanner) anchor(tag atom.Atom) {
	a := s.attrs("href", "rel", "accesskey", "hreflang")
	if a[0] == "" {
		return
	}
	if tag == atom.A {
		s.link = 1
	}
	rel := strings.ToLower(a[1])
	if s.Up == "" && (a[2] == "u" || a[2] == "U" || rel == "up") {
		s.Up = a[0]
	}
	// The same page in another language is not another page.
	if strings.Contains(rel, "nofollow") || a[3] != "" && !sameLanguage(a[3], s.Lang) {
		return
	}
	s.addLink(a[0])
}

// sameLanguage compares the primary subtags of two language tags; an unknown
// language is any.
func sameLanguage(a, b string) bool {
	a, _, _ = strings.Cut(strings.ToLower(a), "-")
	b, _, _ = strings.Cut(strings.ToLower(b), "-")
	return b == "" || a == b
}

func (s *scanner) addLink(href string) {
	if i := strings.IndexByte(href, '#'); i >= 0 {
		href = href[:i]
	}
	if href == "" || len(href) > 4*weburl.MaxLength || len(s.Links) >= MaxLinks {
		return
	}
	at, ok := s.seen[href]
	if !ok {
		at = len(s.Links)
		s.seen[href] = at
		s.Links = append(s.Links, Link{href, s.nav.group()})
	}
	s.lastHref = at
}
