package llmstxt

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/frontier"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Which addresses may get a number, and in which list they wait for it.

// addresses are those that the crawl knows, with a number and without.
type addresses struct {
	queue  []*entry // those with a number
	next   int      // to hand to a worker
	commit int      // to decide
	limit  int      // of numbers

	index    map[string]*entry // all that are known
	maxKnown int
	full     bool            // as many are known as may be
	forgot   bool            // one whose list was full
	refused  map[string]bool // those left out before they got a number
	folders  map[string]int  // how many of the index each has
	dead     deadFolders
	shapes   map[string]int // how many there are of each shape
	perShape int
	buttons  map[string]int // where those lead that were not pressed, by their turn

	waiting   frontier.Queue[*entry]
	underWay  map[frontier.List]int // those of a list that have a number and are not decided
	perList   int                   // the most of them
	afterBase int                   // the number behind those that the base page links to
}

func newAddresses(maxPages int) addresses {
	return addresses{
		limit: 3 * maxPages, index: map[string]*entry{}, maxKnown: 30*maxPages + 5000, refused: map[string]bool{},
		folders: map[string]int{}, dead: deadFolders{}, shapes: map[string]int{}, perShape: max(25, maxPages/4), buttons: map[string]int{},
		underWay: map[frontier.List]int{}, perList: min(max(8, maxPages/8), 32),
	}
}

// found is where an address was found.
type found struct {
	base   bool   // on the base page
	single bool   // in a list that has room in the file as a whole
	parent string // address of the page or the site map
	depth  int    // that it has there
	shape  string // of the parent
	free   bool   // the next page of a chain, or a part of the page
	file   bool   // asked for although it ends like a file
	late   bool   // in a listing that a generator wrote, which names all that there is, or such a listing of its parent's
}

// follow offers a page's links. After the crawl's end nothing follows.
func (c *crawler) follow(ctx context.Context, e *entry, r *result) {
	for _, l := range r.buttons {
		if _, ok := c.buttons[l]; !ok && len(c.buttons) < 10*c.MaxPages {
			c.buttons[l] = len(c.buttons)
			c.holding += len(l) + 64
		}
	}
	free := map[string]bool{}
	for _, l := range r.evidence.Free {
		free[l] = true
	}
	shape, _, _ := weburl.ShapeOf(e.url)
	listing := e != c.queue[0] && weburl.IsListing(e.url)
	for i, l := range withoutTwins(r.links) {
		if i%16 == 0 && ctx.Err() != nil {
			return
		}
		if c.known(l) && (listing || !c.isPutOff(l)) {
			continue
		}
		if c.full {
			return
		}
		if u := weburl.Parse(l); u != nil && c.scope.Has(u) {
			base := e == c.queue[0]
			f := found{base: base, single: base && len(r.links) < c.MaxPages, parent: e.key, depth: e.depth + 1, shape: shape, free: free[l], late: listing || weburl.ListsMembers(u, e.url)}
			if f.free {
				f.depth--
			}
			if path, _, counted := weburl.ShapeOf(u); counted && path == shape {
				f.depth = min(f.depth, c.MaxDepth) // page 33 of a list is no deeper than page 2
			}
			c.offer(u, u.String(), f)
		}
	}
}

// followPart follows a further part of a list that calls the list's beginning its canonical form,
// as many sites have it: what it lists is linked from nowhere else. At the list's own address only
// its other parts are followed, and none of its orders and filters.
func (c *crawler) followPart(ctx context.Context, e, list *entry, r *result) {
	if goesOn, _ := describe.GoesOn(e.url, list.url); !goesOn {
		return
	}
	r.links = slices.DeleteFunc(slices.Clone(r.links), func(l string) bool {
		u := weburl.Parse(l)
		if u == nil {
			return true
		}
		goesOn, shown := describe.GoesOn(u, list.url)
		return shown && !goesOn
	})
	c.follow(ctx, e, r)
}

// known reports whether an address needs no second look.
func (c *crawler) known(key string) bool {
	return c.index[key] != nil || c.refused[key]
}

