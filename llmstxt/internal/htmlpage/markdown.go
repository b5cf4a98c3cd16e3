package htmlpage

import (
	"context"
	"strings"

	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/internal/safetext"
)

// The whole text of a page as Markdown: one more pass of the lexer over the main
// content, without a tree, so that a page of 8 MiB costs what its text does.
//
//	tokens ─▶ current line: words, marks of emphasis, links, code
//	            │ a block begins or ends
//	            ▼
//	          prefix of the lists and quotations around it + line ─▶ output
//
// What stands beside the main content, what is hidden and what is for scripts is
// left out.

const (
	maxPrefixes = 16       // lists and quotations in each other that are shown as such
	maxMarks    = 16       // links and emphasis in each other
	maxHeadings = 64 << 10 // bytes of a text that is looked at for more than headings
)

// Markdown writes the main content as Markdown, at most limit bytes of it; cut
// says that there is more. resolve makes a link's address absolute, or "" of
// what is not worth a link. It looks at ctx every few kilobytes and returns its
// error.
func (p *Page) Markdown(ctx context.Context, limit int, resolve func(href string) string) (text []byte, cut bool, err error) {
	for _, names := range []believed{{edges: true, contents: true}, {edges: true}, {}} {
		m := &marker{lexer: lexer{page: p.whole}, hints: names.edges, noContents: !names.contents, limit: limit, resolve: resolve, out: make([]byte, 0, min(limit, len(p.whole)/2+64))}
		if err := m.run(ctx); err != nil {
			return nil, false, err
		}
		if m.cut || !names.edges && len(m.out) > len(text) || len(m.out) > maxHeadings || hasBody(m.out) {
			return m.out, m.cut, nil
		}
		text = m.out
		// Everything but headings stood in what is named contents, which are what the page has to
		// say, or in what looks like a side bar, so it is not one.
	}
	return text, false, nil
}

// believed are the names that say what is no part of the text: of the page's edges, of contents.
type believed struct{ edges, contents bool }

// mark is a link or an emphasis that is open.
type tagMark struct {
	tag  atom.Atom
	at   int // where its text begins in the line
	sign string
	href string
}

// level is a list or a quotation that is open.
type level struct {
	tag    atom.Atom
	number int  // of the last item of an ordered list
	fresh  bool // an item has begun and has no line yet
	width  int  // of the item's sign
	tree   bool // buttons name its items that have lists in them, or a list around it
	layout bool // it has the page's title in it: its items are blocks of the page
}

type marker struct {
	lexer
	hints   bool // believe class names
	limit   int
	resolve func(string) string

	out         []byte
	cut         bool
	line        []byte
	spilled     bool   // the beginning of the line is written already
	first, rest []byte // prefixes of the block being written
	quoted      []byte // of the last one, as far as an empty line keeps it
	gap         bool   // white space waits for a word
	marks       []tagMark
	levels      []level
	deeper      int  // levels beyond maxPrefixes
	definitions int  // lists of these that are open
	term        bool // the line is a term, or the title of a note
	heading     int  // level of the heading that is open; 0: none
	headingEnd  int  // where it ends, 0 if it has no end of its own; -1: nobody has looked
	skip        atom.Atom
	depth       int  // of what is skipped
	wasItem     bool // the last block was an item's line
	together    bool // the next block is a further line of the last one
	code        int  // depth of inline code
	codeAt      int
	pre         bool
	preText     []byte
	lang        string
	noContents  bool     // contents are a part of the text
	around      string   // the language that the element around the code names
	divs        int      // that are open in code of a <div>; 0: it is in <pre>
	lineFresh   bool     // nothing of its line has come yet
	numbered    bool     // the number of the line was passed over
	changes     []change // lines of it that are added or removed
	rule        bool     // a line waits for what stands below it
	signEnd     int      // where the last emphasis ends in the line
	signIs      string   // and its sign
	codeEnd     int      // where the last inline code ends in the line, if it has a single sign
	label       string   // what the element opened last is called
	asking      int      // behind where one begins that may ask what the reader thinks of the page
	question    int      // the same, and two controls answer it
	control     int      // bytes of text before the last control
	last        int      // where the last block begins in out
	spanEnd     int      // where the last <span> or link ends in the page
	linkEnd     int      // where the last link ends
	labelEnd    int      // where the end tag ends of a label that white space goes behind
	tabs        []tab    // of the panels that come
	tabName     string   // of the panel that has begun, of which nothing is written yet
	tabLists    int      // that there were
	table       *table
	note        note // that a table which only places things is
	nested      int  // tables in the table
}

