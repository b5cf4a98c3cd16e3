package htmlpage

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Tabs in the Markdown that a page becomes. The panels that nobody has chosen yet are hidden.
// Each that is not empty is written behind its name. Where tab and panel name each other, by
// aria-controls and aria-labelledby, the name is that of the tab; else panels and tabs have the
// same order.

const (
	maxTabList = 8 << 10 // bytes of the names of tabs
	maxTabs    = 32
)

// tab is one whose panel has not come yet.
type tab struct {
	name  string
	id    string
	panel string // its id
	of    tabKind
	list  int  // its number
	named bool // a panel of its list has come by its name, so that this one's does, too
}

// tabKind is how a generator writes tabs: a panel belongs to a list of its kind.
type tabKind int

const (
	roleTabs  tabKind = iota + 1 // with the roles of ARIA
	material                     // Material for MkDocs
	vitePress                    // its groups of code
	byName                       // with class names alone: "x-tabs__label", "x-tabs__content__item"
)

// openTabs reads the names of a list of tabs whose start tag was just read. Those of a list
// in a panel come first. It reports false of a list with the panels in it, such as Bootstrap
// makes of questions and answers: there each panel stands behind its tab already.
func (m *marker) openTabs(of tabKind) bool {
	look := lexer{page: m.page[:min(len(m.page), m.pos+maxTabList)], pos: m.pos}
	list, depth := m.tag, 1
	var tabs []tab
	var name []byte
	var open tab
	in, inDepth, nested := atom.Atom(0), 0, false
	for kind := look.next(); kind != endOfPage && depth > 0 && len(tabs) < maxTabs && !nested; kind = look.next() {
		switch {
		case kind == textToken && in != 0:
			name = append(name, look.bytes()...)
		case kind == startTag:
			if look.tag == list {
				depth++
			}
			a := look.attrs("role", "id", "aria-controls")
			if a[0] == "tabpanel" && of == roleTabs {
				m.tabLists++
				return false
			}
			nested = nested || a[0] == "tablist"
			if of == byName && standsForText(look.tag) {
				return false // more than names stands in it
			}
			if of == byName && in == 0 && depth == 1 && (look.tag == atom.Ul || look.tag == atom.Ol || look.tag == atom.Nav) {
				list = look.tag // the items stand in a list of their own
				continue
			}
			button := of == byName && look.tag == atom.Button && (in == 0 || len(bytes.TrimSpace(name)) == 0)
			if button || in == 0 && (look.tag == atom.Label || a[0] == "tab" || of == byName && (depth == 1 || depth == 2 && look.tag == list)) {
				in, inDepth, name = look.tag, 1, name[:0]
				open = tab{id: a[1], panel: a[2], of: of, list: m.tabLists}
			} else if look.tag == in && in != 0 {
				inDepth++
			}
		case kind == endTag:
			if look.tag == list {
				depth--
			}
			if look.tag == in && in != 0 {
				if inDepth--; inDepth == 0 {
					in = 0
					open.name = plain.OneLine(html.UnescapeString(string(name)))
					tabs = append(tabs, open)
				}
			}
		}
	}
	if of == byName && (len(tabs) == 0 || !m.panelFollows(look.start)) {
		return false // links to other pages, which are called so
	}
	m.tabs = append(tabs, m.tabs[:min(len(m.tabs), maxTabs)]...)
	if len(tabs) > 0 {
		m.tabLists++
	}
	return true
}

// standsForText reports an element that no name of a tab has in it.
func standsForText(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Table, atom.Blockquote, atom.Dl:
		return true
	}
	return false
}

// panelFollows reports that a panel with a class name alone begins right behind an offset, but for
// elements around panels.
func (m *marker) panelFollows(at int) bool {
	look := lexer{page: m.page[:min(len(m.page), at+maxTabList)], pos: at}
	for range maxAhead {
		switch kind := look.next(); {
		case kind == endOfPage, kind == textToken && len(bytes.TrimSpace(look.bytes())) > 0:
			return false
		case kind == startTag && isNamedPanel(look.tag, look.attrs("class")[0]):
			return true
		}
	}
	return false
}

