package llmstxt

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Of a page's translations one is kept. A page names the others in link elements or in
// Link headers, a site map does, or they are at the same path with another segment.

// language is the one that is kept of a page's translations.
func (c *crawler) language(own string) string {
	switch {
	case c.Language != "":
		return c.Language
	case c.baseLang != "":
		return c.baseLang
	}
	return own
}

// language is that of a page, as it says itself, with its headers. It takes over the
// alternates that these name.
func (r *result) language(head http.Header, p *htmlpage.Page) string {
	resolver := weburl.Resolver{Base: baseOf(r.final, p), Left: weburl.ResolverMemory}
	own, alternate := r.final.String(), ""
	is := func(u *url.URL, tag string) {
		if alternate == "" && u != nil && u.String() == own {
			alternate = htmlpage.Tag(tag)
		}
	}
	for _, alt := range p.Alternates {
		if alternate == "" && resolver.Left >= 0 {
			is(resolver.Resolve(alt.Href), alt.Lang)
		}
	}
	for _, alt := range httphead.Alternates(head) {
		if u := weburl.Resolve(r.final, alt.Address); u != nil && p.AddAlternate(u.String(), alt.Lang) {
			is(u, alt.Lang)
		}
	}
	return p.Language(alternate, strings.Join(head.Values("Content-Language"), ","))
}

// settleLanguages notes where a page is in other languages.
func (c *crawler) settleLanguages(r *result, p *htmlpage.Page, inScope func(string) string) {
	own, wanted := r.final.String(), c.language(r.evidence.Lang)
	for _, alt := range p.Alternates {
		u := inScope(alt.Href)
		switch {
		case u == "" || u == own || strings.EqualFold(alt.Lang, "x-default"):
		case wanted == "" && !elsewhere(r.final, u, alt.Lang):
		case wanted != "" && htmlpage.SameLanguage(alt.Lang, wanted):
			r.evidence.Native = u
		default:
			r.evidence.Foreign = append(r.evidence.Foreign, u)
		}
	}
}

// elsewhere reports that an address is that of a page with the segment of a language in
// it: so it is known which of the two is the translation where neither page says its own
// language.
func elsewhere(page *url.URL, alternate, lang string) bool {
	u := weburl.Parse(alternate)
	if u == nil || u.Host != page.Host {
		return false
	}
	for _, path := range weburl.WithoutLanguage(u, lang, "") {
		if path == page.EscapedPath() {
			return true
		}
	}
	return false
}
