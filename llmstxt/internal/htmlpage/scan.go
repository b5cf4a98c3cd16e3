// Package htmlpage reads a page of HTML in one pass: its head, its links and the
// words of its main content.
package htmlpage

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// One pass over a page. The tokenizer reads every byte once; nothing becomes a
// tree. On the way it picks up the head, the links, where the main content
// begins and how much prose stands where, so that afterwards a short stretch
// of the page can be cut out for the words:
//
//	<head> title, description, canonical, robots …        (head)
//	<body> <nav> … </nav>                                 links only
//	       <main> or the heading that the title repeats   ← start
//	       <p> … <pre> … <p> …                            prose is counted
//	                                                      ← end: enough prose, or 64 KiB
//	       … the rest                                     links only

// MaxLinks of one page are read.
const MaxLinks = 5000

const (
	maxRegion = 64 << 10 // bytes of a page that become a tree
	maxEdge   = 16       // texts
)

// Page is what one pass finds.
type Page struct {
	Lang                       string
	Title, OpenTitle, SiteName string // <title>, og:title, og:site_name
	Canonical, Refresh, Base   string // addresses, as written
	NoIndex, NoFollow          bool
	Links                      []Link
	Up                         string   // href of the page above this one
	Crumbs                     []string // breadcrumb texts, outermost first
	Edges                      []string // texts that stand before and behind the main content

	desc, ogDesc, ldDesc string
	main                 []byte // where the words are
	from, to             int    // offsets of main in the page
	headings             int
	words                int // bytes of text outside scripts and links
	scripts, scriptBytes int
	rootEmpty            bool // an element such as id="root" with nothing in it
	plea                 bool // <noscript> asks for JavaScript
}

// Link is an address that a page leads to.
type Link struct {
	Href  string    // as written, without fragment; each once in a page
	Lists [2]string // the lists that it stands in, by what stands above them
}

// Description is the first that the page has of meta, Open Graph and JSON-LD.
func (p *Page) Description() string { return cmp.Or(p.desc, p.ogDesc, p.ldDesc) }

// mark is a place where the main content may begin.
type mark struct {
	offset int
	level  int // of the heading; 0: a paragraph
	text   string
	linked bool // the whole heading is a link
	header bool // stands in a <header>
	moved  bool // and its offset is where that ends
}

// scanner is the state of one pass.
type scanner struct {
	Page
	lexer

	seen     map[string]int // hrefs, to their numbers
	lastHref int            // of the link met last
	nav      navScanner

	inHead, inTitle      bool
	skip                 atom.Atom // the element whose content is not main content
	skipDepth            int
	header               int // depth of <header>
	pre, link            int
	crumb                atom.Atom
	crumbDepth           int
	crumbText            strings.Builder
	mainAt, mainEnd      int
	mainTag              atom.Atom
	mainDepth            int
	mainProse, mainSaid  int // prose before the main element, and in it
	articleAt            int
	heading              atom.Atom
	headingMark          mark
	headingText          strings.Builder
	headingLink          int // bytes of it inside links
	marks                []mark
	prose                int // bytes of plain text so far, without links, code and skipped parts
	paraAt, paraProse    int // the paragraph being read
	firstPara            int // offset of the first paragraph with something to say
	checks               []check
	before, after        []edge // texts of the page's begin and end
	rootTag              atom.Atom
	rootDepth, rootWords int
}

// edge is a text near the page's begin or end.
type edge struct {
	offset int
	text   string
}

// check says how much prose stood before an offset.
type check struct{ offset, prose int }

// Parse reads a page that is UTF-8 already. need is how many bytes of prose
// the region should hold.
func Parse(page []byte, need int) *Page {
	s := &scanner{lexer: lexer{page: page}, seen: map[string]int{},
		mainAt: -1, mainEnd: -1, articleAt: -1, firstPara: -1, paraAt: -1}
	for kind := s.next(); kind != endOfPage; kind = s.next() {
		switch kind {
		case textToken:
			s.textToken()
		case startTag:
			s.startTag()
		case endTag:
			s.endTag(s.tag)
		}
	}
	s.closeParagraph()
	s.region(len(page), need)
	s.Edges = s.edges()
	s.main = page[s.from:s.to]
	return &s.Page
}

