package llmstxt

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/farwire/farwire/llmstxt/internal/frontier"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// otherVersions are addresses of versions that are not wanted. When all else has been decided,
// what exists in one of them alone is taken, the best version first. A site may name as many
// versions as addresses, so each is looked at once, and not once for each version.
type otherVersions struct {
	best    bestVersion              // those with addresses that wait
	of      map[string]*versionGroup // by version
	byPath  map[string][]*entry      // that wait, by their paths without a version
	added   int
	fresh   []*entry // since take has been called
	settled []string // paths of pages that have come into the result since then
}

// versionGroup are the addresses of one version, in the order in which they were found.
type versionGroup struct {
	version string
	entries []*entry
}

// bestVersion is a heap.
type bestVersion []*versionGroup

func (b bestVersion) Len() int           { return len(b) }
func (b bestVersion) Less(i, j int) bool { return weburl.Newer(b[i].version, b[j].version) }
func (b bestVersion) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *bestVersion) Push(v any)        { *b = append(*b, v.(*versionGroup)) }
func (b *bestVersion) Pop() any {
	last := len(*b) - 1
	g := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return g
}

// add has an address wait.
func (o *otherVersions) add(e *entry) {
	if o.of == nil {
		o.of, o.byPath = map[string]*versionGroup{}, map[string][]*entry{}
	}
	g := o.of[e.version]
	if g == nil {
		g = &versionGroup{version: e.version}
		o.of[e.version] = g
		heap.Push(&o.best, g)
	}
	g.entries = append(g.entries, e)
	o.added++
	e.waits = o.added
	o.fresh = append(o.fresh, e)
	if !e.root {
		o.byPath[e.path] = append(o.byPath[e.path], e)
	}
}

// surplus are the addresses that are those of other versions of pages in the result, as far
// as that was not known before, in the order in which they were found. They wait no longer.
func (o *otherVersions) surplus(inResult func(path string) bool) (out []*entry) {
	drop := func(e *entry) {
		if e.waits > 0 && !e.numbered {
			out = append(out, e)
		}
	}
	for _, path := range o.settled {
		for _, e := range o.byPath[path] {
			drop(e)
		}
		delete(o.byPath, path) // what is found from now on is fresh
	}
	for _, e := range o.fresh {
		if !e.root && inResult(e.path) {
			drop(e)
		}
	}
	o.fresh, o.settled = nil, nil
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Compare(a.waits, b.waits) })
	out = slices.Compact(out)
	for _, e := range out {
		e.waits = 0
	}
	return out
}

// settlePath notes that what an entry says is in the result, at its address or another.
func (c *crawler) settlePath(e *entry) {
	if e.known != "" && (e.state == committed || e.said) {
		c.others.settled = append(c.others.settled, e.known)
	}
}

// take takes the addresses of the best version that still wait; none when there are no more.
func (o *otherVersions) take() (version string, entries []*entry) {
	for len(entries) == 0 && len(o.best) > 0 {
		g := heap.Pop(&o.best).(*versionGroup)
		delete(o.of, g.version)
		version, entries = g.version, slices.DeleteFunc(g.entries, func(e *entry) bool { return e.waits == 0 || e.numbered })
	}
	for _, e := range entries {
		e.waits = 0
	}
	return version, entries
}

// takeOtherVersions takes, when all else has been decided, what exists in
// other versions alone: first of the one that is best. It reports whether there
// was any.
func (c *crawler) takeOtherVersions() bool {
	if len(c.queue) >= c.limit {
		return false
	}
	inResult := func(path string) bool { t := c.paths[path]; return t != nil && (t.state == committed || t.said) }
	for _, e := range c.others.surplus(inResult) {
		c.skip(e.key, &skipError{Reason: SkipVersion, Detail: "another version of " + c.paths[e.path].key})
		e.numbered, e.state, e.said = true, passed, true
	}
	best, entries := c.others.take()
	if len(entries) == 0 {
		return false
	}
	if c.version == "" {
		c.version = best
	}
	some := false
	for _, e := range entries {
		if !c.waiting.Put(e, frontier.List{Parent: "version", Segment: c.scope.Segment(e.url)}) {
			c.forget(e)
			continue
		}
		c.remember(e)
		some = true
	}
	return some
}
