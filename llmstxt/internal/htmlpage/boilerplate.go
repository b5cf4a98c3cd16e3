package htmlpage

import (
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// What stands beside the main content, as elements, roles and class names tell
// it. Class names are believed only where they can mean nothing else.

// aside reports an element beside the text: not what a book's first page says of the book, nor
// contents that are the text.
func (m *marker) aside(tag atom.Atom, role string, a [8]string) bool {
	part := ofFront
	if m.noContents {
		part |= ofTOC
	}
	return standsAside(tag, role, subjectsOf(a[1])&^part, subjectsOf(a[2])&^part, a[3], a[4])
}

// aside reports an element that stands beside the main content: by what it is,
// by its role, or by a word in its class or id that is used for nothing else.
func aside(tag atom.Atom, role, class, id, hidden, ariaHidden string) bool {
	return standsAside(tag, role, subjectsOf(class), subjectsOf(id), hidden, ariaHidden)
}

func standsAside(tag atom.Atom, role string, class, id subject, hidden, ariaHidden string) bool {
	switch tag {
	case atom.Nav, atom.Footer, atom.Aside, atom.Form, atom.Dialog, atom.Template, atom.Svg, atom.Select, atom.Button:
		return true
	}
	switch role {
	case "navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "dialog", "alertdialog", "toolbar", "tablist":
		return true
	case "main", "article":
		return false
	}
	if hidden != "" || ariaHidden == "true" {
		return true
	}
	if tag == atom.Section {
		id = 0 // made from its heading's words
	}
	return peripheral(class, id)
}

// mayBePeripheral reports an element that can stand beside the main content.
func mayBePeripheral(tag atom.Atom) bool {
	switch tag {
	case atom.Nav, atom.Aside, atom.Footer, atom.Div, atom.Section, atom.Ul, atom.Ol, atom.Table, atom.P, atom.Details, atom.Dl, atom.Header, atom.Span:
		return true
	}
	return false
}

var rootIDs = plain.Set(`root app __next ___gatsby __nuxt svelte q-app react-root app-root main-app`)

var (
	unseen = regexp.MustCompile(`(?i)display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:;|!|$)|(?:margin-left|margin-top)\s*:\s*-\d{4,}|` +
		`(?:^|[;\s])(?:left|top|right|text-indent)\s*:\s*-(?:[5-9]\d\d|\d{4,})|clip\s*:\s*rect\(\s*(?:0(?:px)?[\s,]+0|1px[\s,]+1px)|clip-path\s*:\s*inset\(\s*(?:50|100)%`)
	flat     = regexp.MustCompile(`(?i)(?:^|[;\s])(?:max-)?(?:height|width)\s*:\s*[01](?:px|em|rem|%)?\s*(?:;|!|$)`)
	overflow = regexp.MustCompile(`(?i)overflow(?:-[xy])?\s*:\s*(?:hidden|clip)`)
)

// hiddenStyle reports a style attribute that keeps a text from being seen.
func hiddenStyle(style string) bool {
	return style != "" && (unseen.MatchString(style) || overflow.MatchString(style) && flat.MatchString(style))
}

// container decides whether what follows is main content, certainly not, or
// open.
func (s *scanner) container(tag atom.Atom) {
	a := s.attrs("role", "class", "id", "itemprop", "hidden", "aria-label", "aria-hidden", "itemtype")
	role := strings.ToLower(a[0])
	s.closeParagraph()
	switch tag {
	case atom.Section, atom.Article, atom.Main:
		s.sections++
	}
	switch {
	case tag == atom.Main || role == "main" || a[3] == "articleBody":
		s.openMain(tag, tag != atom.Main && role != "main")
		s.skip, s.skipDepth = 0, 0
		s.nav.setSide(false)
		return
	case tag == atom.Article:
		s.articles++
		if s.articleAt < 0 && s.skipDepth == 0 {
			s.articleAt = s.lexer.start
		}
		return
	case tag == atom.Header && (s.sections == 0 || s.header > 0):
		s.header++ // else it heads an article, not the site
	case tag == atom.Div && a[4] != "" && streamed(a[2]):
		// A server has sent this for a script to move to where it belongs.
		if s.streamAt < 0 {
			s.streamAt = s.lexer.start
		}
		return
	case tag == atom.Template && s.showsTemplate():
		if s.shadows++; s.shadows == 1 {
			s.shadowAt = s.lexer.start
		}
		return // what an element shows
	}
	if tag == atom.Div && s.rootDepth == 0 && !s.rootEmpty && rootIDs[strings.ToLower(a[2])] {
		s.rootTag, s.rootDepth, s.rootWords = tag, 1, s.words+len(s.Links)
	}
	s.openHeadline(tag, a[1])
	s.openAbout(tag, a[1], a[2])
	class, id := subjectsOf(a[1]), subjectsOf(a[2])
	s.crumbElement(tag, class, id, a[5], a[7])
	if s.skipDepth == 0 && (standsAside(tag, role, class, id, a[4], a[6]) && !(role == "tablist" && s.holdsPanels()) || namesDialog(class, id) && s.isDialog(tag, a[1], s.attrs("style")[0]) || s.awaitsResults(tag, a[1])) {
		s.skip, s.skipDepth = tag, 1
		s.nav.setSide(tag == atom.Aside || (class|id)&ofSide != 0)
		s.categories, s.listedOnce = (class|id)&ofTopics != 0, false
		s.foot = tag == atom.Footer || role == "contentinfo" || (class|id)&ofFoot != 0
	} else if s.categories && hasWord(a[1], "hidden") {
		s.categories = false // those of the wiki's own care
	}
}

// openMain begins the main content, or the body of an article. With the body of another article the
// page is a list of articles, of which none is the main content; one article may have several.
func (s *scanner) openMain(tag atom.Atom, body bool) {
	switch {
	case s.mainAt < 0 && !(body && s.listed):
		s.mainAt, s.mainTag, s.mainDepth, s.mainProse = s.lexer.start, tag, 1, s.prose
		s.mainBody, s.mainArticle = body, s.articles
	case !body || !s.mainBody || s.mainDepth > 0:
	case s.articles == s.mainArticle:
		s.mainTag, s.mainDepth = tag, 1
	default:
		s.mainAt, s.mainEnd, s.listed = -1, -1, true
	}
}

// input notes what a field asks for. What stands at the edge of every page, such as a login in
// the site's header, is not what this one is for.
func (s *scanner) input(kind string) {
	if s.header > 0 || s.skipDepth > 0 && s.skip != atom.Form {
		return
	}
	s.Password = s.Password || strings.EqualFold(kind, "password")
	s.Address = s.Address || strings.EqualFold(kind, "email")
}

// streamed reports the id of a block that React's server streams hidden.
func streamed(id string) bool {
	n, ok := strings.CutPrefix(id, "S:")
	return ok && n != "" && strings.Trim(n, "0123456789abcdef") == ""
}
