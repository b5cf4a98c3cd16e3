package llmstxt

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/frontier"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// The frontier is why the same site gives the same file. It is a queue in
// which a page's number never changes:
//
//	 0    1    2    3    4    5    6    7   …   3 × MaxPages
//	[✓]  [✓]  [–]  [✓]  [?]  [r]  [r]  [?]  | addresses without a number yet
//	                     ↑ next to commit   ↑ window: so many have one
//	                          r: read, waiting for its turn
//
// Workers take numbers from the left and read pages in whatever time it takes.
// Results wait until everything before them was decided. Only deciding changes
// the queue: it remembers a page's text, offers its links, or leaves it out, and
// then gives numbers to as many addresses as the window has room for. So what
// stands at a number depends on the pages before it and on nothing else, and a
// cut at MaxPages cuts always at the same place.

// identities are by what pages are known to be the same, or gone.
type identities struct {
	texts  map[string]string // identities of committed pages, to their URLs
	titles map[string]string // of committed pages, by URL
	alias  map[string]string // addresses that led to another page
	gone   map[string]bool   // addresses that answered 410
}

func newIdentities() identities {
	return identities{texts: map[string]string{}, titles: map[string]string{}, alias: map[string]string{}, gone: map[string]bool{}}
}

type state int8

const (
	queued    state = iota
	committed       // in the result
	passed          // left out
	deferred        // waits for the page that it names as its canonical form, or may be a form of
)

// entry is an address in the frontier.
type entry struct {
	url      *url.URL
	key      string // url as a string
	depth    int
	numbered bool
	asked    string // key, when it was numbered
	inDead   bool   // put off because nothing else of its folder was there
	moved    bool   // nothing but an address that leads to this one named it
	listed   bool   // put off because it is a listing, or nothing but a listing named it
	state    state
	res      *result
	target   *entry // deferred: to whom
	why      Reason // and why
	fallback *entry // the first page that deferred to this one
	form     *entry // the first page that may be another form of this one, and waits for it
	said     bool   // passed: what it says is in the result, at another address
	list     frontier.List

	version string // that its path names
	path    string // without it
	root    bool   // of the version
	known   string // the path that it is remembered for; "": it is not
	waits   int    // among those of other versions, from 1 in the order in which they were found; 0: no more
}

// decide settles the next page of the queue, whose result has arrived: the page is left
// out, or waits for another, or is in the result. The base page is in it whatever it says.
func (c *crawler) decide(ctx context.Context, e *entry) {
	r := e.res
	e.res = nil
	c.countAnswer(e, r)
	base := e == c.queue[0]
	if !base && c.leaves(ctx, e, r) {
		return
	}
	c.settleTwin(ctx, e, r)
	if !base && c.leavesByTwin(ctx, e, r) {
		return
	}
	c.commitPage(ctx, e, r)
}

// countAnswer counts what was asked for.
func (c *crawler) countAnswer(e *entry, r *result) {
	c.dead.answer(e.asked, isMissing(r))
	if c.underWay[e.list]--; c.underWay[e.list] <= 0 {
		delete(c.underWay, e.list)
	}
	if r.spared.IsZero() {
		c.stats.Fetched++
	}
	c.stats.Bytes += r.bytes
	if r.rendered {
		c.stats.Rendered++
	} else if r.renderNote != "" && r.twin == nil {
		c.stats.Unrendered++
	}
	if r.renderNote != "" && (r.rendered || r.twin == nil) { // else its words are in the Markdown
		c.note(e.key, r.renderNote)
	}
}

// leaves leaves a page out, or puts it off, for its own answer, and reports whether it did.
func (c *crawler) leaves(ctx context.Context, e *entry, r *result) bool {
	if r.refused == nil && r.form != formHTML && weburl.IsFile(e.url) {
		r.refused = &skipError{Reason: SkipType, Detail: "not HTML"}
	}
	if r.refused != nil {
		if r.status == http.StatusGone {
			c.gone[e.key] = true
		}
		c.pass(ctx, e, asSkip(r.refused))
		c.offerStandIn(e.key)
		if r.status == http.StatusMultipleChoices {
			c.follow(ctx, e, r)
		}
		return true
	}
	if key := r.final.String(); key != e.key && !c.move(e, r.final, key) {
		c.alias[e.key] = key
		c.pass(ctx, e, &skipError{Reason: SkipRedirect, Detail: "leads to " + key})
		return true
	}
	if r.noindex {
		c.pass(ctx, e, &skipError{Reason: SkipNoIndex, Detail: "asks not to be indexed"})
		c.follow(ctx, e, r)
		return true
	}
	return c.leavesToAnother(ctx, e, r) || c.leavesDuplicate(ctx, e, r) || c.leavesTool(ctx, e, r)
}

