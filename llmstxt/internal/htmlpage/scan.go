// Package htmlpage reads a page of HTML in one pass: its head, its links and the
// words of its main content.
package htmlpage

import (
	"bytes"
	"cmp"
	"context"
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
	maxText   = 2 << 10  // bytes of a title, a heading or a breadcrumb
)

// Page is what one pass finds.
type Page struct {
	Title, OpenTitle, SiteName string   // <title>, og:title, og:site_name or another name of the site
	Headline                   string   // what stands above its text as a title, in no heading element
	Publisher                  string   // who made the site
	Canonical, Refresh, Base   string   // addresses, as written
	Bare                       bool     // it says nothing, or that it leads elsewhere
	Sitemap                    string   // href of the site map that it names
	Reloads                    bool     // and nothing else: it loads itself again
	Cookies                    []string // that scripts of such a page set, or of one that leads elsewhere
	Links                      []Link
	Alternates                 []Link // the same page in other languages
	Choices                    []Link // whose words are versions
	Twin                       string // href of the page in Markdown
	MenuScript                 string // address of the script that writes its navigation
	MenuPage                   string // address of the file that its navigation is in
	App                        *MarkdownApp
	HoldsAPI                   bool     // a script of it may hold the description of an API
	Up                         string   // href of the page above this one
	Crumbs                     []string // breadcrumb texts, outermost first
	Edges                      []string // texts that stand before and behind the main content
	Password, Address          bool     // it asks for one, or for an address of e-mail, in its main content
	Frames                     bool     // it is made of frames
	Piece                      bool     // it is a piece of a page that only leads to others
	Code                       bool     // it shows some, outside of navigation
	Short                      string   // the page's text, if there is little of it
	Sum                        string   // of title and text, "" if there is next to none
	Unsorted                   string   // the same in any order of its texts, "" if there are few

	langs                [languageSources]string
	descs                [descriptionSources]string
	names                [nameSources]string // of the site
	main                 []byte              // where the words are
	whole                []byte              // the main content to its end
	from, to             int                 // offsets of main in the page
	wholeFrom, wholeEnd  int                 // and of the whole main content
	headings             int
	words                int // bytes of text outside scripts and links
	scripts, scriptBytes int
	rootEmpty            bool // an element such as id="root" with nothing in it
	noscriptPlea         bool // <noscript> asks for JavaScript
	all                  prohibition
	some                 []prohibition
}

// Link is an address that a page leads to.
type Link struct {
	Href   string         // as written, without fragment; each once in a page
	Lists  [Levels]string // the lists that it stands in, by what stands above them
	Lang   string         // of what it leads to, if the page says so
	Free   bool           // the next page of a chain, or a frame: no deeper than the page
	Part   bool           // a frame that holds what the page says
	Place  int            // in the page, in its lists
	Name   string         // what navigation calls it
	Brand  string         // what the site's sign calls it, which leads to its first page
	Foot   bool           // at the page's foot
	Option bool           // of a select element
	Button bool           // nothing but a button leads there
	sends  bool           // nothing but what names another request than that of a link does
}

// mark is a place where the main content may begin.
type mark struct {
	offset int
	level  int // of the heading; 0: a paragraph
	text   string
	linked bool // the whole heading is a link
	header bool // stands in a <header>
	moved  bool // and its offset is where that ends
	lead   int  // where the text above it begins; -1: nothing stands above
}

// scanner is the state of one pass.
type scanner struct {
	Page
	lexer

	room      *room
	seen      map[string]int // hrefs, to their numbers
	dropped   map[int]placed // links of dropdowns, and where the side bar has them
	hrefs     int            // bytes of all links' addresses
	mentions  int            // of links so far
	lastHref  int            // of the link met last; -1: it leads nowhere
	linkText  []byte         // what stands in it
	linkAlt   string         // the name of the first picture in it
	isSign    bool           // its class says that it is the site's sign
	linkClass string         // the class of the link before
	signClass bool           // which is a sign's
	nav       navScanner

	inTitle, document    bool      // document: it has an <html>, <body> or <title>
	linked               int       // scripts of linked data so far
	skip                 atom.Atom // the element whose content is not main content
	skipDepth            int
	foot                 bool // which is the page's foot
	header               int  // depth of <header> that is a banner
	sections             int  // of elements in which a header does not count
	pre, link            int
	crumb                atom.Atom
	crumbDepth           int
	crumbText            strings.Builder
	dataCrumbs           []string // those of JSON-LD
	topics               []string // categories that links of the page name as its own
	tags                 []string // tags likewise, which are less
	section              string   // the category that its head names
	categories           bool     // what is skipped lists the page's categories
	listedOnce           bool     // and its first link, to the list of all, has come
	selection            selection
	posted               bool // the form being read is
	topical, tagged      bool // the link being read is one of these; it is a tag
	mainAt, mainEnd      int
	streamAt             int // of the first block that was streamed hidden
	mainTag              atom.Atom
	mainDepth            int
	mainProse, mainSaid  int  // prose before the main element, and in it
	mainBody, listed     bool // it is the body of an article; the page is a list of these
	mainArticle          int  // the number of that
	articles             int  // that have begun
	labels               bool // a link is labelled with GET
	shadows              int  // shadow roots that are open
	shadowAt             int  // where the outermost of these begins
	articleAt            int
	heading              atom.Atom
	headingMark          mark
	headingText          strings.Builder
	headingLink          int  // bytes of it inside links
	titled, inHeadline   bool // an element is open that is named the page's title; or a sign behind it
	headlineEnd          int  // where that ends; 0: there is no such title
	headlineProse        int  // before that
	marks                []mark
	lead                 lead
	aboutAt              int  // where the text begins that says what the page is about, above all headings; 0: nowhere
	containers           int  // that are open
	prose                int  // bytes of plain text so far, without links, code and skipped parts
	paraAt, paraProse    int  // the paragraph being read
	bare                 bool // which stands in no <p>
	firstPara, firstSaid int  // offset and prose of the first paragraph with something to say
	checks               []check
	inlined              []string // addresses of its inline frames
	before, after        []edge   // texts of the page's begin and end
	framesFrom, framesTo int      // what it says to those without frames
	rootTag              atom.Atom
	rootDepth, rootWords int

	sums     [2]uint64 // of the text outside the page's edges, and of all
	sizes    [2]int
	unsorted [2]uint64 // the same in any order of the texts
	texts    [2]int
	begin    []byte // the beginning of all text
	pending  string // where a noscript element's refresh leads to
	location string // where a script leads to
	leading  int    // bytes of the scripts that were looked at for that
}

