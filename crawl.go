package farwire

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/llmstxt"
)

// Crawl returns the handler that crawls a site through an agent and writes its
// llms.txt. Mount it at "GET /ws/crawl".
//
// A client opens the socket with its key or token in the query or a header,
// sends one JSON object that says what to crawl, and is sent messages of the
// form {"type": "…", "content": "…"}: any number of "log", then one "result"
// with the file, then "url" when the file is hosted ([Options.Storage]), then
// close code 1000. Trouble is an "error" and a close.
//
// ServeHTTP returns when the crawl is over. It ends early when the client
// leaves, when [CrawlOptions.Timeout] has passed (what was found by then is the
// result), or when the gateway drains. The handler takes the connection over,
// as that of [Gateway.Relay] does.
func (g *Gateway) Crawl() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) {
			g.refused(r.Context(), KindCrawl.String(), err)
			g.o.fail(w, err)
		}
		if err := checkUpgrade(w, r); err != nil {
			refuse(err)
			return
		}
		s, err := g.enter(r.Context(), KindCrawl)
		if err != nil {
			refuse(err)
			return
		}
		defer func() {
			if v := recover(); v != nil {
				s.abandon(fmt.Errorf("panic: %v", v))
				panic(v)
			}
		}()
		c := &crawl{g: g, session: s, result: SessionResult{EndedBy: "gateway"}}
		c.serve(w, r)
		s.end(c.result)
	})
}

// A crawl is one client's.
type crawl struct {
	g       *Gateway
	session *session
	req     crawlRequest
	result  SessionResult
}

// serve finds out whose the crawl is before it answers the upgrade, so that a
// page of a foreign origin gets its 403. A wrong key is told in the close
// frame, which is all that a browser shows.
func (c *crawl) serve(w http.ResponseWriter, r *http.Request) {
	seen := c.g.sight(r)
	refusal := c.admit(r.Context(), seen)
	if errors.Is(refusal, errOrigin) {
		c.result.Err = refusal
		c.g.o.fail(w, refusal)
		return
	}
	var protocol string
	if list := offered(r); len(list) > 0 {
		protocol = list[0]
	}
	client, err := accept(w, r, protocol, false)
	if err != nil {
		c.result.Err = errClientGone
		return
	}
	conn := client.rec.Conn
	c.session.conn = conn
	defer afterKill(c.g.kill, func() { conn.Close() })()
	if reason := keyRefusal(refusal, seen.key != "" && seen.key == r.URL.Query().Get("token")); reason != "" {
		client.release()
		c.result.Err, c.result.Code = refusal, 1008
		sayGoodbye(conn, nil, 1008, reason)
		farewell(conn)
		return
	}
	var msg []byte
	if refusal == nil {
		msg, refusal = client.ask(c.session.ctx, "crawl request")
	}
	if refusal == nil {
		refusal = c.read(msg)
	}
	if refusal != nil {
		client.release()
		if p, told := c.conclude(refusal); told {
			sayGoodbye(conn, crawlMessage{Type: "error", Content: p.Text, Reason: p.Code}, p.Event, p.Text)
		}
		farewell(conn)
		return
	}
	client.rec.hand()
	c.run(client.ws)
}

// admit finds out whose crawl it is. Until the upgrade is answered the
// request's own context ends when the client leaves.
func (c *crawl) admit(ctx context.Context, seen sighting) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	ctx, drain := context.WithCancelCause(ctx)
	defer drain(nil)
	defer context.AfterFunc(c.session.ctx, func() { drain(context.Cause(c.session.ctx)) })()
	return c.session.admit(ctx, seen)
}

// keyRefusal returns the reason that a client without a valid key is given in
// the close frame; empty when err is something else. The texts are fixed.
func keyRefusal(err error, byToken bool) string {
	switch {
	case errors.Is(err, errTokenInvalid), errors.Is(err, errKeyInvalid) && byToken:
		return "Invalid or expired token"
	case errors.Is(err, errKeyInvalid), errors.Is(err, errKeyMissing):
		return "Unauthorized"
	}
	return ""
}

// A crawlRequest is what a client asks for, checked.
type crawlRequest struct {
	url        string
	maxPages   int
	descLength int
	layout     llmstxt.Layout
	enroll     bool
	interval   time.Duration // between recrawls
	enhance    bool
	remote     bool // useBrightdata
	query      agent.Query
}

