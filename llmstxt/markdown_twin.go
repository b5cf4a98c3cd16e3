package llmstxt

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// A page's twin is the same page in Markdown. Its words are read in place of
// those of the HTML, under the page's address. A page names it, in a link element
// or in a Link header, or it is where llmstxt.org and others put it: behind the
// page's own address with ".md".
//
// Whether a site has such addresses is found out on its first three pages that
// name no twin, in frontier order, when their turn to be decided comes: so the
// answer does not depend on which page arrived first. When it is yes, workers ask
// for a page's twin as soon as they have the page, and what had arrived before is
// made up for when its turn comes. Meanwhile the workers go on.

const (
	probing  int32 = iota // not known yet
	hasTwins              // one of the first pages has one
	noTwins               // none has
)

// probePages is how many pages a site is asked about.
const probePages = 3

// twinLink is the address of the twin that a page names, resolved.
func (r *result) twinLink(h http.Header, p *htmlpage.Page) *url.URL {
	if u := twinAt(baseOf(r.final, p), p.Twin); u != nil {
		return u
	}
	return twinAt(r.final, httphead.Link(h, "alternate", "text/markdown"))
}

// twinAt resolves the address of a twin; nil for an address that cannot be a page's.
func twinAt(base *url.URL, ref string) *url.URL {
	if base == nil || ref == "" || len(ref) > weburl.MaxHopLength {
		return nil
	}
	u := weburl.Resolve(base, ref)
	if u == nil || len(u.String()) > weburl.MaxLength {
		return nil
	}
	return u
}

// twinOf asks for the twin of a page that a worker has read, if that is the time
// to do it.
func (c *crawler) twinOf(ctx context.Context, r *result) {
	switch {
	case r.form != formHTML || r.unchanged || r.refused != nil || c.scope.Host == "":
	case r.twinURL != nil || c.twins.Load() == hasTwins:
		c.probeTwin(ctx, r)
	}
}

// late are the pages whose twins no worker could know to ask for and without which e
// cannot be decided: those by which it is found out whether there are any, or what
// had arrived before that was known.
func (c *crawler) late(e *entry, r *result) []*result {
	var of []*result
	due := func(r *result) {
		if r != nil && !r.probed && !r.unchanged && r.form == formHTML && r.refused == nil && len(twinAddresses(r)) > 0 {
			of = append(of, r)
		}
	}
	switch {
	case r.form != formHTML || r.refused != nil || r.noindex && e != c.queue[0] || c.same(r) != "":
	case r.twinURL != nil:
		due(r)
	case c.twins.Load() == hasTwins:
		if due(r); len(of) > 0 {
			for _, e := range c.queue[c.commit+1 : max(c.next, c.commit+1)] {
				due(e.res)
			}
		}
	case c.tellsTwins(r) && c.enough(e):
		for _, f := range c.firsts {
			due(f.r)
		}
		due(r)
	}
	return of
}

// askTwins asks for the twins of pages, at all their addresses at once.
func (c *crawler) askTwins(ctx context.Context, of []*result) {
	type answer struct {
		twin *result
		note string
	}
	answers := make([][]answer, len(of))
	var all tasks
	for i, r := range of {
		addresses := twinAddresses(r)
		answers[i] = make([]answer, len(addresses))
		r.probed = true
		for k, u := range addresses {
			all.Go(func() { answers[i][k].twin, answers[i][k].note = c.readTwin(ctx, r, u) })
		}
	}
	all.Wait()
	for i, r := range of {
		for _, a := range answers[i] {
			if r.takes(a.twin, a.note) {
				break
			}
		}
	}
}

// settleTwin puts the twin's words in place of the page's own.
func (c *crawler) settleTwin(ctx context.Context, e *entry, r *result) {
	if r.form != formHTML || r.refused != nil {
		return
	}
	if c.tellsTwins(r) {
		c.probeFirst(ctx, e, r)
	}
	c.adopt(r)
}

