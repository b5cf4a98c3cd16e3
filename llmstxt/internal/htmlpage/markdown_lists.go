package htmlpage

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// Lists and quotations of the Markdown that a page becomes.

func (m *marker) push(tag atom.Atom) {
	if len(m.levels) == maxPrefixes {
		m.deeper++
		return
	}
	l := level{tag: tag}
	if tag == atom.Ol {
		l.number = m.ordinal("start", 1) - 1
	}
	if tag != atom.Blockquote {
		l.width = 2
		if n := len(m.levels); n > 0 && m.levels[n-1].fresh {
			m.wasItem = true // a list right in an item
		}
		l.tree = len(m.levels) > 0 && m.levels[len(m.levels)-1].tree
	}
	m.levels = append(m.levels, l)
}

func (m *marker) pop(tag atom.Atom) {
	if m.deeper > 0 {
		m.deeper--
		return
	}
	for i := len(m.levels) - 1; i >= 0; i-- {
		if m.levels[i].tag == tag {
			m.levels = m.levels[:i]
			if n := len(m.quoted); tag == atom.Blockquote && n > 0 {
				m.quoted = quotes(m.quoted[:n-1]) // the next one is another
			}
			break
		}
	}
	if len(m.levels) == 0 {
		m.wasItem = false
	}
}

// inQuote reports that a quotation is open: its footer says whose it is.
func (m *marker) inQuote() bool {
	return slices.ContainsFunc(m.levels, func(l level) bool { return l.tag == atom.Blockquote })
}

// item begins an item of the innermost list.
func (m *marker) item() {
	if m.table != nil && m.table.inCell || m.deeper > 0 {
		return
	}
	for i := len(m.levels) - 1; i >= 0; i-- {
		if l := &m.levels[i]; l.tag != atom.Blockquote {
			m.levels = m.levels[:i+1]
			l.fresh = true
			l.number = m.ordinal("value", l.number+1)
			return
		}
	}
	m.levels = append(m.levels, level{tag: atom.Ul, fresh: true, width: 2})
}

// task writes the box of a list of tasks, with which an item begins.
func (m *marker) task() {
	a := m.attrs("type", "checked")
	if n := len(m.levels); n == 0 || !m.levels[n-1].fresh || len(m.line) > 0 || m.table != nil || !strings.EqualFold(a[0], "checkbox") {
		return
	}
	box := "[ ]"
	if a[1] != "" {
		box = "[x]"
	}
	m.line, m.gap = append(m.line, box...), true
}

// namesBranch reports a button, whose start tag was just read, that says what the list behind it is of, such as a
// folder of Nextra's trees of files. In the lists of such a tree a button names a branch that is not open.
func (m *marker) namesBranch() bool {
	n := len(m.levels)
	if n == 0 || !m.levels[n-1].fresh || len(m.line) > 0 || m.table != nil || m.deeper > 0 {
		return false
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxTabList)], pos: m.pos}
	named, ended := false, false
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken && len(bytes.TrimSpace(look.bytes())) > 0:
			if ended {
				return m.levels[n-1].tree
			}
			named = true
		case kind == endTag && look.tag == atom.Button:
			if ended = true; !named {
				return false
			}
		case ended && kind == startTag && (look.tag == atom.Ul || look.tag == atom.Ol):
			m.levels[n-1].tree = true
			return true
		case ended && (kind == endTag && look.tag == atom.Li || kind == startTag && look.tag != atom.Div):
			return m.levels[n-1].tree
		}
	}
	return false
}

// layOut makes a list of the page's blocks of a list that begins with the page's title, as Docco writes texts
// beside code.
func (m *marker) layOut(tag atom.Atom) {
	if tag == atom.H1 && len(m.levels) == 1 && m.levels[0].tag == atom.Ul && m.levels[0].fresh && m.table == nil {
		m.levels[0].layout, m.levels[0].width = true, 0
	}
}

// ordinal is the number that an attribute of a list or an item gives it, as Markdown can
// have it, else otherwise.
func (m *marker) ordinal(name string, otherwise int) int {
	if value := m.attrs(name)[0]; value != "" {
		if n, err := strconv.Atoi(value); err == nil && 0 <= n && n < 1e9 {
			return n
		}
	}
	return otherwise
}

// appendSign writes what the item begins with.
func (l *level) appendSign(b []byte) []byte {
	if l.tag != atom.Ol {
		return append(b, "- "...)
	}
	return append(strconv.AppendInt(b, int64(l.number), 10), ". "...)
}

// Lists of definitions, of which Markdown has none: a term is a paragraph in bold. In a list
// within a definition each term is an item, and what it means is indented below:
//
//	**Kettle**
//
//	It boils water.
//
//	- **boil**
//
//	  Begins to boil.

// openDefinitions begins a list of definitions.
func (m *marker) openDefinitions() {
	if m.definitions++; m.definitions > 1 {
		m.push(atom.Dl)
	}
}

// closeDefinitions ends it.
func (m *marker) closeDefinitions() {
	if m.definitions > 1 {
		m.pop(atom.Dl)
	}
	m.definitions = max(0, m.definitions-1)
}

// define begins the item of a term, unless it stands in an outermost list.
func (m *marker) define() {
	if m.definitions > 1 && m.deeper == 0 && (m.table == nil || !m.table.inCell) {
		for i := len(m.levels) - 1; i >= 0 && m.levels[i].tag != atom.Blockquote; i-- {
			if m.levels[i].tag == atom.Dl {
				m.levels = m.levels[:i+1]
				m.levels[i].fresh = true
				break
			}
		}
	}
}
