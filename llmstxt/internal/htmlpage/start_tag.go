package htmlpage

import (
	"cmp"
	"strings"

	"golang.org/x/net/html/atom"
)

// startTag takes a start tag: it nests, it may end or begin an entry of the navigation,
// and it says something of the document, its links or its text.
func (s *scanner) startTag() {
	selfClosing := s.page[s.pos-2] == '/'
	if !selfClosing {
		s.nest()
	}
	if s.lexer.clicks {
		s.clicked()
	}
	if s.inline() {
		return
	}
	if !s.headTag() && !s.linkTag() && !s.navTag() {
		s.textTag(selfClosing)
	}
	if !selfClosing {
		s.openContainer(s.tag)
	}
}

// nest counts a tag inside an element of its own name: that ends with the end tag of as
// many.
func (s *scanner) nest() {
	if s.tag == s.skip && s.skipDepth > 0 {
		s.skipDepth++
	}
	if s.tag == s.mainTag && s.mainDepth > 0 {
		s.mainDepth++
	}
	if s.tag == s.rootTag && s.rootDepth > 0 {
		s.rootDepth++
	}
	if s.tag == s.crumb && s.crumbDepth > 0 {
		s.crumbDepth++
	}
}

// inline takes a tag that goes on with the line that it is in, and reports whether it is
// one. Any other ends the name of an entry of the navigation.
func (s *scanner) inline() bool {
	switch s.tag {
	case atom.Img:
		s.signOf()
	case atom.B, atom.Strong:
		s.nav.bold++
	case atom.Span:
		s.badge()
	case atom.I, atom.Em, atom.Code, atom.Br, 0:
	case atom.Ul, atom.Ol, atom.Dl, atom.Menu:
		// A link right above a list is the list's own page.
		if linked := s.nav.linked; s.nav.open() && linked && s.lastHref >= 0 {
			s.Links[s.lastHref].Lists = s.nav.group()
		}
		return false
	case atom.Div, atom.Section:
		if s.page[s.pos-2] != '/' {
			s.nav.openBlock(s.tag, s.navigates(), s.lastHref)
		}
		s.nav.next(s.tag)
		return false
	default:
		s.nav.opener = s.tag == atom.Button || s.nav.opener && s.tag != atom.A
		s.nav.next(s.tag)
		return false
	}
	return true
}

// navigates reports that what is read may be navigation.
func (s *scanner) navigates() bool { return s.skipDepth > 0 || s.header > 0 || s.nav.within > 0 }

// headTag takes a tag that says something of the document, and reports whether it is one.
func (s *scanner) headTag() bool {
	switch s.tag {
	case atom.Html:
		s.document = true
		a := s.attrs("lang", "xml:lang")
		s.says(fromLang, a[0])
		s.says(fromXMLLang, a[1])
	case atom.Head:
		s.document = true
	case atom.Title:
		s.inTitle = s.skip != atom.Svg
		s.document = s.document || s.inTitle
	case atom.Meta:
		s.meta()
	case atom.Link:
		s.related()
	case atom.Base:
		if s.Base == "" {
			s.Base = s.attrs("href")[0]
		}
	case atom.Style:
		s.rawText()
	case atom.Script:
		a := s.attrs("type", "src")
		s.script(strings.ToLower(a[0]), a[1])
	case atom.Noscript:
		s.noscript(s.rawText())
	case atom.Body:
		s.document = true
		if onload := s.attrs("onload")[0]; onload != "" {
			s.leads([]byte(onload))
		}
	case atom.Slot:
		if s.shadows > 0 && s.mainDepth > 0 && s.mainAt >= s.shadowAt {
			s.mainAt, s.mainDepth = -1, 0 // what it holds stands behind the shadow root
		}
	case atom.Frameset:
		s.Frames = true
	default:
		return false
	}
	return true
}

// linkTag takes a tag that leads to another page, and reports whether it is one.
func (s *scanner) linkTag() bool {
	tag := s.tag // which raw text may change
	switch tag {
	case atom.Noframes, atom.Iframe, atom.Noembed:
		if src := s.attrs("src")[0]; tag == atom.Iframe && src != "" && len(s.inlined) < maxInlined {
			s.inlined = append(s.inlined, src)
		}
		if raw := s.rawText(); tag == atom.Noframes && s.Frames {
			s.framesFrom, s.framesTo = s.lexer.start, s.lexer.pos
			s.noscript(raw)
		}
	case atom.Object, atom.Embed:
		if a := s.attrs("data", "src", "type"); strings.HasPrefix(strings.ToLower(a[2]), "text/html") && len(s.inlined) < maxInlined {
			s.inlined = append(s.inlined, cmp.Or(a[0], a[1]))
		}
		return false
	case atom.A, atom.Area:
		s.anchor(tag)
	case atom.Frame:
		s.addLink(Link{Href: s.attrs("src")[0], Free: true, Part: true})
	case atom.Select:
		s.openSelect()
		return false
	case atom.Option:
		s.option(s.attrs("value")[0])
	default:
		return false
	}
	return true
}

// navTag takes a tag that parts a navigation, and reports whether it is one.
func (s *scanner) navTag() bool {
	switch s.tag {
	case atom.H4, atom.H5, atom.H6:
		s.nav.forget()
	case atom.Nav:
		s.nav.enter()
		s.container(s.tag)
	case atom.Li, atom.Dt, atom.Dd:
		s.nav.entry(s.skipDepth > 0 || s.tag == atom.Dd)
	case atom.Tr:
		s.endRow()
	case atom.Th, atom.Td:
		s.nav.cell(s.tag == atom.Th)
	default:
		return false
	}
	return true
}

// textTag takes a tag around text.
func (s *scanner) textTag(selfClosing bool) {
	switch s.tag {
	case atom.Input:
		s.input(s.attrs("type")[0])
	case atom.Form:
		s.form(s.tag)
		s.buttonForm()
	case atom.Pre, atom.Textarea:
		if !selfClosing {
			s.pre++
			s.noteLead(s.lexer.start, true)
			s.Code = s.Code || s.tag == atom.Pre && s.skipDepth == 0
		}
	case atom.P:
		s.closeParagraph()
		s.nav.bold = 0
		s.paraAt, s.paraProse, s.bare = s.lexer.start, 0, false
	case atom.H1, atom.H2, atom.H3:
		s.closeParagraph()
		s.noHeadline()
		if s.skipDepth == 0 && s.heading == 0 && len(s.marks) < 16 {
			s.heading = s.tag
			s.headingMark = mark{offset: s.lexer.start, level: headingLevel(s.tag), header: s.header > 0, lead: s.takeLead()}
			s.headingText.Reset()
			s.headingLink = 0
		}
	case atom.Main, atom.Article, atom.Div, atom.Header, atom.Footer, atom.Aside, atom.Section, atom.Ul,
		atom.Ol, atom.Dialog, atom.Template, atom.Svg, atom.Select, atom.Button, atom.Details:
		if !selfClosing {
			s.container(s.tag)
		}
	}
}
