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
	start, end, above, sure := 0, size, -1, true
	if s.Frames {
		s.from, s.to, s.wholeFrom, s.wholeEnd = s.framesFrom, min(s.framesTo, s.framesFrom+maxRegion), s.framesFrom, s.framesTo
		return
	}
	if s.streamAt >= 0 && (s.mainAt < 0 || s.mainAt < s.streamAt && s.mainEnd > s.mainAt && s.mainSaid < bareText) {
		start = s.streamAt
	} else if s.mainAt >= 0 && !s.mainIsEmpty() {
		start = s.mainAt
		if s.mainEnd > start {
			end = s.mainEnd
		}
	} else if m, certain := s.bestMark(); s.headlineEnd > 0 && !certain && (m == nil || m.linked || s.isNamed()) {
		start = s.headlineEnd
		if !s.isNamed() && s.firstPara >= 0 && s.firstPara < start {
			start = s.firstPara
		}
	} else if m != nil {
		start, above, sure = m.offset, m.lead, certain
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
	if start > 0 && start != s.mainAt && start != s.headlineEnd {
		start = s.entryOf(start)
	}
	if s.aboutAt > 0 && !sure && start != s.mainAt {
		start = min(start, s.aboutAt)
	}
	s.wholeFrom, s.wholeEnd = start, max(start, end)
	before, laid, looked := 0, false, false
	for i, c := range s.checks {
		if c.offset <= start {
			before = c.prose
			continue
		}
		late := c.prose-before >= leastParagraph && !s.said(i, start, before) && (s.prose-before >= leastBare || !isCopyright(s.page[c.begin:]))
		if late && !looked {
			laid, looked = laidOut(s.page[start:c.begin]), true
		}
		if late && !laid {
			// A contents list of the region's size stands before the text, or code.
			if part := s.page[start:c.begin]; s.wholeFrom == start && !speaksBetween(part) && !isIndex(part, start == s.mainAt) {
				s.wholeFrom = c.begin
			}
			start, before = c.begin, c.prose-leastParagraph
		} else if c.prose-before >= need {
			end = min(end, c.offset)
			break
		}
	}
	s.from, s.to = start, min(end, start+maxRegion)
	if above >= 0 {
		s.wholeFrom = min(s.wholeFrom, above)
	}
}

// maxNotice is how many bytes of a page a notice at its end has, at most.
const maxNotice = 1024

// isCopyright reports a page's end that is a notice of copyright: below a list of links it is
// not the page's text.
func isCopyright(rest []byte) bool {
	rest = lowered(rest[:min(len(rest), maxNotice)])
	for _, sign := range []string{"copyright", "©", "&copy;", "&#169;", "&#xa9;"} {
		if bytes.Contains(rest, []byte(sign)) {
			return true
		}
	}
	return false
}

// laidOut reports whether a part of a page is mostly preformatted text, as manual pages are, and
// not a program.
func laidOut(part []byte) bool {
	l, pre, said, code := lexer{page: part}, false, 0, 0
	var text []byte
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		switch {
		case kind == textToken && pre:
			text = append(text, l.bytes()...)
		case kind != textToken && l.tag == atom.Pre:
			for paragraph := range bytes.SplitSeq(text, []byte("\n\n")) {
				if t := plain.OneLine(html.UnescapeString(string(paragraph))); isCode(t) {
					code += len(t)
				} else {
					said += len(t)
				}
			}
			text, pre = text[:0], kind == startTag
		}
	}
	return said > code && said*8 > len(part)
}

// maxEntry is how many bytes an entry of a list has before its text, at most.
const maxEntry = 512

// entryOf is where the entry of a list begins that an offset is in: the link around it, the
// item, the term that it defines, or the row of a table behind a link. A page
// that is such a list begins with its first entry and not with what stands in that.
func (s *scanner) entryOf(start int) int {
	near := lowered(s.page[max(0, start-maxEntry):start])
	best := len(near)
	for _, e := range entries {
		i := -1
		for _, end := range []string{" ", ">", "\n"} {
			i = max(i, bytes.LastIndex(near, []byte(e.begin+end)))
		}
		if i < 0 || i >= best || bytes.Contains(near[i:], []byte(e.end)) || bytes.Contains(near[i:], []byte("-->")) {
			continue
		}
		if ended(near[i:]) {
			continue // a list whose items have no end tags
		}
		if e.row && bytes.Count(near[i:], []byte("<a ")) != 1 {
			continue // the row of a layout
		}
		best = i
	}
	return start - len(near) + best
}

// ended reports a text behind the begin of an entry in which more lists end than begin.
func ended(text []byte) bool {
	for _, list := range [][2]string{{"<ul", "</ul"}, {"<ol", "</ol"}, {"<nav", "</nav"}} {
		if bytes.Count(text, []byte(list[1])) > bytes.Count(text, []byte(list[0])) {
			return true
		}
	}
	return false
}

