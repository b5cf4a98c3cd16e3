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

// What a reader sees of an element, where neither its tag nor its attributes say so: words that
// only a screen reader has, code that stands in no <pre>, the names of a table's columns.

// unseenClasses are what frameworks call texts for screen readers alone.
var unseenClasses = map[string]bool{"sr-only": true, "visually-hidden": true, "visuallyhidden": true, "screen-reader-text": true, "screen-reader-only": true,
	"visibility-hidden": true, "govuk-visually-hidden": true, "u-visually-hidden": true, "element-invisible": true, "a11y": true, "assistive": true, "show-for-sr": true,
	"method-click-advice": true, "CToolTip": true} // RDoc's "click to toggle source" and Natural Docs' texts of links, which are seen below a pointer

// forScreenReaders reports an element that is there for those who hear a page. A heading of
// the first level names the page to all.
func forScreenReaders(tag atom.Atom, class string) bool {
	if class == "" || tag == atom.H1 {
		return false
	}
	for c := range strings.FieldsSeq(class) {
		if prefix, ok := strings.CutSuffix(c, "sr-only"); unseenClasses[c] || ok && isPrefix(prefix) {
			return true
		}
	}
	return false
}

// isPrefix reports what a site has its copy of Tailwind put before all names, as "nx-", "x:" and
// "_": not when a class holds ("focus:", "md:"), and not "not-".
func isPrefix(s string) bool {
	name := strings.TrimRight(s, "-:_")
	switch name {
	case "xs", "sm", "md", "lg", "xl", "2xl", "3xl", "4xl", "ltr", "rtl", "odd", "not", "no", "un":
		return false
	}
	return name != s && len(name) <= 3 && !strings.ContainsAny(name, "-:_")
}

// isNote reports a raised text that is the sign of a note: a number, something in brackets, or
// a link to a place on the page. "TM" and the "th" of a number are not.
func isNote(sup *html.Node) bool {
	t := plain.OneLine(nodeText(sup))
	if t != "" && strings.Trim(strings.Trim(t, "[]"), "0123456789*†‡") == "" {
		return true
	}
	if len(t) <= 40 && strings.HasPrefix(t, "[") && strings.HasSuffix(t, "]") {
		return true
	}
	links := 0
	for c := range sup.ChildNodes() {
		switch {
		case c.DataAtom == atom.A && strings.HasPrefix(attr(c, "href"), "#"):
			links++
		case c.Type == html.TextNode && strings.Trim(c.Data, " \t\r\n,;") == "":
		default:
			return false
		}
	}
	return links > 0
}

const maxNoteSign = 512 // bytes of it, with its tags

// leadsToNote reports a superscript, whose start tag was just read, that is the sign of a note for
// certain: it stands in brackets, or is nothing but links within the page. A number may be a power.
func (l *lexer) leadsToNote() bool {
	look := lexer{page: l.page[l.pos:min(len(l.page), l.pos+maxNoteSign)]}
	var text []byte
	links, inLink, beside := 0, false, false
	for kind := look.next(); ; kind = look.next() {
		switch {
		case kind == endOfPage:
			return false
		case kind == endTag && look.tag == atom.Sup:
			t := plain.OneLine(html.UnescapeString(string(text)))
			return links > 0 && !beside || t != "" && len(t) <= 40 && t[0] == '[' && t[len(t)-1] == ']'
		case kind == textToken:
			text = append(text, look.bytes()...)
			beside = beside || !inLink && len(bytes.Trim(look.bytes(), " \t\r\n,;")) > 0
		case kind == startTag && look.tag == atom.A:
			links++
			inLink = strings.HasPrefix(look.attrs("href")[0], "#")
		case kind == endTag && look.tag == atom.A:
			inLink = false
		}
	}
}

// tells reports a class that says more of an element than its tag: see forScreenReaders,
// isService and isListing.
func tells(tag atom.Atom, class []byte) bool {
	switch {
	case tag == atom.P && string(class) == "src", tag == atom.Td && bytes.HasPrefix(class, []byte("memItem")),
		tag == atom.Div && (string(class) == "fragment" || string(class) == "method-source-code" || bytes.HasSuffix(class, []byte("-signature"))),
		mayBePeripheral(tag) && (string(class) == "line" || bytes.IndexByte(class, '&') >= 0):
		return true
	}
	if tag == atom.A {
		return isStep(string(class))
	}
	if mayServe(tag) && (isService(string(class)) || namesResults(string(class))) {
		return true
	}
	for _, part := range [...]string{"hidden", "sr-only", "screen-reader", "invisible", "a11y", "assistive", "for-sr", "click-advice", "CToolTip"} {
		if bytes.Contains(class, []byte(part)) {
			return forScreenReaders(tag, string(class))
		}
	}
	return false
}

