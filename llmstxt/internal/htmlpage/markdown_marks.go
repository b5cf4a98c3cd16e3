package htmlpage

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Links and emphasis in the Markdown that a page becomes. Markdown takes a sign of emphasis
// for one between some characters only: "**Note:**The" shows its asterisks, and so do signs
// in a row. So a sign is written where it will be taken for one. Elsewhere punctuation moves
// out of it, or the text stands without it.

// open begins a link or an emphasis.
func (m *marker) open(tag atom.Atom, sign, href string) {
	if m.pre || m.code > 0 {
		return
	}
	if tag == atom.A {
		m.close(atom.A) // links do not nest
		if href == "" || href[0] == '#' {
			return
		}
	}
	if len(m.marks) == maxMarks {
		m.marks = append(m.marks[:0], m.marks[1:]...)
	}
	for i := range m.marks {
		if m.marks[i].sign == sign {
			sign = "" // emphasis in the same one
		}
	}
	m.marks = append(m.marks, tagMark{tag: tag, at: len(m.line), sign: sign, href: href})
}

// partLinks parts a link, whose start tag was just read, from one right before it, as a layout does with
// two that are shown as buttons or in a card.
func (m *marker) partLinks() {
	if m.lexer.start == m.linkEnd && m.code == 0 && !m.pre && beginsText(m.line, utf8.AppendRune(nil, m.ahead(false))) {
		m.gap = true
	}
}

// close ends the innermost mark of this element, and those within it.
func (m *marker) close(tag atom.Atom) {
	for i := len(m.marks) - 1; i >= 0; i-- {
		if m.marks[i].tag == tag {
			next := ' '
			if len(m.line) > m.marks[i].at { // or there is nothing to put signs around
				next = m.ahead(false)
			}
			for len(m.marks) > i {
				m.closeLast(next)
			}
			return
		}
	}
}

func (m *marker) closeAll() {
	if m.code > 0 {
		m.code = 1
		m.closeCode()
	}
	for len(m.marks) > 0 {
		m.closeLast(' ')
	}
}

// closeLast ends the innermost mark. Behind it stands next.
func (m *marker) closeLast(next rune) {
	k := m.marks[len(m.marks)-1]
	m.marks = m.marks[:len(m.marks)-1]
	if k.at > len(m.line) {
		return
	}
	whole := m.line[k.at:]
	text := string(bytes.TrimSpace(whole))
	lead := len(whole) > 0 && text != "" && plain.IsSpace(rune(whole[0]))
	switch {
	case k.tag == atom.A && isPermalink(text):
		m.line = m.line[:k.at]
	case text == "":
	case k.tag != atom.A:
		m.emphasis(k, text, lead, next)
	default:
		if u := m.address(k.href); u != "" {
			m.line = m.line[:k.at]
			if lead {
				m.line = append(m.line, ' ')
			}
			m.line = append(m.line, "["+text+"]("+u+")"...)
		}
	}
}

// emphasis writes the signs of a mark around its text, which ends the line. lead says that white
// space stands before it.
func (m *marker) emphasis(k tagMark, text string, lead bool, next rune) {
	if m.gap {
		next = ' '
	}
	prev := ' '
	if !lead && k.at > 0 {
		prev, _ = utf8.DecodeLastRune(m.line[:k.at])
	}
	if !lead && k.at > 0 && k.at == m.signEnd && bytes.HasSuffix(m.line[:k.at], []byte(m.signIs)) {
		// Right behind another emphasis: two signs in a row would be read as one.
		inOther := len(m.marks) > 0 && m.marks[len(m.marks)-1].at == k.at
		if k.sign == m.signIs && !inOther && mayClose(text, next) {
			m.line = append(append(m.line[:k.at-len(k.sign)], text...), k.sign...)
			m.signEnd = len(m.line)
		}
		return
	}
	head, body, tail := emphasised(prev, text, next)
	if k.sign == "" || body == "" || m.inEmphasis() && (!mayClose(body, 'a') && isPunct(next) || !mayOpen('a', body) && isPunct(prev)) {
		return // in another emphasis a sign between punctuation could be that one's end
	}
	m.line = m.line[:k.at]
	if lead {
		m.line = append(m.line, ' ')
	}
	m.line = append(append(append(append(m.line, head...), k.sign...), body...), k.sign...)
	m.signEnd, m.signIs = len(m.line), k.sign
	m.line = append(m.line, tail...)
}

