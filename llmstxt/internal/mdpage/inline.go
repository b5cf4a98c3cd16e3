package mdpage

import (
	"strings"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The text of a paragraph without its signs, and the links in it. One pass: what
// is looked for ahead is bounded, and looked for again only where the last
// search succeeded.

const (
	maxParagraph = 64 << 10 // bytes that are looked into
	maxNested    = 32       // brackets in brackets
	maxTarget    = 2000     // bytes of a link's target with its title
)

// opened is a bracket that has not been closed.
type opened struct {
	at    int // in the text that comes out
	image bool
}

// span is the state of one paragraph.
type span struct {
	in     string
	out    []byte
	open   []opened
	none   [4]bool // whether no run of so many backticks follows
	linked int     // bytes of text in links
	link   func(target string, words []byte)
}

// read returns the text of a paragraph, if it is wanted, and how many of its
// bytes are links, each of which it hands to link.
func (s *span) read(in string, link func(target string, words []byte), wanted bool) (text string, linked int) {
	*s = span{in: safetext.Cut(in, maxParagraph), link: link, out: s.out[:0], open: s.open[:0]}
	for i := 0; i < len(s.in); {
		i = s.step(i)
	}
	if !wanted {
		return "", s.linked
	}
	return plain.OneLine(html.UnescapeString(string(s.out))), s.linked
}

// step reads what stands at i and returns what stands behind it.
func (s *span) step(i int) int {
	c := s.in[i]
	switch c {
	case '\\':
		if i+1 < len(s.in) && isPunct(s.in[i+1]) {
			s.out = append(s.out, s.in[i+1])
			return i + 2
		}
	case '`':
		return s.code(i)
	case '!':
		if strings.HasPrefix(s.in[i:], "![") {
			s.push(true)
			return i + 2
		}
	case '[':
		if n := noteSign(s.in[i:]); n > 0 {
			return i + n
		}
		s.push(false)
		return i + 1
	case ']':
		return s.close(i)
	case '<':
		return s.tag(i)
	case '*', '~':
		n := i
		for n < len(s.in) && s.in[n] == c {
			n++
		}
		if s.apart(i, n) || c == '~' && n-i == 1 {
			s.out = append(s.out, s.in[i:n]...)
		}
		return n
	case '_':
		if !s.within(i) && !s.apart(i, i+1) {
			return i + 1
		}
	case 'h':
		if n := bare(s.in[i:]); n > 0 && (i == 0 || !plain.IsWordByte(s.in[i-1])) {
			target := s.in[i : i+n]
			s.link(target, nil)
			s.linked += n
			s.out = append(s.out, target...)
			return i + n
		}
	}
	s.out = append(s.out, c)
	return i + 1
}

// noteSign is the length of the sign of a note: "[^1]".
func noteSign(s string) int {
	end := strings.IndexAny(s[:min(len(s), maxNoteSign)], " ]")
	if !strings.HasPrefix(s, "[^") || end < 3 || s[end] != ']' || end+1 < len(s) && s[end+1] == '(' {
		return 0
	}
	return end + 1
}

const maxNoteSign = 64

func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

// apart reports signs with white space on both sides, which are only signs.
func (s *span) apart(from, to int) bool {
	return (from == 0 || s.in[from-1] == ' ') && (to >= len(s.in) || s.in[to] == ' ')
}

// within reports a sign inside a word.
func (s *span) within(i int) bool {
	return i > 0 && i+1 < len(s.in) && plain.IsWordByte(s.in[i-1]) && plain.IsWordByte(s.in[i+1])
}

// bare is the length of an address that stands in the text as it is.
func bare(s string) int {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return 0
	}
	n := strings.IndexAny(s[:min(len(s), maxTarget)], " \t<>\"'`)]}|")
	if n < 0 {
		n = min(len(s), maxTarget)
	}
	n = len(strings.TrimRight(s[:n], ".,;:!?*_"))
	if n <= len("https://") {
		return 0
	}
	return n
}

