package llmstxt

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// The frontier is why the same site gives the same file. It is a queue in
// which a page's number never changes:
//
//	 0    1    2    3    4    5    6    7   …   3 × MaxPages
//	[✓]  [✓]  [–]  [✓]  [?]  [r]  [r]  [?]
//	                     ↑ next to commit       r: read, waiting for its turn
//
// Workers take numbers from the left and read pages in whatever time it takes.
// Results wait until everything before them was decided. Only deciding changes
// the queue: it appends a page's links, remembers its body, or leaves it out.
// So what stands at a number depends on the pages before it and on nothing
// else, and a cut at MaxPages cuts always at the same place.

type state int8

const (
	queued    state = iota
	committed       // in the result
	passed          // left out
	deferred        // waits for the page that it names as its canonical form
)

// entry is an address in the frontier.
type entry struct {
	url      *url.URL
	key      string // url as a string
	depth    int
	state    state
	res      *result
	target   *entry // deferred: to whom
	fallback *entry // the first page that deferred to this one
}

type frontier struct {
	queue    []*entry
	index    map[string]*entry
	limit    int // entries
	full     bool
	refused  map[string]bool // addresses left out before they got a number
	shapes   map[string]int
	perShape int
	next     int // to hand to a worker
	commit   int // to decide
}

func newFrontier(maxPages int) *frontier {
	return &frontier{index: map[string]*entry{}, limit: 3 * maxPages, refused: map[string]bool{}, shapes: map[string]int{},
		perShape: max(25, maxPages/4)}
}

// known reports whether an address needs no second look.
func (f *frontier) known(key string) bool {
	return f.index[key] != nil || f.refused[key]
}

func (f *frontier) push(u *url.URL, key string, depth int) *entry {
	e := &entry{url: u, key: key, depth: depth}
	f.queue = append(f.queue, e)
	f.index[key] = e
	return e
}

// offer puts an address in scope into the frontier, or says why not.
func (c *crawler) offer(u *url.URL, key string, depth int) {
	f := c.frontier
	if f.known(key) || weburl.IsFile(u) {
		return
	}
	if len(f.queue) >= f.limit {
		f.full = true
		return
	}
	if skip := c.refuse(u, key, depth); skip != nil {
		// Beyond a limit they are forgotten: a trap must not fill the memory.
		if len(f.refused) < 10*c.MaxPages {
			f.refused[key] = true
			c.skip(key, skip)
		}
		return
	}
	f.push(u, key, depth)
}

func (c *crawler) refuse(u *url.URL, key string, depth int) *skipError {
	f := c.frontier
	switch {
	case len(key) > weburl.MaxLength:
		return &skipError{SkipURL, fmt.Sprintf("the address is longer than %d bytes", weburl.MaxLength)}
	case weburl.Repeats(u.EscapedPath()):
		return &skipError{SkipURL, "the address repeats its own path"}
	case depth > c.MaxDepth:
		return &skipError{SkipDepth, fmt.Sprintf("more than %d clicks away", c.MaxDepth)}
	case !c.robots.Allowed(u):
		return &skipError{SkipRobots, "robots.txt forbids it"}
	}
	if s, counted := weburl.Shape(u); counted {
		if f.shapes[s] >= f.perShape {
			return &skipError{SkipPattern, fmt.Sprintf("one of more than %d addresses like %s", f.perShape, s)}
		}
		f.shapes[s]++
	}
	return nil
}

// decide settles the next page of the frontier, whose result has arrived.
func (c *crawler) decide(e *entry) {
	r := e.res
	e.res = nil
	if r.spared.IsZero() {
		c.stats.Fetched++
	}
	c.stats.Bytes += r.bytes
	if r.rendered {
		c.stats.Rendered++
	}
	if r.renderNote != "" {
		c.note(e.key, r.renderNote)
	}
	base := e == c.frontier.queue[0]
	key := r.final.String()
	switch {
	case r.refused != nil:
		if r.status == http.StatusGone {
			c.gone[e.key] = true
		}
		c.pass(e, asSkip(r.refused))
		return
	case key != e.key && !base:
		if other := c.frontier.index[key]; other != nil {
			c.alias[e.key] = key
			c.pass(e, &skipError{SkipRedirect, "leads to " + key})
			return
		}
		// A place of its own, under the address where it is.
		c.frontier.index[key] = e
		e.url, e.key = r.final, key
	}
	if r.noindex && !base {
		c.pass(e, &skipError{SkipNoIndex, "asks not to be indexed"})
		c.follow(r.links, e.depth)
		return
	}
	if !base && c.deferTo(e, r) {
		return
	}
	if first, ok := c.hashes[r.hash]; ok {
		c.pass(e, &skipError{SkipDuplicate, "same as " + first})
		return
	}
	c.commitPage(e, r)
}

