package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Mathematics. KaTeX, MathJax and wikis put TeX beside what a browser shows of it: in an
// annotation of MathML, or as the name of a picture. TeX between dollars is what Markdown has.

// formula passes over the element of MathML whose start tag was just read and returns its
// TeX, else its text; "" if the element does not end.
func (l *lexer) formula() string {
	if l.noMath {
		return ""
	}
	n := bytes.Index(l.page[l.pos:], []byte("</math"))
	if n < 0 {
		l.noMath = true // or each that follows would look for it again
		return ""
	}
	in := lexer{page: l.page[l.pos : l.pos+n]}
	tex, said := "", mathText{}
	if l.name < l.pos-1 {
		if alt := plain.OneLine(l.attrs("alttext")[0]); strings.ContainsAny(alt, `\^_{`) {
			tex = alt // LaTeXML's; of others it is words
		}
	}
	annotation := false
	for kind := in.next(); kind != endOfPage; kind = in.next() {
		name := ""
		if kind == startTag || kind == endTag {
			name = strings.ToLower(strings.Trim(string(in.page[in.start:in.name]), "</"))
		}
		switch {
		case kind == startTag && name == "annotation":
			annotation = true
			if in.attrs("encoding")[0] == "application/x-tex" && in.next() == textToken {
				tex = plain.OneLine(in.text(maxText))
			}
		case kind == startTag && in.tag == atom.AnnotationXml:
			annotation = true
		case kind == endTag && (name == "annotation" || in.tag == atom.AnnotationXml):
			annotation = false
		case annotation:
		case kind == startTag && in.page[in.pos-2] != '/':
			said.begin(name)
		case kind == endTag:
			said.end(name)
		case kind == textToken && len(said.text) < maxText:
			said.write(in.text(maxText))
		}
	}
	if l.pos += n; l.next() != endTag {
		return ""
	}
	if tex != "" {
		return dollars(tex)
	}
	return plain.OneLine(string(said.text))
}

// picture is the TeX of a formula's picture, the image whose start tag was just read; "" of others.
func (l *lexer) picture() string {
	a := l.attrs("alt", "class")
	alt := plain.OneLine(a[0])
	if alt != "" && (hasWord(a[1], "math", "mwe", "latex", "tex", "formula") || isTeX(alt)) {
		return dollars(alt)
	}
	return ""
}

// isTeX reports the name of a picture that is nothing but a formula with its signs.
func isTeX(alt string) bool {
	for _, signs := range teXSigns {
		if inner, ok := strings.CutPrefix(alt, signs[0]); ok && len(inner) > len(signs[1]) && strings.HasSuffix(inner, signs[1]) {
			return true
		}
	}
	return false
}

// teXSigns stand around a formula in TeX.
var teXSigns = [...][2]string{{"$", "$"}, {`\(`, `\)`}, {`\[`, `\]`}}

const maxTeX = 4 << 10 // bytes of a formula within a text

// A teXFinder finds the formulas within a text by the signs that MathJax looks for. It looks
// for each sign once, so that many signs that begin nothing cost no more than others.
type teXFinder struct {
	text string
	ends [len(mathJaxSigns)]int // where each closing sign stands next; 0: not looked for yet
}

var mathJaxSigns = [...][2]string{{"$$", "$$"}, teXSigns[1], teXSigns[2]}

// endOf is where the formula ends that begins at a place of the text; that place where none
// begins. The places do not decrease.
func (f *teXFinder) endOf(at int) int {
	if f.text[at] != '\\' && f.text[at] != '$' {
		return at
	}
	for i, signs := range mathJaxSigns {
		if !strings.HasPrefix(f.text[at:], signs[0]) {
			continue
		}
		begin := at + len(signs[0])
		if f.ends[i] < begin {
			f.ends[i] = len(f.text)
			if n := strings.Index(f.text[begin:], signs[1]); n >= 0 {
				f.ends[i] = begin + n
			}
		}
		if end := f.ends[i]; begin < end && end < len(f.text) && end-begin <= maxTeX {
			return end + len(signs[1])
		}
	}
	return at
}

// dollars puts TeX between its signs. MediaWiki says first how large it is.
func dollars(tex string) string {
	for _, size := range []string{`{\displaystyle `, `{\textstyle `} {
		if inner, ok := strings.CutPrefix(tex, size); ok && strings.HasSuffix(inner, "}") {
			tex = strings.TrimSpace(strings.TrimSuffix(inner, "}"))
		}
	}
	for _, signs := range teXSigns[1:] {
		if inner, ok := strings.CutPrefix(tex, signs[0]); ok && strings.HasSuffix(inner, signs[1]) {
			tex = strings.TrimSpace(strings.TrimSuffix(inner, signs[1]))
		}
	}
	if tex == "" || strings.HasPrefix(tex, "$") {
		return tex
	}
	return "$" + tex + "$"
}

// asText adds a formula to a page as text.
func asText(out []byte, formula string) []byte { return append(out, html.EscapeString(formula)...) }
