package htmlpage

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Where a page leads to.

func (s *scanner) anchor(tag atom.Atom) {
	a := s.attrs("href", "rel", "accesskey", "hreflang", "lang", "class")
	s.nav.opener = tag == atom.A
	if leadsNowhere(a[0]) {
		by := s.attrs("xlink:href", "onclick") // as pictures and scripts have it
		a[0] = cmp.Or(by[0], clickTarget(by[1]), clickTarget(a[0]), a[0])
	}
	if a[0] == "" {
		return
	}
	if tag == atom.A {
		s.link = 1
		s.lastHref, s.linkText = -1, s.linkText[:0]
		s.linkAlt, s.isSign = "", s.isSignClass(a[5])
	}
	s.tagged = false
	category, up, noFollow, free := false, a[2] == "u" || a[2] == "U", false, false
	for rel := range strings.FieldsSeq(strings.ToLower(a[1])) {
		switch {
		case rel == "tag":
			s.tagged = true
		case rel == "category":
			category = true
		case rel == "up":
			up = true
		case rel == "nofollow":
			noFollow = true
		case inChain[rel]:
			free = true
		}
	}
	s.topical = tag == atom.A && (s.tagged || category)
	s.tagged = s.tagged && !category // WordPress writes rel="category tag"
	if s.Up == "" && up {
		s.Up = a[0]
	}
	sends := s.sends()
	if noFollow || sends && s.asks() {
		return
	}
	lang := a[3]
	if lang == "" {
		lang = a[4]
	}
	s.addLink(Link{Href: a[0], Lang: lang, Free: free, sends: sends && !weburl.IsOfManual(a[0])})
}

// isSignClass reports class names of a site's sign. Links have the same ones over and over.
func (s *scanner) isSignClass(class string) bool {
	if class != s.linkClass {
		s.linkClass = class
		s.signClass = hasWord(class, "brand", "logo", "sitetitle", "sitename") || strings.Contains(class, "site-title") || strings.Contains(class, "site-name")
	}
	return s.signClass
}

// inChain are relations to the neighbours of a page in a chain.
var inChain = map[string]bool{"next": true, "prev": true, "previous": true}

// related reads a link element.
func (s *scanner) related() {
	a := s.attrs("rel", "href", "hreflang", "type")
	for rel := range strings.FieldsSeq(strings.ToLower(a[0])) {
		switch {
		case rel == "canonical" && s.Canonical == "":
			s.Canonical = a[1]
		case rel == "up":
			s.Up = a[1]
		case rel == "sitemap":
			s.siteMap(a[1], strings.ToLower(a[3]))
		case inChain[rel]:
			s.addLink(Link{Href: a[1], Lang: a[2], Free: true})
		case rel == "alternate" && a[2] != "":
			if len(a[1]) < maxHref && s.hrefs+len(a[1]) <= maxHrefs && s.AddAlternate(a[1], a[2]) {
				s.hrefs += len(a[1])
			}
		case rel == "alternate" && s.Twin == "" && strings.HasPrefix(strings.ToLower(a[3]), "text/markdown"):
			s.Twin = a[1]
		}
	}
}

// siteMap takes the site map that a page names: a list for programs, or one that people read.
func (s *scanner) siteMap(href, kind string) {
	forPeople := strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml")
	if s.Sitemap == "" && !forPeople {
		s.Sitemap = href
	}
	if forPeople || kind == "" {
		s.addLink(Link{Href: href})
	}
}

const (
	maxHref  = 8000      // bytes
	maxHrefs = 512 << 10 // bytes, of all links: to resolve one takes many times its length
)

func (s *scanner) addLink(l Link) {
	if i := strings.IndexByte(l.Href, '#'); i >= 0 {
		l.Href = l.Href[:i]
	}
	s.lastHref = -1 // "#" opens a menu and leads nowhere
	if l.Href == "" || isScript(l.Href) || len(l.Href) > maxHref || len(s.Links) >= MaxLinks {
		return
	}
	at, ok := s.seen[l.Href]
	if !ok {
		if s.hrefs += len(l.Href); s.hrefs > maxHrefs {
			return
		}
		at = len(s.Links)
		s.seen[l.Href] = at
		l.Lists, l.Place = s.nav.group(), s.mentions
		s.Links = append(s.Links, l)
		if s.nav.inDropdown() {
			s.dropped[at] = placed{}
		}
	} else if s.Links[at].Lists[0] == "" {
		// A sentence named it before its list did.
		if in := s.nav.group(); in[0] != "" || s.Links[at].Lists == [Levels]string{} {
			s.Links[at].Lists, s.Links[at].Place = in, s.mentions
		}
	} else {
		s.placeAgain(at)
	}
	s.mentions++
	if known := &s.Links[at]; known.Option && !l.Option {
		known.Option, known.Lang = false, l.Lang
	}
	s.Links[at].sends = s.Links[at].sends && l.sends
	s.Links[at].Button = s.Links[at].Button && l.Button
	s.Links[at].Free = s.Links[at].Free || l.Free
	s.Links[at].Part = s.Links[at].Part || l.Part
	s.lastHref = at
	s.nav.opener = false
	if own, names := s.nav.leads(); own >= 0 {
		s.Links[own].Lists = names
	}
}

// MapAddresses has all addresses of a page that are asked for be what to makes of them.
func (p *Page) MapAddresses(to func(string) string) {
	for _, s := range []*string{&p.Canonical, &p.Refresh, &p.Base, &p.Sitemap, &p.Twin, &p.MenuScript, &p.MenuPage, &p.Up} {
		*s = to(*s)
	}
	for _, links := range [][]Link{p.Links, p.Alternates, p.Choices} {
		for i := range links {
			links[i].Href = to(links[i].Href)
		}
	}
}