// deferTo lets a page stand back for the one it names as canonical, if there
// is such a page. It stays at hand, should that one turn out not to exist.
func (c *crawler) deferTo(e *entry, r *result) bool {
	can := r.evidence.Canonical
	if can == "" || can == e.key {
		return false
	}
	f := c.frontier
	t := f.index[can]
	if t == nil {
		u := weburl.Parse(can)
		if u == nil || weburl.IsFile(u) || len(f.queue) >= f.limit || c.refuse(u, can, e.depth) != nil {
			return false
		}
		t = f.push(u, can, e.depth)
	}
	if t == f.queue[0] && t.url.EscapedPath() != e.url.EscapedPath() {
		return false // a template that calls every page the home page
	}
	switch t.state {
	case committed:
		c.pass(e, &skipError{SkipCanonical, "is canonically " + can})
		return true
	case passed, deferred:
		return false
	}
	if t.fallback != nil {
		c.pass(e, &skipError{SkipCanonical, "is canonically " + can})
		return true
	}
	e.state, e.res, e.target = deferred, r, t
	t.fallback = e
	return true
}

// pass leaves a page out. Who deferred to it takes its place.
func (c *crawler) pass(e *entry, why *skipError) {
	e.state = passed
	if fb := e.fallback; fb != nil {
		e.fallback = nil
		r := fb.res
		fb.res, fb.target = nil, nil
		if first, ok := c.hashes[r.hash]; ok {
			fb.state = passed
			c.skip(fb.key, &skipError{SkipDuplicate, "same as " + first})
		} else {
			c.commitPage(fb, r)
		}
		if why.Reason == SkipRedirect && fb.state == committed {
			return // the canonical address only leads back
		}
	}
	c.skip(e.key, why)
}

// commitPage puts a page into the result and its links into the frontier.
func (c *crawler) commitPage(e *entry, r *result) {
	e.state = committed
	if fb := e.fallback; fb != nil {
		e.fallback, fb.res, fb.target, fb.state = nil, nil, nil, passed
		c.skip(fb.key, &skipError{SkipCanonical, "is canonically " + e.key})
	}
	asked := c.began
	if r.unchanged {
		c.stats.Unchanged++
	}
	if !r.spared.IsZero() {
		c.stats.Spared++
		asked = r.spared
	}
	c.hashes[r.hash] = e.key
	for i, l := range r.links {
		r.links[i] = c.intern(l)
	}
	c.pages = append(c.pages, Page{URL: e.key, Depth: e.depth, Rendered: r.rendered, ETag: r.etag, LastModified: r.modified,
		Hash: r.hash, Asked: asked, Links: r.links, Evidence: r.evidence})
	c.tell(Event{Kind: Committed, Page: len(c.pages), URL: e.key, Message: fmt.Sprintf("Crawling page %d/%d...", len(c.pages), c.MaxPages)})
	if e != c.frontier.queue[0] || c.baseLinked {
		c.follow(r.links, e.depth)
	}
}

func (c *crawler) follow(links []string, depth int) {
	for _, l := range links {
		if c.frontier.known(l) {
			continue
		}
		if u := weburl.Parse(l); u != nil && c.scope.Has(u) {
			c.offer(u, u.String(), depth+1)
		}
	}
}

// intern makes equal addresses share their bytes; a site's pages link to each
// other over and over.
func (c *crawler) intern(s string) string {
	if e := c.frontier.index[s]; e != nil && e.key == s {
		return e.key
	}
	if t, ok := c.strings[s]; ok {
		return t
	}
	if len(c.strings) < 100_000 {
		c.strings[s] = s
	}
	return s
}
