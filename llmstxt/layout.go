package llmstxt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/plain"
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
	// No other lines begin with "## " or "> ", so the file can be read line by
	// line; see Parse.
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

// startPage begins the note of an index that names the base page.
const startPage = "Start page: "

// Render writes the file in a layout. It ends with a line break.
func (s *CrawledSite) Render(l Layout) string { return s.file(l).Render(l) }

// file is a site as it will be read back.
func (s *CrawledSite) file(l Layout) *Document {
	f := &Document{Title: s.Title, BaseURL: s.BaseURL}
	if l != Index {
		entries := make([]Entry, len(s.Pages))
		for i, p := range s.Pages {
			entries[i] = Entry{p.Title, p.URL, plain.UnescapeLines(p.Excerpt)}
		}
		f.Sections = []Section{{Entries: entries}}
		return f
	}
	// The reference parser sees a summary only when something follows it.
	f.Summary, f.Info = s.Summary, startPage+linkURL(s.BaseURL)
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

// order is the sections of an index, in the order of the site's navigation and
// then of their first pages, with the pages' numbers.
func (s *CrawledSite) order() ([]string, map[string][]int) {
	var names []string
	in := map[string][]int{}
	for i := 1; i < len(s.Pages); i++ {
		name := s.Pages[i].Section
		if s.Pages[i].Secondary {
			name = describe.Optional
		}
		if name == "" {
			name = describe.General
		}
		if in[name] == nil {
			names = append(names, name)
		}
		in[name] = append(in[name], i)
	}
	rank := func(n string) int {
		switch n {
		case describe.Optional:
			return 2
		case describe.Rest:
			return 1
		}
		return 0
	}
	at := func(n string) int {
		if i := slices.Index(s.Sections, n); i >= 0 {
			return i
		}
		return len(s.Sections)
	}
	for _, pages := range in {
		slices.SortStableFunc(pages, func(a, b int) int { return s.Pages[a].Place - s.Pages[b].Place })
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Or(rank(a)-rank(b), at(a)-at(b)) })
	return names, in
}

// Render writes a file in a layout, whatever its texts are: Parse reads it
// back, white space in titles and notes apart.
func (f *Document) Render(l Layout) string {
	var b strings.Builder
	if l != Index {
		fmt.Fprintf(&b, "# %s\n\n> %s\n", plain.EscapeTitle(f.Title), f.BaseURL)
		for _, e := range f.Entries() {
			fmt.Fprintf(&b, "\n## %s\n\n> %s\n\n%s\n", plain.EscapeTitle(e.Title), e.URL, plain.EscapeLines(e.Text))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "# %s\n\n", plain.EscapeTitle(f.Title))
	if f.Summary != "" {
		fmt.Fprintf(&b, "> %s\n\n", plain.Collapse(f.Summary))
	}
	if f.Info != "" {
		fmt.Fprintf(&b, "%s\n", f.Info)
	}
	for _, s := range f.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n", plain.EscapeTitle(noBrackets(s.Name)))
		for _, e := range s.Entries {
			fmt.Fprintf(&b, "- [%s](%s)", plain.EscapeTitle(noBrackets(e.Title)), linkURL(e.URL))
			if note := plain.Collapse(e.Text); note != "" {
				b.WriteString(": " + note)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var (
	brackets    = strings.NewReplacer("[", "(", "]", ")")
	parentheses = strings.NewReplacer("(", "%28", ")", "%29")
)

// noBrackets replaces what would end a link's text.
func noBrackets(s string) string {
	return brackets.Replace(s)
}

// linkURL keeps a link's target from ending early.
func linkURL(u string) string {
	return parentheses.Replace(u)
}