func (s *scanner) textToken() {
	raw := s.bytes()
	if s.inTitle {
		if s.Title == "" {
			s.Title = plain.OneLine(s.text())
		}
		return
	}
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return
	}
	if s.heading != 0 && s.headingText.Len() < 500 {
		s.headingText.WriteString(s.text())
		if s.link > 0 {
			s.headingLink += len(trimmed)
		}
		return
	}
	if s.crumbDepth > 0 && s.crumbText.Len() < 300 {
		s.crumbText.WriteString(s.text())
		return
	}
	s.nav.text(trimmed, s.link > 0)
	if s.link > 0 || s.inHead {
		return
	}
	s.words += len(trimmed)
	s.edge(trimmed)
	if s.pre > 0 || s.skipDepth > 0 {
		return
	}
	s.prose += len(trimmed)
	s.paraProse += len(trimmed)
	if len(s.checks) == 0 || s.lexer.start-s.checks[len(s.checks)-1].offset >= 512 {
		s.checks = append(s.checks, check{s.pos, s.prose})
	}
}

// rawText takes the text of the element just opened, which has no tags in it.
func (s *scanner) rawText() []byte {
	back := s.pos
	if s.next() != textToken {
		s.pos, s.raw = back, ""
		return nil
	}
	return s.bytes()
}

func (s *scanner) startTag() {
	tag := s.tag
	selfClosing := s.page[s.pos-2] == '/'
	if tag == s.skip && s.skipDepth > 0 && !selfClosing {
		s.skipDepth++
	}
	if tag == s.mainTag && s.mainDepth > 0 && !selfClosing {
		s.mainDepth++
	}
	if tag == s.rootTag && s.rootDepth > 0 && !selfClosing {
		s.rootDepth++
	}
	if tag == s.crumb && s.crumbDepth > 0 && !selfClosing {
		s.crumbDepth++
	}
	switch tag {
	case atom.Span, atom.B, atom.I, atom.Em, atom.Strong, atom.Code, atom.Br, atom.Img, 0:
		return
	case atom.Ul, atom.Ol, atom.Dl:
		// A link right above a list is the list's own page.
		if linked := s.nav.linked; s.nav.open() && linked && s.lastHref < len(s.Links) {
			s.Links[s.lastHref].Lists = s.nav.group()
		}
	default:
		s.nav.fresh = true
	}
	switch tag {
	case atom.Html:
		s.Lang = s.attrs("lang")[0]
	case atom.Head:
		s.inHead = true
	case atom.Body:
		s.inHead = false
	case atom.Title:
		s.inTitle = !selfClosing && s.Title == "" && s.skip != atom.Svg
	case atom.Meta:
		s.meta()
	case atom.Link:
		a := s.attrs("rel", "href")
		for rel := range strings.FieldsSeq(strings.ToLower(a[0])) {
			switch rel {
			case "canonical":
				if s.Canonical == "" {
					s.Canonical = a[1]
				}
			case "up":
				s.Up = a[1]
			}
		}
	case atom.Base:
		if s.Base == "" {
			s.Base = s.attrs("href")[0]
		}
	case atom.Script:
		a := s.attrs("type", "src")
		s.script(strings.ToLower(a[0]), a[1])
	case atom.Noscript:
		s.plea = s.plea || bytes.Contains(bytes.ToLower(s.rawText()), []byte("javascript"))
	case atom.A, atom.Area:
		s.anchor(tag)
	case atom.Frame, atom.Iframe:
		if src := s.attrs("src")[0]; tag == atom.Frame {
			s.addLink(src)
		}
	case atom.Pre, atom.Textarea:
		if !selfClosing {
			s.pre++
		}
	case atom.P:
		s.closeParagraph()
		s.paraAt, s.paraProse = s.lexer.start, 0
	case atom.H1, atom.H2, atom.H3:
		s.closeParagraph()
		if s.skipDepth == 0 && s.heading == 0 && len(s.marks) < 16 {
			s.heading = tag
			s.headingMark = mark{offset: s.lexer.start, level: headingLevel(tag), header: s.header > 0}
			s.headingText.Reset()
			s.headingLink = 0
		}
	case atom.Main, atom.Article, atom.Div, atom.Nav, atom.Header, atom.Footer, atom.Aside, atom.Section, atom.Ul,
		atom.Ol, atom.Form, atom.Dialog, atom.Template, atom.Svg, atom.Select, atom.Button, atom.Details:
		if !selfClosing {
			s.container(tag)
		}
	}
}

