package htmlpage

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html/atom"
)

// "Edit this page on GitHub", which is no part of a page in any language: a link to a form of
// a forge in which the page's source is edited, alone in its block.

var sourceForm = regexp.MustCompile(`^https?://[^?#]+/edit/[^/?#]+/[^?#]+\.(?:md|mdx|markdown|mdown|rst|adoc|asciidoc|org|html|qmd|rmd|Rmd|ipynb)$`)

// isEditing reports the address of such a form.
func isEditing(href string) bool {
	return strings.Contains(href, "/edit/") && sourceForm.MatchString(href)
}

const maxAlone = 4 << 10 // bytes of a page within which a block that is a link ends

// alone reports that the link whose start tag was just read has nothing but pictures beside it
// up to the end of its block, which is neither an item of a list nor a cell of a table.
func (m *marker) alone() bool {
	if len(m.levels) > 0 || m.table != nil {
		return false
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxAlone)], pos: m.pos}
	inLink, svg, unseen := true, 0, atom.Atom(0)
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken:
			if !inLink && svg == 0 && unseen == 0 && len(bytes.TrimSpace(look.bytes())) > 0 {
				return false
			}
		case kind == startTag && look.tag == atom.Svg:
			svg++
		case kind == startTag && standsAlone(look.tag):
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
