package htmlpage

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The tree of a region. Where tags nest as they should, or leave out no more than the ends of
// paragraphs, items and rows, it is made here of the lexer's tokens, for a third of what html.Parse
// takes. html.Parse reads the regions that a browser has to repair in other ways. Both make the same
// tree, which a test checks.
//
// HTML standard, section 13.2.6.

// A tree is that of a region while it is read. Its nodes are used again for the next region: nobody
// may keep them.
type tree struct {
	lexer
	text  string // the region
	nodes slab[html.Node]
	attrs slab[html.Attribute]
	open  []*html.Node // elements that are open, the body first
	form  *html.Node   // the one that has begun and not ended; nil: none has
	ended bool         // the body has, unless more than spaces and comments follows
}

var trees = sync.Pool{New: func() any { return new(tree) }}

var theBody = goquery.Single("body")

// body returns the body of a region's tree; nil if html.Parse refuses the region.
func (t *tree) body(region []byte) *html.Node {
	if body := t.read(region); body != nil {
		return body
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(region))
	if err != nil || doc.FindMatcher(theBody).Length() == 0 {
		return nil
	}
	return doc.FindMatcher(theBody).Get(0)
}

const maxDepth = 500 // elements in elements; html.Parse refuses some more

// read makes the tree of a region and returns its body; nil where html.Parse has to read it.
func (t *tree) read(region []byte) *html.Node {
	if bytes.IndexByte(region, '\r') >= 0 || bytes.IndexByte(region, 0) >= 0 {
		return nil
	}
	t.lexer, t.text, t.form, t.ended = lexer{page: region}, string(region), nil, false
	body := &t.nodes.take(1)[0]
	*body = html.Node{Type: html.ElementNode, DataAtom: atom.Body, Data: "body"}
	t.open = append(t.open[:0], body)
	for {
		ok := false
		switch t.next() {
		case endOfPage:
			return body
		case textToken:
			ok = t.addText()
		case startTag:
			ok = t.begin() && len(t.open) < maxDepth
		case endTag:
			ok = t.end()
		case otherToken:
			if ok = bytes.HasPrefix(t.bytes(), []byte("<!--")); body.FirstChild != nil && !t.ended {
				t.add(html.Node{Type: html.CommentNode})
			}
		}
		if !ok {
			return nil
		}
	}
}

// leave frees the nodes for another tree.
func (t *tree) leave() {
	t.nodes.leave()
	t.attrs.leave()
	clear(t.open[:cap(t.open)])
	t.lexer, t.text, t.form = lexer{}, "", nil
	trees.Put(t)
}

func (t *tree) top() *html.Node { return t.open[len(t.open)-1] }

// add puts a node behind the last one in the element that is open.
func (t *tree) add(n html.Node) *html.Node {
	in, own := t.top(), &t.nodes.take(1)[0]
	*own = n
	own.Parent, own.PrevSibling = in, in.LastChild
	if in.LastChild != nil {
		in.LastChild.NextSibling = own
	} else {
		in.FirstChild = own
	}
	in.LastChild = own
	return own
}

// addElement adds the element of the tag that was read.
func (t *tree) addElement() *html.Node {
	name := t.tag.String()
	if t.tag == 0 {
		name = lowerName(t.text[t.start+1 : t.name])
	}
	return t.add(html.Node{Type: html.ElementNode, DataAtom: t.tag, Data: name, Attr: t.attributes()})
}

func (t *tree) openElement() { t.open = append(t.open, t.addElement()) }

// imply opens an element that has no tag.
func (t *tree) imply(tag atom.Atom) {
	t.open = append(t.open, t.add(html.Node{Type: html.ElementNode, DataAtom: tag, Data: tag.String()}))
}

// attributes returns those of the tag that was read, the first of each name.
func (t *tree) attributes() []html.Attribute {
	list := t.attrs.take(t.count)[:0]
	for _, a := range t.found[:t.count] {
		key, value := lowerName(t.text[a.name:a.nameEnd]), t.text[a.value:a.valueEnd]
		if key == "" || slices.ContainsFunc(list, func(a html.Attribute) bool { return a.Key == key }) {
			continue
		}
		if strings.IndexByte(value, '&') >= 0 {
			value = unescapeAttr([]byte(value))
		}
		list = append(list, html.Attribute{Key: key, Val: value})
	}
	return list
}

func lowerName(name string) string {
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return string(lowered([]byte(name)))
		}
	}
	return name
}

// addText adds a text, and reports false for one in a table that is in none of its cells.
func (t *tree) addText() bool {
	text, in := t.text[t.start:t.pos], t.top()
	if in.DataAtom == atom.Script && strings.Contains(text, "<!-") {
		return false // html.Parse ends it where the standard does not
	}
	if !t.plain && strings.IndexByte(text, '&') >= 0 {
		text = html.UnescapeString(text)
	}
	switch {
	case in.DataAtom == atom.Pre && in.FirstChild == nil:
		text = strings.TrimPrefix(strings.TrimPrefix(text, "\r"), "\n")
	case len(t.open) == 1 && in.FirstChild == nil:
		text = strings.TrimLeft(text, spaces)
	case ofTable(in.DataAtom) && strings.Trim(text, spaces) != "":
		return false
	}
	t.ended = t.ended && strings.Trim(text, spaces) == ""
	if last := in.LastChild; last != nil && last.Type == html.TextNode {
		if last.Data += text; len(last.Data) > maxBlock {
			return false // each piece more would be another copy
		}
	} else if text != "" {
		t.add(html.Node{Type: html.TextNode, Data: text})
	}
	return true
}

const spaces = " \t\r\n\f"

// A slab allocates values that are freed together. Its zero value is ready to use.
type slab[T any] struct {
	first []T // kept for the next use
	now   []T // of which values are taken
}

// leastSlab is how many values are made at once.
const leastSlab = 512

// take returns n values that are zero.
func (s *slab[T]) take(n int) []T {
	if len(s.now)+n > cap(s.now) {
		if s.now = make([]T, 0, max(n, leastSlab)); s.first == nil {
			s.first = s.now
		}
	}
	s.now = s.now[:len(s.now)+n]
	return s.now[len(s.now)-n : len(s.now) : len(s.now)]
}

// leave frees all values, which are zero then.
func (s *slab[T]) leave() {
	clear(s.first[:cap(s.first)])
	s.now = s.first
}
