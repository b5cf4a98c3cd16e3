package htmlpage

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// "Edit this page on GitHub": a link, alone in its block, to the form of a forge in which the
// page's source is edited. It is not a part of the page's text, in whatever language.

var sourceForm = regexp.MustCompile(`^https?://[^?#]+/edit/[^/?#]+/[^?#]+\.(?:md|mdx|markdown|mdown|rst|adoc|asciidoc|org|html|qmd|rmd|Rmd|ipynb)$`)

// offered holds words of such links, and of links to the source of what a reference describes. A
// link with these words counts at other addresses of a forge, too.
var offered = plain.Set(`improvethisdoc improvethispage viewsource editthispage editthispageongithub editthispageongitlab editongithub editongitlab editthisdoc editthisdocument`)

// editsPart reports the class of the link with which wikis let a section be edited, beside its heading.
func editsPart(class string) bool {
	return strings.Contains(class, "edit") && hasWord(class, "editsection", "secedit")
}

var ofForge = regexp.MustCompile(`^https?://[^/?#]+/[^/?#]+/[^/?#]+/(?:[^?#]*/)?(?:edit|new|blob|tree|src)/`)

// offersSource reports whether the link whose start tag was just read is such a one. If only a
// divider stands before it in its line, the divider is removed.
func (m *marker) offersSource(href string) bool {
	divider := isDivider(m.line)
	if len(m.line) > 0 && !divider || len(m.levels) > 0 || m.table != nil || !ofForge.MatchString(href) {
		return false
	}
	text, _, _ := m.linkText()
	if len(text) > maxOffer || !offered[plain.Key(text)] {
		named := text != "" && strings.HasSuffix(href, text) // "docs/lid.md": the text speaks of that file
		if named || m.heading > 0 || !strings.Contains(href, "/edit/") || !sourceForm.MatchString(href) {
			return false
		}
	}
	if !m.alone() {
		return false
	}
	if divider {
		m.line, m.gap = m.line[:0], false
	}
	return true
}

const maxOffer = 40 // bytes of its words

// isDivider reports text made of dividing signs: "|".
func isDivider(text []byte) bool {
	return len(text) > 0 && len(text) <= 8 && len(bytes.Trim(text, " |\\·•/\n")) == 0
}

const maxAlone = 4 << 10 // bytes behind such a link within which its block ends

// alone reports whether nothing but pictures and further links stand between the link whose start
// tag was just read and the end of its block.
func (m *marker) alone() bool {
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxAlone)], pos: m.pos}
	inLink, svg, unseen := true, 0, atom.Atom(0)
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken:
			if t := bytes.TrimSpace(look.bytes()); !inLink && svg == 0 && unseen == 0 && len(t) > 0 && !isDivider(t) {
				return false
			}
		case kind == startTag && look.tag == atom.A:
			inLink = true
		case kind == startTag && look.tag == atom.Svg:
			svg++
		case kind == startTag && beginsBlock(look.tag):
			return true
		case kind == startTag && unseen == 0 && forScreenReaders(look.tag, look.attrs("class")[0]):
			unseen = look.tag
		case kind == endTag && look.tag == atom.Svg:
			svg--
		case kind == endTag && look.tag == atom.A:
			inLink = false
		case kind == endTag && look.tag == unseen:
			unseen = 0
		case kind == endTag && standsAlone(look.tag):
			return true
		}
	}
	return false
}

// beginsBlock reports an element before which a block ends.
func beginsBlock(tag atom.Atom) bool {
	switch tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table, atom.Ul, atom.Ol, atom.Pre, atom.Blockquote, atom.Hr:
		return true
	}
	return standsAlone(tag)
}
