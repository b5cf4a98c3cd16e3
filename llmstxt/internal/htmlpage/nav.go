package htmlpage

import (
	"strings"
	"unicode"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Navigation. A contents page, or a side bar, says what belongs together: lists
// of links under a heading, a label or a link of their own. The pass over a
// page notes for each link the names of the lists that it stands in, two levels
// deep; a page with several such lists is a candidate for an index's sections.

const (
	maxGroups  = 40
	maxInNav   = 400 // links of one page that count
	maxNavName = 60  // bytes
	maxNested  = 32  // lists in lists
)

// navScanner follows the lists of a page.
type navScanner struct {
	label  []byte // the last text
	linked bool   // of which a part was a link
	light  bool   // of which a part was not bold
	fresh  bool   // the next text begins a new one
	lists  []navList
	deeper int    // lists that are open beyond maxNested
	within int    // <nav> elements that are open
	side   bool   // a side bar is, which may have none
	headed string // the heading in it, behind which links stand in no list
	under  string // the heading in the main content, likewise
	minor  bool   // which is one of the fourth level or below
	said   int    // bytes of text of the item being read that is in no link
	bare   bool   // it has had no link and no list
	bold   int    // elements of bold text that are open
	cells  int    // of the row that is open
	header bool   // the first of them is one of a header
	menus
}

// navList is a list that is open.
type navList struct {
	name, part string
	dropdown   bool     // a button opens it
	block      navBlock // the block that is the list; zero for a list element
}

// maxSaid is how much an item says before a link of a list: what stands behind more is
// a link in a sentence.
const maxSaid = 40

func (n *navScanner) text(t []byte, linked bool) {
	if n.fresh {
		n.label, n.linked, n.light, n.fresh = n.label[:0], false, false, false
		n.opens = false
	}
	n.named, n.opens = true, n.opens || n.opener
	n.light = n.light || n.bold == 0
	if len(n.label) <= maxNavName {
		if len(n.label) > 0 {
			n.label = append(n.label, ' ')
		}
		n.label = append(n.label, t[:min(len(t), 2*maxNavName)]...)
	}
	if n.linked = n.linked || linked; linked {
		n.bare = false
	} else {
		n.said += len(t)
	}
}

// item begins an item of a list, or a text in none.
func (n *navScanner) item() { n.said, n.fresh = 0, true }

// entry begins an element that is an item. In navigation one that has no link names those
// behind it in its list.
func (n *navScanner) entry(navigation bool) {
	n.endBlocks(0)
	if top := len(n.lists) - 1; navigation && n.bare && n.said > 0 && len(n.label) <= maxNavName && n.deeper == 0 && top >= 0 {
		n.lists[top].part = listName(string(n.label))
	}
	n.item()
	n.bare = true
	n.inItem, n.led = true, 0
}

func (n *navScanner) heading(t string) {
	n.label, n.linked, n.fresh = append(n.label[:0], t...), false, true
}

// next begins a text in another element, which is an item where there are no lists.
func (n *navScanner) next(tag atom.Atom) {
	if n.fresh = true; n.said > 0 && (len(n.lists) == 0 || n.inBlock()) && !inline[tag] {
		n.said = 0
	}
}

// setUnder has the links behind a heading of the main content stand under it.
func (n *navScanner) setUnder(m mark) {
	n.under, n.minor = "", false
	if m.level > 1 && len(m.text) <= maxNavName {
		n.under = listName(m.text)
	}
}

// setSummary does that for the summary of details, until their end.
func (n *navScanner) setSummary() {
	name := ""
	if !n.linked && len(n.label) > 0 && len(n.label) <= maxNavName {
		name = listName(string(n.label))
	}
	if n.within > 0 {
		n.headed = name
	} else {
		n.under, n.minor = name, false
	}
}

// setMinor does that for a heading of the fourth level or below, where there are no others.
func (n *navScanner) setMinor() {
	if n.under == "" || n.minor {
		n.under, n.minor = "", true
		if !n.linked && len(n.label) > 0 && len(n.label) <= maxNavName {
			n.under = listName(string(n.label))
		}
	}
}

// inBold reports a name that is all bold, as editors without headings have them.
func (n *navScanner) inBold() bool {
	return !n.light && !n.fresh && !n.linked && len(n.label) > 0 && len(n.label) <= maxNavName && listName(string(n.label)) != ""
}

// cell begins one of a table.
func (n *navScanner) cell(header bool) {
	if n.cells++; n.cells == 1 {
		n.header = header
	}
}

// endRow ends a row of a table and reports whether it was one cell of a header: it names the
// rows below it.
func (n *navScanner) endRow() bool {
	alone := n.cells == 1 && n.header && !n.linked && len(n.label) > 0
	n.cells, n.header = 0, false
	return alone
}

// forget drops the last text: what stands before a form, or in it, names no list.
func (n *navScanner) forget() { n.label, n.linked, n.fresh = n.label[:0], false, true }

// open begins a list and reports whether it has a name.
func (n *navScanner) open() bool {
	label, dropdown := n.label, n.opens && n.within > 0
	n.label = n.label[:0]
	n.item()
	n.bare, n.inItem = false, false
	if len(n.lists) == maxNested {
		n.deeper++ // each link looks at the lists around it
		return false
	}
	name := ""
	if len(label) <= maxNavName && !(n.linked && len(n.lists) == 0) {
		name = listName(string(label))
	}
	n.lists = append(n.lists, navList{name: name, dropdown: dropdown})
	return name != ""
}

// navName takes the ornaments off a label; "" for what is a sentence, or leads to the list
// as one does: "Builtins to do a task, like:".
func navName(label string) string {
	ornament := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("()\"'“”‘’«»?!", r)
	}
	name := strings.TrimLeftFunc(plain.Heading(html.UnescapeString(label)), ornament)
	if !plain.LanguageName(name) {
		name = strings.TrimRightFunc(name, ornament)
	}
	if strings.Contains(name, ". ") || strings.HasSuffix(strings.TrimSpace(label), ".") || len(name) < 2 || skips(name) || leadsIn(label) {
		return ""
	}
	return name
}