func headingLevel(tag atom.Atom) int {
	switch tag {
	case atom.H1:
		return 1
	case atom.H2:
		return 2
	}
	return 3
}

// container decides whether what follows is main content, certainly not, or
// open.
func (s *scanner) container(tag atom.Atom) {
	a := s.attrs("role", "class", "id", "itemprop", "hidden", "aria-label", "aria-hidden")
	role := strings.ToLower(a[0])
	s.closeParagraph()
	switch {
	case tag == atom.Main || role == "main" || a[3] == "articleBody":
		if s.mainAt < 0 {
			s.mainAt, s.mainTag, s.mainDepth, s.mainProse = s.lexer.start, tag, 1, s.prose
		}
		s.skip, s.skipDepth = 0, 0
		return
	case tag == atom.Article:
		if s.articleAt < 0 && s.skipDepth == 0 {
			s.articleAt = s.lexer.start
		}
		return
	case tag == atom.Header:
		s.header++
	}
	if tag == atom.Div && s.rootDepth == 0 && !s.rootEmpty && rootIDs[strings.ToLower(a[2])] {
		s.rootTag, s.rootDepth, s.rootWords = tag, 1, s.words+len(s.Links)
	}
	if s.crumbDepth == 0 && s.Crumbs == nil && (hasWord(a[1], "breadcrumb", "breadcrumbs") ||
		hasWord(a[5], "breadcrumb", "breadcrumbs") || hasWord(a[2], "breadcrumb", "breadcrumbs")) {
		s.crumb, s.crumbDepth = tag, 1
	}
	if s.skipDepth == 0 && aside(tag, role, a[1], a[2], a[4], a[6]) {
		s.skip, s.skipDepth = tag, 1
	}
}

func (s *scanner) endTag(tag atom.Atom) {
	if tag == 0 {
		return
	}
	if s.skipDepth > 0 && tag == s.skip {
		s.skipDepth--
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
		if tag == s.crumb {
			s.crumbDepth--
		}
		switch tag {
		case atom.A, atom.Li, atom.Span, atom.Nav, atom.Div, atom.Ol, atom.Ul:
			if t := strings.Trim(plain.OneLine(s.crumbText.String()), " />»›→·|:-—"); t != "" && len(s.Crumbs) < 10 {
				s.Crumbs = append(s.Crumbs, t)
			}
			s.crumbText.Reset()
		}
	}
	switch tag {
	case atom.Ul, atom.Ol, atom.Dl:
		s.nav.close()
	case atom.Head:
		s.inHead = false
	case atom.Title:
		s.inTitle = false
	case atom.Header:
		s.closeHeader()
	case atom.A:
		s.link = 0
	case atom.Pre, atom.Textarea:
		s.pre = max(0, s.pre-1)
	case atom.P, atom.Div, atom.Section, atom.Td, atom.Li:
		s.closeParagraph()
	case s.heading:
		m := s.headingMark
		m.text = plain.Heading(s.headingText.String())
		m.linked = s.headingLink > 0 && s.headingLink >= len(m.text)*9/10
		s.nav.heading(m.text)
		if m.text != "" {
			s.marks = append(s.marks, m)
			s.headings++
		}
		s.heading = 0
	}
}

// closeHeader moves the headings of a banner behind it: what else stands in it
// is not content.
func (s *scanner) closeHeader() {
	if s.header > 0 {
		s.header--
	}
	if s.header == 0 {
		for i := range s.marks {
			if s.marks[i].header && !s.marks[i].moved {
				s.marks[i].offset, s.marks[i].moved = s.lexer.start, true
			}
		}
	}
}

func (s *scanner) closeParagraph() {
	if s.paraAt >= 0 && s.paraProse >= 80 && s.firstPara < 0 && s.skipDepth == 0 {
		s.firstPara = s.paraAt
	}
	s.paraAt, s.paraProse = -1, 0
}
