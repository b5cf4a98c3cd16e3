package llmstxt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// A soft 404 is an answer with a status of 200 whose text is that there is no such page.
// Many sites answer every address so, in any language and with the address in the text. What
// is one may show only when other pages have been read. So a short page that looks like it is
// compared with the answer to a probe, an address that cannot exist, which is asked for once.

var notFoundAs200 = &skipError{Reason: SkipNotFound, Detail: "says that there is no such page, with a status of 200"}

// What an answer with a status of 200 says in place of a page.
var (
	tooManyAs200     = &skipError{Reason: SkipStatus, Detail: "says that there are too many requests, with a status of 200", lost: true}
	downAs200        = &skipError{Reason: SkipStatus, Detail: "says that the site is down, with a status of 200", lost: true}
	deniedAs200      = &skipError{Reason: SkipStatus, Detail: "says that access is denied, with a status of 200"}
	unsupportedAs200 = &skipError{Reason: SkipStatus, Detail: "says that the browser is not supported, with a status of 200"}
)

// soft404Signs are what a short page shows of being a soft 404.
type soft404Signs struct {
	short     bool   // it has little text
	generic   string // hash of that without what it names of its own address; "": it names nothing
	namesPath bool   // it names its path as an error does, and no title
	unrelated bool   // no word of its address is in its text
	wordless  bool   // its address has no words
	notFound  bool   // its heading says that it does not exist
}

// soft404s are what is known of error pages that answer as pages do.
type soft404s struct {
	generic   map[string]string // generic texts (soft404Signs), to the first page
	withdrawn map[string]bool   // URLs of committed pages that turned out to be error pages
	alike     map[string]bool   // URLs of committed pages that are like the probe's answer

	probe     *result       // the answer to the probe
	probeCame chan struct{} // closed when it has come; nil: the probe was not sent
	probing   tasks         // send it
	probed    bool          // a page was compared with its answer
}

func newSoft404s() soft404s {
	return soft404s{generic: map[string]string{}, withdrawn: map[string]bool{}, alike: map[string]bool{}}
}

// noteSoft404Signs notes the signs of a short page.
func (r *result) noteSoft404Signs(short string, blocks []htmlpage.Block) {
	r.short = true
	generic, named := notpage.WithoutPath(short, r.final)
	names, may := notpage.NamesAddress(short, r.final)
	r.unrelated, r.wordless = !names, !may
	r.namesPath, r.notFound = named, notpage.MayBeNotFound(blocks)
	if generic == "" && r.notFound {
		generic = short
	}
	if generic != "" {
		sum := sha256.Sum256([]byte(generic))
		r.generic = hex.EncodeToString(sum[:16])
	}
}

// isGenericAnswer reports a page whose text is the probe's answer, but for what each of them
// names of its own path. The probe is sent when the page is like an earlier one in this, or
// names its path as an error does. Unless its heading says that it does not exist, such a page
// stays until all are known: see withdraw.
func (c *crawler) isGenericAnswer(ctx context.Context, e *entry, r *result) bool {
	if r.generic == "" {
		return false
	}
	first, seen := c.generic[r.generic]
	if !seen {
		if len(c.generic) < 3*c.MaxPages {
			c.generic[r.generic] = e.key
			c.holding += len(r.generic) + 64
		}
		if !r.namesPath && !r.notFound {
			return false
		}
	}
	p := c.probeAnswer(ctx)
	if p == nil || p.generic != r.generic {
		return false
	}
	if r.notFound {
		if seen {
			c.withdrawn[first] = true
		}
		return true
	}
	if e.fallback != nil || e.form != nil {
		return true // a page stands back for it that has words
	}
	c.alike[e.key] = true
	if t := c.index[first]; seen && t != nil && t.state == committed && t != c.queue[0] {
		c.alike[first] = true
	}
	return false
}

// isProbeAnswer reports a short page that is the same as the probe's answer, whatever its
// words are: what the only dead link of a site leads to. The probe is sent when the page has
// the title of the base page, and so none of its own, or no word of its own address. One whose
// address has no words is compared if the probe was sent already.
func (c *crawler) isProbeAnswer(ctx context.Context, e *entry, r *result) bool {
	if !c.isInDoubt(r, c.probed) || e.fallback != nil || e.form != nil {
		return false
	}
	p := c.probeAnswer(ctx)
	return p != nil && p.evidence.Canonical != e.key && p.isSamePage(r)
}

