package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The place into which a script writes what a search finds, as GitBook and Compodoc have it on each
// page. Until somebody searches a style hides it, with all that it says:
//
//	<div class="search-results"> <h1>No results matching "<span></span>"</h1> <ul></ul> </div>

const (
	maxResults     = 4 << 10 // bytes of such a place, with its tags
	maxResultsText = 200     // of its words
)

// namesResults reports class names of such a place, or of what a search has found.
func namesResults(class string) bool {
	if !strings.Contains(class, "earch") {
		return false
	}
	for name := range strings.FieldsSeq(class) {
		if hasWord(name, "search") && hasWord(name, "result", "results") {
			return true
		}
	}
	return false
}

// awaitsResults reports such a place, whose start tag was just read: it leads nowhere, and no sentence
// and no code stands in it.
func (l *lexer) awaitsResults(tag atom.Atom, class string) bool {
	if !mayServe(tag) || !namesResults(class) || l.ahead > maxLooked*len(l.page) {
		return false
	}
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxResults)], pos: l.pos}
	defer func() { l.ahead += look.pos - l.pos }()
	depth, said := 1, 0
	for kind := look.next(); kind != endOfPage && said <= maxResultsText; kind = look.next() {
		switch {
		case kind == textToken:
			t := bytes.TrimSpace(look.bytes())
			if said += len(t); endsSentence(string(t)) {
				return false
			}
		case kind == startTag && (barsResults(look.tag) || look.tag == atom.A && look.attrs("href")[0] != ""):
			return false
		case kind == startTag && look.tag == tag:
			depth++
		case kind == endTag && look.tag == tag:
			if depth--; depth == 0 {
				return true
			}
		}
	}
	return false
}

// awaitsResultsNode is awaitsResults of an element of a tree.
func awaitsResultsNode(n *html.Node, class string) bool {
	if !mayServe(n.DataAtom) || !namesResults(class) {
		return false
	}
	said, nodes := 0, 0
	for c := range n.Descendants() {
		if nodes++; nodes > maxNodes || barsResults(c.DataAtom) || c.DataAtom == atom.A && attr(c, "href") != "" {
			return false
		}
		if c.Type == html.TextNode {
			t := strings.TrimSpace(c.Data)
			if said += len(t); said > maxResultsText || endsSentence(t) {
				return false
			}
		}
	}
	return true
}

func barsResults(tag atom.Atom) bool { return barsService(tag) && tag != atom.Ol }
