package llmstxt

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Of a page's translations one is kept. A page names the others in link elements or in
// Link headers, a site map does, or they are at the same path with another segment.

// translations are what is known of the translations of the site's pages.
type translations struct {
	foreign  map[string]string  // translations, to the page that names them
	standIns map[string]standIn // by the address of the form of a page that is kept
	restored map[string]bool    // addresses that were skipped as translations and offered again
}

func newTranslations() translations {
	return translations{foreign: map[string]string{}, standIns: map[string]standIn{}, restored: map[string]bool{}}
}

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

// variant is a page in one of its languages.
type variant struct{ tag, url string }

// nearest is the form of a page that is kept: the one whose tag is nearest to the wanted
// one; of equal ones that with the shortest address, which names no language, then the
// first by its address, so that every form names the same one in whatever order it lists
// them. It is "" if no form is in that language. Own is the page itself, in a language
// that it says itself if that is not among the forms.
func nearest(wanted string, forms []variant, own variant) string {
	best, near := "", 0
	for _, f := range forms {
		n := htmlpage.Nearness(f.tag, wanted)
		if n > near || n == near && n > 0 && cmp.Or(cmp.Compare(len(f.url), len(best)), cmp.Compare(f.url, best)) < 0 {
			best, near = f.url, n
		}
		if f.url == own.url {
			own.tag = ""
		}
	}
	if n := htmlpage.Nearness(own.tag, wanted); n > 0 && n >= near {
		return own.url
	}
	return best
}

// offerAll offers what the site maps list, on a core: each page may name a hundred forms, of
// each of which robots.txt is asked. After the crawl's end nothing is offered.
func (c *crawler) offerAll(ctx context.Context, pages []listed) {
	release, err := share.Cores.Take(ctx, c.owner)
	if err != nil {
		return
	}
	defer func() { release() }()
	c.threads.Do(func() {
		for i, p := range pages {
			if i%16 == 0 && share.Cores.Busy() {
				release()
				if release, err = share.Cores.Take(ctx, c.owner); err != nil {
					release = func() {}
				}
			}
			if ctx.Err() != nil {
				return
			}
			c.offerListed(p)
		}
	})
}

// offerListed offers a page of a site map, less those of which it says itself
// that they are translations of another. That other one is offered in their place.
func (c *crawler) offerListed(p listed) {
	key, from := p.u.String(), found{parent: p.file, depth: 1}
	if len(p.alternates) > 0 && len(c.foreign) < 30*c.MaxPages && c.refuse(p.u, key, from.depth) == nil {
		kept, native := c.keptForm(p, key, from)
		if kept != "" && kept != key {
			c.foreign[key] = kept
			if _, ok := c.standIns[kept]; native && !ok {
				c.standIns[kept] = standIn{p.u, p.file}
			}
		}
	}
	c.offer(p.u, key, from)
}

// standIn is a form of a page that takes the place of the one that is kept, should that
// turn out to be missing. The site map is where it is listed.
type standIn struct {
	u       *url.URL
	siteMap string
}

// offerStandIn offers what takes the place of a page that is missing.
func (c *crawler) offerStandIn(missing string) {
	s, ok := c.standIns[missing]
	if !ok {
		return
	}
	delete(c.standIns, missing)
	key := s.u.String()
	delete(c.foreign, key)
	delete(c.refused, key)
	c.restored[key] = true
	c.offer(s.u, key, found{parent: s.siteMap, depth: 1})
}

// unskip takes out of what was skipped, as a translation, what was offered again.
func (c *crawler) unskip() {
	c.skipped = slices.DeleteFunc(c.skipped, func(s Skip) bool {
		if s.Reason != SkipTranslation || !c.restored[s.URL] {
			return false
		}
		delete(c.restored, s.URL)
		if c.stats.Skipped[s.Reason]--; c.stats.Skipped[s.Reason] == 0 {
			delete(c.stats.Skipped, s.Reason)
		}
		return true
	})
}

