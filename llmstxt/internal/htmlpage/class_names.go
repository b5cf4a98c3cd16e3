package htmlpage

import "strings"

// What class names and ids speak of: "site-nav", "pageFooter breadcrumbs".

// subject is what a word of a name speaks of.
type subject uint16

const (
	ofEdge   subject = 1 << iota // of the page: menus, banners, notes
	ofMiddle                     // of it
	ofCrumbs                     // the trail to the page
	ofFoot                       // of the page
	ofNext                       // what leads to the next page
	ofPrev                       // and to the one before
	ofTOC                        // of the page, or of the pages below it
	ofFront                      // of what a book's first page says of itself
	ofDialog                     // of what opens above the page
	ofTool                       // of what somebody does there, as to search
	ofSide                       // of the bar beside it
	ofBox                        // of a box with a note, beside the text
	ofTopics                     // of the list of the categories that the page has

	ofSteps = ofNext | ofPrev
	ofEdges = ofEdge | ofTOC | ofFront // what stands beside what a page is about
)

var subjects = func() map[string]subject {
	of := map[string]subject{}
	for s, words := range map[subject]string{
		ofEdge: `nav navbar navigation navheader navfooter navlinks subnav topnav sidenav docnav menu submenu sidebar
		breadcrumb breadcrumbs footer pager pagination prevnext cookie cookies consent skiplink social
		share sharing banner advert ads promo masthead topbar toolbar noprint comments related feedback newsletter copyright
		searchbox footnotes headerlink editlink editsection secedit permalink online printfooter catlinks dismissible`,
		ofTOC:   "toc tableofcontents",
		ofFront: "legalnotice releaseinfo authorgroup revhistory",
		ofMiddle: `content main body article page wrapper wrap container layout has with no document col row grid without
		section sect chapter subsection subsubsection appendix preface refentry refsect refsection unnumbered`,
		ofCrumbs: "breadcrumb breadcrumbs",
		ofFoot:   "footer",
		ofSide:   "sidebar sidenav docnav",
		ofNext:   "next",
		ofDialog: "modal dialog offcanvas",
		ofTool:   "settings preferences search login signin signup",
		ofPrev:   "prev previous",
		ofTopics: "catlinks",
		ofBox: `admonition admonitionblock callout note notice tip hint warning caution important danger attention alert deprecated
		versionadded versionchanged hatnote infobox ambox`,
	} {
		for word := range strings.FieldsSeq(words) {
			of[word] |= s
		}
	}
	return of
}()

const maxSubject = len("tableofcontents") // bytes of the longest of these words

// subjectsOf is what class names, or an id, speak of: "page" of the middle, "page-navigation" of the edge,
// and "page-sidebar-left" of how the page is laid out.
func subjectsOf(names string) (all subject) {
	var low [maxSubject]byte
	page := -1 // where that word ends, if the one behind it may say of what in the page
	for word, end := range words(names) {
		var s subject
		if len(word) <= maxSubject {
			for i := range len(word) {
				low[i] = nameBytes[word[i]]
			}
			s = subjects[string(low[:len(word)])]
		}
		if page >= 0 && (s&ofEdges == 0 || end-len(word) > page+1 || isTagSpace(names[page]) || end < len(names) && !isTagSpace(names[end])) {
			all |= ofMiddle
		}
		if page = -1; s&ofMiddle != 0 && string(low[:len(word)]) == "page" {
			page, s = end, s&^ofMiddle
		}
		all |= s
	}
	if page >= 0 {
		all |= ofMiddle
	}
	return all
}

// isPeripheral reports whether class names and id speak of the page's edge and
// none of its middle.
func isPeripheral(class, id string) bool { return peripheral(subjectsOf(class), subjectsOf(id)) }

// peripheral takes the two links of a class "prev-next-area" for the edge. An id with these words
// may be that of a section: "next-and-previous".
func peripheral(class, id subject) bool {
	return ((class|id)&ofEdges != 0 || class&ofSteps == ofSteps) && (class|id)&ofMiddle == 0
}

func hasWord(names string, want ...string) bool {
	for w := range words(names) {
		for _, x := range want {
			if len(w) == len(x) && strings.ToLower(w) == x {
				return true
			}
		}
	}
	return false
}

// words splits class names at everything that joins words in them, camelCase
// included, and says where each ends.
func words(names string) func(func(word string, end int) bool) {
	return func(yield func(string, int) bool) {
		start := 0
		for i := 0; i <= len(names); i++ {
			cut := i == len(names) || !isWordByte(names[i])
			camel := !cut && i > start && 'A' <= names[i] && names[i] <= 'Z' && 'a' <= names[i-1] && names[i-1] <= 'z'
			if !cut && !camel {
				continue
			}
			if i > start && !yield(names[start:i], i) {
				return
			}
			start = i
			if cut {
				start++
			}
		}
	}
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
