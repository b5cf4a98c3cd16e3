package llmstxt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Addresses that end like files. Most are files, and asking for each would fetch nothing
// but files. But where pages have names with dots, /api/system.text.json may be one
// beside /api/system.linq: then the first answers decide.

const (
	dottedPages = 3 // of a folder, with endings that are those of no file, from which on its files are asked for
	filesTried  = 2 // of a folder, with one ending, until an answer says what they are
	filesInVain = 6 // with one ending, on the whole site, before no more are asked for
)

// endsLikeFiles are addresses of one folder with one ending.
type endsLikeFiles struct {
	ending  string
	waiting []fileLink
	tried   int  // that got a number
	pages   bool // one of them was a page
}

type fileLink struct {
	entry *entry // not in the index
	found found
}

// fileNames are the addresses that end like files. It belongs to Crawl's goroutine.
type fileNames struct {
	known  map[string]bool
	groups map[string]*endsLikeFiles // by folder and ending
	order  map[string][]string       // keys of groups, by folder, in the order in which they were found
	dotted map[string]int            // pages whose names have other dots, by folder
	asked  map[string]string         // keys of groups, by addresses that were asked for
	inVain map[string]int            // by ending; below zero once one was a page
}

func newFileNames() fileNames {
	return fileNames{known: map[string]bool{}, groups: map[string]*endsLikeFiles{}, order: map[string][]string{}, dotted: map[string]int{}, asked: map[string]string{}, inVain: map[string]int{}}
}

// holdFile keeps an address that ends like a file, and has its group asked for if it is
// time.
func (c *crawler) holdFile(e fileLink) {
	ending, f := weburl.FileEnding(e.entry.url), &c.files
	if ending == "" || f.known[e.entry.key] || len(f.known) >= 10*c.MaxPages {
		return
	}
	f.known[e.entry.key] = true
	c.holding += len(e.entry.key) + entrySize
	folder := folderOf(e.entry.key)
	key := folder + " " + ending
	g := f.groups[key]
	if g == nil {
		g = &endsLikeFiles{ending: ending}
		f.groups[key] = g
		f.order[folder] = append(f.order[folder], key)
	}
	g.waiting = append(g.waiting, e)
	c.askFiles(folder)
}

// askFiles offers what a folder has of addresses that may be pages.
func (c *crawler) askFiles(folder string) {
	f := &c.files
	if f.dotted[folder] < dottedPages {
		return
	}
	for _, key := range f.order[folder] {
		g := f.groups[key]
		for len(g.waiting) > 0 && (g.pages || g.tried < filesTried && f.inVain[g.ending] < filesInVain) {
			next := g.waiting[0]
			g.waiting = g.waiting[1:]
			next.found.file = true
			if c.offer(next.entry.url, next.entry.key, next.found); c.index[next.entry.key] != nil {
				g.tried++
				f.asked[next.entry.key] = key
			}
		}
	}
}

// learnFiles notes what a page that was decided says of addresses like its own.
func (c *crawler) learnFiles(asked string, e *entry, r *result) {
	f := &c.files
	page := r.refused == nil && r.form == formHTML
	if key := f.asked[asked]; key != "" {
		g := f.groups[key]
		switch {
		case !page && f.inVain[g.ending] >= 0:
			f.inVain[g.ending]++
		case page:
			f.inVain[g.ending], g.pages = -1, true
			c.askFiles(folderOf(asked))
		}
	} else if page && e.state == committed && weburl.HasDottedName(e.url) {
		folder := folderOf(e.key)
		f.dotted[folder]++
		c.askFiles(folder)
	}
}

// noteFiles says how many links were left alone for their endings.
func (c *crawler) noteFiles() {
	count := map[string]int{}
	all := 0
	for _, g := range c.files.groups {
		count[g.ending] += len(g.waiting)
		all += len(g.waiting)
	}
	if all == 0 {
		return
	}
	var parts []string
	for _, ending := range slices.Sorted(maps.Keys(count)) {
		if n := count[ending]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d × %s", n, ending))
		}
	}
	c.note("", fmt.Sprintf("Links that end like files were not asked for: %d (%s)", all, strings.Join(parts, ", ")))
}
