package llmstxt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What is found not to be a page once others have been read.

var notFoundAs200 = &skipError{Reason: SkipNotFound, Detail: "says that there is no such page, with a status of 200"}

// answersAll reports a page that differs from an earlier one only in the path
// that it names, and that an address which cannot exist gets as well. That one
// is asked for once for each such text.
func (c *crawler) answersAll(ctx context.Context, e *entry, r *result) bool {
	if r.generic == "" {
		return false
	}
	first, seen := c.generic[r.generic]
	if !seen {
		if len(c.generic) < 3*c.MaxPages {
			c.generic[r.generic] = e.key
		}
		return false
	}
	if all, asked := c.probed[r.generic]; asked {
		return all
	}
	sum := sha256.Sum256([]byte(r.generic))
	probe := weburl.Parse(e.url.Scheme + "://" + e.url.Host + strings.TrimSuffix(c.scope.Dir(), "/") + "/no-such-page-" + hex.EncodeToString(sum[:6]))
	all := false
	if len(c.probed) < 5 && probe != nil && c.robots.Allowed(probe) {
		c.withoutCore(ctx, func() {
			p := c.fetchPage(ctx, probe, c.allowed)
			all = p.generic == r.generic || isSkip(p.refused, SkipNotFound)
		})
	}
	c.probed[r.generic] = all
	if all {
		c.withdrawn[first] = true
	}
	return all
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
