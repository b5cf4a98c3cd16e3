package farwire

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// A visit is one crawl of a site, a client's or a recrawl: it fetches the
// pages, writes the file and saves it. Who visits, why, and what becomes of
// the outcome is up to the caller.
type visit struct {
	g        *Gateway
	kind     kind
	session  string // its id, for the log
	subject  string
	req      crawlRequest
	maxPages int            // no more than req.maxPages
	previous []llmstxt.Page // of the last visit
	say      func(text string)
	arrived  func(baseURL string) // called when the base page is in the file; nil: not

	node     string // the id of the exit used last
	requests int64  // sent in all
	rendered renderCost
	pages    atomic.Int64 // that entered the file, be it that it came to none
}

// trustLastmod is how long the dates of a sitemap spare asking for a page.
const trustLastmod = 7 * day

// crawl fetches the site. Its error is also the context's cause, if that ends.
func (v *visit) crawl(ctx context.Context) (*llmstxt.Site, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	exits := newExits(v.g, v.kind, v.req.query, fail, v.say)
	defer func() {
		exits.close()
		v.node, v.requests = exits.node(), exits.requests.Load()
	}()
	shown := &rendering{with: v.g.o.Crawl.Render, exits: exits, remote: v.req.remote, say: v.say}
	site, err := llmstxt.Crawl(ctx, v.req.url, llmstxt.Options{
		Client:       &http.Client{Transport: exits},
		MaxPages:     v.maxPages,
		DescLength:   v.req.descLength,
		Workers:      v.g.o.Crawl.Workers,
		Timeout:      v.g.o.Crawl.Timeout,
		Previous:     v.previous,
		TrustLastmod: trustLastmod,
		Render:       shown.page,
		Progress: func(e llmstxt.Event) {
			v.g.outcome.note(e)
			if e.Kind == llmstxt.Committed {
				v.pages.Store(int64(e.Page))
				if e.Page == 1 && v.arrived != nil {
					v.arrived(e.URL)
				}
			}
			v.say(e.Message)
		},
	})
	if err == nil {
		v.rendered = shown.end()
	}
	return site, err
}

// maxModelTime is how long a model may work on a file. Within the crawl's own
// limit, too, which holds for all that a crawl does.
const maxModelTime = 5 * time.Minute

// write makes the file, reworded by a model if that was asked for.
func (v *visit) write(ctx context.Context, site *llmstxt.Site) string {
	model := v.g.o.Crawl.Enhance
	switch {
	case !v.req.enhance:
		return site.Render(v.req.layout)
	case model == nil:
		v.say("No language model is configured; the file keeps its own words")
		return site.Render(v.req.layout)
	}
	left := v.g.o.Crawl.Timeout - site.Stats.Duration
	if left <= 0 {
		v.say("No time is left for the language model; the file keeps its own words")
		return site.Render(v.req.layout)
	}
	var first error
	var failures atomic.Int64
	reword := func(ctx context.Context, p llmstxt.Part) (string, error) {
		text, err := model.Enhance(ctx, p)
		if err != nil && failures.Add(1) == 1 {
			first = err
		}
		return text, err
	}
	o := llmstxt.EnhanceOptions{Total: min(left, maxModelTime), Progress: func(e llmstxt.Event) { v.say(e.Message) }}
	if m, ok := model.(interface{ PartSize() int }); ok {
		o.Size = m.PartSize()
	}
	text := site.Enhance(ctx, v.req.layout, reword, o)
	if n := failures.Load(); n > 0 && ctx.Err() == nil {
		v.g.o.Logger.WarnContext(ctx, "language model without an answer", "session", v.session, "subject", v.subject, "parts", n, "err", first)
	}
	return text
}

// save hosts the file under the name that the subject's file of this site has.
func (v *visit) save(ctx context.Context, baseURL, text string, version uint64) (url string, err error) {
	url, err = v.g.o.Storage.Save(ctx, File{
		Name:        fileName(v.subject, baseURL),
		ContentType: "text/plain; charset=utf-8",
		Body:        []byte(text),
		Version:     version,
	})
	if err != nil {
		return "", fmt.Errorf("storage: %w", err)
	}
	return url, nil
}
