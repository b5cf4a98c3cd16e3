package llmstxt

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/openapi"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What is made of a page that has arrived.

// read takes from a page what will be needed of it, and returns where it leads
// to if it does nothing else. reloads says that its header leads to itself.
func (c *crawler) read(ctx context.Context, a *transfer, r *result, text []byte, reloads bool) (*url.URL, error) {
	p, err := a.parse(ctx, text)
	if err != nil {
		return nil, err
	}
	if r.cookies.Keep(r.final, p.Cookies) {
		r.newCookie = true
	}
	if to, err := c.leadsOn(r, p, text, p.Bare && reloads || p.Reloads); to != nil || err != nil {
		return to, err
	}
	if why := p.NeedsBrowser(); why != "" {
		if p, text, err = c.showInBrowser(ctx, a, r, p, text, why); err != nil {
			return nil, err
		}
	}
	r.page = p
	p.Sitemap = cmp.Or(p.Sitemap, httphead.Link(a.resp.Header, "sitemap", ""))
	r.findTwin(a.resp.Header, p, text)
	noIndex, noFollow := p.Robots(robots.ProductToken(c.UserAgent))
	r.noindex = (noIndex || r.noindex) && !c.IgnoreRobots
	if noFollow || r.nofollow {
		p.Links = nil
	}
	c.takeEvidence(r, p, r.language(a.resp.Header, p))
	if p.Short != "" {
		r.tellNowhere(p.Short+"\n"+p.Title, r.evidence.Blocks)
	}
	if why := notAPage(r, p, text); why != nil {
		return nil, why
	}
	if err := c.wholeHTML(ctx, r, p, a.charset); err != nil {
		return nil, err
	}
	if c.scope.Host != "" {
		c.settle(r) // else later, when the scope is known
	}
	return nil, nil
}

// leadsOn is where a page leads to that does nothing else: on to another, or to itself
// with the cookie that it has set. Else it is nil. Of a page that asks for proof of a
// browser, and is neither shown in one nor asked for again, the error says so.
func (c *crawler) leadsOn(r *result, p *htmlpage.Page, text []byte, reloads bool) (*url.URL, error) {
	mayReload := r.newCookie && !r.reloaded
	if c.Render == nil && !(reloads && mayReload) {
		if why := notpage.Challenge(p, text); why != "" {
			return nil, &skipError{Reason: SkipChallenge, Detail: why}
		}
	}
	if p.Refresh != "" {
		to, err := leadsTo(baseOf(r.final, p), p.Refresh)
		if err != nil || to != nil && !r.isAt(to) {
			return to, err
		}
		reloads = reloads || to != nil && p.Bare
	}
	if reloads && mayReload {
		r.reloaded = true
		return r.hop(), nil
	}
	return nil, nil
}