// keptForm is the form that is kept of a page in a site map, "" if that is not told. For a
// form that cannot come into the result no other one in the wanted language is left out.
// Native says that the page itself is in the wanted language.
func (c *crawler) keptForm(p listed, key string, from found) (kept string, native bool) {
	wanted := c.language("")
	if wanted == "" {
		return "", false
	}
	var forms, possible []variant
	listed := false
	for i := 0; i+1 < len(p.alternates); i += 2 {
		u := weburl.Resolve(p.u, p.alternates[i+1])
		if u == nil || !c.scope.Has(u) || strings.EqualFold(p.alternates[i], "x-default") {
			continue
		}
		v := variant{p.alternates[i], u.String()}
		forms = append(forms, v)
		own, near := v.url == key, htmlpage.SameLanguage(v.tag, wanted)
		listed, native = listed || own, native || own && near
		if near && (own || c.isPossible(u, v.url, from.depth)) {
			possible = append(possible, v)
		}
	}
	if !listed {
		return "", false
	}
	kept = nearest(wanted, possible, variant{url: key})
	switch {
	case kept == "":
		return nearest(wanted, forms, variant{url: key}), native
	case kept != key:
		if c.offer(weburl.Parse(kept), kept, from); c.index[kept] == nil && native {
			return key, native // there is no room for that one
		}
	}
	return kept, native
}

// isPossible reports whether an address is in the result or may come into it.
func (c *crawler) isPossible(u *url.URL, key string, depth int) bool {
	if e := c.index[key]; e != nil {
		return e.state == committed || e.state != passed && c.foreign[key] == ""
	}
	return !weburl.IsFile(u) && c.refuse(u, key, depth) == nil
}

// settleLanguages notes where a page is in other languages.
func (c *crawler) settleLanguages(r *result, p *htmlpage.Page, inScope func(string) string) {
	own, wanted := r.final.String(), c.language(r.evidence.Lang)
	var forms []variant
	for _, alt := range p.Alternates {
		if u := inScope(alt.Href); u != "" && !strings.EqualFold(alt.Lang, "x-default") {
			forms = append(forms, variant{alt.Lang, u})
		}
	}
	kept := nearest(wanted, forms, variant{r.evidence.Lang, own})
	if kept != own && !lacksQuery(r.final, kept, r.evidence.Lang, forms) {
		r.evidence.Native = kept
	}
	for _, f := range forms {
		if f.url != own && f.url != kept && (wanted != "" || elsewhere(r.final, f.url, f.tag)) {
			r.evidence.Foreign = append(r.evidence.Foreign, f.url)
		}
	}
}

// lacksQuery reports that a page names as its form in its own language the page's own address
// without the query: a template has left out what tells the pages of a list apart. It does not
// if the query names the language alone, or if the page is among its forms.
func lacksQuery(page *url.URL, kept, lang string, forms []variant) bool {
	if path, _, _ := strings.Cut(page.String(), "?"); page.RawQuery == "" || kept != path {
		return false
	}
	own := page.String()
	return !slices.ContainsFunc(forms, func(f variant) bool {
		return f.url == own || f.url == kept && !htmlpage.SameLanguage(f.tag, lang)
	}) && !slices.Contains(weburl.WithoutLanguageField(page, lang, ""), kept)
}

// standsBack lets a page stand back for the same page in the tag of its language that is
// wanted, "en-GB" for "en-US", if there is such a page: the one that it names, or one at
// the same path with another segment.
func (c *crawler) standsBack(ctx context.Context, e *entry, r *result) bool {
	ev, wanted := &r.evidence, c.language("")
	if wanted == "" || ev.Lang == "" || !htmlpage.SameLanguage(ev.Lang, wanted) {
		return false
	}
	if ev.Native != "" {
		return c.deferTo(ctx, e, r, ev.Native, SkipTranslation)
	}
	if len(ev.Foreign) > 0 {
		return false // it says itself which page is which
	}
	segment := weburl.LanguageIn(e.url, ev.Lang)
	if segment == "" || htmlpage.Nearness(segment, wanted) == 4 || len(segment) < 4 && htmlpage.Nearness(ev.Lang, wanted) == 4 {
		return false
	}
	for _, twin := range languageTwins(e.url, ev.Lang, wanted) {
		if t := c.index[twin]; t != nil && t != e && c.deferTo(ctx, e, r, t.key, SkipTranslation) {
			return true
		}
	}
	return false
}

// languageTwins are the addresses of a page without the part that names its language,
// and with the wanted one in its place.
func languageTwins(u *url.URL, lang, wanted string) []string {
	twins := weburl.WithoutLanguageField(u, lang, wanted)
	for _, path := range weburl.WithoutLanguage(u, lang, wanted) {
		twins = append(twins, u.Scheme+"://"+u.Host+path)
	}
	var out []string
	for _, twin := range twins {
		if t := weburl.Parse(twin); t != nil {
			out = append(out, t.String())
		}
	}
	return out
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
