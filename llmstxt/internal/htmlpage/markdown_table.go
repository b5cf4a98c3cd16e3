package htmlpage

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Tables of the Markdown that a page becomes. A table in a cell is its text. A table that
// only places what stands in it, as pages did before style sheets, is not written as one: its cells
// follow each other.

func (m *marker) openTable(closed bool) {
	if m.table != nil {
		if !closed {
			m.nested++
		}
		return
	}
	m.flush()
	m.note = note{begins: m.inAdmonition()}
	if !m.note.begins && !m.places() {
		m.table = &table{}
	}
}

const (
	maxPlacing = 64 << 10 // bytes of a table that are looked at
	longCell   = 1000     // bytes of text that no cell of a table of data has
)

// places reports a table, whose start tag was just read, that holds another table, a part of
// a page with its heading, a text of several paragraphs, or code of several lines, which a
// cell of Markdown cannot hold; or one beside an icon.
func (m *marker) places() bool {
	if role := m.attrs("role")[0]; role == "presentation" || role == "none" {
		return true
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxPlacing)], pos: m.pos}
	names, rows, cells, numbers := false, 0, 0, 0 // numbers: the cell of the row that numbers its lines
	text, blocks, most, heading := 0, 0, 0, false // of the cell; most: blocks of any
	pre, begun, ended := false, false, false      // of the code: it has a line, which has ended
	for {
		switch kind := look.next(); {
		case kind == endOfPage:
			return false
		case kind == textToken:
			whole := look.bytes()
			raw := bytes.TrimSpace(whole)
			if text += len(raw); len(raw) > 0 && heading || text >= longCell && blocks > 1 {
				return !names
			}
			if !pre {
				continue
			}
			// A highlighter has elements around words, and the ends of lines between them.
			if first := bytes.TrimLeft(whole, " \t\r\n"); begun && bytes.IndexByte(whole[:len(whole)-len(first)], '\n') >= 0 {
				ended = true
			}
			if len(raw) > 0 && ended || bytes.IndexByte(raw, '\n') > 0 {
				return true
			}
			if len(raw) > 0 {
				begun, ended = true, whole[len(whole)-1] == '\n'
			}
		case kind == startTag:
			if pre && (look.tag == atom.Br || look.tag == atom.Div || look.tag == atom.Li) {
				return true
			}
			switch look.tag {
			case atom.Table:
				return !names
			case atom.Tr:
				rows++
				numbers = 0
			case atom.Th, atom.Td:
				names = names || look.tag == atom.Th
				cells++
				text, blocks, heading, pre = 0, 0, false, false
				if numbersLines(look.attrs("class")[0]) && look.onlyDigits(look.tag) {
					numbers = cells
				}
			case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				if text > 0 {
					return !names
				}
			case atom.Pre:
				if numbers > 0 && cells > numbers {
					return true
				}
				pre, begun, ended = true, false, false
				blocks++
			case atom.P, atom.Li, atom.Dt, atom.Dd, atom.Blockquote:
				blocks++
			}
			most = max(most, blocks)
		case kind == endTag:
			switch look.tag {
			case atom.Table:
				return !names && (rows <= 1 || cells <= rows) && most > 1
			case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				heading = true
			case atom.Pre:
				pre = false
			}
		}
	}
}

// note is what a table is that places an icon beside a text.
type note struct {
	begins bool   // its first cell is still to come
	name   string // of the kind of note, which the icon shows
}

// nameNote writes the name of a note's icon in place of the cell, whose start tag was just read: Asciidoctor
// gives that a class, DocBook has it beside a title and a text. It leaves out a title that only repeats it.
func (m *marker) nameNote() {
	icon, said, ok := m.cellWords()
	a := m.attrs("class", "rowspan")
	before := m.note.name
	m.note.name = ""
	switch {
	case !ok:
	case m.note.begins && said == "" && icon != "" && (hasWord(a[0], "icon") || a[1] != ""):
		m.note.name = icon
		m.line = append(m.line, "**"+inBold.Replace(icon)+"**"...)
		m.flush()
		m.skipping(m.tag, false)
	case m.tag == atom.Th && before != "" && said == before:
		m.skipping(m.tag, false)
	}
	m.note.begins = false
}

const maxIcon = 1 << 10 // bytes of a cell with an icon

// cellWords is what the picture in a short cell is called and what the cell says besides.
func (l *lexer) cellWords() (icon, said string, ok bool) {
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxIcon)], pos: l.pos}
	var text []byte
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken:
			text = append(text, look.bytes()...)
		case kind == endTag && look.tag == l.tag:
			return plain.Visible(icon), plain.OneLine(html.UnescapeString(string(text))), true
		case kind == startTag && (look.tag == atom.I || look.tag == atom.Span || look.tag == atom.Img):
			a := look.attrs("alt", "title")
			icon = cmp.Or(icon, strings.Trim(plain.OneLine(cmp.Or(a[0], a[1])), "[] "))
		}
	}
	return "", "", false
}

