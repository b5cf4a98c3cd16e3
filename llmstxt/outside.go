package llmstxt

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What a crawl says of links of its base page that it does not follow.

// noteUnfollowed says that the base page forbids its links, as a wiki does while it is new.
func (c *crawler) noteUnfollowed(e *entry, r *result) {
	if r.unfollowed > 0 {
		c.note(e.key, "Not crawled, because the base page asks that its links not be followed (robots nofollow): "+safetext.Count(r.unfollowed, "link"))
	}
}

// noteOutside says what a start below the site's root leaves out.
func (c *crawler) noteOutside(e *entry, r *result) {
	if r.outside == 0 || r.outside < len(r.links) {
		return
	}
	dir := strings.TrimSuffix(c.scope.Prefix, "/")
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	c.note(e.key, fmt.Sprintf("Not crawled, because outside of %s://%s%s: %s of the base page; to have them, start at %s://%s%s",
		c.scope.Scheme, c.scope.Host, c.scope.Prefix, safetext.Count(r.outside, "link"), c.scope.Scheme, c.scope.Host, dir))
}

// noteElsewhere says that the base page is a copy, whose links lead to another host: that of
// the site without "www.", or the one where a site will stand that is being tried out here.
func (c *crawler) noteElsewhere(e *entry, r *result, p *htmlpage.Page) {
	if p == nil {
		return // known from an earlier crawl
	}
	base := baseOf(r.final, p)
	resolver := weburl.Resolver{Base: base, Left: weburl.ResolverMemory}
	links := map[string]int{}
	most := &url.URL{}
	for _, l := range p.Links {
		u := resolver.Resolve(l.Href)
		if u == nil || u.Host == c.scope.Host || weburl.IsFile(u) {
			continue
		}
		if links[u.Host]++; links[u.Host] > links[most.Host] {
			most = u
		}
	}
	n := links[most.Host]
	if n <= len(r.links)+r.outside || !c.isOwn(most.Host, base, resolver.Resolve(p.Canonical)) && (len(r.links) > 0 || n < 3 || 2*n <= len(p.Links)) {
		return
	}
	c.note(e.key, fmt.Sprintf("Not crawled, because on another host than %s: %s of the base page; to have them, start at %s://%s/",
		c.scope.Host, safetext.Count(n, "link"), most.Scheme, most.Host))
}

// isOwn reports another host of the site: one that the base page names as where it stands, or
// one that has the name of the site's in its own, or the other way round.
func (c *crawler) isOwn(host string, named ...*url.URL) bool {
	for _, u := range named {
		if u != nil && u.Host == host {
			return true
		}
	}
	name := func(host string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(host, "www."), ":")
		return name
	}
	a, b := name(host), name(c.scope.Host)
	if _, err := netip.ParseAddr(a); err == nil || !strings.Contains(a, ".") || !strings.Contains(b, ".") {
		return a == b
	}
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}