// lowered is a copy with small ASCII letters for large ones, in which everything stands where
// it stood: in bytes.ToLower's a letter may be longer or shorter.
func lowered(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// entries are the elements that hold one.
var entries = []struct {
	begin, end string
	row        bool
}{{"<a", "</a", false}, {"<li", "</li", false}, {"<dt", "</dl", false}, {"<tr", "</tr", true}}

// said reports whether the region from start on would have a check's prose in it.
func (s *scanner) said(check, start, before int) bool {
	at := s.checks[check]
	limit := start + maxRegion*3/4
	if at.offset <= limit || s.firstPara >= start && s.firstPara <= limit {
		return true
	}
	// Something was said earlier, if not much.
	return check > 0 && s.checks[check-1].prose-before >= leastParagraph
}

// mainIsEmpty reports whether the element that is named the main one says next
// to nothing, and what the page has to say stands before it. Applications put
// their controls there.
func (s *scanner) mainIsEmpty() bool {
	if s.firstPara < 0 || s.firstPara >= s.mainAt || s.mainEnd <= s.mainAt || s.firstSaid < 2*leastParagraph {
		return false
	}
	return s.mainSaid < bareText
}

// bestMark is the heading that the page's title repeats, which is then
// certain, else the first that is not the site's own in a banner. A heading that goes on after
// the title's words is less than one that stops there: it may name a section.
func (s *scanner) bestMark() (m *mark, certain bool) {
	longest := 0
	for _, header := range []bool{false, true} { // a page's own heading may stand in a header, too
		var longer *mark
		high := 0
		for i := range s.marks {
			h := &s.marks[i]
			if h.linked || h.header != header || header && h.level > 1 {
				continue
			}
			if plain.StartsWith(s.Title, h.text) || alike(s.Title, h.text) {
				if len(h.text) > longest {
					m, longest = h, len(h.text)
				}
			} else if longer == nil && (high == 0 || h.level <= high) && plain.StartsWith(h.text, s.Title) {
				longer = h
			}
			if high == 0 || h.level < high {
				high = h.level
			}
		}
		if m == nil {
			m = longer
		}
		if m != nil {
			return m, true
		}
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

// alike reports texts that differ in nothing but punctuation and white space.
func alike(a, b string) bool {
	k := plain.Key(a)
	return k != "" && k == plain.Key(b)
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
	e := edge{s.lexer.start, s.lexer.start, text}
	if s.paraAt >= 0 && s.paraAt > e.offset-maxNotice {
		e.from = s.paraAt
	}
	if len(s.before) < maxEdge {
		s.before = append(s.before, e)
		return
	}
	if len(s.after) == 2*maxEdge {
		s.after = append(s.after[:0], s.after[maxEdge:]...)
	}
	s.after = append(s.after, e)
}

// edges are those outside the region.
func (s *scanner) edges() []string {
	var out []string
	said := 0 // up to there
	for _, list := range [][]edge{s.before, s.after[max(0, len(s.after)-maxEdge):]} {
		for _, e := range list {
			if e.offset < said || e.offset >= s.from && e.offset < s.to {
				continue
			}
			text, end := s.inFull(e)
			out, said = append(out, plain.OneLine(html.UnescapeString(string(text)))), end
		}
	}
	return out
}

// maxJoined is how many bytes of such a text are kept, about.
const maxJoined = 400

// inFull is a text near the page's begin or end with the rest of its block, and where that ends: links part
// sentences.
func (s *scanner) inFull(e edge) (text []byte, end int) {
	for _, from := range []int{e.from, e.offset} {
		text, end = nil, from
		look := lexer{page: s.page[from:min(len(s.page), e.offset+maxNotice)]}
		for kind := look.next(); kind != endOfPage && len(text) < maxJoined; kind = look.next() {
			if kind == textToken {
				text, end = append(text, look.bytes()...), from+look.pos
			} else if look.tag == atom.Br {
				text = append(text, ' ')
			} else if look.start > 0 && (kind != startTag && kind != endTag || !inline[look.tag] || look.tag == atom.Script || look.tag == atom.Style) {
				break
			}
		}
		if end > e.offset {
			return text, end
		}
	}
	return e.text, e.offset
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

// leastParagraph is what tells a paragraph from a label, in bytes; leastBare tells one
// in no <p> from a label, a slogan and a line of notices.
const (
	leastParagraph = 40
	leastBare      = 160
)

func (s *scanner) closeParagraph() {
	least := leastParagraph
	if s.bare {
		least = leastBare
	}
	if s.paraAt >= 0 && s.paraProse >= least && s.firstPara < 0 && s.skipDepth == 0 {
		s.firstPara, s.firstSaid = s.paraAt, s.paraProse
	}
	if s.paraAt >= 0 && s.paraProse >= leastParagraph && !s.bare && s.containers > 0 {
		s.noteLead(s.paraAt, false)
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
