package htmlpage

import (
	"bytes"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The words of links, which are part of the text and say what a page without words leads to.

func (w *walker) anchor(n *html.Node) {
	if attr(n, "href") == "" {
		if !isArrow(plain.OneLine(nodeText(n))) {
			w.children(n) // a place, not a link
		}
		return
	}
	t := plain.OneLine(nodeText(n))
	if t == "" || t == "Link" || isPermalink(t) || strings.HasPrefix(attr(n, "href"), "#") && (namesPlace(t) && w.begins() || w.unfolds(n, t) || skips(t)) || w.more(attr(n, "href"), t) || continued(w.text) {
		return
	}
	step := leadsOn(n)
	if step {
		w.steps++
		w.step++
		defer func() { w.step-- }()
	}
	before, blocks := len(w.text), len(w.blocks)
	if inPlace := strings.HasPrefix(attr(n, "href"), "#") && (w.kind == Heading || w.kind == Title); inPlace {
		w.children(n) // a heading's link to itself leads nowhere
		return
	}
	w.link++
	w.children(n)
	w.link--
	if (len(w.text) > before || len(w.blocks) > blocks) && w.kind != Heading && w.kind != Title && !step {
		w.addAnchor(attr(n, "href"), t)
	}
}

// begins reports that the text is a heading, or that nothing of it has come yet.
func (w *walker) begins() bool {
	return w.kind == Heading || w.kind == Title || len(bytes.TrimSpace(w.text)) == 0
}

func (w *walker) addAnchor(href, t string) {
	paired := strings.Contains(t, "<") && strings.Contains(t, ">") // "<stdio.h>: Files"
	t = strings.TrimFunc(t, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsSymbol(r) && !(paired && (r == '<' || r == '>'))
	})
	if len(t) < 2 || len(t) > 200 {
		return
	}
	list := &w.anchors
	if href == "" || href[0] == '#' || strings.Contains(href, "://") {
		list = &w.outer
	}
	if len(*list) < maxAnchors {
		*list = append(*list, strings.Clone(t)) // it may be a piece of the region
	}
}

// contents takes only the links of a table of contents: on a page that has
// nothing else they say what it is about.
func (w *walker) contents(n *html.Node) {
	for c := range n.Descendants() {
		if c.DataAtom == atom.A {
			w.addAnchor(attr(c, "href"), plain.OneLine(nodeText(c)))
		}
	}
}
