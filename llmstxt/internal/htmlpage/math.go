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
	tex, said := "", strings.Builder{}
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
		case kind == textToken && !annotation && said.Len() < maxText:
			said.WriteString(in.text(maxText))
		}
	}
	if l.pos += n; l.next() != endTag {
		return ""
	}
	if tex != "" {
		return dollars(tex)
	}
	return plain.OneLine(said.String())
}

// picture is the TeX of a formula's picture, the image whose start tag was just read; "" of others.
func (l *lexer) picture() string {
	if a := l.attrs("alt", "class"); a[0] != "" && a[1] != "" && hasWord(a[1], "math", "mwe", "latex", "tex") {
		return dollars(plain.OneLine(a[0]))
	}
	return ""
}

// dollars puts TeX between its signs. MediaWiki says first how large it is.
func dollars(tex string) string {
	for _, size := range []string{`{\displaystyle `, `{\textstyle `} {
		if inner, ok := strings.CutPrefix(tex, size); ok && strings.HasSuffix(inner, "}") {
			tex = strings.TrimSpace(strings.TrimSuffix(inner, "}"))
		}
	}
	if tex == "" || strings.HasPrefix(tex, "$") {
		return tex
	}
	return "$" + tex + "$"
}

// asText adds a formula to a page as text.
func asText(out []byte, formula string) []byte { return append(out, html.EscapeString(formula)...) }