func isNamedPanel(tag atom.Atom, class string) bool {
	return tag == atom.Div && namesTabs(class, "content__item", "content-item", "panel", "pane")
}

// listOfTabs is the kind of tabs of which an element, whose start tag was just read, has the
// names; 0 of another.
func (m *marker) listOfTabs(tag atom.Atom, role, class string) tabKind {
	switch {
	case role == "tablist":
		return roleTabs
	case tag != atom.Div && tag != atom.Ul || role != "":
	case namesTabs(class, "label", "labels", "list", "nav", "header"):
		return byName
	case tag == atom.Ul:
	case class == "tabbed-labels":
		return material
	case class == "tabs":
		look := m.lexer
		kind := look.next()
		if kind == textToken && len(bytes.TrimSpace(look.bytes())) == 0 {
			kind = look.next()
		}
		if kind == startTag && (look.tag == atom.Input || look.tag == atom.Label) {
			return vitePress
		}
	}
	return 0
}

// panel is the kind of tabs of which an element may be a panel; 0 of another.
func (m *marker) panel(tag atom.Atom, role, class string) tabKind {
	switch {
	case m.tabLists == 0:
	case role == "tabpanel":
		return roleTabs
	case tag == atom.Div && class == "tabbed-block":
		return material
	case tag == atom.Div && strings.HasPrefix(class, "language-"):
		return vitePress
	case isNamedPanel(tag, class):
		return byName
	}
	return 0
}

// namesTabs reports class names one of which is of one of some elements of a block of tabs.
func namesTabs(class string, elements ...string) bool {
	if !strings.Contains(class, "tabs__") {
		return false
	}
	for c := range strings.FieldsSeq(class) {
		block, element, ok := strings.Cut(c, "__")
		if ok && (block == "tabs" || strings.HasSuffix(block, "-tabs")) && slices.Contains(elements, element) {
			return true
		}
	}
	return false
}

// tabOf is the number of the tab to which a panel belongs; -1: nobody knows.
func (m *marker) tabOf(of tabKind, id, labelledBy string) int {
	inOrder := -1
	for i, t := range m.tabs {
		switch {
		case t.of != of:
		case id != "" && t.panel == id, labelledBy != "" && t.id == labelledBy:
			for j := range m.tabs {
				other := &m.tabs[j]
				other.named = other.named || other.list == t.list && (other.id != "" || other.panel != "")
			}
			return i
		case inOrder < 0 && !t.named && (labelledBy == "" || t.id == "") && (id == "" || t.panel == ""):
			inOrder = i
		}
	}
	return inOrder
}

// openPanel writes the name of a tab before its panel, whose start tag was just read. It reports
// false where no tab waits for a panel of that kind.
func (m *marker) openPanel(of tabKind, id, labelledBy string) bool {
	at := m.tabOf(of, id, labelledBy)
	if at < 0 {
		return false
	}
	m.flush()
	name := plain.Visible(strings.ToValidUTF8(m.tabs[at].name, ""))
	m.tabs = append(m.tabs[:at:at], m.tabs[at+1:]...)
	if name != "" && !m.isEmpty() {
		m.line = append(m.line, "**"+inBold.Replace(name)+"**"...)
		m.flush()
		m.tabName = name
	}
	return true
}

// repeatsTab reports a line at the beginning of a panel that has nothing but the name of its tab, as VuePress writes
// it for paper and Vocs above the code.
func (m *marker) repeatsTab(line []byte) bool {
	return m.tabName != "" && bytes.Equal(bytes.ReplaceAll(line, []byte(`\`), nil), []byte(strings.ReplaceAll(m.tabName, `\`, "")))
}

// inBold escapes what would end a name in bold, or a cell with one.
var inBold = strings.NewReplacer("*", `\*`, "`", "\\`", "|", `\|`)

// isEmpty reports an element, whose start tag was just read, that ends at once: the panel of a
// tab that was not chosen, of which a script makes the text.
func (m *marker) isEmpty() bool {
	look := m.lexer
	kind := look.next()
	for kind == otherToken || kind == textToken && len(bytes.TrimSpace(look.bytes())) == 0 {
		kind = look.next()
	}
	return kind == endTag && look.tag == m.tag
}