// isInDoubt reports a short page that is compared with the probe's answer. wordless says that
// one is whose address has no words.
func (c *crawler) isInDoubt(r *result, wordless bool) bool {
	return r.short && !r.unchanged && (r.evidence.Title == c.pages[0].Evidence.Title || r.unrelated && (wordless || !r.wordless))
}

// isSamePage reports that two addresses have the same bytes, or the same title and text.
func (r *result) isSamePage(other *result) bool {
	ids := other.identities()
	return slices.ContainsFunc(r.identities(), func(id string) bool { return id != "" && slices.Contains(ids, id) })
}

// repeatsProbeAnswer reports a short page that is the same as an earlier one and as the
// probe's answer. The earlier one is no page either, unless it is the base page.
func (c *crawler) repeatsProbeAnswer(ctx context.Context, e *entry, r *result, first string) bool {
	if !r.short || r.unchanged || first == c.queue[0].key {
		return false
	}
	p := c.probeAnswer(ctx)
	if p == nil || !p.isSamePage(r) {
		return false
	}
	c.withdrawn[first] = true
	return true
}

// probeAnswer sends the probe, unless it was sent, and waits for its answer; nil if robots.txt
// forbids to ask, or if the site redirects every unknown address to a page that has one of its
// own.
func (c *crawler) probeAnswer(ctx context.Context) *result {
	c.probed = true
	c.askProbe(ctx)
	select {
	case <-c.probeCame:
	default:
		c.withoutCore(ctx, func() { <-c.probeCame })
	}
	c.probing.Wait()
	if p := c.probe; p != nil && p.hops > 0 {
		if t := c.index[p.final.String()]; t != nil && !t.moved {
			return nil
		}
	}
	return c.probe
}

// askProbeAhead sends the probe when a page has come that will be compared with its answer: so
// nobody waits for that when the turn of the page comes. Where requests leave one by one it
// would only hold up another.
func (c *crawler) askProbeAhead(ctx context.Context, r *result) {
	if c.Workers > 1 && r.refused == nil && !r.noindex && !c.pace.IsSlow() && (c.isInDoubt(r, false) || r.generic != "" && (r.namesPath || r.notFound)) {
		c.askProbe(ctx)
	}
}

// askProbe sends the probe, unless it was sent. Its answer is in probe when probeCame is
// closed.
func (c *crawler) askProbe(ctx context.Context) {
	if c.probeCame != nil {
		return
	}
	c.probeCame = make(chan struct{})
	sum := sha256.Sum256([]byte(c.scope.Dir()))
	u := weburl.Parse(c.scope.Scheme + "://" + c.scope.Host + strings.TrimSuffix(c.scope.Dir(), "/") + "/no-such-page-" + hex.EncodeToString(sum[:6]))
	c.probing.Go(func() {
		defer close(c.probeCame)
		if u != nil && c.robots.Allowed(u) {
			c.probe = c.fetchPage(ctx, u, func(to *url.URL) error { return c.allowed(u, to) }, nil)
		}
	})
}

// missing is how many pages the result still has room for. Pages that will be withdrawn, as
// it looks, take none.
func (c *crawler) missing() int {
	n := len(c.pages)
	if c.alikeAreSoft404s() {
		n -= len(c.alike)
	}
	return c.MaxPages - n
}

// found is how many pages the result has, as it looks.
func (c *crawler) found() int { return min(c.MaxPages, c.MaxPages-c.missing()) }

// alikeAreSoft404s reports whether the pages that are like the probe's answer are soft 404s
// too. Of a site that has one text for most of its addresses, as a dictionary or a generator
// may, they are its pages.
func (c *crawler) alikeAreSoft404s() bool { return len(c.alike) < len(c.pages)-len(c.alike) }

// withdraw takes pages out of the result that turned out to be error pages.
func (c *crawler) withdraw() {
	if c.alikeAreSoft404s() {
		maps.Copy(c.withdrawn, c.alike)
	}
	pages, said := c.pages[:0], c.said[:0]
	for i, p := range c.pages {
		if i > 0 && c.withdrawn[p.URL] {
			c.skip(p.URL, notFoundAs200)
			continue
		}
		if len(pages) == c.MaxPages {
			if !c.stats.Limited {
				c.stats.Limited = true
				c.note("", "Maximum pages limit reached")
			}
			break
		}
		pages, said = append(pages, p), append(said, c.said[i])
	}
	c.pages, c.said = pages, said
}