// inAdmonition reports whether the tag that stands before the one just read begins a note,
// a warning or the like.
func (m *marker) inAdmonition() bool {
	before := bytes.TrimSpace(m.page[max(0, m.lexer.start-300):m.lexer.start])
	i := bytes.LastIndexByte(before, '<')
	if i < 0 || !bytes.HasSuffix(before, []byte(">")) {
		return false
	}
	look := lexer{page: before[i:]}
	return look.next() == startTag && look.tag == atom.Div && hasWord(look.attrs("class")[0], "note", "tip", "warning", "caution", "important", "admonition", "admonitionblock")
}

// gutter reports the numbers of lines in a cell beside that of their code.
func (m *marker) gutter(text []byte) bool {
	if !areDigits(text) {
		return false
	}
	look := lexer{page: m.page, pos: m.pos}
	cell := false
	for range 2 * maxNumberTokens {
		switch kind := look.next(); {
		case kind == endOfPage, kind == textToken && len(bytes.TrimSpace(look.bytes())) > 0, kind == endTag && look.tag == atom.Tr:
			return false
		case kind == startTag && look.tag == atom.Td:
			cell = true
		case kind == startTag && look.tag == atom.Pre:
			return cell
		}
	}
	return false
}

// table is the one that is open.
type table struct {
	cells      [][]byte
	row        []byte // the one written last
	inCell     bool
	rows       int
	heading    int   // level of the one that is in the last cell
	wide, high int   // columns and rows that the last cell takes
	taken      []int // by column, rows that a cell of an earlier row takes
}

const maxCells = 64 // of a row

func (m *marker) openCell() {
	if m.table == nil || m.nested > 0 {
		if m.flush(); m.table == nil && (m.note.begins || m.note.name != "") {
			m.nameNote()
		}
		return
	}
	m.closeCell()
	t := m.table
	t.fill()
	t.inCell = true
	a := m.attrs("colspan", "rowspan")
	t.wide, t.high = span(a[0], maxCells), span(a[1], maxRows)
}

const maxRows = 1000 // that one cell takes

// span is how many columns or rows a cell takes.
func span(attribute string, most int) int {
	if attribute == "" {
		return 1
	}
	n, err := strconv.Atoi(attribute)
	if err != nil {
		return 1
	}
	return min(max(1, n), most)
}

// fill adds the cells that cells of earlier rows take.
func (t *table) fill() {
	for n := len(t.cells); n < len(t.taken) && t.taken[n] > 0; n = len(t.cells) {
		t.taken[n]--
		t.cells = append(t.cells, nil)
	}
}

func (m *marker) closeCell() {
	t := m.table
	if t == nil || !t.inCell || m.nested > 0 {
		return
	}
	m.closeAll()
	t.heading, m.heading, m.gap = m.heading, 0, false
	cell := bytes.Clone(bytes.TrimSpace(m.line))
	for range t.wide {
		if n := len(t.cells); n < maxCells {
			for len(t.taken) <= n {
				t.taken = append(t.taken, 0)
			}
			t.taken[n] = t.high - 1
			t.cells = append(t.cells, cell)
			cell = nil
		}
	}
	m.line, t.inCell, m.codeEnd, m.signEnd = m.line[:0], false, 0, 0
}

func (m *marker) endRow() {
	if m.table == nil {
		m.flush()
	}
	if m.table == nil || m.nested > 0 {
		return
	}
	m.closeCell()
	t := m.table
	if len(t.cells) > 0 {
		t.fill()
	}
	cells := t.cells
	t.cells = t.cells[:0]
	if blank(cells) {
		return
	}
	if t.rows == 0 && t.wide == len(cells) && blank(cells[1:]) { // a table that only places things
		cells[0] = bytes.ReplaceAll(cells[0], []byte(`\|`), []byte("|"))
		if text := plain.Heading(string(cells[0])); t.heading > 0 && text != "" {
			m.block([]byte(strings.Repeat("#", t.heading) + " " + text))
		} else {
			m.block(escapeStart(cells[0]))
		}
		return
	}
	row := append(t.row[:0], '|')
	for _, cell := range cells {
		row = append(append(append(row, ' '), cell...), " |"...)
	}
	if t.rows++; t.rows == 1 {
		row = append(append(row, "\n|"...), strings.Repeat(" --- |", len(cells))...)
	}
	t.row = row
	m.together = t.rows > 1
	m.block(row)
	m.together = false
}

// blank reports cells without a text.
func blank(cells [][]byte) bool {
	for _, cell := range cells {
		if len(cell) > 0 {
			return false
		}
	}
	return true
}

func (m *marker) endTable() {
	m.note = note{}
	if m.table == nil {
		m.flush()
		return
	}
	m.nested = 0
	m.endRow()
	m.table, m.wasItem = nil, false
}