// isPutOff reports an address that waits for the end because a listing named it before a page did.
func (c *crawler) isPutOff(key string) bool {
	e := c.index[key]
	return e != nil && e.listed && !e.numbered && e.key == key && !weburl.IsListing(e.url)
}

// folderOf is the folder of an address.
func folderOf(key string) string {
	key, _, _ = strings.Cut(key, "?")
	key = strings.TrimSuffix(key, "/")
	return key[:strings.LastIndexByte(key, '/')+1]
}

// siblings counts the addresses in the folder of one that are known so far.
func (c *crawler) siblings(e *entry) int { return c.folders[folderOf(e.key)] - 1 }

// inRoot reports a page in the folder of its site, or in that of the site's pages in one
// language: the site's own log-in stands there, beside any number of pages.
func (c *crawler) inRoot(e *entry, lang string) bool {
	dir, _ := path.Split(strings.TrimSuffix(e.url.EscapedPath(), "/"))
	is := func(dir string) bool { return dir == "/" || dir == c.scope.Dir() }
	last := path.Base(dir)
	return is(dir) || lang != "" && is(strings.TrimSuffix(dir, last+"/")) && htmlpage.SameLanguage(last, lang)
}

const entrySize = 400 // bytes of an address in the frontier, beside the address

// know makes an entry of an address.
func (c *crawler) know(u *url.URL, key string, depth int) *entry {
	e := &entry{url: u, key: key, depth: depth}
	e.version, e.path, e.root = weburl.VersionIn(u, c.versioned)
	c.index[key] = e
	c.folders[folderOf(key)]++
	c.holding += len(key) + entrySize
	return e
}

// forget is the opposite of know, for an address whose list is full. It may be offered again.
func (c *crawler) forget(e *entry) {
	delete(c.index, e.key)
	c.folders[folderOf(e.key)]--
	c.holding -= len(e.key) + entrySize
	c.forgot = true
}

// offer puts an address in scope into the frontier, or says why not.
func (c *crawler) offer(u *url.URL, key string, f found) {
	if c.isPutOff(key) && !f.late {
		e := c.index[key]
		e.listed = false
		if late, shape := c.lateness(u, f); late == frontier.InTurn {
			c.put(e, f, shape) // it waits for the end, too, if the list is full
		}
		return
	}
	if c.known(key) {
		return
	}
	if !f.file && weburl.IsFile(u) {
		c.holdFile(fileLink{&entry{url: u, key: key}, f})
		return
	}
	if len(c.index) >= c.maxKnown {
		c.full = true
		return
	}
	if why := c.refuse(u, key, f.depth); why != nil {
		// Beyond a limit they are forgotten: a trap must not fill the memory.
		if len(c.refused) < 10*c.MaxPages {
			c.refused[key] = true
			c.holding += len(key)
			c.skip(key, why)
		}
		return
	}
	late, shape := c.lateness(u, f)
	if late != frontier.InTurn && c.waiting.Deferred(late) >= 10*c.MaxPages {
		return // more than can ever come: they must not keep others out
	}
	e := c.know(u, key, f.depth)
	switch {
	case e.version != "" && !c.isWanted(e.version):
		c.others.add(e)
	case late != frontier.InTurn:
		e.listed = f.late || weburl.IsListing(u)
		c.waiting.Defer(e, late)
	case !c.put(e, f, shape):
		c.forget(e)
	}
}

// put puts an address at the end of the list in which it was found; false when that is full.
func (c *crawler) put(e *entry, f found, shape string) bool {
	list := frontier.List{Base: f.base, Parent: f.parent}
	if !f.single {
		list.Segment = c.scope.Segment(e.url)
	}
	if !c.waiting.Put(e, list) {
		if shape != "" {
			c.shapes[shape]--
		}
		return false
	}
	c.remember(e)
	return true
}

func (c *crawler) remember(e *entry) {
	if c.paths[e.path] == nil {
		c.paths[e.path], e.known = e, e.path
	}
	if e.version != "" && c.isWanted(e.version) && !e.root && c.ofVersion[e.path] == nil {
		c.ofVersion[e.path] = e
	}
}

