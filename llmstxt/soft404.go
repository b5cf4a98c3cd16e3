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

// What is found not to be a page once others have been read.

var notFoundAs200 = &skipError{Reason: SkipNotFound, Detail: "says that there is no such page, with a status of 200"}

// What an answer with a status of 200 says in place of a page.
var (
	tooManyAs200     = &skipError{Reason: SkipStatus, Detail: "says that there are too many requests, with a status of 200", lost: true}
	downAs200        = &skipError{Reason: SkipStatus, Detail: "says that the site is down, with a status of 200", lost: true}
	deniedAs200      = &skipError{Reason: SkipStatus, Detail: "says that access is denied, with a status of 200"}
	unsupportedAs200 = &skipError{Reason: SkipStatus, Detail: "says that the browser is not supported, with a status of 200"}
)

// soft404s are what is known of pages that are none.
type soft404s struct {
	generic   map[string]string // hashes of texts without the path that they name, to the first page
	withdrawn map[string]bool   // addresses that turned out to be no page of their own, by URL
	alike     map[string]bool   // of committed pages, those like what an address gets that cannot exist, by URL

	probe     *result       // of an address that cannot exist
	probeCame chan struct{} // closed when that has; nil: it was not asked for
	probing   tasks         // ask for it
	probed    bool          // a page was compared with it
}

func newSoft404s() soft404s {
	return soft404s{generic: map[string]string{}, withdrawn: map[string]bool{}, alike: map[string]bool{}}
}

// tellNowhere notes what a short page is without its path, if it may be what every address gets.
func (r *result) tellNowhere(short string, blocks []htmlpage.Block) {
	r.short = true
	generic, named := notpage.WithoutPath(short, r.final)
	names, may := notpage.NamesAddress(short, r.final)
	r.foreign, r.wordless = !names, !may
	r.named, r.nothing = named, notpage.MayBeNotFound(blocks)
	if generic == "" && r.nothing {
		generic = short
	}
	if generic != "" {
		sum := sha256.Sum256([]byte(generic))
		r.generic = hex.EncodeToString(sum[:16])
	}
}

// answersAll reports a page that an address which cannot exist gets as well, but for what
// each of them names of its own path. That one is asked for when a page is like an
// earlier one in this, or names its path as no page does that is there. Unless its
// heading says that there is nothing, it stays until all are known: see withdraw.
func (c *crawler) answersAll(ctx context.Context, e *entry, r *result) bool {
	if r.generic == "" {
		return false
	}
	first, seen := c.generic[r.generic]
	if !seen {
		if len(c.generic) < 3*c.MaxPages {
			c.generic[r.generic] = e.key
			c.holding += len(r.generic) + 64
		}
		if !r.named && !r.nothing {
			return false
		}
	}
	p := c.nowhere(ctx)
	if p == nil || p.generic != r.generic {
		return false
	}
	if r.nothing {
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

// isWhatNothingGets reports a short page that is the same as what an address gets that cannot
// exist, whatever its words are: what the only dead link of a site leads to. That one is asked
// for when the page has the title of the base page, and so none of its own, or no word of its
// own address. One whose address has no words is compared if it was asked for already.
func (c *crawler) isWhatNothingGets(ctx context.Context, e *entry, r *result) bool {
	if !c.isInDoubt(r, c.probed) || e.fallback != nil || e.form != nil {
		return false
	}
	p := c.nowhere(ctx)
	return p != nil && p.evidence.Canonical != e.key && p.isAlso(r)
}

// isInDoubt reports a short page that is compared with what an address gets that cannot exist.
// wordless says that one is whose address has no words.
func (c *crawler) isInDoubt(r *result, wordless bool) bool {
	return r.short && !r.unchanged && (r.evidence.Title == c.pages[0].Evidence.Title || r.foreign && (wordless || !r.wordless))
}

// isAlso reports that two addresses have the same bytes, or the same title and text.
func (r *result) isAlso(other *result) bool {
	ids := other.identities()
	return slices.ContainsFunc(r.identities(), func(id string) bool { return id != "" && slices.Contains(ids, id) })
}

// isNowhere reports a short page that is the same as an earlier one and as what an address
// gets which cannot exist. The earlier one is no page either, unless it is the base page.
func (c *crawler) isNowhere(ctx context.Context, e *entry, r *result, first string) bool {
	if !r.short || r.unchanged || first == c.queue[0].key {
		return false
	}
	p := c.nowhere(ctx)
	if p == nil || !p.isAlso(r) {
		return false
	}
	c.withdrawn[first] = true
	return true
}

// nowhere is what the site answers at an address that cannot exist; nil if robots.txt
// forbids to ask, or if the answer is that of a page which has an address of its own, to which
// the site leads who is lost. It is asked for once.
func (c *crawler) nowhere(ctx context.Context) *result {
	c.probed = true
	c.askNowhere(ctx)
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

// foresee has asked what an address gets that cannot exist when a page has come that will be
// compared with it: so nobody waits for that when the turn of the page comes. Of requests that
// leave one by one it would only hold up another.
func (c *crawler) foresee(ctx context.Context, r *result) {
	if c.Workers > 1 && r.refused == nil && !r.noindex && !c.pace.IsSlow() && (c.isInDoubt(r, false) || r.generic != "" && (r.named || r.nothing)) {
		c.askNowhere(ctx)
	}
}

// askNowhere asks for an address that cannot exist, unless it was asked for. What comes is
// in probe when probeCame is closed.
func (c *crawler) askNowhere(ctx context.Context) {
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
	if c.areDead() {
		n -= len(c.alike)
	}
	return c.MaxPages - n
}

// found is how many pages the result has, as it looks.
func (c *crawler) found() int { return min(c.MaxPages, c.MaxPages-c.missing()) }

// areDead reports whether the pages that are like what an address gets which cannot exist
// are no pages either. Of a site that has one text for most of its addresses, as a
// dictionary or a generator may, they are its pages.
func (c *crawler) areDead() bool { return len(c.alike) < len(c.pages)-len(c.alike) }

// withdraw takes pages out of the result that turned out to be none.
func (c *crawler) withdraw() {
	if c.areDead() {
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
