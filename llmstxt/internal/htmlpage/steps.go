package htmlpage

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What leads to the pages beside a page and what unfolds parts of it, which is nothing to read.

var (
	linkOrPicture = regexp.MustCompile(`\[(?:!\[[^\]]*\]\([^)]*\)|(?:\\.|[^\]\\])*)\]\([^)]*\)`)
	stepNames     = regexp.MustCompile(`(?i)^(?:(?:next|previous|prev|up|top|forward|back):|contents|index)$`)
)

const maxPager = 4 << 10 // bytes of one, with its addresses

// isPager reports a block of Markdown that is nothing but links with the names of steps before
// two of them, as Texinfo and LaTeX2HTML write it: "Next: [Lids](lids.html), Up: [Pots](pots.html)".
func isPager(line []byte) bool {
	switch line[0] {
	case 'N', 'P', 'U', '*', '[':
	default:
		return false
	}
	if len(line) > maxPager || !bytes.Contains(line, []byte("Next:")) && !bytes.Contains(line, []byte("Previous:")) && !bytes.Contains(line, []byte("Prev:")) {
		return false
	}
	steps := 0
	for word := range bytes.FieldsFuncSeq(linkOrPicture.ReplaceAll(line, []byte(" ")), func(r rune) bool { return r <= ' ' || bytes.ContainsRune([]byte("*[],;|<>\\\u00a0"), r) }) {
		if !stepNames.Match(word) {
			return false
		}
		if word[len(word)-1] == ':' {
			steps++
		}
	}
	return steps >= 2
}

// foldings are words for a link that shows or hides a part of the page.
var foldings = plain.Set("collapse collapseall expand expandall showall hideall toggle")

// isArrow reports the text of an anchor without an address that is the arrow with which a script opens
// what stands below: <a class="caret-right">▸</a> of documentation.js.
func isArrow(text string) bool {
	switch text {
	case "▸", "▹", "►", "▻", "▶", "▷", "▾", "▿", "▼", "▽", "▴", "▲", "❯", "⌄", "⌃":
		return true
	}
	return false
}

// isArrow reports the same of an anchor whose start tag was just read.
func (l *lexer) isArrow(href string) bool {
	if href != "" {
		return false
	}
	text, _, end := l.linkText()
	return end > 0 && isArrow(text)
}

// unfolds reports a link, whose start tag was just read, that does nothing but that: it stands
// behind the words of a heading, or has a block's end to itself. It ends at end.
func (m *marker) unfolds(class, text string, end int) bool {
	if class == "" || !foldings[plain.Key(text)] || m.attrs("href")[0] != "#" || (m.heading > 0) != (len(m.line) > 0) {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(m.page[end:], " \t\r\n"), []byte("</"))
}

// unfolds reports the same of a link with some text. In headings it knows those of YARD: "Method
// Summary collapse".
func (w *walker) unfolds(n *html.Node, text string) bool {
	before := bytes.TrimSpace(w.text)
	if !foldings[plain.Key(text)] || attr(n, "href") != "#" || len(before) > 0 && !(w.kind == Heading && bytes.HasSuffix(before, []byte(" Summary"))) {
		return false
	}
	if len(before) == 0 && (w.kind == Heading || w.kind == Title) {
		return false
	}
	next := n.NextSibling
	return next == nil || next.Type == html.TextNode && strings.TrimSpace(next.Data) == "" && next.NextSibling == nil
}