// showInBrowser has a page rendered that says little without a browser, and returns what
// the browser showed, or the page as it was sent where there is no browser or it failed.
func (c *crawler) showInBrowser(ctx context.Context, a *transfer, r *result, p *htmlpage.Page, text []byte, why string) (*htmlpage.Page, []byte, error) {
	if c.Render == nil {
		r.renderNote = fmt.Sprintf("%s says next to nothing without a browser (%s)", r.final, why)
		return p, text, nil
	}
	a.close() // a browser takes its time
	var rendered []byte
	var failed error
	var render tasks // what it starts shall not have the priority of this thread
	render.Go(func() { rendered, failed = c.Render(ctx, r.final.String(), why) })
	render.Wait()
	if err := a.core(len(rendered)); err != nil {
		return nil, nil, err
	}
	switch {
	case failed != nil:
		r.renderNote = fmt.Sprintf("Could not render %s (%s): %s; using its static form", r.final, why, detail(failed))
		return p, text, nil
	case int64(len(rendered)) > c.MaxPageBytes:
		r.renderNote = fmt.Sprintf("Could not render %s (%s): the result is larger than %d bytes; using its static form", r.final, why, c.MaxPageBytes)
		return p, text, nil
	}
	r.renderNote = fmt.Sprintf("Rendered %s: %s", r.final, why)
	text = bytes.ToValidUTF8(rendered, []byte("\ufffd"))
	p, err := a.parse(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	r.rendered = true
	// The pages of an application are one file: what they show tells them apart.
	sum := sha256.Sum256(text)
	r.hash = hex.EncodeToString(sum[:])
	return p, text, nil
}

// findTwin notes where the page is in Markdown or, of an empty one that shows the
// description of an API, where that is.
func (r *result) findTwin(head http.Header, p *htmlpage.Page, text []byte) {
	r.twinURL = r.twinLink(head, p)
	if r.twinURL == nil && p.NeedsBrowser() != "" {
		r.twinURL = twinAt(baseOf(r.final, p), openapi.Named(text))
		r.api = r.twinURL != nil
	}
}

// takeEvidence keeps what the page's title, excerpt and section may be chosen of.
func (c *crawler) takeEvidence(r *result, p *htmlpage.Page, lang string) {
	blocks, anchors := p.Blocks(path.Base(r.final.Path))
	r.evidence = Evidence{Version: htmlpage.EvidenceVersion, Need: c.need, Lang: lang,
		Title: safetext.Cut(p.Title, 500), OpenTitle: safetext.Cut(p.OpenTitle, 500),
		SiteName: safetext.Cut(p.SiteName, 200), Publisher: safetext.Cut(p.Publisher, 200),
		Crumbs: p.Crumbs, Edges: p.Edges, Blocks: blocks, Anchors: anchors,
		Code: p.Code, Sum: p.Sum, Unsorted: p.Unsorted}
	for i, d := range p.Descriptions() {
		if d = safetext.Cut(d, 4*c.DescLength); i == 0 {
			r.evidence.Description = d
		} else {
			r.evidence.Others = append(r.evidence.Others, d)
		}
	}
	r.sentences = describe.Split(&r.evidence)
}

// parse reads a page, with its addresses as browsers send them.
func (a *transfer) parse(ctx context.Context, text []byte) (*htmlpage.Page, error) {
	p, err := htmlpage.Parse(ctx, text, a.need)
	if err == nil && !a.charset.IsUTF8() {
		p.MapAddresses(a.charset.Query)
	}
	return p, err
}

// keep takes over what an earlier crawl read.
func (r *result) keep(prev *Page) {
	r.unchanged = true
	r.hash, r.etag, r.modified = prev.Hash, httphead.Short(prev.ETag), httphead.Short(prev.LastModified)
	r.evidence, r.links = prev.Evidence, slices.Clone(prev.Links)
	r.sentences = describe.Split(&r.evidence)
}

// notAPage says why something that came with a status of 200 is not a page.
func notAPage(r *result, p *htmlpage.Page, text []byte) error {
	if why := notpage.Challenge(p, text); why != "" {
		return &skipError{Reason: SkipChallenge, Detail: why} // one that a browser did not pass
	}
	if why := notpage.Wall(p, r.evidence.Blocks, text, r.final, r.asked); why != "" {
		return &skipError{Reason: SkipLogin, Detail: why}
	}
	switch {
	case notpage.IsLoginPage(p, r.evidence.Blocks, r.final, r.asked):
		return &skipError{Reason: SkipLogin, Detail: "asks for a login"}
	case notpage.SendsToLogin(p, text):
		return &skipError{Reason: SkipLogin, Detail: "sends a form to a login"}
	case r.hops > 0 && notpage.IsErrorPath(r.final.Path) && !notpage.IsErrorPath(r.asked.Path) && p.Short != "":
		return notFoundAs200
	case p.Short != "" && notpage.SaysNotFound(p, r.evidence.Blocks, r.final):
		return notFoundAs200
	}
	return nil
}

// settle resolves a result's addresses, once the scope is known.
func (c *crawler) settle(r *result) {
	p := r.page
	if p == nil {
		return
	}
	r.page = nil
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
	var inLists []listed
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
		if _, known := seen[l]; known || l == "" || l == own {
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

const maxLinkBytes = 256 << 10 // of a page's links together

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
