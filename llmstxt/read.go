package llmstxt

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/openapi"
	"github.com/farwire/farwire/llmstxt/internal/robots"
)

// What is made of a page that has arrived.

// open makes a page of what was sent.
func (c *crawler) open(a *transfer, r *result, kind string, prev *Page) (*url.URL, error) {
	body, err := a.body()
	if err != nil {
		return nil, err
	}
	r.bytes += int64(len(body))
	if err := r.settleKind(kind, body); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	r.hash = hex.EncodeToString(sum[:])
	head := a.resp.Header
	if err := c.readHeader(r, head); err != nil {
		return nil, err
	}
	reloads, to, err := r.refreshes(head.Get("Refresh"))
	if to != nil || err != nil {
		return to, err
	}
	if !reloads && len(bytes.TrimSpace(body)) == 0 {
		return nil, &skipError{Reason: SkipType, Detail: "there is nothing in it"}
	}
	r.canonical, r.neighbours = httphead.Canonical(head), httphead.Neighbours(head)
	if prev != nil && prev.Hash == r.hash && !r.noindex && !r.nofollow {
		etag, modified := r.etag, r.modified
		r.keep(prev)
		r.etag, r.modified = etag, modified
		return nil, nil
	}
	text, err := r.decode(a, body, kind)
	if err != nil {
		return nil, err
	}
	if r.twinOnly && r.api {
		if text, to, err = r.readAPI(text); to != nil || err != nil {
			return to, err
		}
	}
	if r.form != formHTML {
		return nil, c.readText(a.outer, r, head, text)
	}
	return c.read(a.outer, a, r, text, reloads)
}

// settleKind settles by its bytes whether a body is HTML or another form of a page, or why
// it is no page at all.
func (r *result) settleKind(kind string, body []byte) error {
	if kind == "" && !(r.twinOnly && r.api) {
		var isPage bool
		kind = http.DetectContentType(body)
		if r.form, isPage = formOf(kind, r.final); !isPage {
			return &skipError{Reason: SkipType, Detail: "not HTML"}
		}
	}
	if isFeed(body) {
		return &skipError{Reason: SkipType, Detail: "a feed or a site map"}
	}
	if decode.IsXML(kind) && !isXHTML(body) {
		return &skipError{Reason: SkipType, Detail: "not HTML (" + decode.MediaType(kind) + ")"}
	}
	if kind := otherKind(body); kind != "" {
		return &skipError{Reason: SkipType, Detail: "not HTML (" + kind + ")"}
	}
	if r.form != formHTML && isMarkup(body) {
		r.form = formHTML
	}
	if r.twinOnly && r.form == formHTML {
		return &skipError{Reason: SkipType, Detail: "HTML in place of Markdown"}
	}
	return nil
}

// readHeader takes over what the header of an answer says of the page.
func (c *crawler) readHeader(r *result, head http.Header) error {
	r.etag, r.modified = httphead.Short(head.Get("ETag")), httphead.Short(head.Get("Last-Modified"))
	r.noindex, r.nofollow = false, false
	for _, v := range head.Values("X-Robots-Tag") {
		r.noindex, r.nofollow = robots.Header(v, robots.ProductToken(c.UserAgent), r.noindex, r.nofollow)
	}
	if c.Signals && httphead.Refuses(httphead.Signals(head)) {
		return &skipError{Reason: SkipSignals, Detail: "its header says ai-input=no"}
	}
	if c.robots == nil { // of the base page alone: they are for the whole site
		r.signals = httphead.ShortSignals(head)
	}
	return nil
}

// refreshes says where a Refresh header leads to, or that it leads to the page itself.
func (r *result) refreshes(value string) (reloads bool, to *url.URL, err error) {
	target := htmlpage.RefreshTarget(value)
	if target == "" {
		return htmlpage.Reloads(value), nil, nil
	}
	to, err = leadsTo(r.final, target)
	if err != nil || to != nil && !r.isAt(to) {
		return false, to, err
	}
	return to != nil, nil, nil
}

// decode makes UTF-8 of a body.
func (r *result) decode(a *transfer, body []byte, kind string) ([]byte, error) {
	text, charset, err := decode.Text(a.outer, body, kind)
	a.charset = charset
	if errors.Is(err, decode.ErrText) {
		return nil, &skipError{Reason: SkipEncoding, Detail: err.Error()}
	} else if err != nil {
		return nil, err
	}
	if decode.MediaType(kind) == "application/xhtml+xml" || decode.IsXML(kind) {
		text = htmlpage.FromXML(text)
	}
	return text, nil
}

