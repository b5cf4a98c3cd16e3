package htmlpage

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Links within the page in the Markdown that it becomes, and what a reader of the page sees
// only when it is chosen. A sign of a note stays, in brackets, since the note does; the way
// back from a note, a heading's own address and "More..." to what follows are nothing to read.

// innerLink takes a link to a place on the page whose start tag was just read, and reports
// whether that was all of it.
func (m *marker) innerLink(class, role string) bool {
	text, raised, end := m.linkText()
	if end == 0 || m.pre || m.code > 0 {
		return false
	}
	switch {
	case isPermalink(text), isWayBack(text), IsMore(text), namesPlace(text) && (m.heading > 0 || len(m.line) == 0), m.unfolds(class, text, end):
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

// namesPlace reports the words that ExDoc writes for screen readers into a link to the place where
// it stands: "Link to this section".
func namesPlace(text string) bool {
	what, ok := strings.CutPrefix(text, "Link to this ")
	return ok && len(what) <= maxPlace && !strings.Contains(what, " ")
}

const maxPlace = 20 // bytes of the word for a place: "section", "function"

// leadsWithin reports the address of a place on the page. That of "More..." may have the page's
// own name in it.
func (m *marker) leadsWithin(href string) bool {
	return strings.HasPrefix(href, "#") || bytes.HasPrefix(m.page[m.pos:], []byte("More")) && strings.Contains(href, "#") && m.resolve(href) == ""
}

// maxRemark is how many bytes of a page a remark has, at most.
const maxRemark = 16 << 10

// remark reports an <aside>, whose start tag was just read, that has no name and is nothing but
// text: what the text itself sets apart, as odoc does with all that is said between the values
// of a module. A side bar has headings, controls or lists of links.
func (m *marker) remark() bool {
	if m.attrs("class", "id", "role", "aria-label", "aria-labelledby", "hidden", "aria-hidden", "style") != [8]string{} {
		return false
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxRemark)], pos: m.pos}
	said, linked, link := 0, 0, false
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken:
			n := len(bytes.TrimSpace(look.bytes()))
			if said += n; link {
				linked += n
			}
		case kind == endTag && look.tag == atom.Aside:
			return said >= leastParagraph && 2*linked < said
		case kind != startTag && kind != endTag:
		case look.tag == atom.A:
			link = kind == startTag
		case barsRemark(look.tag):
			return false
		}
	}
	return false
}

// textBox reports an element named a side bar, or an <aside>, whose start tag was just read, that
// the text itself sets apart: in DocBook and docutils it begins with its title, in no heading. It
// says more than it leads to.
func (m *marker) textBox(tag atom.Atom, class string) bool {
	names := strings.Fields(class)
	if tag != atom.Aside && (tag != atom.Div || !slices.Contains(names, "sidebar")) {
		return false
	}
	for _, name := range names {
		if name != "sidebar" && isPeripheral(name, "") {
			return false // an advertisement, or what leads to related pages
		}
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxRemark)], pos: m.pos}
	said, linked, depth, link, titled := 0, 0, 1, false, false
	for kind := look.next(); kind != endOfPage && depth > 0; kind = look.next() {
		switch {
		case kind == textToken:
			n := len(bytes.TrimSpace(look.bytes()))
			if n > 0 && !titled {
				return false
			}
			if said += n; link {
				linked += n
			}
		case kind == endTag && look.tag == tag:
			depth--
		case kind != startTag && kind != endTag:
		case look.tag == atom.A:
			link = kind == startTag && look.page[look.pos-2] != '/'
		case kind == startTag:
			name := look.attrs("class")[0]
			if !titled && look.tag == atom.P && hasWord(name, "title") || look.tag == atom.Div && name == "titlepage" {
				titled = true
			}
			if !titled || look.tag == atom.Nav || look.tag == atom.Form || look.tag == tag && name == class && name != "" {
				return false
			}
			if look.tag == tag && look.page[look.pos-2] != '/' {
				depth++
			}
		}
	}
	return titled && 2*linked < said
}

func barsRemark(tag atom.Atom) bool {
	switch tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Aside, atom.Nav, atom.Form, atom.Input, atom.Button, atom.Select,
		atom.Img, atom.Picture, atom.Iframe, atom.Header, atom.Footer, atom.Section, atom.Article, atom.Script, atom.Svg:
		return true
	}
	return false
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

// saysLabel reports an element, whose start tag was just read, that shows what the one around it
// is called: hidden from those who hear the page, because they hear that name already.
func (m *marker) saysLabel(tag atom.Atom) bool {
	if m.label == "" || tag == 0 {
		return false
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+farAhead)], pos: m.pos}
	var b []byte
	for kind := look.next(); kind != endOfPage && len(b) <= 2*len(m.label)+maxNoteSign; kind = look.next() {
		switch {
		case kind == textToken:
			b = append(b, look.bytes()...)
		case kind == endTag && look.tag == tag:
			return plain.OneLine(html.UnescapeString(string(b))) == plain.OneLine(m.label)
		case kind == startTag && look.tag == tag:
			return false
		}
	}
	return false
}

// noteSign is the sign of a note as a text shows it: "[1]", "[a]", "[*]"; "" of any other text.
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

// dropName takes back the block written last if it says only that navigation follows: "On this page".
// A heading such as "Menu" may be that of a section about menus, which shows one first.
func (m *marker) dropName() {
	block := m.out[min(m.last, len(m.out)):]
	if len(block) == 0 || len(block) > maxNavName || !Nameless(string(block)) {
		return
	}
	if text := bytes.TrimLeft(block, "> \n"); text[0] == '#' && (text[1] == ' ' || !namesContents(string(text))) {
		return
	}
	m.out, m.wasItem, m.quoted = m.out[:m.last], false, m.quoted[:0]
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

// isType reports the start tag of an <object> that embeds nothing, and that nothing ends: the type in
// "Iterator<Object>". A browser shows what follows.
func (m *marker) isType(tag atom.Atom) bool {
	return tag == atom.Object && m.pos-m.lexer.start == len("<object>")
}