// read reads the client's message. Some of its texts are fixed.
func (c *crawl) read(msg []byte) error {
	f, err := readFields(msg)
	if err != nil {
		return err
	}
	limit := c.g.o.Crawl.MaxPages
	c.req = crawlRequest{
		url:        strings.TrimSpace(f.text("url", "")),
		maxPages:   f.integer("maxPages", min(50, limit), 1, math.MaxInt),
		descLength: f.integer("descLength", 500, 100, 2000),
		layout:     llmstxt.Layout(f.text("format", string(llmstxt.Pages))),
		enroll:     f.boolean("enableAutoUpdate", false),
		enhance:    f.boolean("llmEnhance", false),
		remote:     f.boolean("useBrightdata", true),
	}
	geo, agents, sticky := f.text("geo", ""), f.text("agent", ""), f.text("session", "")
	minutes := f.integer("recrawlIntervalMinutes", 7*24*60, 1, math.MaxInt)
	if f.err != nil {
		return f.err
	}
	c.req.interval = time.Duration(min(int64(minutes), math.MaxInt64/int64(time.Minute))) * time.Minute
	if err := egress.ParseFilter(&c.req.query, geo, agents); err != nil {
		return err
	}
	if err := egress.ParseSession(&c.req.query, "session", sticky); err != nil {
		return err
	}
	u, err := url.Parse(c.req.url)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", upstream.CheckHost(u) != nil:
		return fault.Invalidf("Invalid URL format")
	case c.req.maxPages > limit:
		return fault.Invalidf("Maximum pages limit reached")
	case c.req.layout != llmstxt.Pages && c.req.layout != llmstxt.Index:
		return fault.Invalidf(`format must be "pages" or "index"`)
	case c.req.enroll && c.session.principal.narrow.isNarrow():
		return errNarrowed
	case c.req.enroll && (c.g.o.Sites == nil || c.g.o.Storage == nil):
		return fault.Invalidf("enableAutoUpdate is not available: this gateway keeps no sites")
	}
	c.req.query.Host, c.req.query.Subject = u.Hostname(), c.session.Subject
	c.result.Target = c.req.query.Host
	c.session.reached("", c.result.Target)
	return nil
}

// work crawls the site and makes its file, hosted if there is a place for it.
// It talks to the client as it goes and returns what is to be sent in the end.
func (c *crawl) work(ctx context.Context, t *crawlSocket) (*crawlOutcome, error) {
	pages, release, err := c.takePages(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	j := &crawlJob{g: c.g, kind: KindCrawl, principal: c.session.principal, session: c.session.ID, subject: c.session.Subject, req: c.req, maxPages: pages, log: t.log}
	// Whoever leaves a crawl shortly before its end has had its pages crawled.
	defer func() { release(int(j.pages.Load())) }()
	if c.req.enroll {
		j.arrived = c.roomForSite(ctx, fail)
	}
	site, err := j.crawl(ctx)
	c.result.Node = j.node
	if err != nil {
		return nil, err
	}
	out := &crawlOutcome{site: site, rendered: j.rendered, text: j.write(ctx, site)}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c.result.FramesToClient, c.result.BytesToClient = int64(len(site.Pages)), int64(len(out.text))
	if c.g.o.Storage != nil {
		err = c.host(ctx, j, out)
	}
	return out, err
}

// takePages takes the pages that the crawl may need from what the caller has
// left for the day. Release returns those it did not use.
func (c *crawl) takePages(ctx context.Context, t *crawlSocket) (pages int, release func(used int), err error) {
	p := c.session.principal
	pages, release, err = c.g.takePages(ctx, p, c.req.maxPages)
	if err == nil && pages < c.req.maxPages {
		t.log(fmt.Sprintf("Of your %d pages a day %d are left; the crawl stops there", p.Limits.PagesPerDay, pages))
	}
	return pages, release, err
}

// takePages takes what a crawl may need from what its caller has left for the
// day. Release returns what it did not use.
func (g *Gateway) takePages(ctx context.Context, p Principal, want int) (granted int, release func(used int), err error) {
	q, err := g.pages.TakePages(ctx, p, want)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("limiter: %w", err)
	case q.Granted <= 0:
		g.meters.refuse(p)
		return 0, nil, limited(fault.LimitReached,
			fmt.Sprintf("limit reached: %d pages a day; try again in %s", p.Limits.PagesPerDay, roughly(q.RetryAfter)),
			Quota{Limit: p.Limits.PagesPerDay, RetryAfter: q.RetryAfter})
	}
	release = func(used int) {
		if q.Return == nil || used >= q.Granted {
			return
		}
		// Whatever ended the crawl must not cost its caller pages.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := q.Return(ctx, q.Granted-used); err != nil {
			g.o.Logger.WarnContext(ctx, "pages not given back", "subject", p.Subject, "pages", q.Granted-used, "err", err)
		}
	}
	return min(q.Granted, want), release, nil
}

// roughly writes a time to wait for people, rounded up: "23h15m", "4m".
func roughly(d time.Duration) string {
	minutes := max(1, (d+time.Minute-1)/time.Minute)
	if minutes < 60 {
		return fmt.Sprintf("%dm", minutes)
	}
	return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
}
