package htmlpage

import (
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// endTag ends what the element began: see startTag.
func (s *scanner) endTag(tag atom.Atom) {
	if tag == 0 {
		return
	}
	s.leaveRegions(tag)
	defer s.closeContainer(tag)
	switch tag {
	case atom.Ul, atom.Ol, atom.Dl, atom.Menu:
		s.nav.close()
	case atom.Form:
		s.nav.forget()
		s.posted = false
	case atom.Summary:
		s.nav.setSummary()
	case atom.Details:
		s.nav.headed, s.nav.under = "", ""
	case atom.Nav:
		s.nav.leave()
	case atom.Template:
		s.shadows = max(0, s.shadows-1)
	case atom.Title:
		s.inTitle = false
	case atom.Select:
		s.closeSelect()
	case atom.Header:
		s.closeHeader()
		s.nav.endBlocks(0)
	case atom.Section, atom.Article, atom.Main:
		s.sections = max(0, s.sections-1)
		s.closeParagraph()
		s.nav.closeBlock(tag)
	case atom.A:
		s.nameLink()
		s.nav.opener = false
	case atom.Button:
		s.nav.opener = false
	case atom.Pre, atom.Textarea:
		s.pre = max(0, s.pre-1)
	case atom.B, atom.Strong:
		s.nav.bold = max(0, s.nav.bold-1)
	case atom.Tr, atom.Table:
		s.endRow()
	case atom.P, atom.Div, atom.Td, atom.Li:
		s.closeHeadline()
		if s.closeParagraph(); tag == atom.P && s.nav.inBold() {
			s.minorHeading()
		}
		s.nav.bold = 0
		s.nav.fresh = true
		s.nav.endOf(tag)
	case s.heading:
		s.endHeading()
	case atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		s.nav.endHeading()
		if tag != atom.H2 && tag != atom.H3 {
			s.minorHeading()
		}
	}
}

// leaveRegions notes the end of what is skipped, of the main content, of an application's
// root and of the trail to the page.
func (s *scanner) leaveRegions(tag atom.Atom) {
	if s.skipDepth > 0 && tag == s.skip {
		if s.skipDepth--; s.skipDepth == 0 {
			s.nav.setSide(false)
		}
	}
	if s.mainDepth > 0 && tag == s.mainTag {
		if s.mainDepth--; s.mainDepth == 0 {
			s.mainEnd, s.mainSaid = s.lexer.start, s.prose-s.mainProse
		}
	}
	if s.rootDepth > 0 && tag == s.rootTag {
		if s.rootDepth--; s.rootDepth == 0 && s.words+len(s.Links) == s.rootWords {
			s.rootEmpty = true
		}
	}
	if s.crumbDepth > 0 {
		s.endCrumb(tag)
	}
}

// endHeading keeps the heading that has been read.
func (s *scanner) endHeading() {
	m := s.headingMark
	m.text = plain.Heading(s.headingText.String())
	m.linked = s.headingLink > 0 && s.headingLink >= len(m.text)*9/10
	s.nav.heading(m.text)
	if s.link == 0 && !m.linked && s.skipDepth == 0 {
		s.nav.setUnder(m)
	}
	if m.text != "" {
		s.marks = append(s.marks, m)
		s.headings++
	}
	s.heading = 0
}

// minorHeading has what was read last name the links behind it, if it is a part of the main content.
func (s *scanner) minorHeading() {
	if s.link == 0 && s.skipDepth == 0 && s.nav.within == 0 {
		s.nav.setMinor()
	}
}

func (s *scanner) endRow() {
	if s.nav.endRow() {
		s.minorHeading()
	}
}
