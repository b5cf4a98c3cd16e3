package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Links within the page in the Markdown that it becomes, and what a reader of the page sees
// only when it is chosen. A sign of a note stays, in brackets, since the note does; the way
// back from a note and a heading's own address are nothing to read.

// innerLink takes a link to a place on the page whose start tag was just read, and reports
// whether that was all of it.
func (m *marker) innerLink(class, role string) bool {
	text, raised, end := m.linkText()
	if end == 0 || m.pre || m.code > 0 {
		return false
	}
	switch {
	case isPermalink(text), isWayBack(text):
	case raised || role == "doc-noteref" || hasWord(class, "footnote", "footnotes", "noteref"):
		sign := noteSign(text)
		if sign == "" {
			return false
		}
		m.gap = false // it belongs to the word before it
		m.line = append(m.line, sign...)
	default:
		return false
	}
	m.pos = end
	return true
}

// linkText is the text of a link whose start tag was just read, whether it is nothing but a
// superscript, and where its end tag ends; 0 if it is long.
func (l *lexer) linkText() (text string, raised bool, end int) {
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxNoteSign)], pos: l.pos}
	var b []byte
	for kind, first := look.next(), true; kind != endOfPage; kind, first = look.next(), false {
		switch {
		case kind == startTag && first && look.tag == atom.Sup:
			raised = true
		case kind == startTag && (look.tag == atom.A || look.tag == atom.Img || look.tag == atom.Svg):
			return "", false, 0
		case kind == textToken:
			b = append(b, look.bytes()...)
		case kind == endTag && look.tag == atom.A:
			return plain.OneLine(html.UnescapeString(string(b))), raised, look.pos
		}
	}
	return "", false, 0
}

// noteSign is the sign of a note as a text shows it: "[1]", "[a]", "[*]"; "" of what is none.
func noteSign(text string) string {
	inner := strings.TrimSpace(strings.Trim(text, "[]()"))
	if inner == "" || len(inner) > maxSign || strings.ContainsAny(inner, "[]<>\\`") {
		return ""
	}
	return "[" + strings.ReplaceAll(inner, "*", `\*`) + "]"
}

const maxSign = 8 // bytes of "note 12" and the like

// noteSigns writes the signs in a superscript that leadsToNote has found, those that are
// links within the page: what others say is not there to be looked up.
func (m *marker) noteSigns() {
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxNoteSign)], pos: m.pos}
	for kind := look.next(); kind != endOfPage && !(kind == endTag && look.tag == atom.Sup); kind = look.next() {
		if kind != startTag || look.tag != atom.A || !strings.HasPrefix(look.attrs("href")[0], "#") {
			continue
		}
		if text, _, end := look.linkText(); end > 0 {
			if sign := noteSign(text); sign != "" {
				m.gap = false
				m.line = append(m.line, sign...)
			}
			look.pos = end
		}
	}
}

// isWayBack reports the text of a link from a note to where its sign stands.
func isWayBack(text string) bool {
	switch strings.TrimRight(text, "\ufe0e\ufe0f") {
	case "↩", "↑", "^", "⤴", "↵", "⏎", "⇑", "🔙":
		return true
	}
	return false
}

// Tabs. The panels that nobody has chosen yet are hidden. Each is written behind its name.

const (
	maxTabList = 8 << 10 // bytes of the names of tabs
	maxTabs    = 32
)

// openTabs reads the names of a list of tabs whose start tag was just read. Those of a list
// in a panel come first.
func (m *marker) openTabs() {
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxTabList)], pos: m.pos}
	list, depth := m.tag, 1
	var names []string
	var name []byte
	in, inDepth := atom.Atom(0), 0
	for kind := look.next(); kind != endOfPage && depth > 0 && len(names) < maxTabs; kind = look.next() {
		switch {
		case kind == textToken && in != 0:
			name = append(name, look.bytes()...)
		case kind == startTag:
			if look.tag == list {
				depth++
			}
			if in == 0 && (look.tag == atom.Label || look.attrs("role")[0] == "tab") {
				in, inDepth, name = look.tag, 1, name[:0]
			} else if look.tag == in && in != 0 {
				inDepth++
			}
		case kind == endTag:
			if look.tag == list {
				depth--
			}
			if look.tag == in && in != 0 {
				if inDepth--; inDepth == 0 {
					in = 0
					names = append(names, plain.OneLine(html.UnescapeString(string(name))))
				}
			}
		}
	}
	m.tabs = append(names, m.tabs[:min(len(m.tabs), maxTabs)]...)
	m.tabbed = m.tabbed || len(names) > 0
}

// labels reports the class of a <div>, whose start tag was just read, that holds nothing but the
// labels of tabs: those of Material for MkDocs and of VitePress.
func (m *marker) labels(class string) bool {
	switch class {
	case "tabbed-labels":
		return true
	case "tabs":
		look := m.lexer
		kind := look.next()
		if kind == textToken && len(bytes.TrimSpace(look.bytes())) == 0 {
			kind = look.next()
		}
		return kind == startTag && (look.tag == atom.Input || look.tag == atom.Label)
	}
	return false
}

// isPanel reports the class of a panel of such tabs.
func isPanel(class string) bool {
	return class == "tabbed-block" || strings.HasPrefix(class, "language-")
}

// openPanel writes the name of a tab before its panel.
func (m *marker) openPanel() {
	m.flush()
	if len(m.tabs) == 0 {
		return
	}
	name := m.tabs[0]
	m.tabs = m.tabs[1:]
	if name = plain.Visible(strings.ToValidUTF8(name, "")); name != "" {
		m.line = append(m.line, "**"+strings.NewReplacer("*", `\*`, "`", "\\`", "|", `\|`).Replace(name)+"**"...)
		m.flush()
	}
}

// rule writes the line that waits for something to stand below it.
func (m *marker) writeRule() {
	if !m.rule {
		return
	}
	m.rule = false
	if len(m.out) > 0 && !bytes.HasSuffix(m.out, []byte("\n---\n")) {
		m.out = append(m.out, "\n---\n"...)
		m.wasItem, m.together = false, false
	}
}
