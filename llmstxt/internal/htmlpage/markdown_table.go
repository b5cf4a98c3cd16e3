package htmlpage

import (
	"bytes"
	"strings"
)

// Tables of the Markdown that a page becomes. A table in a cell is its text.

func (m *marker) openTable(closed bool) {
	if m.table != nil {
		if !closed {
			m.nested++
		}
		return
	}
	m.flush()
	m.table = &table{}
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
	m.heading, m.gap = 0, false
	if len(t.cells) < maxCells {
		t.cells = append(t.cells, bytes.Clone(bytes.TrimSpace(m.line)))
	}
	m.line, t.inCell = m.line[:0], false
}

func (m *marker) endRow() {
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
		m.block(escapeStart(cells[0]))
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
		return
	}
	m.nested = 0
	m.endRow()
	m.table, m.wasItem = nil, false
}