// isListing reports code that a generator writes without <pre>, Doxygen's lines, Haddock's
// and Javadoc's signatures, and what RDoc shows of a method on demand.
func isListing(n *html.Node) bool {
	class := attr(n, "class")
	switch {
	case class == "":
		return false
	case n.DataAtom == atom.P:
		return class == "src"
	case n.DataAtom == atom.Td:
		return strings.HasPrefix(class, "memItem")
	case n.DataAtom != atom.Div:
		return false
	case strings.HasSuffix(class, "-signature"), class == "method-source-code":
		return true
	case class != "fragment":
		return false
	}
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return attr(c, "class") == "line"
		}
	}
	return false
}

// member takes the name of a member in Doxygen's list of these: a page that has nothing else is
// about them.
func (w *walker) member(n *html.Node) {
	if n.DataAtom != atom.Td || !strings.HasPrefix(attr(n, "class"), "memItemRight") {
		return
	}
	for c := range n.Descendants() {
		if c.DataAtom == atom.A && attr(c, "href") != "" {
			w.addAnchor(attr(c, "href"), plain.OneLine(nodeText(c)))
			return
		}
	}
}

// namesColumns reports the row of a table that has the names of its columns.
func namesColumns(row *html.Node) bool {
	names := 0
	for c := range row.ChildNodes() {
		switch {
		case c.DataAtom == atom.Th:
			names++
		case c.Type == html.ElementNode:
			return false
		}
	}
	return names > 1
}

// isClassifier reports the type of a term, from which its style parts it: "lid" and "Cover" of Sphinx's
// "<dt>lid<span class=classifier>Cover</span>".
func isClassifier(class string) bool { return class == "classifier" }

// partsWords reports a <span> right behind another that begins another text: "Guides" and
// "Answers to questions" of a card.
func partsWords(before []byte, n *html.Node) bool {
	if n.DataAtom == atom.Span && isClassifier(attr(n, "class")) {
		return true
	}
	if n.DataAtom != atom.Span || n.PrevSibling == nil || n.PrevSibling.DataAtom != atom.Span {
		return false
	}
	for n.FirstChild != nil && n.Type == html.ElementNode {
		n = n.FirstChild
	}
	return n.Type == html.TextNode && beginsText(before, []byte(n.Data))
}

// beginsText reports a text right behind another that is not the rest of a word.
func beginsText(before, text []byte) bool {
	last, _ := utf8.DecodeLastRune(before)
	first, _ := utf8.DecodeRune(text)
	return unicode.IsUpper(first) && (unicode.IsLower(last) || unicode.IsDigit(last) || strings.ContainsRune(".!?:)", last))
}

// joinsName reports a text that ends as names of programs do in front of their last part: "os.Path", "tea::Pot".
func joinsName(before []byte) bool {
	return bytes.HasSuffix(before, []byte(".")) || bytes.HasSuffix(before, []byte("::"))
}

// continued reports the end of a text that was cut off, behind which a link leads to the rest.
func continued(text []byte) bool {
	text = bytes.TrimRight(text, " \t\n])")
	return bytes.HasSuffix(text, []byte("…")) || bytes.HasSuffix(text, []byte("..."))
}

// IsMore reports what Doxygen calls a link to the rest of a text, which need not be a sentence.
func IsMore(text string) bool { return text == "More..." || text == "More…" }

// more reports a link behind a sentence to what the page itself says further down, as
// generators of references write it: "Makes tea. More..."
func (w *walker) more(href, text string) bool {
	file, place, ok := strings.Cut(href, "#")
	return ok && place != "" && (file == "" || file == w.own) && len(text) <= 40 &&
		(strings.HasSuffix(text, "...") || strings.HasSuffix(text, "…")) && (IsMore(text) || plain.IsComplete(strings.TrimSpace(string(w.text[max(0, len(w.text)-80):]))))
}