// edge is a text near the page's begin or end.
type edge struct {
	from, offset int // of the paragraph that it is in, as far as the text of links goes, and its own
	text         []byte
}

// check says how much prose stood before an offset, and where the paragraph with
// the last of it begins.
type check struct{ offset, prose, begin int }

// Parse reads a page that is UTF-8 already. need is how many bytes of prose
// the region should hold.
//
// It looks at ctx every few kilobytes and returns its error. It takes time in
// proportion to the page's length, and beside the links no memory that grows
// with it.
func Parse(ctx context.Context, page []byte, need int) (*Page, error) {
	page = inPlace(page)
	s := &scanner{lexer: lexer{page: page}, seen: map[string]int{}, dropped: map[int]placed{},
		selection: selection{words: true}, lastHref: -1, mainAt: -1, mainEnd: -1, streamAt: -1, articleAt: -1, firstPara: -1, paraAt: -1}
	s.takeRoom()
	defer s.leaveRoom()
	for kind, looked := s.next(), 0; kind != endOfPage; kind = s.next() {
		if s.pos-looked >= 16<<10 {
			if looked = s.pos; ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		switch kind {
		case textToken:
			s.textToken()
		case startTag:
			s.startTag()
		case endTag:
			s.endTag(s.tag)
		case otherToken:
			s.document = s.document || isDoctype(s.bytes())
		}
	}
	s.closeParagraph()
	s.finish()
	s.SiteName, s.Publisher = cmp.Or(s.names[:fromPublisher]...), s.names[fromPublisher]
	s.settleCrumbs()
	s.redirect()
	s.region(len(page), need)
	s.preferSideBar()
	s.followInlined()
	s.Piece = s.isMenu()
	s.dropDeeds()
	s.Edges = s.edges()
	s.main, s.whole = page[s.from:s.to], page[s.wholeFrom:s.wholeEnd]
	return &s.Page, nil
}

func (s *scanner) textToken() {
	raw := s.bytes()
	if s.inTitle {
		if s.Title == "" {
			s.Title = plain.OneLine(s.text(maxText))
		}
		return
	}
	if len(raw) == 1 && raw[0] == '\n' {
		return // as between most tags
	}
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return
	}
	s.sum(trimmed)
	if s.heading != 0 && s.headingText.Len() < 500 {
		s.headingText.WriteString(s.text(maxText))
		if s.link > 0 {
			s.headingLink += len(trimmed)
		}
		return
	}
	s.headline()
	if s.crumbDepth > 0 && s.crumbText.Len() < 300 {
		s.crumbText.WriteString(s.text(maxText))
		return
	}
	s.nav.text(trimmed, s.link > 0 && s.lastHref >= 0)
	if s.link > 0 && s.lastHref >= 0 && s.lastHref < maxNamed && len(s.linkText) <= maxNavName {
		s.linkText = append(append(s.linkText, ' '), trimmed[:min(len(trimmed), 2*maxNavName)]...)
	}
	if s.link > 0 {
		return
	}
	s.words += len(trimmed)
	s.edge(trimmed)
	if s.pre > 0 || s.skipDepth > 0 {
		return
	}
	if s.paraAt < 0 {
		s.paraAt, s.paraProse, s.bare = s.lexer.start, 0, true
	}
	s.prose += len(trimmed)
	s.paraProse += len(trimmed)
	if len(s.checks) == 0 || s.lexer.start-s.checks[len(s.checks)-1].offset >= 512 {
		begin := s.lexer.start
		if s.paraAt >= 0 {
			begin = s.paraAt
		}
		s.checks = append(s.checks, check{s.pos, s.prose, begin})
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