func (c *crawler) refuse(u *url.URL, key string, depth int) *skipError {
	switch {
	case len(key) > weburl.MaxLength:
		return longAddress
	case weburl.Repeats(u.EscapedPath()):
		return &skipError{Reason: SkipURL, Detail: "the address repeats its own path"}
	case depth > c.MaxDepth:
		return &skipError{Reason: SkipDepth, Detail: fmt.Sprintf("more than %d clicks away", c.MaxDepth)}
	case weburl.IsTool(u):
		return &skipError{Reason: SkipTool, Detail: "not a page to read: edits, compares, prints or lists others"}
	case c.given.BelongTo(u) && weburl.EndsSession(u):
		return endsSession
	case c.given.BelongTo(u) && weburl.Deletes(u):
		return mayDelete
	case !c.chosen(u):
		return &skipError{Reason: SkipExcluded, Detail: "not among the pages that were chosen"}
	case c.foreign[key] != "":
		return &skipError{Reason: SkipTranslation, Detail: "a translation of " + c.foreign[key]}
	}
	if s := c.barred(u); s != nil {
		return s
	}
	return c.isTwin(key)
}

// What is not asked for with credentials.
var (
	endsSession = &skipError{Reason: SkipTool, Detail: "not asked for with credentials: it would end their session"}
	onlyButton  = &skipError{Reason: SkipTool, Detail: "not asked for with credentials: nothing but a button leads there, which may do anything"}
	mayDelete   = &skipError{Reason: SkipTool, Detail: "not asked for with credentials: it may delete something"}
)

// leaveButtons says where nothing but buttons lead, which are not pressed with credentials.
func (c *crawler) leaveButtons() {
	byTurn := func(a, b string) int { return c.buttons[a] - c.buttons[b] }
	for _, l := range slices.SortedFunc(maps.Keys(c.buttons), byTurn) {
		if !c.known(l) {
			c.skip(l, onlyButton)
		}
	}
}

// chosen reports whether Include and Exclude let a page in.
func (c *crawler) chosen(u *url.URL) bool {
	escaped := u.EscapedPath()
	matches := func(globs []*weburl.Glob) bool {
		return slices.ContainsFunc(globs, func(g *weburl.Glob) bool {
			return g.Match(u.Path) || escaped != u.Path && g.Match(escaped)
		})
	}
	return (len(c.include) == 0 || matches(c.include)) && !matches(c.exclude)
}

// lateness says how far an address is put off: the listings that generators write, and what
// they alone name, come at the end, as do those of a shape that has had its share. It returns
// the shape, too, if it counted the address.
func (c *crawler) lateness(u *url.URL, f found) (late frontier.Late, as string) {
	if !f.base && !f.free && (f.late || weburl.IsListing(u)) {
		return frontier.AtTheEnd, ""
	}
	return c.shaped(u, f)
}

// shaped counts addresses of one shape, as calendars and facets have, and says how far
// one is put off: what is beyond its share comes at the end, and what pages of the same
// shape link to behind that, for it may have no end. It returns the shape, too, if it
// counted the address.
func (c *crawler) shaped(u *url.URL, f found) (late frontier.Late, as string) {
	path, shape, counted := weburl.ShapeOf(u)
	if !counted || f.free {
		return frontier.InTurn, ""
	}
	if c.shapes[shape] < c.perShape {
		c.shapes[shape]++
		return frontier.InTurn, shape
	}
	if f.shape == path {
		return frontier.Last, ""
	}
	return frontier.AtTheEnd, ""
}

// withoutTwins are a page's links less the Markdown forms of others among them.
func withoutTwins(links []string) []string {
	var set map[string]bool
	var out []string
	for i, l := range links {
		if strings.HasSuffix(l, ".md") {
			if set == nil {
				set = make(map[string]bool, len(links))
				for _, l := range links {
					set[l] = true
				}
			}
			if pageOfTwin(l, func(f string) bool { return set[f] }) != "" {
				if out == nil {
					out = append(make([]string, 0, len(links)), links[:i]...)
				}
				continue
			}
		}
		if out != nil {
			out = append(out, l)
		}
	}
	if out == nil {
		return links
	}
	return out
}
