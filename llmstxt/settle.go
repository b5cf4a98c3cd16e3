package llmstxt

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// How the addresses of a page are resolved, once the scope of the crawl is known.

// settle resolves a result's addresses, once the scope is known.
func (c *crawler) settle(r *result) {
	p := r.page
	if p == nil {
		return
	}
	r.page = nil
	for _, to := range r.neighbours {
		if u := weburl.Resolve(r.final, to); u != nil {
			p.Links = append(p.Links, htmlpage.Link{Href: u.String(), Free: true, Place: math.MaxInt})
		}
	}
	s := &settling{crawler: c, r: r, p: p, resolver: weburl.Resolver{Base: baseOf(r.final, p), Left: weburl.ResolverMemory}}
	s.relations()
	c.settleLanguages(r, p, s.inScope)
	s.versions()
	s.links()
}

// settling is a page whose addresses are being resolved, all with one memory.
type settling struct {
	*crawler
	r        *result
	p        *htmlpage.Page
	resolver weburl.Resolver
}

// inScope is the address that ref leads to if that is in the crawl's scope, else "".
func (s *settling) inScope(ref string) string {
	if ref == "" || !weburl.LeadsTo(s.scope.Host, ref) {
		return ""
	}
	u := s.resolver.Resolve(ref)
	switch {
	case u == nil:
	case s.scope.Has(u):
		if s.p.App != nil && strings.HasPrefix(u.RawQuery, "id=") && !strings.Contains(u.RawQuery, "&") {
			whole := *u
			whole.RawQuery = "" // ?id= is docsify's address of a heading of that page
			return whole.String()
		}
		return u.String()
	case u.Host == s.scope.Host && !weburl.IsFile(u):
		s.r.outside++
	}
	return ""
}

// relations notes the pages that the page names beside its links: the one above it, the
// site map and its canonical form.
func (s *settling) relations() {
	ev := &s.r.evidence
	ev.Up = s.inScope(s.p.Up)
	if s.p.Sitemap != "" {
		if u := s.resolver.Resolve(s.p.Sitemap); u != nil {
			ev.Sitemap = u.String()
		}
	}
	own := s.r.final.String()
	for _, canonical := range []string{s.p.Canonical, s.r.canonical} {
		if can := s.inScope(canonical); can != own && ev.Canonical == "" {
			ev.Canonical = can
		}
	}
}

// versions notes the other versions of the page that its switch leads to.
func (s *settling) versions() {
	var choices []weburl.Choice
	for _, l := range s.p.Choices {
		if u := s.resolver.Resolve(l.Href); u != nil && u.Host == s.r.final.Host {
			choices = append(choices, weburl.Choice{Text: l.Name, URL: u, Select: l.Option})
		}
	}
	s.r.evidence.Versions = weburl.Switched(choices)
}

// links notes the pages that the page links to, each once, and the lists that name them.
func (s *settling) links() {
	r := s.r
	r.outside = 0
	own, wanted := r.final.String(), s.language(r.evidence.Lang)
	type listed struct {
		url  string
		link *htmlpage.Link
	}
	r.links = slices.Grow(r.links, len(s.p.Links))
	inLists := make([]listed, 0, len(s.p.Links))
	seen := make(map[string]struct{}, len(s.p.Links))
	size := 0
	for i := range s.p.Links {
		link := &s.p.Links[i]
		if len(r.links) >= htmlpage.MaxLinks || size > maxLinkBytes || s.resolver.Left < 0 {
			break
		}
		if link.Lang != "" && !htmlpage.SameLanguage(link.Lang, wanted) {
			continue // the same page in another language
		}
		l := s.address(link)
		if link.Button && s.given.BelongTo(r.final) {
			if l != "" && l != own && len(r.buttons) < maxButtons {
				r.buttons = append(r.buttons, l) // it may have something done for whoever is logged in
			}
			continue
		}
		if _, known := seen[l]; known || l == "" || l == own {
			if known && link.Place == math.MaxInt && !slices.Contains(r.evidence.Free, l) {
				r.evidence.Free = append(r.evidence.Free, l) // of its header
			}
			continue
		}
		seen[l] = struct{}{}
		size += len(l)
		r.links = append(r.links, l)
		inLists = append(inLists, listed{l, link})
		if link.Free {
			r.evidence.Free = append(r.evidence.Free, l)
		}
		if link.Part {
			r.evidence.Parts = append(r.evidence.Parts, l)
		}
	}
	// A sentence may have named a page before its list did.
	slices.SortStableFunc(inLists, func(a, b listed) int { return a.link.Place - b.link.Place })
	var nav htmlpage.Navigation
	for _, in := range inLists {
		nav.Add(in.url, in.link.Lists)
	}
	r.evidence.Nav = nav.Groups()
}

// address is the page in scope that a link leads to, or "".
func (s *settling) address(link *htmlpage.Link) string {
	if s.app == nil || s.r.form == formHTML {
		return s.inScope(link.Href)
	}
	if u := s.app.address(s.r.final, link.Href); u != nil && s.scope.Has(u) {
		return u.String()
	}
	return ""
}

const (
	maxLinkBytes = 256 << 10 // of a page's links together
	maxButtons   = 100       // of a page, that are not followed
)

func baseOf(page *url.URL, s *htmlpage.Page) *url.URL {
	if s.Base != "" {
		if b := weburl.Resolve(page, s.Base); b != nil && len(b.EscapedPath()) <= weburl.MaxLength { // or no link of it can be a page's
			return b
		}
	}
	return page
}

// readMenu notes what the base page calls the pages that it leads to.
func (c *crawler) readMenu(r *result, p *htmlpage.Page) {
	if p == nil {
		return // known from an earlier crawl
	}
	base := baseOf(r.final, p)
	seen := map[string]bool{r.final.String(): true}
	for _, foot := range []bool{false, true} { // what stands at the foot comes last
		for _, l := range p.Links {
			if l.Name == "" && l.Brand == "" || l.Foot != foot {
				continue
			}
			u := weburl.Resolve(base, l.Href)
			if u == nil || !c.scope.Has(u) {
				continue
			}
			if !foot && r.evidence.Brand == "" && (u.String() == r.final.String() || u.RawQuery == "" && (u.Path == c.scope.Prefix || u.Path == c.scope.Dir())) {
				r.evidence.Brand = cmp.Or(l.Brand, l.Name)
			}
			if l.Name == "" || seen[u.String()] {
				continue
			}
			seen[u.String()] = true
			r.evidence.Menu = append(r.evidence.Menu, htmlpage.Entry{Name: l.Name, URL: u.String()})
		}
	}
}
