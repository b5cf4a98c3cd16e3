package htmlpage

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// Code of the Markdown that a page becomes. Its lines end where the text has line feeds,
// and where an element ends that stands on a line of its own; the numbers of lines are no
// code. Doxygen writes it without <pre>, each line in a <div>.

func (m *marker) openPre() {
	if m.pre {
		return
	}
	m.flush()
	m.pre, m.preText, m.lineFresh, m.divs, m.changes = true, m.preText[:0], false, 0, m.changes[:0]
	m.lang = cmp.Or(m.ownLanguage(), m.around)
}

// listing opens the code of a <div> that was just opened, if it holds some.
func (m *marker) listing() bool {
	if m.attrs("class")[0] != "fragment" {
		return false
	}
	look := m.lexer
	kind := look.next()
	if kind == textToken && len(bytes.TrimSpace(look.bytes())) == 0 {
		kind = look.next()
	}
	if kind != startTag || look.tag != atom.Div || look.attrs("class")[0] != "line" {
		return false
	}
	m.openPre()
	m.divs = 1
	return true
}

// inCode takes a start tag in code and reports whether that was all.
func (m *marker) inCode(tag atom.Atom, closed bool) bool {
	switch tag {
	case atom.Span, atom.A, atom.Td, atom.Div, atom.I, atom.Li, atom.P:
		a := m.attrs("class", "hidden", "aria-hidden", "style")
		if a[1] != "" || a[2] == "true" || hiddenStyle(a[3]) || leadsToSource(a[0]) || numbersLines(a[0]) && m.onlyDigits(tag) {
			m.skipping(tag, closed)
			m.numbered = true
			return true
		}
		if tag == atom.Span && ownLineStyle(a[3]) {
			m.newLine()
		}
	}
	if m.divs > 0 && tag == atom.Div && !closed {
		m.divs++
	}
	own := ownLine(tag)
	if own {
		m.newLine()
		m.lineFresh = true
	}
	m.noteChange(tag)
	return own
}

// outOfCode takes an end tag in code and reports whether that was all.
func (m *marker) outOfCode(tag atom.Atom) bool {
	if m.divs > 0 && tag == atom.Div {
		if m.divs--; m.divs == 0 {
			m.endPre()
			return true
		}
	}
	if !ownLine(tag) {
		return false
	}
	if m.lineFresh {
		m.preText = append(m.preText, '\n')
	} else {
		m.newLine()
	}
	m.lineFresh = false
	return true
}

// codeText takes a text of code.
func (m *marker) codeText(text string) {
	if m.divs == 1 && strings.TrimSpace(text) == "" {
		return // between lines
	}
	if m.numbered {
		text = strings.TrimPrefix(text, "\u00a0")
	}
	m.numbered = false
	if text == "" {
		return
	}
	m.lineFresh = false
	m.preText = append(m.preText, strings.ReplaceAll(text, "\u00a0", " ")...)
}

func (m *marker) newLine() {
	if n := len(m.preText); n > 0 && m.preText[n-1] != '\n' {
		m.preText = append(m.preText, '\n')
	}
}

// ownLine reports an element that stands on a line of its own in code.
func ownLine(tag atom.Atom) bool {
	switch tag {
	case atom.Div, atom.P, atom.Li, atom.Tr, atom.Ol, atom.Ul, atom.Table, atom.Tbody, atom.Section, atom.Figure, atom.Figcaption, atom.Blockquote, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return true
	}
	return false
}

// ownLineStyle reports a style that gives its element a line of its own.
func ownLineStyle(style string) bool {
	_, display, ok := strings.Cut(strings.ReplaceAll(style, " ", ""), "display:")
	display, _, _ = strings.Cut(display, ";")
	return ok && (display == "block" || display == "flex" || display == "grid" || display == "table-row")
}

// leadsToSource reports the class of Sphinx's links between a program's text and what is said of it,
// "[docs]" and "[source]", which are no part of either.
func leadsToSource(class string) bool {
	return strings.Contains(class, "viewcode-") && (class == "viewcode-back" || class == "viewcode-link")
}

var lineNumbers = map[string]bool{"lineno": true, "linenos": true, "lineNo": true, "line-no": true, "linenumber": true, "linenumbers": true, "lineNumber": true,
	"line-number": true, "line-numbers": true, "ln": true, "lnt": true, "gutter": true, "rouge-gutter": true, "code-gutter": true, "hljs-ln-numbers": true,
	"blob-num": true, "react-syntax-highlighter-line-number": true}

