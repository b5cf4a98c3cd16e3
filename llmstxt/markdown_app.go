package llmstxt

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// A base page that is an application which shows Markdown has no words without a browser. When
// there is no browser its first text is read as the base page's twin, and the other
// texts are pages under the addresses of their files. With a browser the same is done where the
// addresses of the pages differ behind # alone, because the browser would show the first one only.

// markdownApp is such an application.
type markdownApp struct {
	htmlpage.MarkdownApp
	base *url.URL // its page
	root *url.URL // folder of its texts
}

// address is where the page is to which a text leads; nil for what is not a page. A text may
// lead to other addresses too.
func (a *markdownApp) address(from *url.URL, href string) *url.URL {
	file, relative, ok := a.File(href)
	switch {
	case !ok:
		return weburl.Resolve(from, href)
	case file == a.Home && !relative:
		return a.base
	case relative:
		return weburl.Resolve(from, file)
	}
	return weburl.Resolve(a.root, file)
}

// readMarkdownApp has the base page, if it is such an application, read from its first text
// and lead to what stands in its menu.
func (c *crawler) readMarkdownApp(ctx context.Context, r *result, p *htmlpage.Page) {
	if p == nil || p.App == nil || c.Render != nil && p.App.NeedsBrowser() {
		return
	}
	base := baseOf(r.final, p)
	root := weburl.Resolve(base, "./"+p.App.Folder)
	if p.App.Folder != "" {
		root = weburl.Resolve(base, p.App.Folder)
	}
	if root == nil || r.twinURL != nil {
		return
	}
	app := &markdownApp{*p.App, r.final, root}
	if r.twinURL = weburl.Resolve(root, app.Home); r.twinURL == nil {
		return
	}
	c.app = app
	if app.Name != "" {
		r.evidence.SiteName, r.evidence.Title = app.Name, app.Name
	}
	if app.Sidebar != "" {
		c.readMarkdownMenu(ctx, r, weburl.Resolve(root, app.Sidebar))
	}
}

// readMarkdownMenu reads the menu of an application that shows Markdown.
func (c *crawler) readMarkdownMenu(ctx context.Context, r *result, u *url.URL) {
	body, err := c.getMenu(ctx, u)
	var status *statusError
	switch {
	case errors.As(err, &status) && status.code == http.StatusNotFound:
		return // the application has none then
	case err != nil:
		c.note(u.String(), "Could not read the menu of the base page in "+u.String()+": "+detail(err))
		return
	case body == nil || isMarkup(body):
		return
	}
	links := htmlpage.ReadMarkdownMenu(body)
	menu := &result{final: u, form: formMarkdown, page: &htmlpage.Page{Links: links}}
	c.settle(menu)
	for _, l := range menu.links {
		if l != r.final.String() {
			r.links = append(r.links, l)
		}
	}
	r.evidence.Nav = menu.evidence.Nav
	for _, l := range links {
		if to := c.app.address(u, l.Href); to != nil && c.scope.Has(to) && l.Name != "" && to.String() != r.final.String() && len(r.evidence.Menu) < maxMenu {
			r.evidence.Menu = append(r.evidence.Menu, htmlpage.Entry{Name: l.Name, URL: to.String()})
		}
	}
}

const maxMenu = 100 // entries of a menu that are kept
