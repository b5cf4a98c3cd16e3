package htmlpage

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"
)

// Menus whose links stand in a block and not in a list, as in Bootstrap's dropdowns:
//
//	<li><a href="#">Guides</a><div class="dropdown-menu"><a href="/g1">…
//
// In navigation a block is a list if it stands right behind the words of an item, or behind
// what opens it: a button, or an anchor that leads nowhere.

// menus is what is known of the text that may name a block.
type menus struct {
	blocks int  // lists that are one
	named  bool // the last text is behind the last begin or end of a list or an item
	opens  bool // and is, or ends with, what opens a menu
	opener bool // what opens a menu is being read
	inItem bool // an item has begun and no list behind it
	led    int  // links of the item
}

// navBlock is a block that is a list. Its zero value is a list's own element.
type navBlock struct {
	tag   atom.Atom
	depth int            // of elements of its name
	in    int            // <nav> elements around it
	own   int            // the link that names it, and belongs to it if it leads to others; -1: no link
	names [Levels]string // of the lists around the first link in it
	links int
}

// inBlock reports that what comes stands in a block and in no list of that.
func (n *navScanner) inBlock() bool {
	return n.blocks > 0 && n.lists[len(n.lists)-1].block.tag != 0
}

// openBlock begins an element that may be a menu. link is the number of the last link.
func (n *navScanner) openBlock(tag atom.Atom, navigation bool, link int) {
	name := n.menuName(navigation)
	if name == "" {
		if b := n.block(tag); b != nil {
			b.block.depth++
		}
		return
	}
	own := -1
	if n.linked {
		own = link
	}
	n.item()
	n.lists = append(n.lists, navList{name: name, block: navBlock{tag: tag, depth: 1, in: n.within, own: own}})
	n.blocks++
	n.label, n.named = n.label[:0], false
	n.lists[len(n.lists)-1].block.names = n.group()
}

// menuName is the name of a menu that begins here, "" where none does.
func (n *navScanner) menuName(navigation bool) string {
	if !navigation || !n.named || n.deeper > 0 || len(n.lists) == maxNested || len(n.label) > maxNavName || !hasLetter(n.label) ||
		!n.opens && !(n.inItem && n.led <= 1 && len(n.lists) > 0) {
		return ""
	}
	return listName(string(n.label))
}

// block is the innermost block of this element.
func (n *navScanner) block(tag atom.Atom) *navList {
	for i := len(n.lists) - 1; i >= 0 && n.blocks > 0; i-- {
		if n.lists[i].block.tag == tag {
			return &n.lists[i]
		}
	}
	return nil
}

// endOf ends an element that holds text.
func (n *navScanner) endOf(tag atom.Atom) {
	if n.inBlock() {
		n.said = 0 // a link behind a paragraph is not in a sentence
	}
	switch tag {
	case atom.Div:
		n.closeBlock(tag)
	case atom.Li:
		n.endBlocks(0)
		n.inItem = false
	}
}

// closeBlock ends an element that may be one, and the lists that were left open in it. One
// without a link was no menu, and its name may be that of the next one.
func (n *navScanner) closeBlock(tag atom.Atom) {
	b := n.block(tag)
	if b == nil {
		return
	}
	if b.block.depth--; b.block.depth > 0 {
		return
	}
	if b.block.links == 0 {
		n.label, n.linked, n.named = append(n.label[:0], b.name...), b.block.own >= 0, true
	} else {
		n.label, n.named = n.label[:0], false
	}
	for i := len(n.lists) - 1; ; i-- {
		last := &n.lists[i]
		if n.lists = n.lists[:i]; last.block.tag != 0 {
			n.blocks--
		}
		if last == b {
			break
		}
	}
	n.deeper = 0
	n.item()
}

// endBlocks ends the blocks that are left open at the end of an item, a list, the header or,
// with the number of <nav> elements that are open, one of these.
func (n *navScanner) endBlocks(within int) {
	for n.inBlock() && n.lists[len(n.lists)-1].block.in >= within {
		n.lists = n.lists[:len(n.lists)-1]
		n.blocks--
	}
	n.named, n.opens = false, false
}

// leads counts a link. own is the one that names the menu around it, -1 if no link is to be
// put into that menu.
func (n *navScanner) leads() (own int, names [Levels]string) {
	n.led++
	own = -1
	for i := len(n.lists) - 1; i >= 0 && n.blocks > 0; i-- {
		b := &n.lists[i].block
		if b.tag == 0 {
			continue
		}
		if b.links++; b.links == 2 && b.own >= 0 && own < 0 {
			own, names = b.own, b.names
		}
	}
	return own, names
}

func hasLetter(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return true
		}
		b = b[n:]
	}
	return false
}
