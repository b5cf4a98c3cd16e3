package htmlpage

import (
	"bytes"
	"strings"
	"sync"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The words. The region that the pass cut out becomes a small tree, and the
// tree a flat list of blocks: a paragraph, an item of a list, a heading, each
// with its text and how much of it is links. Which of them describe the page is
// decided later, when it is known what the whole site repeats.

const (
	maxBlocks  = 200
	maxBlock   = 4000     // bytes of one
	maxWords   = 32 << 10 // bytes of all of them
	maxAnchors = 40
)

// Blocks makes blocks of the main content and returns the words of its links
// as well.
//
// own is the last part of the page's address: links to it lead to the page itself.
func (p *Page) Blocks(own string) ([]Block, []string) { return readBlocks(p.main, own) }

// simplified is room for regions, which the parser copies from.
var simplified = sync.Pool{New: func() any { return new([]byte) }}

func readBlocks(region []byte, own string) ([]Block, []string) {
	room := simplified.Get().(*[]byte)
	region = simplify((*room)[:0], region)
	defer func() {
		if *room = region; cap(region) <= 64<<10 {
			simplified.Put(room)
		}
	}()
	t := trees.Get().(*tree)
	defer t.leave()
	body := t.body(region)
	if body == nil {
		// Deeper than the parser goes: without its tags it is still text.
		return plainBlocks(region), nil
	}
	w := walker{own: own, hints: true}
	w.walk(body)
	w.flush()
	w.dropQuestion()
	if !w.found() {
		// Everything stood in what looks like a side bar, so it is not one.
		w = walker{own: own}
		w.walk(body)
		w.flush()
	}
	if w.preformatted > 4*w.size && w.preformatted > bareText {
		w.readPre(body)
	}
	if len(w.anchors) < 3 {
		w.anchors = append(w.anchors, w.outer...)
	}
	return w.blocks, w.anchors
}

func plainBlocks(region []byte) []Block {
	z := html.NewTokenizer(bytes.NewReader(region))
	var b strings.Builder
	for b.Len() < maxBlock {
		switch z.Next() {
		case html.ErrorToken:
			if t := plain.OneLine(b.String()); t != "" {
				return []Block{{Kind: Paragraph, Text: t}}
			}
			return nil
		case html.TextToken:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
	return []Block{{Kind: Paragraph, Text: plain.OneLine(b.String())}}
}

type walker struct {
	own     string // the last part of the page's address
	hints   bool   // believe class names
	pre     bool   // read preformatted text
	blocks  []Block
	size    int // bytes of their texts
	anchors []string

	kind     BlockKind // of the text being gathered
	layout   bool      // the list that is open has the page's title in it: its items are blocks of the page
	text     []byte
	links    int // bytes of it inside links
	asking   int // the block, from 1, that may ask what the reader thinks of the page
	question int // the same, and two controls answer it
	control  int // bytes of text before the last control
	steps    int // of these, links to the next page, the one above and others like them
	step     int // depth of such links
	boxes    int // with notes, that are open
	codes    int // bytes of it inside code
	link     int
	code     int

	preformatted     int // bytes of preformatted text that were left out
	laidOut, program int // and of such text that was read: of words, of code

	outer []string // words of links that lead to other sites or stay on the page
}

func (w *walker) found() bool {
	for _, b := range w.blocks {
		if b.Kind != Omitted {
			return true
		}
	}
	return len(w.anchors)+len(w.outer) > 0
}

func (w *walker) flush() {
	raw := ""
	if len(bytes.TrimSpace(w.text)) > 0 {
		raw = string(w.text)
	}
	w.text = w.text[:0]
	links, codes, steps := w.links, w.codes, w.steps
	w.links, w.codes, w.steps = 0, 0, 0
	if (steps > 0 || w.step > 0) && links*2 >= len(raw) {
		return // "Next: Strings, Previous: Numbers, Up: Data types"
	}
	if raw == "" || len(w.blocks) >= maxBlocks || w.size >= maxWords {
		return
	}
	t := plain.OneLine(raw)
	if w.kind == Heading || w.kind == Title {
		t = plain.Heading(t)
	}
	if t == "" {
		return
	}
	kind := w.kind
	if kind == "" {
		kind = Paragraph
	}
	if kind == Paragraph && codes*10 >= len(strings.TrimSpace(raw))*8 {
		w.omit() // a command or a synopsis
		return
	}
	w.size += len(t)
	w.blocks = append(w.blocks, Block{Kind: kind, Text: safetext.Cut(t, maxBlock), Links: min(100, links*100/len(strings.TrimSpace(raw))), Boxed: w.boxes > 0})
}

func (w *walker) omit() {
	w.flush()
	if n := len(w.blocks); n > 0 && w.blocks[n-1].Kind != Omitted && n < maxBlocks {
		w.blocks = append(w.blocks, Block{Kind: Omitted})
	}
}

func (w *walker) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.walk(c)
	}
}

// block walks an element that stands on lines of its own.
func (w *walker) block(n *html.Node, kind BlockKind) {
	w.flush()
	outer, layout := w.kind, w.layout
	if kind != "" {
		w.kind = kind
	}
	list := n.DataAtom == atom.Ul || n.DataAtom == atom.Ol
	w.layout = w.layout && !list
	w.children(n)
	w.flush()
	w.kind = outer
	if list {
		w.layout = layout
	}
}

func (w *walker) walk(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		w.textNode(n)
	case html.ElementNode:
		w.element(n)
	}
}

