package htmlpage

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The text of MathML that has no TeX beside it. What a browser shows by its place, such as
// fractions, exponents and roots, gets signs that stand in a line: (a+b)/2, x^2, √(a).

// maxFormulas is how many elements in each other have their signs.
const maxFormulas = 32

// mathText is a formula's text while it is read.
type mathText struct {
	text  []byte
	open  []mathElement
	extra int  // elements that are open below those
	name  bool // the last text was a name of several letters
}

// mathElement is one that is open.
type mathElement struct {
	name  string
	at    int // where its text begins
	parts int // elements in it that are read
}

// betweenParts are the signs before the second and the third part of an element.
var betweenParts = map[string][2]string{"mfrac": {"/"}, "msup": {"^"}, "msub": {"_"}, "msubsup": {"_", "^"},
	"munder": {"_"}, "mover": {"^"}, "munderover": {"_", "^"}, "mroot": {"^(1/"}}

func (m *mathText) begin(name string) {
	if len(m.open) == maxFormulas {
		m.extra++
		return
	}
	m.open = append(m.open, mathElement{name: name, at: len(m.text)})
}

func (m *mathText) write(s string) {
	s = plain.OneLine(s)
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRune(m.text)
	name := unicode.IsLetter(first) && utf8.RuneCountInString(s) > 1
	if n := len(m.open); unicode.IsLetter(first) && unicode.IsLetter(last) && (name || m.name) && (n < 2 || betweenParts[m.open[n-2].name] == [2]string{}) {
		m.text = append(m.text, ' ') // "sin x"
	}
	if s != "" {
		m.name = name
	}
	m.text = append(m.text, s...)
}

func (m *mathText) end(name string) {
	if m.extra > 0 {
		m.extra--
		return
	}
	n := len(m.open) - 1
	if n < 0 || m.open[n].name != name {
		return
	}
	e := m.open[n]
	m.open = m.open[:n]
	part := string(m.text[e.at:])
	if e.name == "msqrt" {
		part = "√(" + part + ")"
	}
	if n > 0 {
		outer := &m.open[n-1]
		if signs, ok := betweenParts[outer.name]; ok {
			if outer.name != "mroot" || outer.parts == 0 {
				part = grouped(part)
			}
			if outer.parts > 0 && outer.parts <= len(signs) && part != "" {
				part = signs[outer.parts-1] + part
			}
			if outer.name == "mroot" && outer.parts == 1 {
				part += ")"
			}
			outer.parts++
		}
	}
	m.text = append(m.text[:e.at], part...)
}

// grouped puts a part of more than a name or a number between parentheses.
func grouped(part string) string {
	if utf8.RuneCountInString(part) <= 1 || strings.Trim(part, "0123456789.") == "" {
		return part
	}
	return "(" + part + ")"
}
