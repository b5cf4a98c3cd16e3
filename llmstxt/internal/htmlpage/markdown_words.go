package htmlpage

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Words of the Markdown that a page becomes, with the signs in them that are not Markdown's.

const maxPiece = 16 << 10 // bytes of a text that are worked on at once

// words takes a text, piece by piece.
func (m *marker) words() {
	for raw := m.bytes(); len(raw) > 0 && len(m.out)+len(m.line)+len(m.preText) <= m.limit; {
		piece := raw
		if len(piece) > maxPiece {
			piece = piece[:maxPiece]
			if i := bytes.LastIndexByte(piece, ' '); i > 0 {
				piece = piece[:i]
			} else if whole := safetext.Cut(raw, maxPiece); len(whole) > 0 {
				piece = whole
			}
		}
		raw = raw[len(piece):]
		m.piece(piece)
		m.spill()
	}
}

func (m *marker) piece(raw []byte) {
	text := string(raw)
	if !m.lexer.plain && bytes.IndexByte(raw, '&') >= 0 {
		text = html.UnescapeString(text)
	}
	text = plain.Visible(strings.ToValidUTF8(text, "\ufffd"))
	if m.pre {
		m.codeText(text)
		return
	}
	tex, texEnd := teXFinder{text: text}, 0
	for i, r := range text {
		if plain.IsSpace(r) {
			m.gap = true
			continue
		}
		m.space()
		m.around = ""
		if i >= texEnd && m.code == 0 {
			texEnd = tex.endOf(i)
		}
		if m.code == 0 && r < 0x80 && (i >= texEnd || r == '|' && m.table != nil) && m.escapes(text, i) {
			m.line = append(m.line, '\\')
		}
		m.line = utf8.AppendRune(m.line, r)
	}
}

// space writes the white space that waits.
func (m *marker) space() {
	if m.gap && (len(m.line) > 0 && m.line[len(m.line)-1] != '\n' || m.spilled && len(m.line) == 0) {
		m.line = append(m.line, ' ')
	}
	m.gap = false
}

// escapes reports a sign that Markdown would take for its own.
func (m *marker) escapes(text string, i int) bool {
	var prev, next byte = ' ', ' '
	if i > 0 {
		prev = text[i-1]
	}
	if i+1 < len(text) {
		next = text[i+1]
	}
	switch text[i] {
	case '`':
		return true
	case '\\':
		return '!' <= next && next <= '/' || ':' <= next && next <= '@' || '[' <= next && next <= '`' || '{' <= next && next <= '~'
	case '*':
		return prev != ' ' || next != ' '
	case '_':
		return (prev != ' ' || next != ' ') && (!plain.IsWordByte(prev) || !plain.IsWordByte(next))
	case '<':
		return next == '/' || next == '!' || next == '?' || plain.IsLetter(next)
	case ']':
		return next == '(' || next == '['
	case '|':
		return m.table != nil
	}
	return false
}
