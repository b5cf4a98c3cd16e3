package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Templates whose content is shown: declarative shadow roots, and what a server puts into the slots of
// a component of Vue. Retype has the name of a tab or a box there, and Wiki.js all of a page:
//
//	<doc-tab> <template #title>npm</template> <p>Install it with npm.</p> </doc-tab>
//	<page> <template slot="contents"> <p>Tea is hot.</p> </template> </page>

const maxSlotTitle = 512 // bytes of a name in a slot, with its tags

// showsTemplate reports such a template, whose start tag was just read, but for names.
func (l *lexer) showsTemplate() bool {
	return l.attrs("shadowrootmode")[0] != "" || isContent(l.slot())
}

// slot is the one that a template, whose start tag was just read, fills: slot="name", v-slot:name or
// #name; "" of another, and of one with a value, which a component shows once for each of its rows.
func (l *lexer) slot() string {
	if name := l.attrs("slot")[0]; name != "" {
		return strings.ToLower(name)
	}
	at := 0
	for i := 0; ; i++ {
		a, ok := l.nth(i, &at)
		if !ok {
			return ""
		}
		if name, ok := fillsSlot(string(l.page[a.name:a.nameEnd])); ok && a.value == a.valueEnd {
			return name
		}
	}
}

// fillsSlot is the slot that an attribute of Vue's names.
func fillsSlot(key string) (name string, ok bool) {
	if len(key) > maxSubject {
		return "", false
	}
	key = strings.ToLower(key)
	if key == "v-slot" {
		return "default", true
	}
	if name, ok = strings.CutPrefix(key, "#"); !ok {
		name, ok = strings.CutPrefix(key, "v-slot:")
	}
	return name, ok && name != ""
}

// namesSlot reports an attribute that names a slot, in any of these forms.
func namesSlot(key []byte) bool {
	_, ok := fillsSlot(string(key))
	return ok || equalFold(key, "slot")
}

// showsTemplateNode is showsTemplate of an element of a tree.
func showsTemplateNode(n *html.Node) bool {
	for _, a := range n.Attr {
		slot, ok := fillsSlot(a.Key)
		if a.Key == "shadowrootmode" && a.Val != "" || a.Key == "slot" && isContent(a.Val) || ok && a.Val == "" && isContent(slot) {
			return true
		}
	}
	return false
}

// isContent reports a slot that has what an element is there for. Others are what a component shows on
// demand or once for each row: dialogs, menus, cells.
func isContent(slot string) bool {
	switch strings.ToLower(slot) {
	case "contents", "content", "main", "article", "page", "default":
		return true
	}
	return false
}

// slotTitle writes the name of the element around a template, whose start tag was just read, in bold, and
// skips the template if it is such a name: a few words in a slot that is called so.
func (m *marker) slotTitle() bool {
	switch m.slot() {
	case "title", "label", "header", "heading", "summary":
	default:
		return false
	}
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxSlotTitle)], pos: m.pos}
	var name []byte
	for kind := look.next(); kind != endOfPage; kind = look.next() {
		switch {
		case kind == textToken:
			name = append(name, look.bytes()...)
		case kind == startTag && (look.tag == atom.Template || standsForText(look.tag)):
			return false
		case kind == endTag && look.tag == atom.Template:
			m.flush()
			if name := plain.Visible(strings.ToValidUTF8(plain.OneLine(html.UnescapeString(string(bytes.TrimSpace(name)))), "")); name != "" {
				m.line = append(m.line, "**"+inBold.Replace(name)+"**"...)
				m.flush()
			}
			m.pos = look.pos
			return true
		}
	}
	return false
}
