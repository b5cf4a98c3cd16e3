package htmlpage

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

// What a tree of a region is made of: less than what stands in the page. A parser
// makes half a dozen objects of each attribute, and most attributes say nothing of
// words.

// simplify takes out of a region what makes no difference to its words: the tags that
// only say how text looks, what stands in comments, and attributes that nobody asks
// for. It appends what is left to out.
//
// A parser opens formatting tags that are open again in each paragraph: 32 KiB of them
// before 32 KiB of "<p>" would make five million nodes.
func simplify(out, region []byte) []byte {
	l := lexer{page: region}
	code, leaf := 0, -1 // elements of code that are open; the end of the last span that was a leaf
	form := false       // one is open that holds the page
	field := false      // one is open that does not
	tables := 0         // that are open
	embeds := 0         // objects that are open and embed something
	labelEnd := 0       // where the end tag ends of a label that white space goes behind
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		switch {
		case kind == otherToken && bytes.HasPrefix(l.bytes(), []byte("<!--")):
			out = append(out, "<!---->"...)
			continue
		case kind != startTag && kind != endTag:
			out = append(out, l.bytes()...)
			continue
		}
		switch l.tag {
		case atom.Table:
			if tables++; kind == endTag {
				tables = max(0, tables-2)
			}
		case atom.Tr, atom.Td, atom.Th:
			if tables == 0 {
				if kind == endTag {
					continue
				}
				tables = 1
				out = append(out, "<table>"...) // which begins before the region
			}
		}
		switch l.tag {
		case atom.B, atom.Big, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.U:
			out = apart(out)
		case atom.Code, atom.Tt:
			// Of equal ones a parser opens three at most.
			if code++; kind == endTag {
				code = max(0, code-2)
			}
			out = append(out, '<')
			if kind == endTag {
				out = append(out, '/')
			}
			if code == 1 && kind == startTag {
				if label := l.nameLabel(); label.before || label.end > 0 {
					labelEnd = label.end
					if label.before {
						out = append(out[:len(out)-1], " <"...)
					}
				}
			}
			out = append(append(out, l.tag.String()...), '>')
			if kind == endTag && l.pos == labelEnd {
				out = append(out, ' ')
			}
		case atom.Math:
			if kind == startTag {
				if formula := l.formula(); formula != "" {
					out = asText(out, formula)
					continue
				}
			}
			out = append(out, l.bytes()...)
		case atom.Img:
			if formula := l.picture(); formula != "" {
				out = asText(out, formula)
				continue
			}
			out = l.withoutAttributes(out)
		case 0, atom.AnnotationXml, atom.Svg:
			out = append(out, l.bytes()...)
		case atom.Form:
			if kind == endTag && form && !field || kind == startTag && l.holdsPage(leastForm) {
				form = kind == startTag
				out = append(out, "<div></div>"...) // it parts lines
				continue
			}
			field = kind == startTag
			out = append(out, l.bytes()...)
		case atom.Object:
			if kind == startTag && l.name < l.pos-1 {
				embeds++
				out = append(out, "<object data>"...)
			} else if kind == endTag && embeds > 0 {
				embeds--
				out = append(out, "</object>"...)
			} // else it embeds nothing, and its content is the page's
		case atom.Span:
			if kind == startTag {
				if l.start == leaf && code == 0 && beginsText(out, l.page[l.pos:]) {
					out = append(out, ' ')
				}
				var label nameLabel
				if code == 0 {
					label = l.nameLabel()
					labelEnd = max(labelEnd, label.end)
				}
				if label.before || code == 0 && l.name < l.pos-1 && isClassifier(l.attrs("class")[0]) {
					out = append(out, ' ')
				}
				if text := l.leaf(); text != nil {
					out = apart(append(apart(out), text...))
					if leaf = l.pos; label.end == l.pos {
						out = append(out, ' ')
					}
					continue
				}
			} else if l.pos == labelEnd {
				out = append(out, "</span> "...)
				continue
			}
			fallthrough
		default:
			if kind == startTag && l.name < l.pos-1 {
				out = l.withoutAttributes(out)
			} else {
				out = append(out, l.bytes()...)
			}
		}
	}
	return out
}