// emphasised parts a text into what signs of emphasis can stand around, between prev and next, and the
// punctuation before and behind; body is empty if they cannot stand there.
func emphasised(prev rune, text string, next rune) (head, body, tail string) {
	body = text
	if !mayOpen(prev, body) {
		body = strings.TrimLeft(text, punctuation+" ")
		if head = text[:len(text)-len(body)]; head == "" || body == "" || !mayOpen(rune(head[len(head)-1]), body) {
			return "", "", ""
		}
	}
	if !mayClose(body, next) {
		whole := body
		body = strings.TrimRight(whole, punctuation)
		if tail = whole[len(body):]; tail == "" || body == "" || strings.HasSuffix(body, `\`) || !mayClose(body, rune(tail[0])) {
			return "", "", ""
		}
	}
	return head, body, tail
}

const punctuation = ":;,.!?="

// mayOpen reports whether a sign before a text and behind prev begins an emphasis, as CommonMark says.
func mayOpen(prev rune, text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return !isPunct(first) || prev == 0 || unicode.IsSpace(prev) || isPunct(prev)
}

// mayClose reports whether a sign behind a text and before next ends an emphasis.
func mayClose(text string, next rune) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	return !isPunct(last) || unicode.IsSpace(next) || isPunct(next)
}

func isPunct(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

// isTerm reports an element, whose start tag was just read, that a reader sees set apart from
// the text that it begins: the term of a definition, the title of a note or of what folds up.
func (m *marker) isTerm(tag atom.Atom) bool {
	switch tag {
	case atom.Dt, atom.Summary:
		return true
	case atom.P, atom.Div:
		for c := range strings.FieldsSeq(m.attrs("class")[0]) {
			if c == "title" || c == "rubric" || strings.HasSuffix(c, "-title") || strings.HasSuffix(c, "__title") || strings.HasPrefix(c, "admonitionHeading") {
				return true
			}
		}
	}
	return false
}

const longTerm = 300 // bytes

// mayBeBold reports the line of a term that signs can stand around: none of it has them, and it is
// no number of a note.
func mayBeBold(line []byte) bool {
	return len(line) <= longTerm && !bytes.Contains(line, []byte("**")) && !bytes.HasPrefix(line, []byte("![")) && !bytes.HasSuffix(line, []byte(`\`)) &&
		len(bytes.Trim(line, "0123456789[]().")) > 0
}

// inEmphasis reports whether signs will stand around what is on the line.
func (m *marker) inEmphasis() bool {
	for i := range m.marks {
		if m.marks[i].sign != "" {
			return true
		}
	}
	return m.term
}

// inLink reports whether a link is open.
func (m *marker) inLink() bool {
	for i := range m.marks {
		if m.marks[i].tag == atom.A {
			return true
		}
	}
	return false
}

const (
	maxAhead  = 16 // tokens
	farAhead  = 4 << 10
	longRune  = 64 // bytes of a character with those before it that nobody sees
	anyLetter = 'a'
)

// ahead is the character that comes next on the line, ' ' at its end. With written it may be
// that of Markdown for a tag, without it is the page's.
func (m *marker) ahead(written bool) rune {
	look := lexer{page: m.page[:min(len(m.page), m.pos+farAhead)], pos: m.pos}
	for range maxAhead {
		kind := look.next()
		switch kind {
		case endOfPage:
			if look.pos < len(m.page) {
				return anyLetter
			}
			return ' '
		case textToken:
			text := look.bytes()
			text = text[:min(len(text), longRune)]
			for _, r := range plain.Visible(strings.ToValidUTF8(html.UnescapeString(string(text)), "")) {
				if plain.IsSpace(r) {
					return ' '
				}
				return r
			}
			continue
		case otherToken:
			continue
		}
		if r := m.signOf(&look, kind == startTag, written); r != 0 {
			return r
		}
	}
	return anyLetter
}

// signOf is what the tag that look has read puts on the line; 0: nothing.
func (m *marker) signOf(look *lexer, start, written bool) rune {
	switch look.tag {
	case atom.Strong, atom.B, atom.Em, atom.I, atom.Del, atom.S, atom.Strike:
		if written {
			return '*'
		}
	case atom.A:
		switch href := ""; {
		case start:
			if href = look.attrs("href")[0]; href != "" && href[0] != '#' {
				return '['
			}
		case written && m.inLink():
			return ']'
		}
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		if start {
			return '`'
		}
	case atom.Img:
		switch alt := look.attrs("alt")[0]; {
		case alt != "" && written:
			return '!'
		case alt != "":
			return anyLetter
		}
	case atom.Sup, atom.Math, atom.Script, atom.Style, atom.Noscript, atom.Iframe, atom.Svg, atom.Button, atom.Select:
		return anyLetter // or nothing: so it is not relied on
	case atom.Br, atom.Hr, atom.Table, atom.Tr, atom.Td, atom.Th, atom.Li, atom.Pre, atom.Textarea, atom.Form:
		return ' '
	default:
		if ownLine(look.tag) || standsAlone(look.tag) {
			return ' '
		}
	}
	return 0
}

// address makes a link's target absolute; "" of what is not worth a link.
func (m *marker) address(href string) string {
	return linkTarget.Replace(plain.Visible(strings.ToValidUTF8(m.resolve(href), "")))
}

var linkTarget = strings.NewReplacer("(", "%28", ")", "%29", " ", "%20")

// isPermalink reports the sign of a heading's own address.
func isPermalink(text string) bool {
	switch text {
	case "¶", "#", "§", "🔗", "⚓", "◆", "Permalink":
		return true
	}
	return false
}