// tellsTwins reports a page by which it can be found out whether the site has twins.
func (c *crawler) tellsTwins(r *result) bool {
	// A site that is asked too often is not asked for more.
	return c.twins.Load() == probing && r.twinURL == nil && r.evidence.Twin == "" && (r.unchanged || r.probed || !c.pace.IsSlow())
}

// enough reports that e is the last page that it takes: the base page tells by itself,
// the others when there are three, so that a site of two pages is not asked for
// what it does not have.
func (c *crawler) enough(e *entry) bool { return len(c.firsts)+1 >= probePages || e == c.queue[0] }

// firstPage is one of those by which it is decided whether a site has twins.
type firstPage struct {
	e *entry
	r *result
}

// probeFirst notes what a page tells, and decides when that is enough.
func (c *crawler) probeFirst(ctx context.Context, e *entry, r *result) {
	enough := c.enough(e)
	c.firsts = append(c.firsts, firstPage{e, r})
	if !enough {
		return
	}
	found := false
	for _, f := range c.firsts {
		found = found || f.r.twin != nil
		if f.r != r {
			c.readopt(ctx, f)
		}
	}
	switch {
	case found:
		c.twins.Store(hasTwins)
	case len(c.firsts) == probePages:
		c.twins.Store(noTwins)
	default:
		return
	}
	c.firsts = nil
}

// readopt gives a page that is in the result already the words of its twin.
func (c *crawler) readopt(ctx context.Context, f firstPage) {
	if f.r.twin == nil || f.e.state != committed {
		return
	}
	c.adopt(f.r)
	for i := range c.pages {
		if c.pages[i].URL == f.e.key {
			c.pages[i].Evidence, c.pages[i].Links, c.said[i] = f.r.evidence, f.r.links, f.r.said
		}
	}
	for _, key := range f.r.alike {
		c.texts[key] = f.e.key
	}
	c.keepText(ctx, f.e.key, f.r.whole)
	c.follow(ctx, f.e, f.r)
}

// adopt puts the words of a page's twin in place of its own. A twin that another
// page has had does not count: a template that names one file on all pages, or a server
// with one answer to all addresses.
func (c *crawler) adopt(r *result) {
	if r.twinNote != "" {
		c.note(r.final.String(), r.twinNote)
		r.twinNote = ""
	}
	t := r.twin
	if t == nil {
		return
	}
	r.twin = nil
	c.stats.Bytes += t.bytes
	address := t.final.String()
	for _, key := range t.identities() {
		if first := c.texts[key]; first != "" && first != address {
			return
		}
	}
	r.alike = t.identities()
	r.evidence.Twin = address
	r.takeWords(t)
	have := make(map[string]bool, len(r.links))
	for _, l := range r.links {
		have[l] = true
	}
	for _, l := range t.links {
		if !have[l] && len(r.links) < htmlpage.MaxLinks && l != r.final.String() {
			r.links = append(r.links, l)
		}
	}
	if r.evidence.Nav == nil {
		r.evidence.Nav = t.evidence.Nav
	}
}

// probeTwin asks once for a page's twin, where the page says that it is or else where
// it would be.
func (c *crawler) probeTwin(ctx context.Context, r *result) {
	if r.probed {
		return
	}
	r.probed = true
	for _, u := range twinAddresses(r) {
		if r.takes(c.readTwin(ctx, r, u)) {
			return
		}
	}
}

// takes keeps the outcome of a request for the page's twin, and reports whether it is one.
// What the site says of itself is believed, unless the answer is not text.
func (r *result) takes(t *result, note string) bool {
	if note != "" {
		r.twinNote = note
	}
	if t == nil || r.twinURL == nil && !resembles(r, t) {
		return false
	}
	r.twin = t
	return true
}

