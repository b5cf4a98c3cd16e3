package htmlpage

import (
	"bytes"
	"strings"
	"unicode"
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
		m.piece(piece, len(raw) > 0)
		m.spill()
	}
}

// piece takes a part of a text; more says that another one follows.
func (m *marker) piece(raw []byte, more bool) {
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
		if m.code == 0 && r < 0x80 && (i >= texEnd || r == '|' && m.table != nil) && m.escapes(text, i, more) {
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

// escapes reports a sign that Markdown would take for its own. more says that another part of
// the text follows.
func (m *marker) escapes(text string, i int, more bool) bool {
	c := text[i]
	switch c {
	case '`':
		return true
	case '|':
		return m.table != nil
	case '&':
		return plain.IsEntity(text[i:])
	case '~':
		return bytes.LastIndexByte(m.line, '~') >= 0 || m.struck()
	case '[':
		return m.inLink()
	case '\\', '*', '_', '<', ']', '!':
	default:
		return false
	}
	var next rune
	switch {
	case i+1 < len(text):
		next, _ = utf8.DecodeRuneInString(text[i+1:])
	case !more:
		next = m.ahead(true)
	}
	switch c {
	case '\\':
		return '!' <= next && next <= '/' || ':' <= next && next <= '@' || '[' <= next && next <= '`' || '{' <= next && next <= '~'
	case '<':
		return next == 0 || next == '[' || next == '/' || next == '!' || next == '?' || next < 0x80 && plain.IsLetter(byte(next))
	case ']':
		return next == 0 || next == '(' || next == '[' || m.inLink()
	case '!':
		return next == '['
	}
	prev := m.before(text[:i])
	if unicode.IsSpace(prev) && unicode.IsSpace(next) {
		return false
	}
	return c == '*' || !isWord(prev) || !isWord(next)
}

// isWord reports a character within which "_" is no sign; 0 stands for a character that is not known.
func isWord(r rune) bool { return r != 0 && !unicode.IsSpace(r) && !isPunct(r) }

// before is the character before the end of a text that is being read; 0 if a sign of Markdown
// or the beginning of a block may stand there.
func (m *marker) before(text string) (r rune) {
	if text != "" {
		r, _ = utf8.DecodeLastRuneInString(text)
		return r
	}
	n := len(m.line)
	if n == 0 || m.line[n-1] == '\n' {
		return 0
	}
	for i := range m.marks {
		if at := m.marks[i].at; at == n || at == n-1 && m.line[at] == ' ' {
			return 0
		}
	}
	r, _ = utf8.DecodeLastRune(m.line)
	return r
}

// struck reports whether text that is struck out is open.
func (m *marker) struck() bool {
	for i := range m.marks {
		if m.marks[i].sign == "~~" {
			return true
		}
	}
	return false
}

// beginsSpan reports a <span>, whose start tag was just read, with another text than what stands right
// before it.
func (m *marker) beginsSpan() bool {
	if bytes.Contains(m.bytes(), []byte("classifier")) && isClassifier(m.attrs("class")[0]) {
		return true
	}
	return m.lexer.start == m.spanEnd && !joinsName(m.line) && beginsText(m.line, m.page[m.pos:])
}

// hasBody reports a text that is more than headings.
func hasBody(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line[0] != '#' && line[0] != '\n' {
			return true
		}
	}
	return false
}
