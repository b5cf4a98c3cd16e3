// Package describe chooses titles, excerpts, notes and sections for the pages of
// a site, when all of them are known.
package describe

import (
	"context"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Page is a page of a site: what was read from it, and what is chosen for it.
type Page struct {
	URL      string // where it was in the end
	Depth    int    // clicks from the base page
	Evidence *htmlpage.Evidence
	Said     []Said   // its blocks; see Split
	Links    []string // in scope, in the page's order

	Title     string // its own, without what every title of the site ends or begins with; never empty
	Excerpt   string // paragraphs apart by a blank line; never empty
	Note      string // one line; never empty
	Section   string // heading in an index; "" for the base page
	Secondary bool   // licences, changes, indexes
	Place     int    // in its section, as its navigation has it

	shared   string // its title, if others have that too and something was added; else ""
	about    []bool // of its blocks, those about other pages; nil: none
	whole    string // the group that its Section is split off from, or the same
	outlined bool   // the excerpt is a note made from headings or links
	framed   *Page  // the page in a frame of it whose words it shows
}

// Site is what is decided when all pages of a site are known.
type Site struct {
	Limit  int               // longest excerpt in characters
	Alias  map[string]string // addresses that lead to a page, with the page's own
	Prefix string            // of the paths in scope
	Votes  *Votes            // of these pages
}

// fromFrames gives a page that is made of frames the words of the first of them that has
// some, which may be made of frames itself.
func fromFrames(pages []Page) {
	at := make(map[string]*Page, len(pages))
	for i := range pages {
		if p := &pages[i]; at[p.URL] == nil {
			at[p.URL] = p
		}
	}
	for i := range pages {
		p := &pages[i]
		if q := framed(p, at, maxFrames); q != nil && q != p {
			p.Excerpt, p.Note, p.outlined, p.framed = q.Excerpt, q.Note, false, q
		} else if q == nil && !p.outlined {
			p.outlineFrames(at)
		}
	}
}

// outlineFrames gives a page of frames that has no words of its own the outline of the first frame
// that has more than its title.
func (p *Page) outlineFrames(at map[string]*Page) {
	for _, f := range p.Evidence.Parts[:min(len(p.Evidence.Parts), maxParts)] {
		if q := at[f]; q != nil && q.outlined && plain.Key(q.Excerpt) != plain.Key(q.Title) {
			p.Excerpt, p.Note = q.Excerpt, q.Note
			return
		}
	}
}

const (
	maxFrames = 3  // in each other
	maxParts  = 16 // frames of a page
)

// framed is the page whose words a page shows, itself if it is not made of frames; nil if
// it does not come.
func framed(p *Page, at map[string]*Page, depth int) *Page {
	if len(p.Evidence.Parts) == 0 || !p.outlined && !saysFrames(p.Excerpt) {
		if p.outlined {
			return nil
		}
		return p
	}
	for _, f := range p.Evidence.Parts[:min(len(p.Evidence.Parts), maxParts)] {
		if q := at[f]; q != nil && depth > 0 {
			if r := framed(q, at, depth-1); r != nil {
				return r
			}
		}
	}
	return nil
}

// saysFrames reports the few words that tell of a browser without frames, which
// have one name in many languages.
func saysFrames(text string) bool {
	low := strings.ToLower(text)
	return len(text) < 400 && slices.ContainsFunc(frameWords, func(w string) bool { return strings.Contains(low, w) })
}

var frameWords = []string{"frame", "フレーム", "框架", "프레임", "фрейм", "рамк", "ramki", "marcos", "cadres", "rám"}

// Choose fills in the texts of the pages, the base page first, and returns the
// site's title and the names of sections in the order of its navigation. Pages that are
// left when ctx ends have their titles for texts.
func (s Site) Choose(ctx context.Context, pages []Page) (title string, sections []string) {
	a := setTitles(pages)
	d := newDescriber(pages, s.Limit, s.Votes)
	for i := range pages {
		p := &pages[i]
		if ctx.Err() != nil {
			p.Excerpt, p.Note = p.Title, p.Title
			continue
		}
		p.Excerpt = d.excerpt(p)
		p.Note = d.note(p)
	}
	fromFrames(pages)
	alias := lastAliases(s.Alias)
	sections = setSections(pages, alias, s.Prefix)
	title = siteTitle(ctx, pages, a, covered(ctx, pages))
	if ctx.Err() == nil {
		d.define(&pages[0], title)
		d.introduce(pages, title, sections, alias)
	}
	return title, sections
}
