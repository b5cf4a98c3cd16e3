package htmlpage

// Evidence is what was read from a page: enough to choose its title, excerpt
// and section again without the page. Its fields change only with the version.
type Evidence struct {
	Version     int      `json:"v"`
	Need        int      `json:"need"` // bytes of prose looked for, from DescLength
	Lang        string   `json:"lang,omitempty"`
	Title       string   `json:"title,omitempty"`       // <title>, whole
	OpenTitle   string   `json:"open_title,omitempty"`  // og:title
	Headline    string   `json:"headline,omitempty"`    // what stands above its text as a title, in no heading element
	SiteName    string   `json:"site_name,omitempty"`   // og:site_name, or another that its head has
	Publisher   string   `json:"publisher,omitempty"`   // who made the site
	Brand       string   `json:"brand,omitempty"`       // of the base page: what the site's sign says
	Description string   `json:"description,omitempty"` // the first that the page has, of all sources
	Others      []string `json:"others,omitempty"`      // further descriptions: of Open Graph, of JSON-LD …
	Canonical   string   `json:"canonical,omitempty"`   // in scope and not the page's own URL
	Up          string   `json:"up,omitempty"`          // URL of the page above this one, in scope
	Crumbs      []string `json:"crumbs,omitempty"`      // breadcrumb, outermost first
	Sitemap     string   `json:"sitemap,omitempty"`     // URL of the site map that it names
	Nav         []Group  `json:"nav,omitempty"`         // lists of links under a name, if the page is made of them
	Blocks      []Block  `json:"blocks,omitempty"`      // the main content's beginning
	Edges       []string `json:"edges,omitempty"`       // texts that stand before and behind it
	Anchors     []string `json:"anchors,omitempty"`     // words of its links, for pages that are only links
	Sum         string   `json:"sum,omitempty"`         // of title and text, "" if there is next to none
	Unsorted    string   `json:"unsorted,omitempty"`    // the same in any order of its texts, "" if there are few
	Twin        string   `json:"twin,omitempty"`        // URL of the Markdown that Blocks and Anchors were read from; "": the page itself
	Native      string   `json:"native,omitempty"`      // the same page in the language that is kept, in scope
	Foreign     []string `json:"foreign,omitempty"`     // the same page in other languages, in scope
	Versions    []string `json:"versions,omitempty"`    // paths of folders that hold versions, as its switcher shows them
	Free        []string `json:"free,omitempty"`        // of its links, those that are no deeper: the next page, frames
	Code        bool     `json:"code,omitempty"`        // its main content shows some
	Piece       bool     `json:"piece,omitempty"`       // it is a piece of a page that only leads to others
	Parts       []string `json:"parts,omitempty"`       // of its links, the frames that it is made of
	Menu        []Entry  `json:"menu,omitempty"`        // of the base page: the links of its navigation
}

// EvidenceVersion is the version of what is kept of a page.
const EvidenceVersion = 33

// Size is about how many bytes of memory it takes.
func (e *Evidence) Size() int {
	const each = 16 // for a string
	n := len(e.Title) + len(e.OpenTitle) + len(e.Headline) + len(e.SiteName) + len(e.Publisher) + len(e.Brand) + len(e.Description) + len(e.Canonical) + len(e.Up) + len(e.Sitemap) + 400
	for _, all := range [][]string{e.Others, e.Crumbs, e.Edges, e.Anchors, e.Foreign, e.Versions} {
		for _, s := range all {
			n += each + len(s)
		}
	}
	for _, g := range e.Nav {
		n += 3*each + len(g.Name) + each*len(g.Links) // which are the page's
	}
	for _, b := range e.Blocks {
		n += 3*each + len(b.Text)
	}
	for _, m := range e.Menu {
		n += 2*each + len(m.Name) + len(m.URL)
	}
	return n + each*(len(e.Free)+len(e.Parts))
}

// Block is a run of text in a page's main content.
type Block struct {
	Kind  BlockKind `json:"k"`
	Text  string    `json:"t,omitempty"` // one line
	Links int       `json:"l,omitempty"` // percent of the text that is in links
	Boxed bool      `json:"b,omitempty"` // it stands in a box with a note, beside the text
}

// BlockKind says what a Block was in the page.
type BlockKind string

// The kinds of blocks.
const (
	Paragraph  BlockKind = "p"
	Item       BlockKind = "li" // of a list
	Definition BlockKind = "dd" // what a term means
	Term       BlockKind = "dt"
	Cell       BlockKind = "td"
	Heading    BlockKind = "h"
	Title      BlockKind = "h1"  // a heading of the first level
	Omitted    BlockKind = "pre" // code, a picture or a table's frame stood here; no text
)

// Group is a list of links under a name.
type Group struct {
	Name  string   `json:"name"`
	Links []string `json:"links"` // in scope, normalised
}

// Entry is a link of a menu.
type Entry struct {
	Name string `json:"name"`
	URL  string `json:"url"` // in scope, normalised
}