// move gives an entry the address to which its own has led, unless the page there has a
// place of its own.
func (c *crawler) move(e *entry, to *url.URL, key string) bool {
	other := c.index[key]
	switch {
	case other == nil:
		e.moved = true
		c.folders[folderOf(key)]++
	case other != e && (other.numbered || other.state != queued):
		return false
	default:
		other.numbered, other.state = true, passed // not to be taken from its list
	}
	c.folders[folderOf(e.key)]--
	c.alias[e.key], c.index[key] = key, e
	e.url, e.key = to, key
	e.version, e.path, e.root = weburl.VersionIn(e.url, c.versioned)
	return true
}

// leavesToAnother leaves a page to the one of which it is a translation, a version or
// another form.
func (c *crawler) leavesToAnother(ctx context.Context, e *entry, r *result) bool {
	if why := c.another(e, r); why != nil {
		c.pass(ctx, e, why)
		if v, _, _ := weburl.Version(e.url); why.Reason == SkipVersion && v != e.version {
			c.follow(ctx, e, r) // that it is a version was seen by its links; it may be a page of a list
		}
		return true
	}
	return c.leavesToVersion(ctx, e, r) ||
		!c.namesVersion(e, r.evidence.Canonical) && c.deferTo(ctx, e, r, r.evidence.Canonical, SkipCanonical) ||
		c.standsBack(ctx, e, r) ||
		c.same(r) == "" && c.isForm(ctx, e, r)
}

// leavesDuplicate leaves out what says the same as an earlier page.
func (c *crawler) leavesDuplicate(ctx context.Context, e *entry, r *result) bool {
	switch first := c.same(r); {
	case first == "":
		return false
	case c.repeatsProbeAnswer(ctx, e, r, first):
		c.pass(ctx, e, notFoundAs200)
	default:
		c.pass(ctx, e, c.sameAs(e, first))
	}
	return true
}

// leavesTool leaves out what serves for work on pages.
func (c *crawler) leavesTool(ctx context.Context, e *entry, r *result) bool {
	if !r.evidence.Piece && !describe.IsTool(e.url, &r.evidence, c.inRoot(e, cmp.Or(r.evidence.Lang, c.baseLang)), c.siblings(e)) {
		return false
	}
	c.pass(ctx, e, &skipError{Reason: SkipTool, Detail: "says nothing of its own"})
	c.follow(ctx, e, r)
	return true
}

// leavesByTwin leaves out a page whose Markdown says the same as an earlier one's, or that
// is a soft 404.
func (c *crawler) leavesByTwin(ctx context.Context, e *entry, r *result) bool {
	switch first := c.same(r); {
	case first != "":
		c.pass(ctx, e, c.sameAs(e, first))
	case c.isProbeAnswer(ctx, e, r), c.isGenericAnswer(ctx, e, r):
		c.pass(ctx, e, notFoundAs200)
	default:
		return false
	}
	return true
}

// another says of which page this one is a translation or another version.
func (c *crawler) another(e *entry, r *result) *skipError {
	ev := &r.evidence
	if of := c.foreign[e.key]; of != "" && c.index[of] == e {
		c.restored[e.key] = true // the other one leads here
	} else if of != "" {
		return &skipError{Reason: SkipTranslation, Detail: "a translation of " + of}
	}
	if wanted := c.language(""); wanted != "" && ev.Lang != "" && !htmlpage.SameLanguage(ev.Lang, wanted) {
		if u := weburl.Parse(ev.Native); u != nil {
			if t := c.index[ev.Native]; t == nil || t.state != passed {
				c.offer(u, ev.Native, found{parent: e.key, depth: e.depth})
				return &skipError{Reason: SkipTranslation, Detail: "a translation of " + ev.Native}
			}
		}
		for _, twin := range languageTwins(e.url, ev.Lang, wanted) {
			if t := c.index[twin]; t != nil && t != e && (t.state != passed || t.said) {
				return &skipError{Reason: SkipTranslation, Detail: "a translation of " + t.key}
			}
		}
	}
	if !e.root {
		return nil
	}
	// The page without a version may be the start page of all of them.
	for _, t := range []*entry{c.paths[e.path], c.roots[e.path]} {
		if t != nil && t != e && t.state == committed && (!c.isChosen(e) || c.isChosen(t)) && c.titles[t.key] == versionless(ev) {
			return &skipError{Reason: SkipVersion, Detail: "another version of " + t.key}
		}
	}
	if t := c.roots[e.path]; t == nil || t.state != committed {
		c.roots[e.path] = e
	}
	return nil
}

// same is the address of an earlier page with the same bytes, or the same title
// and text.
func (c *crawler) same(r *result) string {
	for _, key := range r.identities() {
		if first, ok := c.texts[key]; ok {
			return first
		}
	}
	return ""
}

