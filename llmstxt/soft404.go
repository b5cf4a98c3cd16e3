package llmstxt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What is found not to be a page once others have been read.

var notFoundAs200 = &skipError{Reason: SkipNotFound, Detail: "says that there is no such page, with a status of 200"}

// tellNowhere notes what a short page is without its path, if it may be what every address gets.
func (r *result) tellNowhere(short string, blocks []htmlpage.Block) {
	r.short = true
	if r.generic, r.named = notpage.WithoutPath(short, r.final); r.generic == "" && notpage.MayBeNotFound(blocks) {
		r.generic = short
	}
	r.named = r.named || notpage.MayBeNotFound(blocks)
}

// answersAll reports a page that an address which cannot exist gets as well, but for what
// each of them names of its own path. That one is asked for when a page is like an
// earlier one in this, or names its path as no page does that is there.
func (c *crawler) answersAll(ctx context.Context, e *entry, r *result) bool {
	if r.generic == "" {
		return false
	}
	first, seen := c.generic[r.generic]
	if !seen {
		if len(c.generic) < 3*c.MaxPages {
			c.generic[r.generic] = e.key
		}
		if !r.named {
			return false
		}
	}
	p := c.nowhere(ctx, e)
	if p == nil || p.generic != r.generic {
		return false
	}
	if seen {
		c.withdrawn[first] = true
	}
	return true
}

// isNowhere reports a short page that is the same as an earlier one and as what an address
// gets which cannot exist. The earlier one is no page either, unless it is the base page.
func (c *crawler) isNowhere(ctx context.Context, e *entry, r *result, first string) bool {
	if !r.short || r.unchanged || first == c.queue[0].key {
		return false
	}
	p := c.nowhere(ctx, e)
	if p == nil || !slices.ContainsFunc(p.identities(), func(id string) bool { return id != "" && slices.Contains(r.identities(), id) }) {
		return false
	}
	c.withdrawn[first] = true
	return true
}

// nowhere is what the site answers at an address that cannot exist; nil if robots.txt
// forbids to ask. It is asked for once.
func (c *crawler) nowhere(ctx context.Context, e *entry) *result {
	if c.probed {
		return c.probe
	}
	c.probed = true
	sum := sha256.Sum256([]byte(c.scope.Dir()))
	u := weburl.Parse(e.url.Scheme + "://" + e.url.Host + strings.TrimSuffix(c.scope.Dir(), "/") + "/no-such-page-" + hex.EncodeToString(sum[:6]))
	if u != nil && c.robots.Allowed(u) {
		c.withoutCore(ctx, func() { c.probe = c.fetchPage(ctx, u, c.allowed) })
	}
	return c.probe
}

// withdraw takes pages out of the result that turned out to be none.
func (c *crawler) withdraw() {
	if len(c.withdrawn) == 0 {
		return
	}
	pages, sentences := c.pages[:0], c.sentences[:0]
	for i, p := range c.pages {
		if i > 0 && c.withdrawn[p.URL] {
			c.skip(p.URL, notFoundAs200)
			continue
		}
		pages, sentences = append(pages, p), append(sentences, c.sentences[i])
	}
	c.pages, c.sentences = pages, sentences
}