// code copies a span of code.
func (s *span) code(i int) int {
	n := i
	for n < len(s.in) && s.in[n] == '`' {
		n++
	}
	run := s.in[i:n]
	if len(run) >= len(s.none) || s.none[len(run)] {
		s.out = append(s.out, run...)
		return n
	}
	for at := n; ; {
		j := strings.Index(s.in[at:], run)
		if j < 0 {
			s.none[len(run)] = true
			s.out = append(s.out, run...)
			return n
		}
		from := at + j
		to := from
		for to < len(s.in) && s.in[to] == '`' {
			to++
		}
		if to-from == len(run) {
			s.out = append(s.out, escapeEntities(s.in[n:from])...)
			return to
		}
		at = to
	}
}

// escapeEntities keeps code from being unescaped with the text around it.
func escapeEntities(code string) string { return strings.ReplaceAll(code, "&", "&amp;") }

func (s *span) push(image bool) {
	if len(s.open) == maxNested {
		s.open = append(s.open[:0], s.open[1:]...)
	}
	s.open = append(s.open, opened{len(s.out), image})
	s.out = append(s.out, '[')
}

// close ends a link's text, or an image's, which is not seen. What is neither
// keeps its brackets.
func (s *span) close(i int) int {
	if len(s.open) == 0 {
		s.out = append(s.out, ']')
		return i + 1
	}
	o := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	rest := s.in[i+1:]
	target, n := "", 0
	switch {
	case strings.HasPrefix(rest, "("):
		target, n = destination(rest)
	case strings.HasPrefix(rest, "["): // its address stands elsewhere
		if j := strings.IndexByte(rest[:min(len(rest), 200)], ']'); j > 0 {
			n = j + 1
		}
	}
	if n == 0 {
		s.out = append(s.out, ']')
		return i + 1
	}
	if o.image {
		s.out = s.out[:o.at]
		return i + 1 + n
	}
	s.out = append(s.out[:o.at], s.out[o.at+1:]...)
	text := s.out[o.at:]
	s.linked += len(text)
	if target != "" {
		s.link(target, text)
	}
	return i + 1 + n
}

// destination reads "(target "title")" and returns its length; 0: it is something else.
func destination(s string) (target string, n int) {
	s = s[:min(len(s), maxTarget)]
	i := 1
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if i < len(s) && s[i] == '<' {
		j := strings.IndexByte(s[i:], '>')
		if j < 0 {
			return "", 0
		}
		target, i = s[i+1:i+j], i+j+1
	} else {
		from, depth := i, 0
		for ; i < len(s) && s[i] != ' '; i++ {
			switch s[i] {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 || depth > 3 {
				break
			}
		}
		target = s[from:i]
	}
	j := strings.IndexByte(s[i:], ')')
	if j < 0 {
		return "", 0
	}
	if between := strings.TrimSpace(s[i : i+j]); between != "" && !strings.ContainsAny(between[:1], `"'(`) {
		return "", 0
	}
	return target, i + j + 1
}

// tag drops a tag of HTML, and takes the address of an autolink or of an anchor.
func (s *span) tag(i int) int {
	rest := s.in[i+1:]
	if len(rest) == 0 || !plain.IsLetter(rest[0]) && rest[0] != '/' && rest[0] != '!' {
		s.out = append(s.out, '<')
		return i + 1
	}
	end := strings.IndexByte(rest[:min(len(rest), maxTarget)], '>')
	if end < 0 {
		s.out = append(s.out, '<')
		return i + 1
	}
	inside := rest[:end]
	next := i + 1 + end + 1
	switch {
	case strings.HasPrefix(inside, "http://"), strings.HasPrefix(inside, "https://"):
		s.link(inside, nil)
		s.linked += len(inside)
		s.out = append(s.out, inside...)
	case strings.ContainsAny(inside[:1], "aA") && len(inside) > 1 && inside[1] == ' ':
		if _, v, ok := strings.Cut(inside, "href="); ok {
			if t, _, ok := strings.Cut(strings.TrimLeft(v, `"'`), v[:1]); ok {
				s.link(html.UnescapeString(t), nil)
			}
		}
	case strings.HasPrefix(inside, "br"), strings.HasPrefix(inside, "/"):
		s.out = append(s.out, ' ')
	}
	return next
}