// otherKind is what a body is that begins as a file of another kind does, whatever its header
// says; "" for text. Text may begin with the letters of a picture: "BM25 ranks …".
func otherKind(body []byte) string {
	kind := decode.MediaType(http.DetectContentType(body))
	if strings.HasPrefix(kind, "text/") || kind == "application/octet-stream" {
		return ""
	}
	head := body[:min(len(body), 512)]
	if kind != "application/pdf" && kind != "application/postscript" && !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) }) {
		return ""
	}
	return kind
}

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
	sent, why, held := text, p.NeedsBrowser(), heldAPI(p, text)
	if why != "" && held == nil {
		if p, text, err = c.showInBrowser(ctx, a, r, p, text, why); err != nil {
			return nil, err
		}
	}
	r.page = p
	p.Sitemap = cmp.Or(p.Sitemap, httphead.Link(a.resp.Header, "sitemap", ""))
	if r.twinURL = r.twinLink(a.resp.Header, p); r.twinURL == nil && why != "" && held == nil {
		r.findAPI(baseOf(r.final, p), sent)
	}
	noIndex, noFollow := p.Robots(robots.ProductToken(c.UserAgent))
	r.noindex = (noIndex || r.noindex) && !c.IgnoreRobots
	if noFollow || r.nofollow {
		r.unfollowed = len(p.Links)
		p.Links, r.neighbours = nil, nil
	}
	c.takeEvidence(r, p, r.language(a.resp.Header, p))
	if p.Short != "" && held == nil {
		r.noteSoft404Signs(p.Short+"\n"+p.Title, r.evidence.Blocks)
	}
	if why := notAPage(r, p, text); why != nil {
		return nil, why
	}
	if held != nil {
		err = c.takeHeld(ctx, r, a.resp.Header, held)
	} else {
		err = c.wholeHTML(ctx, r, p, a.charset)
	}
	if err != nil {
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
	app := p.App
	p, err := a.parse(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	r.rendered, p.App = true, cmp.Or(p.App, app)
	// The pages of an application are one file: what they show tells them apart.
	sum := sha256.Sum256(text)
	r.hash = hex.EncodeToString(sum[:])
	return p, text, nil
}

// findAPI notes where the description of an API is that an empty page shows, or the script
// that names it. In a browser such a page shows less than the description says: programs fold
// up what can be called.
func (r *result) findAPI(base *url.URL, sent []byte) {
	r.twinURL = twinAt(base, cmp.Or(openapi.Named(sent), openapi.Script(sent)))
	if r.twinURL != nil {
		r.api, r.shownAt = true, base
	}
}

// readAPI makes the text of a page of the description of an API. What came may also be the
// script that shows it: then the description is in it, or to is where the script names it.
func (r *result) readAPI(text []byte) (page []byte, to *url.URL, err error) {
	if page, err = openapi.Markdown(text); err == nil {
		return page, nil, nil
	}
	if doc := openapi.Held(text); doc != nil {
		page, err = openapi.Markdown(doc)
	} else if named := twinAt(r.shownAt, openapi.Named(text)); named != nil {
		r.shownAt = nil // a description names no further one
		return nil, named, nil
	}
	if err != nil {
		return nil, nil, &skipError{Reason: SkipType, Detail: err.Error()}
	}
	return page, nil, nil
}

// takeEvidence keeps what the page's title, excerpt and section may be chosen of.
func (c *crawler) takeEvidence(r *result, p *htmlpage.Page, lang string) {
	blocks, anchors := p.Blocks(path.Base(r.final.Path))
	r.evidence = Evidence{Version: htmlpage.EvidenceVersion, Need: c.need, Lang: lang,
		Title: safetext.Cut(p.Title, 500), OpenTitle: safetext.Cut(p.OpenTitle, 500), Headline: safetext.Cut(p.Headline, 200),
		SiteName: safetext.Cut(p.SiteName, 200), Publisher: safetext.Cut(p.Publisher, 200),
		Crumbs: p.Crumbs, Edges: p.Edges, Blocks: blocks, Anchors: anchors,
		Code: p.Code, Piece: p.Piece, Sum: p.Sum, Unsorted: p.Unsorted}
	for i, d := range p.Descriptions() {
		d = htmlpage.WithoutSigns(d, blocks)
		if d = safetext.Cut(d, 4*c.DescLength); i == 0 {
			r.evidence.Description = d
		} else {
			r.evidence.Others = append(r.evidence.Others, d)
		}
	}
	r.said = describe.Split(&r.evidence)
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
	r.said = describe.Split(&r.evidence)
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
	switch notpage.TroubleOf(p, r.evidence.Blocks, r.final) {
	case notpage.TooMany:
		return tooManyAs200
	case notpage.Down:
		return downAs200
	case notpage.Denied:
		return deniedAs200
	case notpage.Unsupported:
		return unsupportedAs200
	}
	return nil
}
