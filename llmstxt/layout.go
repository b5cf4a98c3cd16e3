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
func (s *Site) Render(l Layout) string { return s.file(l).Render(l) }

// file is a site as it will be read back.
func (s *Site) file(l Layout) *File {
	f := &File{Title: s.Title, BaseURL: s.BaseURL}
	if l != Index {
		entries := make([]Entry, len(s.Pages))
		for i, p := range s.Pages {
			entries[i] = Entry{p.Title, p.URL, unescapeLines(p.Excerpt)}
		}
		f.Sections = []Section{{Entries: entries}}
		return f
	}
	// The reference parser sees a summary only when something follows it.
	f.Summary, f.Info = s.Summary, "Start page: "+linkURL(s.BaseURL)
	names, in := s.order()
	for _, name := range names {
		section := Section{Name: name}
		for _, i := range in[name] {
			p := &s.Pages[i]
			section.Entries = append(section.Entries, Entry{p.Title, p.URL, p.Note})
		}
		f.Sections = append(f.Sections, section)
	}
	return f
}

// Render writes a file in a layout, whatever its texts are: Parse reads it
// back, white space in titles and notes apart.
func (f *File) Render(l Layout) string {
	var b strings.Builder
	if l != Index {
		fmt.Fprintf(&b, "# %s\n\n> %s\n", escapeTitle(f.Title), f.BaseURL)
		for _, e := range f.Entries() {
			fmt.Fprintf(&b, "\n## %s\n\n> %s\n\n%s\n", escapeTitle(e.Title), e.URL, escapeLines(e.Text))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "# %s\n\n", escapeTitle(f.Title))
	if f.Summary != "" {
		fmt.Fprintf(&b, "> %s\n\n", oneLine(f.Summary))
	}
	if f.Info != "" {
		fmt.Fprintf(&b, "%s\n", f.Info)
	}
	for _, s := range f.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n", escapeTitle(noBrackets(s.Name)))
		for _, e := range s.Entries {
			fmt.Fprintf(&b, "- [%s](%s)", escapeTitle(noBrackets(e.Title)), linkURL(e.URL))
			if note := oneLine(e.Text); note != "" {
				b.WriteString(": " + note)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

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