// twinAddresses are where a page's twin may be.
func twinAddresses(r *result) []*url.URL {
	u := r.final
	switch {
	case r.twinURL != nil:
		return []*url.URL{r.twinURL}
	case u.RawQuery != "":
		return nil
	}
	p := u.EscapedPath()
	var paths []string
	switch ext := strings.ToLower(path.Ext(p)); {
	case p == "/" || p == "":
		paths = []string{"/index.md", "/index.html.md"}
	case strings.HasSuffix(p, "/"):
		paths = []string{strings.TrimSuffix(p, "/") + ".md", p + "index.html.md"}
	case ext == ".html" || ext == ".htm":
		paths = []string{p[:len(p)-len(ext)] + ".md", p + ".md"}
	case ext == ".md":
	default:
		paths = []string{p + ".md"}
	}
	var out []*url.URL
	for _, p := range paths {
		if t := weburl.Parse(u.Scheme + "://" + u.Host + p); t != nil {
			out = append(out, t)
		}
	}
	return out
}

const maxTwinHops = 3

// readTwin fetches a twin; nil when it is missing, or what comes is not one. The note
// is for the log.
func (c *crawler) readTwin(ctx context.Context, r *result, u *url.URL) (twin *result, note string) {
	t := &result{final: u, twinOnly: true, api: r.api, shownAt: r.shownAt, cookies: append(slices.Clip(r.cookies), nil)}
	for hop := 0; ; hop++ {
		if t.final.Host != c.scope.Host || t.final.Scheme != c.scope.Scheme || t.final.String() == r.final.String() || c.barred(t.final) != nil {
			return nil, ""
		}
		next, err := c.try(ctx, t)
		switch {
		case err != nil && isLost(err) && ctx.Err() == nil:
			return nil, "Could not read the Markdown form of " + r.final.String() + ": " + detail(err)
		case err != nil || next == nil && (!hasWords(t) || len(t.final.String()) > weburl.MaxLength) || next != nil && hop == maxTwinHops:
			return nil, ""
		case next == nil:
			return t, ""
		}
		t.moveTo(next)
	}
}

func hasWords(t *result) bool {
	for _, b := range t.evidence.Blocks {
		if b.Text != "" {
			return true
		}
	}
	return false
}

// resembles reports that a text is about what a page is about: it has the words
// of the page's title, or a share of all its words. A page without words, as
// applications are, resembles every text.
func resembles(r, t *result) bool {
	said := map[string]bool{}
	for _, b := range t.evidence.Blocks {
		for w := range strings.FieldsSeq(b.Text) {
			said[plain.Key(w)] = true
		}
	}
	share := func(text string) (common, all int) {
		for w := range strings.FieldsSeq(text) {
			if w = plain.Key(w); w != "" {
				all++
				if said[w] {
					common++
				}
			}
		}
		return common, all
	}
	title := r.evidence.Title
	words, common := 0, 0
	for _, b := range r.evidence.Blocks {
		if b.Kind == htmlpage.Title {
			title = b.Text
		}
		n, all := share(b.Text)
		words, common = words+all, common+n
	}
	if n, all := share(title); all > 0 && n*2 > all {
		return true
	}
	return words == 0 || common*3 >= words
}

// pageOfTwin finds, for an address that ends with .md, the page among known ones
// whose twin it would be; "" if it would be nobody's.
func pageOfTwin(l string, known func(string) bool) string {
	stem, ok := strings.CutSuffix(l, ".md")
	if !ok {
		return ""
	}
	forms := []string{stem, stem + ".html", stem + "/", stem + ".htm"}
	if dir, ok := strings.CutSuffix(stem, "/index"); ok {
		forms = append(forms, dir+"/", dir)
	}
	if dir, ok := strings.CutSuffix(stem, "/index.html"); ok {
		forms = append(forms, dir+"/", dir)
	}
	for _, f := range forms {
		if known(f) {
			return f
		}
	}
	return ""
}

// isTwin says of an address that ends with .md of which page that is known it is
// the Markdown form.
func (c *crawler) isTwin(key string) *skipError {
	page := pageOfTwin(key, func(f string) bool { e := c.index[f]; return e != nil && e.state != passed })
	if page == "" {
		return nil
	}
	return &skipError{Reason: SkipDuplicate, Detail: "the Markdown form of " + page}
}