// listName is a label's name for a list of links, "" if it says only that there is one.
func listName(label string) string {
	if name := navName(label); !Nameless(name) {
		return name
	}
	return ""
}

// Nameless reports the heading of a list of links that says what it is, and not of what.
func Nameless(name string) bool {
	return nameless[string(plain.AppendKey(make([]byte, 0, maxNavName), name))]
}

// nameless are headings of lists of links that say what they are, and not of what.
var nameless = plain.Set(`navigation sitenavigation mainnavigation pagenavigation mainmenu sitemenu menu jumpto indexentry documentationoverview
	togglenavigation togglemenu togglesidebar togglenavbar opennavigation shownavigation openmenu showmenu quicklinks links share sharethis seealso related relatedtopics relatedpages relatedposts relatedarticles recentposts latestposts popularposts search quicksearch navegación navegação navigazione navigatie
	навигация навігація nawigacja navigace navigáció navigasjon navigering 导航 導航 ナビゲーション 탐색 menü menú меню 菜单 選單 メニュー 메뉴 ` + ofContents)

// namesContents reports the heading of a list of the page's own parts.
func namesContents(name string) bool { return contentsNames[plain.Key(name)] }

var contentsNames = plain.Set(ofContents)

const ofContents = `contents content tableofcontents toc onthispage inthispage inthisarticle thispage
	inhalt inhaltsverzeichnis aufdieserseite sommaire tabledesmatières surcettepage contenido enestapágina conteúdo nestapágina indice inhoud
	содержание оглавление 目录 目錄 目次 목차`

// leadsIn reports the end of a sentence before a list: four words or more and a colon.
func leadsIn(label string) bool {
	label = strings.TrimSpace(label)
	return (strings.HasSuffix(label, ":") || strings.HasSuffix(label, "：")) && len(strings.Fields(label)) >= 4
}

// skips reports the words of a link past the navigation, which stands before its
// lists on many sites: what those of the themes of WordPress, Docusaurus and Sphinx
// begin with, and Javadoc's.
func skips(name string) bool {
	k := plain.AppendKey(make([]byte, 0, maxNavName), name)
	if len(k) == 0 {
		return false
	}
	for _, s := range skipping[k[0]] {
		if len(k) >= len(s) && string(k[:len(s)]) == s {
			return true
		}
	}
	return false
}