func (w *walker) textNode(n *html.Node) {
	if len(w.text) >= 2*maxBlock {
		return
	}
	w.text = append(w.text, n.Data...)
	if w.link > 0 {
		w.links += len(n.Data)
	}
	if w.code > 0 {
		w.codes += len(n.Data)
	}
}

func (w *walker) element(n *html.Node) {
	if w.hidden(n) {
		if n.DataAtom != atom.Nav && hasWord(attr(n, "class")+" "+attr(n, "id"), "toc", "tableofcontents") {
			w.contents(n)
		}
		return
	}
	if isServiceNode(n) {
		return
	}
	if isListing(n) {
		w.member(n)
		w.omit()
		return
	}
	if w.code == 0 && partsWords(w.text, n) {
		w.text = append(w.text, ' ')
	}
	if w.boxes == 0 && isBox(n) {
		w.flush()
		w.boxes++
		w.known(n)
		w.flush()
		w.boxes--
		return
	}
	w.known(n)
}

// known walks an element by its kind.
func (w *walker) known(n *html.Node) {
	if kind, ok := w.blockKind(n); ok {
		w.block(n, kind)
		return
	}
	switch n.DataAtom {
	case atom.Button, atom.Input, atom.Label:
		w.asked()
	case atom.Script, atom.Style, atom.Noscript, atom.Svg, atom.Math, atom.Select, atom.Img,
		atom.Iframe, atom.Audio, atom.Video, atom.Canvas, atom.Link, atom.Meta:
	case atom.Object:
		if len(n.Attr) == 0 { // "Iterator<Object>": it embeds nothing, and nothing ends it
			w.children(n)
		}
	case atom.Template:
		if showsTemplateNode(n) {
			w.block(n, "")
		}
	case atom.Form:
		if !w.hints && speaks(n) {
			w.block(n, "")
		}
	case atom.Pre:
		if w.pre {
			w.preText(n)
			return
		}
		w.preformatted += len(strings.TrimSpace(nodeText(n)))
		w.omit()
	case atom.Textarea, atom.Figure, atom.Picture:
		w.omit()
	case atom.Hr:
		w.flush()
	case atom.Br:
		w.text = append(w.text, ' ')
	case atom.A:
		w.anchor(n)
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt, atom.Var:
		w.code++
		w.children(n)
		w.code--
	case atom.Sup:
		if p := powerOf(w.text, n); p != "" {
			w.text = append(w.text, p...)
		} else if !isNote(n) {
			w.children(n)
		}
	case atom.Table:
		w.omit()
		w.block(n, "")
	case atom.Tr:
		if namesColumns(n) {
			w.flush()
			return
		}
		w.block(n, "")
	default:
		w.children(n)
	}
}

// blockKind reports whether an element stands on lines of its own whatever is in it, and
// the kind of its text; empty: as around it.
func (w *walker) blockKind(n *html.Node) (kind BlockKind, ok bool) {
	switch n.DataAtom {
	case atom.H1:
		w.layout = w.layout || w.kind == Item
		return Title, true
	case atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Legend, atom.Summary, atom.Caption:
		return Heading, true
	case atom.Li:
		if w.layout {
			return Paragraph, true
		}
		return Item, true
	case atom.Dt, atom.Th:
		return Term, true
	case atom.Dd:
		return Definition, true
	case atom.Td:
		return Cell, true
	case atom.P:
		if w.kind == Item && !w.layout || w.kind == Definition || w.kind == Cell {
			return "", true // a paragraph inside an item is the item's
		}
		return Paragraph, true
	case atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Blockquote, atom.Ul, atom.Ol, atom.Dl, atom.Address,
		atom.Center, atom.Details, atom.Fieldset, atom.Figcaption, atom.Tbody, atom.Thead, atom.Nav, atom.Aside, atom.Footer, atom.Hgroup:
		return "", true
	}
	return "", false
}

func (w *walker) hidden(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Html, atom.Body, atom.Main:
		return false
	}
	var role, class, id, hide, aria string
	for _, a := range n.Attr {
		switch a.Key {
		case "role":
			role = strings.ToLower(a.Val)
		case "class":
			class = a.Val
		case "id":
			id = a.Val
		case "hidden":
			hide = "hidden"
		case "aria-hidden":
			aria = a.Val
		case "style":
			if hiddenStyle(a.Val) {
				hide = "hidden"
			}
		}
	}
	if streamed(id) {
		return false
	}
	if hide != "" || aria == "true" || role == "navigation" || role == "search" || n.DataAtom == atom.Footer && role == "" {
		return true
	}
	if w.hints && forScreenReaders(n.DataAtom, class) {
		return true
	}
	return awaitsResultsNode(n, class) || w.hints && mayBePeripheral(n.DataAtom) && aside(n.DataAtom, role, class, id, hide, aria) && !(role == "tablist" && holdsPanels(n))
}