func (m *marker) run(ctx context.Context) error {
	for kind, looked := m.next(), 0; kind != endOfPage; kind = m.next() {
		if m.pos-looked >= 16<<10 {
			if looked = m.pos; ctx.Err() != nil {
				return ctx.Err()
			}
		}
		switch kind {
		case textToken:
			if m.depth == 0 {
				m.words()
			}
		case startTag:
			m.start(m.tag)
		case endTag:
			m.end(m.tag)
		}
		if len(m.out)+len(m.line)+len(m.preText) > m.limit {
			m.cut = true
			break
		}
	}
	m.endTable()
	m.endPre()
	m.flush()
	m.dropQuestion()
	if len(m.out) > m.limit {
		m.out = safetext.Cut(m.out, m.limit)
	}
	return nil
}

func (m *marker) start(tag atom.Atom) {
	closed := m.page[m.pos-2] == '/'
	if m.depth > 0 {
		if tag == m.skip && !closed && tag != 0 {
			m.depth++
		}
		return
	}
	if m.pre && m.inCode(tag, closed) {
		return
	}
	switch tag {
	case 0, atom.Span, atom.Wbr, atom.Font, atom.Abbr, atom.Cite, atom.U, atom.Small, atom.Big, atom.Sub:
		if tag == atom.Span && m.code == 0 && !closed && m.beginsSpan() {
			m.gap = true // another text
		}
		if tag == atom.Span || tag == 0 {
			m.hide(tag, closed)
		}
		m.partLabel(tag)
	case atom.Script, atom.Style, atom.Noscript, atom.Iframe, atom.Title:
		m.rawEndSkipped()
	case atom.Sup:
		m.raised(closed)
	case atom.Math:
		m.formula(closed)
	case atom.Svg, atom.Object, atom.Audio, atom.Video, atom.Canvas, atom.Select, atom.Dialog, atom.Head, atom.Datalist:
		m.skipping(tag, closed)
	case atom.Button:
		if !m.namesBranch() {
			m.asked()
			m.skipping(tag, closed)
		}
	case atom.Form:
		least := leastForm
		if !m.hints {
			least = 1
		}
		if m.holdsPage(least) {
			m.flush()
		} else {
			m.skipping(tag, closed)
		}
	case atom.Template:
		if !m.showsTemplate() && !m.slotTitle() {
			m.skipping(tag, closed)
		}
	case atom.Label:
		if m.hints && !m.pre && len(m.line) == 0 && isPeripheral(m.attrs("class")[0], "") {
			m.skipping(tag, closed) // a label that opens a menu
		}
	case atom.Input:
		m.asked()
		m.task()
	case atom.Br:
		m.breakLine()
	case atom.Hr:
		m.flush()
		m.rule = m.rule || m.table == nil && len(m.levels) == 0 && len(m.out) > 0
	case atom.Img:
		m.image()
		m.spill()
	case atom.A:
		switch a := m.attrs("href", "class", "role"); {
		case m.hints && !m.pre && (len(m.line) == 0 && isStep(a[1]) || m.offersSource(a[0]) || m.isArrow(a[0])):
			m.skipping(tag, closed)
		case !m.leadsWithin(a[0]) || closed || !m.innerLink(a[1], a[2]):
			m.partLinks()
			m.open(tag, "", a[0])
		}
	case atom.Strong, atom.B:
		m.open(tag, "**", "")
	case atom.Em, atom.I:
		m.open(tag, "*", "")
	case atom.Del, atom.S, atom.Strike:
		m.open(tag, "~~", "")
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		if tag == atom.Kbd && m.code == 0 && m.codeEnd > 0 && m.codeEnd == len(m.line) {
			m.gap = true // another key
		}
		m.partLabel(tag)
		m.openCode()
	case atom.Pre, atom.Textarea, atom.Xmp, atom.Listing:
		m.openPre()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		m.openHeading(tag, closed)
	case atom.Table:
		m.openTable(closed)
	case atom.Tr:
		m.endRow()
	case atom.Td, atom.Th:
		m.openCell()
	case atom.Ul, atom.Ol, atom.Blockquote:
		if !m.hide(tag, closed) {
			m.flush()
			m.push(tag)
		}
	case atom.Li:
		m.flush()
		m.item()
	case atom.Dl:
		if !m.hide(tag, closed) {
			m.openBlock(tag)
			m.openDefinitions()
		}
	default:
		if standsAlone(tag) && !m.hide(tag, closed) && !(tag == atom.Div && m.listing()) {
			m.openBlock(tag)
		}
	}
}

