package htmlpage

import (
	"bytes"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// Blocks of the Markdown that a page becomes, and what stands within a line.

// flush ends the line and writes it as a block.
func (m *marker) flush() {
	if m.table != nil && m.table.inCell {
		m.gap = true
		return
	}
	m.closeAll()
	level := m.heading
	m.heading, m.gap, m.codeEnd, m.signEnd = 0, false, 0, 0
	if m.spilled {
		m.out = append(append(m.out, bytes.TrimRight(m.line, " \n")...), '\n')
		m.line, m.spilled = m.line[:0], false
		return
	}
	line := bytes.TrimSpace(m.line)
	m.line = m.line[:0]
	if len(line) == 0 || m.hints && level == 0 && isPager(line) {
		return
	}
	if level > 0 {
		if text := plain.Heading(string(line)); text != "" {
			m.block([]byte(strings.Repeat("#", level) + " " + text))
		}
		return
	}
	if m.repeatsTab(line) {
		m.tabName = ""
		return
	}
	if m.term && mayBeBold(line) {
		line = slices.Concat([]byte("**"), line, []byte("**"))
	} else {
		line = escapeStart(line)
	}
	m.term = false
	m.block(line)
}

// openBlock begins a block, unless it is a part of a heading.
func (m *marker) openBlock(tag atom.Atom) {
	if m.inHeading() {
		m.gap = true
		return
	}
	m.flush()
	m.term = m.isTerm(tag)
	if tag == atom.Dt {
		m.define()
	}
}

// closeBlock ends one.
func (m *marker) closeBlock() {
	if m.inHeading() {
		m.gap = true
		return
	}
	m.flush()
	m.term = false
}

// standsAlone reports an element that begins and ends a block and is nothing else.
func standsAlone(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Nav, atom.Aside, atom.Li, atom.Dl, atom.Dt, atom.Dd,
		atom.Details, atom.Summary, atom.Figure, atom.Figcaption, atom.Address, atom.Fieldset, atom.Legend, atom.Caption, atom.Center, atom.Hgroup, atom.Menu:
		return true
	}
	return false
}

// openHeading begins a heading. One that a style hides at the beginning of a panel is the name of its tab once more, for
// what leads there.
func (m *marker) openHeading(tag atom.Atom, closed bool) {
	m.flush()
	if m.tabName != "" && hiddenStyle(m.attrs("style")[0]) {
		m.skipping(tag, closed)
		return
	}
	m.heading, m.headingEnd = int(tag.String()[1]-'0'), -1
	m.layOut(tag)
}

// Bytes of a heading with blocks in it, its pictures and its words.
const (
	maxHeading      = 8 << 10
	maxHeadingWords = 400
)

// inHeading reports what stands before the end of the open heading, as GitBook, ReadMe and others
// have blocks in theirs. One that nobody has ended is over where a block begins or ends.
func (m *marker) inHeading() bool {
	if m.heading == 0 {
		return false
	}
	if m.headingEnd < 0 {
		m.headingEnd = m.endOfHeading()
	}
	return m.pos <= m.headingEnd
}

// endOfHeading is where the open heading ends: before another one, a list or a table; 0 if it does not.
func (m *marker) endOfHeading() int {
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxHeading)], pos: m.pos}
	said := len(m.line)
	for kind := look.next(); kind != endOfPage && said <= maxHeadingWords; kind = look.next() {
		switch look.tag {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			if kind == endTag {
				return look.pos
			}
			if kind == startTag {
				return 0
			}
		case atom.Ul, atom.Ol, atom.Dl, atom.Table, atom.Pre, atom.Blockquote, atom.Article, atom.Main, atom.Section, atom.Hr:
			if kind == startTag {
				return 0
			}
		}
		if kind == textToken {
			said += len(bytes.TrimSpace(look.bytes()))
		}
	}
	return 0
}

// spill writes the beginning of a long line, so that it is not held twice.
func (m *marker) spill() {
	if len(m.line) < 2*maxPiece || len(m.marks) > 0 || m.code > 0 || m.heading > 0 || m.table != nil {
		return
	}
	if m.spilled {
		m.out = append(m.out, m.line...)
	} else if line := bytes.TrimSpace(m.line); len(line) > 0 {
		m.block(escapeStart(line))
		m.out, m.spilled = m.out[:len(m.out)-1], true
	}
	m.line, m.codeEnd, m.signEnd = m.line[:0], 0, 0
}

// escapeStart keeps the lines of a paragraph from being read as a list, a heading or another block.
func escapeStart(text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 {
		return escapeLine(text)
	}
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = escapeLine(lines[i])
	}
	return bytes.Join(lines, []byte("\n"))
}