// numbersLines reports class names of what stands before a line of code.
func numbersLines(class string) bool {
	for c := range strings.FieldsSeq(class) {
		if lineNumbers[c] {
			return true
		}
	}
	return false
}

// onlyDigits reports an element, whose start tag was just read, with nothing but digits.
func (l *lexer) onlyDigits(tag atom.Atom) bool {
	look := lexer{page: l.page, pos: l.pos}
	depth := 1
	for range maxNumberTokens {
		switch kind := look.next(); {
		case kind == endOfPage:
			return false
		case kind == startTag && look.tag == tag:
			depth++
		case kind == endTag && look.tag == tag:
			if depth--; depth == 0 {
				return true
			}
		case kind == textToken && !areDigits(look.bytes()):
			return false
		}
	}
	return false
}

const maxNumberTokens = 16 // of what stands before a line, or all lines, of code

var noSpace = strings.NewReplacer("&#160;", " ", "&nbsp;", " ", "\u00a0", " ")

func areDigits(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && !isTagSpace(c) {
			return strings.Trim(noSpace.Replace(string(text)), "0123456789 \t\r\n") == ""
		}
	}
	return true
}

// languageAround notes the language that a <div> or a <figure> names for the code in it, as
// highlighters of other formats do: "highlight-python notranslate", "highlight highlight-source-shell",
// "highlight python".
func (m *marker) languageAround(class string) {
	lang := strings.TrimPrefix(codeLanguage(class), "source-")
	if lang == "" && hasWord(class, "highlight") {
		lang = bareLanguage(class)
	}
	if lang != "" && !layoutWords[lang] && !strings.Contains(class, "lang-"+lang) {
		m.around = lang
	}
}

// layoutWords are what stands behind "highlight-" and is no language.
var layoutWords = plain.Set("default none box block body wrapper wrap container content inner area toolbar lines title text")

// ownLanguage is the language that the element of code whose start tag was just read names, as
// most highlighters do or as Pandoc and TypeDoc do, whose class is the language itself.
func (l *lexer) ownLanguage() string {
	a := l.attrs("class", "data-language", "data-lang", "language")
	lang := cmp.Or(codeLanguage(a[0]), codeLanguage("language-"+cmp.Or(a[1], a[2], a[3])))
	return cmp.Or(lang, bareLanguage(a[0]))
}

// bareLanguage is the class name that is a language, or names the tab of one, as in Slate: "tab-ruby".
func bareLanguage(class string) string {
	for w := range strings.FieldsSeq(class) {
		if w = strings.TrimPrefix(w, "tab-"); languages[w] {
			return w
		}
	}
	return ""
}

// languages are names that classes of code have, and that mean nothing else.
var languages = plain.Set(`bash sh shell zsh fish powershell console javascript js jsx typescript ts tsx python py ruby rb golang rust java kotlin scala swift
	csharp cpp objectivec php perl lua haskell hs elixir erlang clojure ocaml julia dart fortran json json5 jsonc yaml yml toml ini xml html css scss less sql graphql
	protobuf dockerfile makefile cmake nix markdown md latex tex vue svelte diff`)

// codeLanguage is the language that class names give.
func codeLanguage(class string) string {
	for w := range strings.FieldsSeq(class) {
		for _, sign := range []string{"language-", "lang-", "highlight-", "brush:"} {
			if l, ok := strings.CutPrefix(w, sign); ok && l != "" && len(l) < 20 && strings.IndexFunc(l, func(r rune) bool { return r >= 0x80 || !plain.IsWordByte(byte(r)) && r != '+' && r != '-' && r != '#' }) < 0 {
				return l
			}
		}
	}
	return ""
}

func (m *marker) endPre() {
	if !m.pre {
		return
	}
	m.pre, m.divs = false, 0
	text := m.withSigns(m.preText)
	m.preText = m.preText[:0]
	if bytes.Contains(text, []byte("\r\n")) {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	if text = bytes.Trim(text, "\n"); len(bytes.TrimSpace(text)) == 0 || m.gutter(text) {
		return // the code is still to come
	}
	m.around = ""
	if m.table != nil && m.table.inCell {
		m.space()
		m.openCode()
		m.line = append(m.line, plain.Collapse(string(text))...)
		m.closeCode()
		return
	}
	fence := []byte("```")
	for bytes.Contains(text, fence) && len(fence) < 12 {
		fence = append(fence, '`')
	}
	m.block([]byte(string(fence)+m.lang), text, fence)
}
