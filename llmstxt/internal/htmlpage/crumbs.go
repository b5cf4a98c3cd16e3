package htmlpage

import (
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What a page says of its place in the site: breadcrumbs, by class, label or type, or else the
// category that it has, as blogs and news have (rel="category", article:section), or its tag.

const maxTopics = 2 // of one page; a list of pages has more

// crumbElement begins breadcrumbs.
func (s *scanner) crumbElement(tag atom.Atom, class, id subject, label, kind string) {
	if s.crumbDepth == 0 && s.Crumbs == nil && ((class|id|subjectsOf(label))&ofCrumbs != 0 || strings.HasSuffix(kind, "/BreadcrumbList")) {
		s.crumb, s.crumbDepth = tag, 1
	}
}

// endCrumb takes the breadcrumb that an element ends, if it is one.
func (s *scanner) endCrumb(tag atom.Atom) {
	if tag == s.crumb {
		s.crumbDepth--
	}
	if tag == atom.Span && (s.link > 0 || isNumber(s.crumbText.String())) {
		if s.pos < len(s.page) && s.page[s.pos] <= ' ' {
			s.crumbText.WriteByte(' ')
		}
		return // a part of a name: Sphinx has chapters' numbers in such elements
	}
	switch tag {
	case atom.A, atom.Li, atom.Span, atom.Nav, atom.Div, atom.Ol, atom.Ul:
		if t := strings.Trim(plain.OneLine(s.crumbText.String()), " />»›→·|:-—"); t != "" && len(s.Crumbs) < 10 {
			s.Crumbs = append(s.Crumbs, t)
		}
		s.crumbText.Reset()
	}
}

// isNumber reports a chapter's or a section's number, with a full stop behind it: "5.", "A.1. ".
func isNumber(text string) bool {
	text = strings.TrimSpace(text)
	n, ok := strings.CutSuffix(text, ".")
	if !ok || len(text) > maxNumber {
		return false
	}
	for i, part := range strings.Split(n, ".") {
		letter := i == 0 && len(part) == 1 && plain.IsLetter(part[0])
		if part == "" || !letter && strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

const maxNumber = 20 // bytes of a section's number

// addTopic notes a category or a tag that the page says it has.
func (s *scanner) addTopic(name string) {
	topics := &s.topics
	if s.tagged {
		topics = &s.tags
	}
	name = plain.OneLine(name)
	if name == "" || len(name) > maxNavName || len(*topics) > maxTopics || slices.Contains(*topics, name) {
		return
	}
	*topics = append(*topics, name)
}

// namesSpace reports a link to a page in a space of a wiki that is named as the link is: "Parts" to
// "/wiki/Category:Parts".
func namesSpace(href, text string) bool {
	page, err := url.PathUnescape(href[strings.LastIndexAny(href, "/=")+1:])
	_, name, ok := strings.Cut(page, ":")
	return err == nil && ok && name != "" && plain.Key(name) == plain.Key(html.UnescapeString(text))
}

// settleCrumbs takes the category for a breadcrumb where those of the page lead from the
// home page to itself at most.
func (s *scanner) settleCrumbs() {
	if s.dataCrumbs != nil && !leavesOut(s.dataCrumbs, s.Crumbs) {
		s.Crumbs = s.dataCrumbs
	}
	if len(s.topics) == 0 {
		s.topics = s.tags
	}
	topic := s.section
	if topic == "" && len(s.topics) > 0 && len(s.topics) <= maxTopics {
		topic = s.topics[0]
	}
	n := len(s.Crumbs)
	if n > 0 && plain.StartsWith(s.Title, s.Crumbs[n-1]) {
		n--
	}
	if topic != "" && n <= 1 && len(topic) <= maxNavName {
		s.Crumbs = []string{topic}
	}
}

// leavesOut reports breadcrumbs in JSON-LD that are some of those that the page shows: what leads
// nowhere has no address for the list.
func leavesOut(data, shown []string) bool {
	if len(data) >= len(shown) {
		return false
	}
	for _, name := range shown {
		if len(data) > 0 && plain.Key(data[0]) == plain.Key(name) {
			data = data[1:]
		}
	}
	return len(data) == 0
}
