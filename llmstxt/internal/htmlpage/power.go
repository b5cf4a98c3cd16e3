package htmlpage

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Powers. Without its place above the line the exponent of 10<sup>6</sup> makes another
// number, so it gets the sign that programs write: 10^6, 2^(n-1). The same element holds
// the signs of notes, the ends of ordinals (2nd, M<sup>me</sup>) and trade marks.

const (
	maxExponent = 16
	maxBase     = 40
)

// power is an exponent with its sign if that is what is raised behind a text, else "".
func power(before []byte, raised string) string {
	exponent := strings.ReplaceAll(plain.OneLine(raised), " ", "")
	number, expression := exponentOf(exponent)
	if !number && !expression || len(before) == 0 || !isBase(before, exponent, number) {
		return ""
	}
	if utf8.RuneCountInString(exponent) == 1 || strings.Trim(exponent, "0123456789") == "" {
		return "^" + exponent
	}
	return "^(" + exponent + ")"
}

// exponentOf reports a whole number without a sign, and anything else that is one of no note:
// -1, n, n-1, 2n, 1/2.
func exponentOf(s string) (number, expression bool) {
	if s == "" || len(s) > maxExponent {
		return false, false
	}
	digits, letters, signs := 0, 0, 0
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9':
			digits++
		case strings.ContainsRune("+-−–*/·", r):
			signs++
		case strings.ContainsRune("().", r):
		case unicode.IsLetter(r):
			letters++
		default:
			return false, false
		}
	}
	switch {
	case digits == len(s):
		return true, false
	case letters == 0:
		return false, digits > 0 && signs > 0
	case len(s) == 1:
		return false, strings.Contains("nmkijxypqNMT", s)
	case letters == 1 && signs == 0: // 2n, and not 1a
		return false, digits > 0 && strings.HasSuffix(s, "n")
	}
	return false, letters <= 3 && signs > 0
}

// baseUnits are words that have exponents, units and functions.
var baseUnits = plain.Set("km cm mm dm nm pm fm hm µm μm ft yd mi sin cos tan sinh cosh tanh log ln exp")

// isBase reports a text whose end may have an exponent: a number, one letter, what stands
// in parentheses, or, for an exponent that no note has, the name of a unit.
func isBase(before []byte, exponent string, number bool) bool {
	before = bytes.TrimRight(before[max(0, len(before)-maxBase):], "*_`")
	last, _ := utf8.DecodeLastRune(before)
	word := before
	inWord := func(r rune) bool { return unicode.IsLetter(r) || '0' <= r && r <= '9' || r == '\'' || r == '’' }
	if i := bytes.LastIndexFunc(before, func(r rune) bool { return !inWord(r) }); i >= 0 {
		_, size := utf8.DecodeRune(before[i:])
		word = before[i+size:]
	}
	word = bytes.TrimLeft(word, "'’")
	switch {
	case '0' <= last && last <= '9':
		digits := bytes.TrimLeft(word, "0123456789")
		if len(digits) > 0 {
			return !number // a name such as x86
		}
		if number && isMoney(before) {
			return false // "$4.99", with a note
		}
		// "in 1999", with a note
		year := len(word) == 4 && (word[0] == '1' && word[1] >= '8' || word[0] == '2' && word[1] == '0')
		return !year || !number || len(exponent) > 2
	case last == ')':
		i := bytes.LastIndexByte(before, '(')
		return i >= 0 && !longWord(before[i:])
	case unicode.IsLetter(last):
		if utf8.RuneCount(word) == 1 {
			return true
		}
		return strings.HasPrefix(exponent, "-") || strings.HasPrefix(exponent, "−") || strings.HasPrefix(exponent, "–") || baseUnits[string(word)]
	}
	return false
}

// isMoney reports an amount with the sign of its currency before it.
func isMoney(text []byte) bool {
	text = bytes.TrimRight(bytes.TrimRight(text, "0123456789.,"), " \u00a0")
	sign, _ := utf8.DecodeLastRune(text)
	return unicode.Is(unicode.Sc, sign)
}

// afterWord reports a text behind which a raised number, which is no exponent, is the sign of
// a note: a number, a sentence or a word. CO² may mean what it says.
func afterWord(before []byte) bool {
	before = bytes.TrimRight(before, "*_`")
	last, size := utf8.DecodeLastRune(before)
	return size > 0 && (!unicode.IsLetter(last) || unicode.IsLower(last) && longWord(before[max(0, len(before)-4):]))
}

// longWord reports prose: a word of more than two letters.
func longWord(text []byte) bool {
	run := 0
	for _, r := range string(text) {
		if run++; !unicode.IsLetter(r) {
			run = 0
		}
		if run > 2 {
			return true
		}
	}
	return false
}

// power reads the superscript whose start tag was just read if it is an exponent of what
// stands before it.
func (l *lexer) power(before []byte) string {
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxNoteSign)], pos: l.pos}
	var text []byte
	for {
		switch kind := look.next(); {
		case kind == endOfPage, kind == startTag && (look.tag == atom.A || look.tag == atom.Sup || look.tag == atom.Sub):
			return ""
		case kind == textToken:
			text = append(text, look.bytes()...)
		case kind == endTag && look.tag == atom.Sup:
			p := power(before, html.UnescapeString(string(text)))
			if p != "" {
				l.pos = look.pos
			}
			return p
		}
	}
}

// raised takes a superscript of a Markdown text.
func (m *marker) raised(closed bool) {
	before := m.line
	if m.gap || m.pre {
		before = nil
	}
	if m.leadsToNote() {
		m.noteSigns()
		m.skipping(atom.Sup, closed)
	} else if p := m.power(before); p != "" {
		m.line = append(m.line, p...)
	} else if m.onlyDigits(atom.Sup) && afterWord(m.line) {
		m.skipping(atom.Sup, closed)
	}
}

// powerOf is the same of an element of a tree.
func powerOf(before []byte, sup *html.Node) string {
	for c := range sup.Descendants() {
		if c.DataAtom == atom.A || c.DataAtom == atom.Sup || c.DataAtom == atom.Sub {
			return ""
		}
	}
	return power(before, nodeText(sup))
}
