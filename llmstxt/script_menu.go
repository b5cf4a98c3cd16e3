package llmstxt

import (
	"context"
	"io"
	"net/url"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// readScriptMenu reads the menu that a script of the base page writes, and has the base page
// lead to what stands in it.
func (c *crawler) readScriptMenu(ctx context.Context, r *result, p *htmlpage.Page) {
	if p == nil || p.MenuScript == "" {
		return
	}
	base := baseOf(r.final, p)
	u := weburl.Resolve(base, p.MenuScript)
	script, err := c.getMenu(ctx, u)
	if err != nil {
		c.note(u.String(), "Could not read the menu of the base page in "+u.String()+": "+detail(err))
		return
	}
	known := map[string]bool{r.final.String(): true}
	for _, l := range r.links {
		known[l] = true
	}
	named := map[string]bool{}
	for _, m := range r.evidence.Menu {
		named[m.URL] = true
	}
	for _, l := range htmlpage.ReadMenuScript(script) {
		to := weburl.Resolve(base, l.Href)
		if to == nil || !c.scope.Has(to) {
			continue
		}
		key := to.String()
		if !known[key] {
			known[key] = true
			r.links = append(r.links, key)
		}
		if !named[key] && key != r.final.String() {
			named[key] = true
			r.evidence.Menu = append(r.evidence.Menu, htmlpage.Entry{Name: l.Name, URL: key})
		}
	}
}

// readMenuPage reads the menu that the base page has in a file of its own, and puts its links
// before those of the page.
func (c *crawler) readMenuPage(ctx context.Context, r *result, p *htmlpage.Page) {
	if p == nil || p.MenuPage == "" {
		return
	}
	base := baseOf(r.final, p)
	u := weburl.Resolve(base, p.MenuPage)
	text, err := c.getMenu(ctx, u)
	if err == nil && text != nil {
		script := htmlpage.IsMenuOfScript(p.MenuPage)
		var links []htmlpage.Link
		if links, err = htmlpage.ReadMenuPage(ctx, text, script); err == nil {
			if !script {
				base = u
			}
			p.PutMenu(c.resolved(base, links), func(href string) string { return addressOf(baseOf(r.final, p), href) })
		}
	}
	if err != nil {
		c.note(u.String(), "Could not read the menu of the base page in "+u.String()+": "+detail(err))
	}
}

// resolved returns the links in scope, with absolute addresses.
func (c *crawler) resolved(base *url.URL, links []htmlpage.Link) []htmlpage.Link {
	kept := links[:0]
	for _, l := range links {
		if to := weburl.Resolve(base, l.Href); to != nil && c.scope.Has(to) {
			l.Href = to.String()
			kept = append(kept, l)
		}
	}
	return kept
}

// addressOf returns the absolute address of a link, "" if it has none.
func addressOf(base *url.URL, href string) string {
	if u := weburl.Resolve(base, href); u != nil {
		return u.String()
	}
	return ""
}

// getMenu fetches the file of a menu; nil when it is out of scope or may not be asked for.
func (c *crawler) getMenu(ctx context.Context, u *url.URL) ([]byte, error) {
	if u == nil || !c.scope.Has(u) || c.barred(u) != nil {
		return nil, nil
	}
	var large fileRoom
	defer large.free()
	body, err := c.getPlain(ctx, u, htmlpage.MaxMenuScript, &large, func(to *url.URL) error {
		if !c.scope.Has(to) {
			return &skipError{Reason: SkipScope, Detail: "leads to " + to.String()}
		}
		if barred := c.barred(to); barred != nil {
			return barred
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(body, htmlpage.MaxMenuScript))
}