func escapeLine(text []byte) []byte {
	if len(text) == 0 {
		return text
	}
	at := -1
	if bytes.IndexByte([]byte("#>+-=~"), text[0]) >= 0 && (len(text) == 1 || text[1] == ' ' || text[1] == text[0] || text[0] == '>') {
		at = 0
	}
	n := 0
	for n < len(text) && n < 9 && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	if n > 0 && n < len(text) && (text[n] == '.' || text[n] == ')') && (n+1 == len(text) || text[n+1] == ' ') {
		at = n
	}
	if text[0] == '[' {
		if end := bytes.IndexAny(text[1:], `[]\`); end > 0 && text[1+end] == ']' && bytes.HasPrefix(text[end+2:], []byte(":")) {
			at = 0 // a definition, which nobody would see
		}
	}
	if at < 0 {
		return text
	}
	return slices.Insert(bytes.Clone(text), at, '\\')
}

const pad = "         "

// block writes texts, each on lines of its own, behind the prefix of what is around them.
func (m *marker) block(texts ...[]byte) {
	m.first, m.rest, m.tabName = m.first[:0], m.rest[:0], ""
	item := false
	for i := range m.levels {
		l := &m.levels[i]
		switch {
		case l.tag == atom.Blockquote:
			m.first, m.rest = append(m.first, "> "...), append(m.rest, "> "...)
		case l.layout:
			l.fresh = false
		case l.fresh:
			at := len(m.first)
			m.first = l.appendSign(m.first)
			l.fresh, l.width, item = false, min(len(m.first)-at, len(pad)), true
			m.rest = append(m.rest, pad[:l.width]...)
		default:
			m.first, m.rest = append(m.first, pad[:l.width]...), append(m.rest, pad[:l.width]...)
		}
	}
	m.last = len(m.out)
	m.writeRule()
	if len(m.out) > 0 && !(item && m.wasItem) && !m.together {
		m.out = append(append(m.out, common(quotes(m.rest), m.quoted)...), '\n')
	}
	m.wasItem, m.quoted = item, append(m.quoted[:0], quotes(m.rest)...)
	prefix := m.first
	for _, text := range texts {
		for more := true; more && len(m.out) <= m.limit; {
			var line []byte
			line, text, more = bytes.Cut(text, []byte("\n"))
			m.out = append(append(append(m.out, prefix...), line...), '\n')
			prefix = m.rest
		}
	}
}

// quotes is the part of a prefix that an empty line keeps.
func quotes(prefix []byte) []byte {
	return prefix[:bytes.LastIndexByte(prefix, '>')+1]
}

// common is the quotation that goes on from one block to the next.
func common(next, last []byte) []byte {
	if len(next) > len(last) {
		next, last = last, next
	}
	if bytes.HasPrefix(last, next) {
		return next
	}
	return nil
}

func (m *marker) openCode() {
	if m.pre {
		if m.lang == "" && len(m.preText) == 0 {
			m.lang = m.ownLanguage()
		}
		return
	}
	if m.code++; m.code == 1 {
		m.space()
		m.codeAt = len(m.line)
	}
}

func (m *marker) closeCode() {
	if m.pre || m.code == 0 {
		return
	}
	if m.code--; m.code > 0 || m.codeAt > len(m.line) {
		return
	}
	text := strings.TrimSpace(string(m.line[m.codeAt:]))
	m.line = m.line[:m.codeAt]
	if text == "" {
		return
	}
	if m.table != nil {
		text = strings.ReplaceAll(text, "|", `\|`)
	}
	fence := "`"
	for strings.Contains(text, fence) && len(fence) < 8 {
		fence += "`"
	}
	if text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	begin := fence
	if n := len(m.line); n > 0 && n == m.codeEnd && m.line[n-1] == '`' && fence == "`" && (len(m.marks) == 0 || m.marks[len(m.marks)-1].at < n) {
		m.line, begin = m.line[:n-1], "" // right behind other code: two signs would mean another one
	}
	m.line, m.codeEnd = append(m.line, begin+text+fence...), 0
	if fence == "`" {
		m.codeEnd = len(m.line)
	}
}

var withoutBrackets = strings.NewReplacer("[", "(", "]", ")")

// formula writes one as it stands: Markdown's signs are TeX's in it.
func (m *marker) formula(closed bool) {
	text := m.lexer.formula()
	if text == "" {
		m.skipping(atom.Math, closed)
		return
	}
	m.verbatim(text)
}

// verbatim adds a text in which nothing is Markdown's.
func (m *marker) verbatim(text string) {
	if text = plain.Visible(strings.ToValidUTF8(text, "\ufffd")); m.pre {
		m.preText = append(m.preText, text...)
		return
	}
	if m.table != nil && m.code == 0 {
		text = strings.ReplaceAll(text, "|", `\|`)
	}
	m.space()
	m.line = append(m.line, text...)
}

func (m *marker) image() {
	if formula := m.picture(); formula != "" {
		m.verbatim(formula)
		return
	}
	a := m.attrs("alt", "src")
	alt := plain.OneLine(a[0])
	if alt == "" || m.pre || m.code > 0 {
		return
	}
	u := m.address(a[1])
	m.space()
	if u == "" {
		m.line = append(m.line, alt...)
		return
	}
	m.line = append(m.line, "!["+withoutBrackets.Replace(alt)+"]("+u+")"...)
}

func (m *marker) breakLine() {
	switch {
	case m.pre:
		// The end of an element with a line of its own adds nothing to it.
		m.preText, m.lineFresh = append(m.preText, '\n'), false
	case m.table != nil || m.heading > 0 || len(m.marks) > 0 || m.code > 0:
		m.gap = true
	case len(m.line) > 0 && m.line[len(m.line)-1] != '\n':
		m.line, m.gap = append(m.line, "  \n"...), false
	}
}
