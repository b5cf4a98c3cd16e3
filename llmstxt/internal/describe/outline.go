package describe

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What is said of a page that has no prose.

// outline is a note for a page without prose: its headings, else the words of
// its links, else its title.
func (d *describer) outline(p *Page, limit int) string {
	e := p.Evidence
	var parts []string
	seen := map[string]bool{plain.Key(p.Title): true, "": true}
	all := false
	add := func(t string) {
		t = strings.TrimRight(t, ".:;,")
		if dated(t) {
			return
		}
		if k := plain.Key(t); !seen[k] && (all || !d.votes.boilerplate(t)) {
			seen[k] = true
			parts = append(parts, t)
		}
	}
	for _, b := range e.Blocks {
		if b.Kind == htmlpage.Heading || b.Kind == htmlpage.Term {
			add(b.Text)
		}
	}
	if len(parts) < 3 {
		for _, a := range e.Anchors {
			// A card begins with its heading, which is named already.
			if !slices.ContainsFunc(parts, func(p string) bool { return plain.StartsWith(a, p) }) {
				add(a)
			}
		}
	}
	for _, b := range e.Blocks {
		if len(parts) < 3 && b.Kind != htmlpage.Omitted && (len(parts) == 0 || !names(b.Text) && !licence(b.Text)) {
			add(b.Text)
		}
	}
	if all = len(parts) < 2; all {
		// A list of what the site links to everywhere.
		for _, b := range e.Blocks {
			if b.Kind == htmlpage.Heading {
				add(b.Text)
			}
		}
		for _, a := range e.Anchors {
			add(a)
		}
		if len(parts) == 1 && d.votes.boilerplate(parts[0]) {
			parts = nil // a line at the foot of all pages
		}
	}
	if len(parts) == 0 {
		return plain.Cut(strings.TrimRight(p.Title, ".")+".", limit)
	}
	text, runes := "", 0
	for i, t := range parts {
		n := utf8.RuneCountInString(t) + 2
		if i > 0 && runes+n > limit {
			break
		}
		if i > 0 {
			text += "; "
		}
		text += t
		runes += n
	}
	if plain.IsComplete(text) {
		return plain.Cut(text, limit)
	}
	return plain.Cut(asSentence(text), limit)
}

// dated reports a date, and the number of a note: for the most part digits, and no
// version such as "3.40.1".
func dated(s string) bool {
	digits, letters, run, year := 0, 0, 0, false
	for _, r := range s {
		if run++; !unicode.IsDigit(r) {
			run = 0
		} else if digits++; run == 4 {
			year = true
		}
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return digits > 0 && digits*2 > letters && (year || !strings.Contains(s, "."))
}

// tagline is what the title of a base page has behind or before the site's name.
func tagline(p *Page) string {
	best := ""
	for _, sep := range separators {
		for part := range strings.SplitSeq(p.Evidence.Title, sep) {
			if part != p.Evidence.Title && worth(part) && strings.Count(part, " ") >= 3 && len(part) > len(best) {
				best = part
			}
		}
	}
	if best == "" {
		return ""
	}
	return asSentence(best)
}
