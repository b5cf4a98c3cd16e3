package htmlpage

import (
	"bytes"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// Tables of the Markdown that a page becomes. A table in a cell is its text. A table that
// only places what stands in it, as pages did before style sheets, is none: its cells follow
// each other.

func (m *marker) openTable(closed bool) {
	if m.table != nil {
		if !closed {
			m.nested++
		}
		return
	}
	m.flush()
	if !m.places() {
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
	if role := m.attrs("role")[0]; role == "presentation" || role == "none" || m.inAdmonition() {
		return true
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxPlacing)], pos: m.pos}
	names, rows, cells := false, 0, 0
	text, blocks, most, heading := 0, 0, 0, false // of the cell; most: blocks of any
	pre := false
	for {
		switch kind := look.next(); {
		case kind == endOfPage:
			return false
		case kind == textToken:
			raw := bytes.TrimSpace(look.bytes())
			if text += len(raw); len(raw) > 0 && heading || text >= longCell && blocks > 1 {
				return !names
			}
			if pre && bytes.IndexByte(raw, '\n') > 0 {
				return true
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
			case atom.Th, atom.Td:
				names = names || look.tag == atom.Th
				cells++
				text, blocks, heading, pre = 0, 0, false, false
			case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				if text > 0 {
					return !names
				}
			case atom.Pre:
				pre = true
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

const maxCells = 64 // of a row

func (m *marker) openCell() {
	if m.table == nil || m.nested > 0 {
		m.flush()
		return
	}
	m.closeCell()
	m.table.inCell = true
}

func (m *marker) closeCell() {
	t := m.table
	if t == nil || !t.inCell || m.nested > 0 {
		return
	}
	m.closeAll()
	t.heading, m.heading, m.gap = m.heading, 0, false
	if len(t.cells) < maxCells {
		t.cells = append(t.cells, bytes.Clone(bytes.TrimSpace(m.line)))
	}
	m.line, t.inCell = m.line[:0], false
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
	cells := t.cells
	t.cells = nil
	if len(bytes.Join(cells, nil)) == 0 {
		return
	}
	if len(cells) == 1 && t.rows == 0 { // a table that only places things
		if text := plain.Heading(string(cells[0])); t.heading > 0 && text != "" {
			m.block([]byte(strings.Repeat("#", t.heading) + " " + text))
		} else {
			m.block(escapeStart(cells[0]))
		}
		return
	}
	row := "| " + string(bytes.Join(cells, []byte(" | "))) + " |"
	if t.rows++; t.rows == 1 {
		m.block([]byte(row + "\n|" + strings.Repeat(" --- |", len(cells))))
		return
	}
	m.together = true
	m.block([]byte(row))
	m.together = false
}

func (m *marker) endTable() {
	if m.table == nil {
		m.flush()
		return
	}
	m.nested = 0
	m.endRow()
	m.table, m.wasItem = nil, false
}