// isScript reports an address that is a program.
func isScript(href string) bool {
	const scheme = "javascript:"
	return len(href) >= len(scheme) && strings.EqualFold(href[:len(scheme)], scheme)
}

// nameLink gives the link that ends the name that navigation has for it.
func (s *scanner) nameLink() {
	if s.link > 0 && s.lastHref >= 0 {
		l := &s.Links[s.lastHref]
		if s.lastHref < maxNamed {
			s.nameInMenu(l)
		}
		if len(s.linkText) > 0 && len(s.linkText) <= maxNavName {
			s.choose(l.Href, s.linkText, false)
		}
	}
	if s.skipDepth > 0 && s.categories && s.link > 0 {
		if s.listedOnce && s.lastHref >= 0 && len(s.topics) == 0 && namesSpace(s.Links[s.lastHref].Href, string(s.linkText)) {
			s.addTopic(html.UnescapeString(string(s.linkText)))
		}
		s.listedOnce = true
	}
	if s.topical && s.link > 0 {
		s.addTopic(html.UnescapeString(string(s.linkText)))
	}
	s.link, s.topical = 0, false
}

// nameInMenu names a link of the site's navigation, or of its sign.
func (s *scanner) nameInMenu(l *Link) {
	navigation, foot := s.skipDepth > 0 || s.header > 0, s.foot && s.skipDepth > 0
	if navigation && l.Name == "" && len(s.linkText) > 0 {
		l.Name, l.Foot = navName(string(s.linkText)), foot
	}
	// What has no picture and no sign's class says no more than its Name.
	if l.Brand == "" && !foot && (s.isSign || navigation && s.linkAlt != "") {
		name := plain.OneLine(html.UnescapeString(string(s.linkText)))
		if l.Brand = signName(s.linkAlt); s.isSign && name != "" || l.Brand == "" {
			l.Brand = signName(name)
		}
	}
}

const (
	maxInlined = 10 // inline frames of a page
	fewLinks   = 3
)

// followInlined has the inline frames of a page that has few links or little text of its own
// be no deeper than it: they are its menu, or what it says. Of a page with little text they are
// parts, as the frames of a frameset are.
func (s *scanner) followInlined() {
	if len(s.inlined) == 0 || len(s.Links) >= fewLinks && s.words >= leastBare {
		return
	}
	for _, src := range s.inlined {
		s.addLink(Link{Href: src, Free: true, Part: s.words < leastBare})
	}
}

const maxChoices = 60

// choose notes a link to a version.
func (s *scanner) choose(href string, words []byte, option bool) {
	if len(s.Choices) == maxChoices || len(href) > weburl.MaxLength || !mayBeVersion(words) {
		return
	}
	if text := plain.OneLine(html.UnescapeString(string(words))); weburl.IsVersion(text) {
		s.Choices = append(s.Choices, Link{Href: href, Name: text, Option: option})
	}
}

// mayBeVersion reports words that IsVersion has to look at, as they stand in the page: every link
// comes here. An entity, or what is not ASCII, may be anything.
func mayBeVersion(words []byte) bool {
	words = bytes.TrimLeft(words, " \t\r\n\f")
	n := 0
	for n < len(words) && plain.IsLetter(words[n]) {
		n++
	}
	if n < len(words) && (words[n] == '&' || words[n] < ' ' || words[n] > '~') {
		return true
	}
	return weburl.BeginsNumber(words) || weburl.BeginsVersion(words[:n])
}

// signOf notes the name of a picture in a link.
func (s *scanner) signOf() {
	if s.link > 0 && s.linkAlt == "" && s.lastHref >= 0 && s.lastHref < maxNamed {
		s.linkAlt = plain.OneLine(s.attrs("alt")[0])
	}
}

// signName is what a site's sign says without the word for it: "Acme" of "Acme logo".
func signName(text string) string {
	if text = strings.Trim(logo.ReplaceAllString(text, " "), " -–—:|'’\""); len(text) > maxNavName || skips(text) {
		return ""
	}
	return plain.OneLine(text)
}

var logo = regexp.MustCompile(`(?i)(?:\b(?:site|company|brand) +)?\blogo(?:type)?\b(?: (?:of|de|von|for)\b)?|\.(?:png|svg|gif|jpe?g|webp)$`)

// maxNamed links of a page have their names kept, where they are navigation.
const maxNamed = 100

// isStep reports the class of a link to the next page or the one before: "right-next", "next_page".
// What is called "next-step" may be a part of the page, and all that a library makes may begin with it.
func isStep(class string) bool {
	if !strings.Contains(class, "next") && !strings.Contains(class, "prev") {
		return false
	}
	for name := range strings.FieldsSeq(class) {
		step := false
		for word := range words(name) {
			word = strings.ToLower(word)
			if step && stepsTo[word] {
				return true
			}
			step = word == "next" || word == "prev" || word == "previous"
		}
		if step {
			return true
		}
	}
	return false
}

// stepsTo are what follows the word for such a link in its class.
var stepsTo = plain.Set("page post link article chapter topic doc section lesson entry button")

// leadsOn reports a link to the next page, the one before or the one above.
func leadsOn(n *html.Node) bool {
	if isStep(attr(n, "class")) {
		return true
	}
	for rel := range strings.FieldsSeq(strings.ToLower(attr(n, "rel"))) {
		switch rel {
		case "next", "prev", "previous", "up", "contents", "index", "start", "first", "last":
			return true
		}
	}
	return false
}
