package llmstxt

import (
	"context"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// A site has some pages once more for print and for AMP, at the same address with one segment
// more: /news/tea/print. What stands at such an address may also be a page of its own, as
// /services/print is for who prints for others. So both are read, and compared. The same is
// done where only a slash or the name of an index tells two addresses apart.

// isForm reports a page that is another form of one that is in the result, or that waits for
// what may be that page.
func (c *crawler) isForm(ctx context.Context, e *entry, r *result) bool {
	for _, path := range weburl.WithoutForm(e.url) {
		t := c.index[e.url.Scheme+"://"+e.url.Host+path]
		if t == nil || t == e || t.state == passed {
			continue
		}
		if t.state != queued {
			if c.leaveForm(ctx, e, r, t) {
				return true
			}
			continue
		}
		if t.form != nil {
			if c.leaveForm(ctx, e, r, t.form) {
				return true
			}
			continue
		}
		if !t.numbered {
			if len(c.queue) >= c.limit {
				continue
			}
			c.number(t)
		}
		e.state, e.res, e.target = deferred, r, t
		t.form = e
		return true
	}
	return false
}

// leaveForm leaves a page out if it says the same as another, which is in the result or waits.
func (c *crawler) leaveForm(ctx context.Context, e *entry, r *result, t *entry) bool {
	same := false
	switch {
	case t.state == deferred:
		same = describe.SameWords(&r.evidence, &t.res.evidence, r.said, t.res.said)
	case t.state == committed:
		for i := range c.pages {
			if c.pages[i].URL == t.key {
				same = describe.SameWords(&r.evidence, &c.pages[i].Evidence, r.said, c.said[i])
			}
		}
	}
	if same {
		c.pass(ctx, e, &skipError{Reason: SkipDuplicate, Detail: "another form of " + t.key})
	}
	return same
}

// settleForm decides the page that waited for e, which was decided. In the result is place:
// e or who took its place.
func (c *crawler) settleForm(ctx context.Context, e, place *entry) {
	f := e.form
	if f == nil {
		return
	}
	e.form = nil
	r := f.res
	f.state, f.res, f.target = queued, nil, nil
	if c.leaveForm(ctx, f, r, place) || c.isForm(ctx, f, r) {
		return
	}
	c.adopt(r)
	if first := c.same(r); first != "" {
		c.pass(ctx, f, c.sameAs(f, first))
		return
	}
	if c.missing() <= 0 {
		c.full = true
		return
	}
	c.commitPage(ctx, f, r)
}