// skipping are beginnings of such words, by their first byte.
var skipping = byFirst(`skipto skipnav skiplink skipmain skipcontent jumpto zuminhalt zumhauptinhalt springezu direktzum allerau allerà
	passerau accéderau saltaral iralcontenido irpara pularpara saltarpara vaial passaal saltaal ganaar naarde hopptil hoppatill
	hopptill gåtil gåtill springtil siirry przejdźdo přejítna přeskočit preskočiť ugrása salttila перейтик перейтидо пропустить
	içeriğegeç 本文へ メインコンテンツ コンテンツへ 跳到 跳至 跳转 跳過 본문`)

func byFirst(words string) (by [256][]string) {
	for w := range strings.FieldsSeq(words) {
		by[w[0]] = append(by[w[0]], w)
	}
	return by
}

func (n *navScanner) close() {
	if n.deeper > 0 {
		n.deeper--
	} else if n.endBlocks(0); len(n.lists) > 0 {
		n.lists = n.lists[:len(n.lists)-1]
	}
	n.label = n.label[:0]
	n.item()
	n.bare, n.inItem = false, false
}

// group are the names of the two outermost lists that have one, of the outermost part of a
// list, and of the heading in the main content.
func (n *navScanner) group() (names [Levels]string) {
	if n.said > maxSaid {
		return names
	}
	// A text in navigation stands above the links behind it, where there are no lists.
	if n.inside() && (len(n.lists) == 0 || n.inBlock()) && !n.linked && len(n.label) > 0 && len(n.label) <= maxNavName {
		if name := listName(string(n.label)); name != "" {
			n.setHeaded(name)
		}
	}
	if len(n.lists) == 0 && !n.inside() {
		names[Levels-1] = n.under
	}
	found := 0
	for _, l := range n.lists {
		if l.name != "" && found < 2 {
			names[found] = l.name
			found++
		}
		if names[2] == "" {
			names[2] = l.part
		}
	}
	if found == 0 {
		names[0] = n.headed
	}
	return names
}

// endHeading has the links behind a heading in navigation belong to it, until the
// next one.
func (n *navScanner) endHeading() {
	if n.inside() && len(n.label) <= maxNavName && !n.fresh {
		n.setHeaded(listName(string(n.label)))
	}
}

func (n *navScanner) setHeaded(name string) {
	if n.inBlock() {
		n.lists[len(n.lists)-1].part = name
	} else {
		n.headed = name
	}
}

// inside reports that what comes is navigation.
func (n *navScanner) inside() bool { return n.within > 0 || n.side }

// setSide begins a side bar, or ends it.
func (n *navScanner) setSide(open bool) {
	if n.side != open && n.within == 0 {
		n.headed = ""
		n.item()
	}
	n.side = open
}

// enter and leave are for the element of navigation. One in another is a list.
func (n *navScanner) enter() {
	if n.within > 0 {
		n.open()
	}
	n.within, n.headed = n.within+1, ""
}

func (n *navScanner) leave() {
	n.endBlocks(n.within)
	if n.within > 1 {
		n.close()
	}
	n.within, n.headed = max(0, n.within-1), ""
}

// Levels are the outer lists, those in them, the parts of lists, and what stands behind a
// heading of the main content, which counts on a page without lists.
const Levels = 4

// Navigation gathers the groups of a page's links at all levels.
type Navigation struct {
	levels [Levels][]Group
	count  int
}

// Add puts a link in scope into the lists that it stands in.
func (n *Navigation) Add(link string, names [Levels]string) {
	if n.count == maxInNav {
		return
	}
	n.count++
	for level, name := range names {
		if name == "" {
			continue
		}
		at := -1
		for i := range n.levels[level] {
			if n.levels[level][i].Name == name {
				at = i
			}
		}
		if at < 0 {
			if len(n.levels[level]) == maxGroups {
				continue
			}
			at = len(n.levels[level])
			n.levels[level] = append(n.levels[level], Group{Name: name})
		}
		n.levels[level][at].Links = append(n.levels[level][at].Links, link)
	}
}

// Groups are those of the level that sorts more links into groups of two or more, if
// there are at least three such groups, or two with most of the page's links.
func (n *Navigation) Groups() []Group {
	var best []Group
	most := 0
	for level, groups := range n.levels {
		if level == Levels-1 && best != nil {
			break
		}
		in, large := 0, 0
		for _, g := range groups {
			if len(g.Links) > 1 {
				in += len(g.Links)
				large++
			}
		}
		if (large >= 3 || large == 2 && in*5 >= 3*n.count) && in > most {
			best, most = groups, in
		}
	}
	return best
}
