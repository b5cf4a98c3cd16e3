package htmlpage

import (
	"bytes"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// FromXML makes HTML of a page that is sent as XHTML: there any element may end with its own
// tag, <script src="x.js"/>, which in HTML begins one without an end, and text may stand in
// sections of CDATA. A page without either is returned as it is.
func FromXML(page []byte) []byte {
	l := &lexer{page: page}
	var out []byte
	from := 0 // what was not copied yet
	for len(out) <= 2*len(page) {
		switch l.next() {
		case endOfPage:
			if out == nil {
				return page
			}
			return append(out, page[from:]...)
		case startTag:
			if page[l.pos-2] != '/' || voids[l.tag] {
				continue
			}
			l.raw = ""
			out = append(append(out, page[from:l.pos-2]...), "></"...)
			out = append(append(out, page[l.start+1:l.name]...), '>')
			from = l.pos
		case otherToken:
			text, isSection := bytes.CutPrefix(page[l.start:], []byte("<![CDATA["))
			if !isSection {
				continue
			}
			out = append(out, page[from:l.start]...)
			l.pos = len(page)
			if end := bytes.Index(text, []byte("]]>")); end >= 0 {
				l.pos = len(page) - len(text) + end + 3
				text = text[:end]
			}
			out = append(out, html.EscapeString(string(text))...)
			from = l.pos
		}
	}
	return page // nobody writes one that is twice as long in HTML
}

// voids are the elements that have no end tag in HTML.
var voids = map[atom.Atom]bool{atom.Area: true, atom.Base: true, atom.Br: true, atom.Col: true, atom.Embed: true, atom.Hr: true, atom.Img: true,
	atom.Input: true, atom.Link: true, atom.Meta: true, atom.Param: true, atom.Source: true, atom.Track: true, atom.Wbr: true, atom.Frame: true}
