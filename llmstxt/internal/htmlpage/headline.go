package htmlpage

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Titles of pages that stand in no heading element: Doxygen's <div class="title">. They are
// the pages' only names where a template gives all of them one <title>.

var titleNames = plain.Set("title page-title pagetitle page_title doctitle doc-title entry-title post-title")

// openHeadline begins the page's title if class names say so of an element before its first
// heading. Elements within that one are no part of it.
func (s *scanner) openHeadline(tag atom.Atom, class string) {
	s.titled = false
	if tag != atom.Div || s.Headline != "" || len(class) < len("title") || s.skipDepth > 0 || s.header > 0 || s.link > 0 {
		return
	}
	for name := range strings.FieldsSeq(class) {
		s.titled = s.titled || titleNames[strings.ToLower(name)]
	}
	// Headings that are links are the site's.
	s.titled = s.titled && !slices.ContainsFunc(s.marks, func(m mark) bool { return !m.linked })
	s.inHeadline = s.titled
}

// closeHeadline ends the title, and a sign behind it.
func (s *scanner) closeHeadline() {
	if s.inHeadline && s.Headline != "" {
		s.inHeadline, s.headlineEnd, s.headlineProse = false, s.pos, s.prose
	}
	s.titled = false
}

// isNamed reports a page whose <title> has its title beside the site's: "Kettle 1.2: Class List". A
// box on a page that has said more than a site's head does is called so by chance.
func (s *scanner) isNamed() bool {
	if s.headlineEnd == 0 || s.headlineProse > maxSiteHead || s.Headline == "" || plain.Key(s.Headline) == plain.Key(s.Title) {
		return false
	}
	before, last := strings.CutSuffix(s.Title, s.Headline)
	behind, first := strings.CutPrefix(s.Title, s.Headline)
	return last && namesEnd.MatchString(before) || first && namesEnd.MatchString(behind)
}

// namesEnd is the other name, with the sign between the two.
var namesEnd = regexp.MustCompile(`(?s)^\s*[-:|–—·»«/(]|[-:|–—·»«/)]\s*$`)

const maxSiteHead = 300 // bytes of prose above a page's title, in no link

// headline adds a text to the title that is open.
func (s *scanner) headline() {
	if s.titled && len(s.Headline) < maxText {
		s.Headline = plain.Heading(plain.OneLine(s.Headline + " " + s.text(maxText)))
	}
}

// noHeadline leaves the title to the heading that begins in it.
func (s *scanner) noHeadline() {
	if s.titled {
		s.titled, s.inHeadline, s.Headline = false, false, ""
	}
}

// badge ends the title before a sign behind it: "abstract".
func (s *scanner) badge() {
	if s.titled && s.Headline != "" && hasWord(s.attrs("class")[0], "label", "labels", "mlabel", "mlabels", "badge") {
		s.titled = false
	}
}
