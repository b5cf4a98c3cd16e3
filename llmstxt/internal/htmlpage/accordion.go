package htmlpage

import "golang.org/x/net/html"

// Accordions: lists of tabs in which each panel stands behind its tab. They are text, while
// other lists of tabs are names alone. Neither function looks into a list within the list, so
// that lists in each other are looked at once.

// holdsPanels reports an accordion by what is in it.
func holdsPanels(list *html.Node) bool {
	for n := list.FirstChild; n != nil; n = n.NextSibling {
		switch attr(n, "role") {
		case "tabpanel":
			return true
		case "tablist":
			continue
		}
		if holdsPanels(n) {
			return true
		}
	}
	return false
}

// holdsPanels reports an accordion whose start tag was just read.
func (l *lexer) holdsPanels() bool {
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxTabList)], pos: l.pos}
	for kind, depth := look.next(), 1; kind != endOfPage; kind = look.next() {
		switch {
		case kind == startTag:
			if look.tag == l.tag {
				depth++
			}
			switch look.attrs("role")[0] {
			case "tabpanel":
				return true
			case "tablist":
				return false
			}
		case kind == endTag && look.tag == l.tag:
			if depth--; depth == 0 {
				return false
			}
		}
	}
	return false
}