// identities are what makes a page the same as another.
func (r *result) identities() []string {
	out := []string{r.hash}
	if r.evidence.Sum != "" {
		out = append(out, "text "+r.evidence.Sum)
	}
	if r.evidence.Unsorted != "" {
		// A list that is sorted otherwise, at the same path with another query.
		out = append(out, "unsorted "+r.evidence.Unsorted+" "+r.final.EscapedPath())
	}
	return append(out, r.alike...)
}

// deferTo lets a page stand back for another, the one that it names as canonical or
// its translation, if there is such a page. It stays at hand, should that one turn out not
// to exist.
func (c *crawler) deferTo(ctx context.Context, e *entry, r *result, can string, why Reason) bool {
	t := c.index[can]
	if can == "" || can == e.key || t == e { // or an address that has led to the page's own
		return false
	}
	if t == nil || !t.numbered {
		u := weburl.Parse(can)
		if u == nil || weburl.IsFile(u) || len(c.queue) >= c.limit || t == nil && c.refuse(u, can, e.depth) != nil {
			return false
		}
		if t == nil {
			t = c.know(u, can, e.depth)
		}
		c.number(t)
	}
	if t == c.queue[0] && t.url.EscapedPath() != e.url.EscapedPath() {
		if goesOn, _ := describe.GoesOn(e.url, t.url); !goesOn {
			return false // a template that calls every page the home page
		}
	}
	switch t.state {
	case committed:
		if c.alike[t.key] {
			return false // it may be no page
		}
		c.pass(ctx, e, c.leftFor(e, t, why))
		c.followPart(ctx, e, t, r)
		return true
	case passed, deferred:
		return false
	}
	if t.fallback != nil {
		c.pass(ctx, e, c.leftFor(e, t, why))
		c.followPart(ctx, e, t, r)
		return true
	}
	e.state, e.res, e.target, e.why = deferred, r, t, why
	t.fallback = e
	return true
}

// pass leaves a page out. Who deferred to it takes its place.
func (c *crawler) pass(ctx context.Context, e *entry, why *skipError) {
	e.state, e.said = passed, why.saidElsewhere()
	c.settlePath(e)
	place := e
	defer func() { c.settleForm(ctx, e, place) }()
	if fb := e.fallback; fb != nil {
		e.fallback, place = nil, fb
		r := fb.res
		fb.res, fb.target = nil, nil
		c.adopt(r)
		if first := c.same(r); first != "" {
			fb.state, fb.said = passed, true
			c.settlePath(fb)
			c.skip(fb.key, c.sameAs(fb, first))
		} else {
			c.commitPage(ctx, fb, r)
		}
		if why.Reason == SkipRedirect && fb.state == committed {
			return // the canonical address only leads back
		}
	}
	c.skip(e.key, why)
}

// commitPage puts a page into the result and its links into the frontier.
func (c *crawler) commitPage(ctx context.Context, e *entry, r *result) {
	e.state = committed
	c.settlePath(e)
	if fb := e.fallback; fb != nil {
		left := fb.res
		e.fallback, fb.res, fb.target, fb.state, fb.said = nil, nil, nil, passed, true
		c.settlePath(fb)
		c.skip(fb.key, c.leftFor(fb, e, fb.why))
		if fb.why == SkipVersion {
			defer func() { c.follow(ctx, fb, left) }() // what exists in one version alone stays
		} else {
			defer func() { c.followPart(ctx, fb, e, left) }()
		}
	}
	asked := c.began
	if r.unchanged {
		c.stats.Unchanged++
	}
	if !r.spared.IsZero() {
		c.stats.Spared++
		asked = r.spared
	}
	for _, key := range r.identities() {
		if _, taken := c.texts[key]; !taken {
			c.texts[key] = e.key
		}
	}
	for _, f := range r.evidence.Foreign {
		if c.foreign[f] == "" && len(c.foreign) < 30*c.MaxPages {
			c.foreign[f] = e.key
		}
	}
	c.learnVersions(r)
	c.titles[e.key] = versionless(&r.evidence)
	c.votes.Add(&r.evidence, r.said)
	c.said = append(c.said, r.said)
	links := r.links
	r.links = make([]string, 0, len(links))
	for _, l := range links {
		if l = c.intern(l); l != "" {
			r.links = append(r.links, l)
		}
	}
	c.pages = append(c.pages, Page{URL: e.key, Depth: e.depth, Rendered: r.rendered, ETag: r.etag, LastModified: r.modified,
		Hash: r.hash, Asked: asked, Links: r.links, Evidence: r.evidence})
	c.keepText(ctx, e.key, r.whole)
	c.tell(Event{Kind: Committed, Page: c.found(), URL: e.key, Message: fmt.Sprintf("Crawling page %d/%d...", c.found(), c.MaxPages)})
	c.follow(ctx, e, r)
	c.settleForm(ctx, e, e)
}
