package htmlpage

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// isBox reports an element with a note that the text sets apart: a warning, a hint, the data of what
// the page is about. A text that has the page's headings in it is no note, whatever its class is.
func isBox(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Div, atom.Aside, atom.P, atom.Blockquote, atom.Table, atom.Section, atom.Details:
	default:
		return false
	}
	if attr(n, "role") != "note" && subjectsOf(attr(n, "class"))&ofBox == 0 {
		return false
	}
	for c := range n.Descendants() {
		if c.DataAtom == atom.H1 || c.DataAtom == atom.H2 {
			return false
		}
	}
	return true
}
