package llmstxt

import (
	"fmt"
	"strings"
)

// Layout is a form of the file.
type Layout string

// The layouts. The zero value counts as Pages.
const (
	// Pages has a heading, the address and the excerpt of each page:
	//
	//	# Example Documentation
	//
	//	> https://docs.example.com
	//
	//	## Getting Started
	//
	//	> https://docs.example.com/start
	//
	//	Learn how to...
	//
	// Lines that begin with "## " and "> " stand nowhere else, so the file can
	// be read line by line; see Parse.
	Pages Layout = "pages"

	// Index is the form of llmstxt.org: a title, a summary, then sections of
	// links with notes, secondary pages last under Optional. Titles have no
	// square brackets and addresses no parentheses, because the grammar's
	// reference parser knows no escapes.
	//
	//	# Example Documentation
	//
	//	> What the example does.
	//
	//	Start page: https://docs.example.com/
	//
	//	## Guides
	//
	//	- [Getting Started](https://docs.example.com/start): Learn how to...
	Index Layout = "index"
)

const optional = "Optional"

// Render writes the file in a layout. It ends with a line break.
func (s *Site) Render(l Layout) string {
	if l == Index {
		return s.index()
	}
	return s.pages()
}

func (s *Site) pages() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n> %s\n", escapeTitle(s.Title), s.BaseURL)
	for i := range s.Pages {
		p := &s.Pages[i]
		fmt.Fprintf(&b, "\n## %s\n\n> %s\n\n%s\n", escapeTitle(p.Title), p.URL, p.Excerpt)
	}
	return b.String()
}

func (s *Site) index() string {
	var b strings.Builder
	// The reference parser sees a summary only when something follows it.
	fmt.Fprintf(&b, "# %s\n\n> %s\n\nStart page: %s\n", escapeTitle(s.Title), indexText(s.Summary), linkURL(s.BaseURL))
	names, in := s.order()
	for _, name := range names {
		fmt.Fprintf(&b, "\n## %s\n\n", escapeTitle(noBrackets(name)))
		for _, i := range in[name] {
			p := &s.Pages[i]
			fmt.Fprintf(&b, "- [%s](%s): %s\n", escapeTitle(noBrackets(p.Title)), linkURL(p.URL), indexText(p.Note))
		}
	}
	return b.String()
}

// indexText is a note or summary on the rest of a line.
func indexText(s string) string { return oneLine(s) }

// noBrackets replaces what would end a link's text.
func noBrackets(s string) string {
	return strings.NewReplacer("[", "(", "]", ")").Replace(s)
}

// linkURL keeps a link's target from ending early.
func linkURL(u string) string {
	return strings.NewReplacer("(", "%28", ")", "%29").Replace(u)
}

// escapeTitle writes a title so that Markdown shows exactly it. Only what would
// be read as markup gets a backslash: snake_case and 2 * 3 stay as they are.
func escapeTitle(s string) string {
	s = oneLine(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		var prev, next byte = ' ', ' '
		if i > 0 {
			prev = s[i-1]
		}
		if i+1 < len(s) {
			next = s[i+1]
		}
		esc := false
		switch c {
		case '\\':
			esc = isPunct(next) || next == ' ' && i+1 == len(s)
		case '`', '[', ']':
			esc = true
		case '*', '~':
			esc = prev != ' ' || next != ' '
		case '_':
			esc = !isWordChar(prev) || !isWordChar(next)
			esc = esc && (prev != ' ' || next != ' ')
		case '<':
			esc = next == '/' || next == '!' || next == '?' || isWordChar(next)
		case '&':
			esc = next == '#' || isWordChar(next)
		case '#':
			// At the end, or a heading's end for a parser.
			esc = strings.Trim(s[i:], "#") == "" || i == 0
		}
		if esc {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescapeTitle is escapeTitle backwards.
func unescapeTitle(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && isPunct(s[i+1]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

func isWordChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}
