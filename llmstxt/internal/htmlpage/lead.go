package htmlpage

import "golang.org/x/net/html/atom"

// What stands above a page's heading and is a part of its text: a paragraph in the element that
// holds the heading, or code in an element around that. A paragraph right in the body may be the site's.
//
//	<div class=page> <pre>$ brew tea</pre>  <h1>Tea</h1> … </div>    the whole text begins at <pre>
//	<div class=page> <div><pre>import tea</pre></div> <div><h1>Tea</h1> … </div></div>     and here
//	<div class=bar> <p>…</p> </div> <div class=page> <h1>Tea</h1>    it begins at <h1>

// lead is the place of such a text; its zero value: none was read.
type lead struct {
	found bool
	code  bool
	at    int // where it begins
	least int // of the containers that have been open since
}

// noteLead notes a text that begins at an offset.
func (s *scanner) noteLead(at int, code bool) {
	if !s.lead.found && s.skipDepth == 0 && s.header == 0 && s.crumbDepth == 0 {
		s.lead = lead{found: true, code: code, at: at, least: s.containers}
	}
}

// openContainer notes an element around blocks; a bar or another cell parts what is in it from
// what stands before.
func (s *scanner) openContainer(tag atom.Atom) {
	switch tag {
	case atom.Div, atom.Section, atom.Article:
		s.containers++
	case atom.Nav, atom.Header, atom.Footer, atom.Aside, atom.Tr, atom.Td, atom.Th, atom.Form, atom.Main:
		s.lead = lead{}
	}
}

func (s *scanner) closeContainer(tag atom.Atom) {
	switch tag {
	case atom.Div, atom.Section, atom.Article:
		s.containers--
		s.lead.least = min(s.lead.least, s.containers)
	}
}

// takeLead is where the text above a heading begins whose start tag was just read; else -1.
func (s *scanner) takeLead() int {
	l := s.lead
	s.lead = lead{}
	if !l.found || l.least < s.containers && !(l.code && l.least > 0) {
		return -1 // it stands beside what holds the heading
	}
	return l.at
}

// openAbout notes an element around what a page says of its subject above all headings, whose start tag was
// just read: RDoc's <div id="description">, which may hold a short sentence or code alone, and what opens the
// first page of a site, as Rspress's <div class="rp-home-hero">.
func (s *scanner) openAbout(tag atom.Atom, class, id string) {
	if s.aboutAt == 0 && (tag == atom.Div || tag == atom.Section) && len(s.marks) == 0 && s.heading == 0 && s.skipDepth == 0 && s.header == 0 && (isAbout(class) || isAbout(id) || hasWord(class, "hero", "jumbotron")) {
		s.aboutAt = s.lexer.start
	}
}

func isAbout(name string) bool {
	switch name {
	case "description", "docstring", "class-description", "module-description", "abstract":
		return true
	}
	return false
}