// apart puts a comment behind a text whose end would make a tag or a character reference
// of what comes next, when the tag between them goes: vector<<b>int</b>>, AT&<b>amp;</b>.
func apart(out []byte) []byte {
	const longest = 33 // bytes of a reference's name
	i := len(out)
	for i > 0 && len(out)-i < longest && (isWordByte(out[i-1]) || '0' <= out[i-1] && out[i-1] <= '9' || out[i-1] == '#') {
		i--
	}
	if i > 0 && (out[i-1] == '&' || i == len(out) && out[i-1] == '<') {
		return append(out, "<!---->"...)
	}
	return out
}

// withoutAttributes adds a start tag with the attributes that say where its element
// stands, whether it is seen and where it leads to.
func (l *lexer) withoutAttributes(out []byte) []byte {
	out = append(out, l.page[l.start:l.name]...)
	// Class names are looked at where they speak of the page's edge, and in what is hidden.
	named := (mayBePeripheral(l.tag) || l.tag == atom.Blockquote) && l.named() || l.attrs("hidden", "aria-hidden", "style", "role") != [8]string{}
	at := 0
	for i := 0; ; i++ {
		a, ok := l.nth(i, &at)
		if !ok {
			break
		}
		keep, key := false, l.page[a.name:a.nameEnd]
		switch len(key) {
		case 2:
			keep = equalFold(key, "id") && (named || a.value < a.valueEnd && (l.page[a.value] == 'S' || l.page[a.value] == '&'))
		case 3:
			keep = equalFold(key, "rel")
		case 4:
			keep = equalFold(key, "href") || equalFold(key, "role") || equalFold(key, "type")
		case 5:
			keep = equalFold(key, "style") || equalFold(key, "class") && (named || tells(l.tag, l.page[a.value:a.valueEnd]))
		case 6:
			keep = equalFold(key, "hidden")
		case 11:
			keep = equalFold(key, "aria-hidden")
		case 14:
			keep = equalFold(key, "shadowrootmode")
		}
		if keep || l.tag == atom.Template && namesSlot(key) {
			out = append(append(out, ' '), l.page[a.name:a.end(l.page)]...)
		}
	}
	if l.page[l.pos-2] == '/' {
		return append(out, " />"...)
	}
	return append(out, " >"...)
}

// named reports a start tag with class names or an id that say where its element stands, or
// what it is.
func (l *lexer) named() bool {
	at := 0
	for i := 0; ; i++ {
		a, ok := l.nth(i, &at)
		if !ok {
			return false
		}
		key, value := l.page[a.name:a.nameEnd], l.page[a.value:a.valueEnd]
		isClass := len(key) == 5 && equalFold(key, "class")
		if isClass && tells(l.tag, value) {
			return true
		}
		if isClass || len(key) == 2 && equalFold(key, "id") {
			if of := subjectsOf(l.value(value)); of&(ofEdges|ofBox) != 0 || of&ofSteps == ofSteps {
				return true
			}
		}
	}
}

// leaf is the text of a span that is nothing but that text, and goes behind it; nil
// if it is not such a span.
func (l *lexer) leaf() []byte {
	n := bytes.IndexByte(l.page[l.pos:], '<')
	if n <= 0 || !bytes.HasPrefix(l.page[l.pos+n:], []byte("</span>")) {
		return nil
	}
	if l.name < l.pos-1 {
		a := l.attrs("class", "id", "role", "hidden", "aria-hidden", "style")
		if a[2]+a[3]+a[4]+a[5] != "" || streamed(a[1]) || isPeripheral(a[0], a[1]) || forScreenReaders(l.tag, a[0]) || isService(a[0]) {
			return nil
		}
	}
	text := l.page[l.pos : l.pos+n]
	l.pos += n + len("</span>")
	return text
}