// hide skips an element that nobody sees or that stands beside the main content,
// and reports whether it does.
func (m *marker) hide(tag atom.Atom, closed bool) bool {
	a := m.attrs("role", "class", "id", "hidden", "aria-hidden", "style", "aria-label")
	if streamed(a[2]) || a[4] == "true" && a[3] == "" && !hiddenStyle(a[5]) && m.saysLabel(tag) {
		return false
	}
	if tag != atom.Span && tag != 0 {
		m.label = a[6]
	}
	unseen := a[3] != "" || a[4] == "true" || hiddenStyle(a[5]) || m.hints && forScreenReaders(tag, a[1])
	if m.service(tag, a[1]) || m.awaitsResults(tag, a[1]) {
		m.skipping(tag, closed)
		return !closed
	}
	if tag == 0 || tag == atom.Span || tag == atom.P {
		// VitePress has the name of the language above its code.
		if (unseen || a[1] == "lang" && m.around != "" || leadsToSource(a[1]) || editsPart(a[1])) && tag != 0 {
			m.skipping(tag, closed)
			return true
		}
		return false
	}
	if tag == atom.Div || tag == atom.Figure {
		m.languageAround(a[1])
	}
	role := strings.ToLower(a[0])
	if of := m.listOfTabs(tag, role, a[1]); of != 0 {
		names := m.openTabs(of)
		if names {
			m.skipping(tag, closed)
		}
		return names
	}
	switch of := m.panel(tag, role, a[1]); {
	case of == roleTabs:
		if a[4] != "true" {
			m.openPanel(of, a[2], m.attrs("aria-labelledby")[0])
			return false
		}
	case of != 0 && m.openPanel(of, "", ""):
		m.languageAround(a[1])
		return false
	}
	if !unseen && (hasWord(a[1], "footnote", "footnotes") || hasWord(a[2], "footnotes")) {
		return false
	}
	if tag == atom.Aside && role == "" && hasWord(a[1], "note", "tip", "warning", "caution", "important", "danger", "info", "hint", "admonition", "callout", "aside") {
		return false // what the text itself sets apart
	}
	if tag == atom.Aside && m.remark() || !unseen && (m.textBox(tag, a[1]) || tag == atom.Footer && m.inQuote()) {
		return false
	}
	if tag == atom.Header {
		role = strings.TrimPrefix(role, "banner")
	}
	if unseen || tag == atom.Nav || role == "navigation" || role == "search" || tag == atom.Footer || m.hints && mayBePeripheral(tag) && (m.aside(tag, role, a) || namesDialog(subjectsOf(a[1]), subjectsOf(a[2])) && m.isDialog(tag, a[1], a[5])) {
		if tag == atom.Nav || role == "navigation" {
			m.flush()
			m.dropName()
		}
		m.skipping(tag, closed)
		return true
	}
	return false
}

func (m *marker) skipping(tag atom.Atom, closed bool) {
	if !closed && !m.isType(tag) {
		m.skip, m.depth = tag, 1
	}
}

// rawEndSkipped passes over the text of an element that has no tags in it.
func (m *marker) rawEndSkipped() {
	back := m.lexer
	if m.next() != textToken {
		m.lexer.pos, m.raw = back.pos, ""
	}
}

func (m *marker) end(tag atom.Atom) {
	if m.depth > 0 {
		if tag == m.skip {
			m.depth--
		}
		return
	}
	if m.pre && m.outOfCode(tag) {
		return
	}
	switch tag {
	case atom.Span:
		m.spanEnd = m.pos
		m.gap = m.gap || m.pos == m.labelEnd
	case atom.A, atom.Strong, atom.B, atom.Em, atom.I, atom.Del, atom.S, atom.Strike:
		if m.close(tag); tag == atom.A {
			m.spanEnd, m.linkEnd = m.pos, m.pos
		}
		m.spill()
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		m.closeCode()
		m.gap = m.gap || m.pos == m.labelEnd
		m.spill()
	case atom.Pre, atom.Textarea, atom.Xmp, atom.Listing:
		m.endPre()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		m.flush()
	case atom.Table:
		if m.nested > 0 {
			m.nested--
		} else {
			m.endTable()
		}
	case atom.Tr:
		m.endRow()
	case atom.Td, atom.Th:
		m.closeCell()
	case atom.Ul, atom.Ol, atom.Blockquote:
		m.flush()
		m.pop(tag)
	case atom.Dl:
		m.closeBlock()
		m.closeDefinitions()
	default:
		if standsAlone(tag) {
			m.closeBlock()
		}
	}
}
