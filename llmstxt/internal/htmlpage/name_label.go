package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html/atom"
)

// Labels beside a name, which a style sets apart from it and nothing in the text does:
//
//	<h3><code class="tsd-tag">Readonly</code><span>lid</span></h3>    Readonly lid
//	<h1>Kettle<span class="badge">New</span></h1>                     Kettle New

// A nameLabel says where such a label needs white space.
type nameLabel struct {
	before bool // a word stands before it
	end    int  // where its end tag ends, if a word stands behind it
}

const (
	maxLabel     = 200 // bytes of one, from tag to tag
	maxLabelTags = 4   // between it and a word
)

// nameLabel looks at the element whose start tag was just read.
func (l *lexer) nameLabel() nameLabel {
	if l.name >= l.pos-1 || !isNameLabel(l.attrs("class")[0]) {
		return nameLabel{}
	}
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxLabel)], pos: l.pos}
	depth := 1
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == startTag && look.tag == l.tag:
			depth++
		case kind == endTag && look.tag == l.tag && depth > 1:
			depth--
		case kind == endTag && look.tag == l.tag:
			label := nameLabel{before: wordBefore(l.page, l.start)}
			if wordBehind(l.page, look.pos) {
				label.end = look.pos
			}
			return label
		}
	}
	return nameLabel{}
}

// partLabel parts a label, whose start tag was just read, from the words around it.
func (m *marker) partLabel(tag atom.Atom) {
	if m.pre || m.code > 0 || tag != atom.Span && tag != atom.Code {
		return
	}
	if label := m.nameLabel(); label.before || label.end > 0 {
		m.gap, m.labelEnd = m.gap || label.before, label.end
	}
}

// isNameLabel reports class names of a label.
func isNameLabel(class string) bool {
	for c := range strings.FieldsSeq(class) {
		for _, name := range [...]string{"tag", "badge", "label"} {
			if i := strings.LastIndex(c, name); i >= 0 && i+len(name) == len(c) && (i == 0 || c[i-1] == '-' || c[i-1] == '_') {
				return true
			}
		}
	}
	return false
}

// wordBefore reports a word that ends at an offset of a page, or before elements within a line that
// begin or end there.
func wordBefore(page []byte, at int) bool {
	for range maxLabelTags {
		if at == 0 {
			return false
		}
		if page[at-1] != '>' {
			return isAlphanumeric(page[at-1]) || endsName(page[:at])
		}
		begin := max(0, at-maxLabel)
		i := bytes.LastIndexByte(page[begin:at], '<')
		if i < 0 {
			return false
		}
		tag := lexer{page: page[:at], pos: begin + i}
		if kind := tag.next(); kind != startTag && kind != endTag || !inline[tag.tag] {
			return false
		}
		at = begin + i
	}
	return false
}

// endsName reports what a name ends with besides letters: "boil()", "pots[]", "Map&lt;Pot&gt;".
func endsName(page []byte) bool {
	return bytes.IndexByte([]byte(")]}"), page[len(page)-1]) >= 0 || bytes.HasSuffix(page, []byte("&gt;"))
}

// wordBehind reports a word that begins at an offset of a page, or behind such elements.
func wordBehind(page []byte, at int) bool {
	look := lexer{page: page[:min(len(page), at+maxLabel)], pos: at}
	own := false // it is in an element that begins behind the label
	for range maxLabelTags {
		switch kind := look.next(); {
		case kind == textToken:
			text := look.bytes()
			if own && text[0] == '/' {
				return true // the path behind "GET"
			}
			n := 0
			for n < len(text) && isAlphanumeric(text[n]) {
				n++
			}
			return n > 0 && string(text[:n]) != "s" && string(text[:n]) != "es" // of a plural
		case kind != startTag && kind != endTag, !inline[look.tag], look.tag == 0, look.tag == atom.Script, look.tag == atom.Style:
			return false
		default:
			own = kind == startTag
		}
	}
	return false
}

func isAlphanumeric(c byte) bool { return isWordByte(c) || '0' <= c && c <= '9' }
