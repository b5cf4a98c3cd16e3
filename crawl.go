package farwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/wsframe"
	"github.com/farwire/farwire/llmstxt"
)

// Crawl returns the handler that crawls a site through an agent and writes its
// llms.txt. Mount it at "GET /ws/crawl".
//
// A client opens the socket with its key or token in the query or a header,
// sends one JSON object that says what to crawl, and is sent messages of the
// form {"type": "…", "content": "…"}: any number of "log", then one "result"
// with the file, then "url" when the file is hosted ([Options.Storage]), then
// close code 1000. A failure is an "error" and a close.
//
// ServeHTTP returns when the crawl is over. It ends early when the client
// leaves, when [CrawlOptions.Timeout] has passed (what was found by then is the
// result), or when the gateway drains. The handler takes the connection over,
// as that of [Gateway.Relay] does.
func (g *Gateway) Crawl() http.Handler {
	return origin.Any(http.MethodGet, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := opening.Check(w, r); err != nil {
			g.refuse(w, r, KindCrawl, err)
			return
		}
		s, err := g.enter(r.Context(), KindCrawl)
		if err != nil {
			g.refuse(w, r, KindCrawl, err)
			return
		}
		defer s.abandonOnPanic()
		c := &crawl{g: g, session: s, result: SessionResult{EndedBy: EndedByGateway}}
		c.serve(w, r)
		s.end(c.result)
	}))
}

// A crawl is one session of KindCrawl.
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
	seen := c.g.readAuth(r)
	refusal := c.admit(r.Context(), seen)
	if errors.Is(refusal, errOrigin) {
		c.result.Err = refusal
		c.g.fail(w, refusal)
		return
	}
	w.Header().Set("X-Farwire-From", "gateway")
	client, err := opening.Accept(w, r, opening.FirstOffered(r), false)
	if err != nil {
		c.result.Err = errClientGone
		return
	}
	conn := client.Conn
	c.session.conn = conn
	defer context.AfterFunc(c.g.kill, func() { conn.Close() })()
	if reason := keyRefusal(refusal, seen.key != "" && seen.key == r.URL.Query().Get("token")); reason != "" {
		client.Release()
		c.result.Err, c.result.Code = refusal, 1008
		opening.WriteClose(conn, nil, 1008, reason)
		opening.CloseAfterLast(conn)
		return
	}
	var msg []byte
	if refusal == nil {
		msg, refusal = client.Ask(c.session.ctx, "crawl request")
	}
	whole := refusal == nil
	if whole {
		refusal = c.read(msg)
	}
	if refusal != nil {
		client.Release()
		if p, told := c.conclude(refusal); told {
			opening.WriteClose(conn, crawlMessage{Type: "error", Content: p.Text, Reason: p.Code}, p.Event, p.Text)
		}
		if whole {
			opening.CloseAfterAnswer(conn, client.Early())
			return
		}
		opening.CloseAfterLast(conn)
		return
	}
	ws, err := client.Keep()
	if err != nil {
		c.result.Err = err
		conn.Close()
		return
	}
	c.run(ws)
}

// admit finds out whose crawl it is. Until the upgrade is answered the
// request's own context ends when the client leaves.
func (c *crawl) admit(ctx context.Context, seen requestAuth) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	ctx, done := c.session.within(ctx)
	defer done()
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
	full       bool            // llms-full.txt too
	markdown   bool            // a file for each page too
	choice     llmstxt.Options // which pages, what is sent along, how fast
}

// read reads the client's message. Some of its texts are fixed.
func (c *crawl) read(msg []byte) error {
	f, err := request.Read(msg)
	if err != nil {
		return err
	}
	asked, err := f.Crawl(c.g.o.Crawl.MaxPages)
	if err != nil {
		return err
	}
	c.req = crawlRequest{
		url: asked.URL, maxPages: asked.MaxPages, descLength: asked.DescLength, layout: llmstxt.Layout(asked.Format),
		enroll: asked.Enroll, interval: asked.Interval, enhance: asked.Enhance, remote: asked.Remote,
		query: asked.Query, full: asked.Full, markdown: asked.Markdown,
		choice: llmstxt.Options{
			Include: asked.Choice.Include, Exclude: asked.Choice.Exclude, Language: asked.Choice.Language, Version: asked.Choice.Version,
			Delay: asked.Choice.Delay, Signals: asked.Choice.Signals, Header: asked.Choice.Header, Cookies: asked.Choice.Cookies,
		},
	}
	switch {
	case c.req.enroll && c.session.principal.narrow.isNarrow():
		return errNarrowed
	case c.req.enroll && (c.g.o.Sites == nil || c.g.o.Storage == nil):
		return fault.Invalidf("enableAutoUpdate is not available: this gateway keeps no sites or hosts no files")
	case c.req.enroll && c.req.secret():
		return fault.Invalidf("enableAutoUpdate stores no headers, cookies or passwords; leave either these or enableAutoUpdate out")
	}
	c.req.query.Subject = c.session.Subject
	_, c.result.Target = targetOf(c.req.url)
	c.session.reached("", c.result.Target)
	return nil
}

// secret reports whether what the crawl finds is for its caller alone.
func (r *crawlRequest) secret() bool { return llmstxt.HasSecrets(r.url, r.choice) }

// work crawls the site and makes its file, hosted if there is a place for it.
// It sends progress to the client and returns the last message.
func (c *crawl) work(ctx context.Context, t *crawlSocket) (_ *crawlOutcome, err error) {
	pages, release, err := c.takePages(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	j := &crawlJob{g: c.g, session: c.session, req: c.req, maxPages: pages, log: t.log, page: t.page}
	// A client that leaves a crawl shortly before its end has had its pages crawled.
	defer func() { release(int(j.pages.Load())) }()
	if c.req.enroll {
		j.arrived = c.roomForSite(ctx, fail)
	}
	j.hosted = c.g.o.Storage != nil && !c.req.secret()
	if c.req.texts() && !j.hosted {
		t.log(messageNotHosted)
	}
	// A panic of the host's renderer or selector ends this crawl, and the client is told.
	site, err := hostcall.Get(func() (*llmstxt.CrawledSite, error) { return j.crawl(ctx) })
	c.result.Agent = j.agent
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	out := &crawlOutcome{site: site, rendered: j.rendered, text: j.write(ctx, site)}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c.result.FramesToClient, c.result.BytesToClient = int64(len(site.Pages)), int64(len(out.text))
	switch {
	case c.g.o.Storage == nil:
	case c.req.secret():
		t.log("This crawl was given headers, cookies or a password; its file is sent to you alone and not hosted")
	default:
		err = c.host(ctx, j, out)
	}
	return out, err
}

// takePages takes the pages that the crawl may need from what the caller has
// left for the day. Release returns those it did not use.
func (c *crawl) takePages(ctx context.Context, t *crawlSocket) (pages int, release func(used int), err error) {
	p := *c.session.principal
	pages, release, err = c.g.takePages(ctx, p, c.req.maxPages)
	if err == nil && pages < c.req.maxPages {
		t.log(fmt.Sprintf("Of your %s a day %d can still be crawled; the crawl stops there", safetext.Count(p.Limits.PagesPerDay, "page"), pages))
	}
	return pages, release, err
}

// A crawlMessage is one that the gateway sends. Clients need only know the
// first two fields.
type crawlMessage struct {
	Type    string `json:"type"`
	Content string `json:"content"`

	Name          string      `json:"name,omitempty"`           // of a file beside llms.txt
	URL           string      `json:"url,omitempty"`            // where that is; of a log line, the page that it is about
	Reason        string      `json:"reason,omitempty"`         // of an error: the stable code; of a log line: why the page is left out
	Stats         *crawlStats `json:"stats,omitempty"`          // of a result
	Lost          *int        `json:"lost,omitempty"`           // of a result: pages that are missing because the site did not answer
	BaseURL       string      `json:"base_url,omitempty"`       // of a url or an error, when the site is enrolled: what the webhook calls it
	WebhookSecret string      `json:"webhook_secret,omitempty"` // of the same, when the site was enrolled by this crawl
}

// crawlStats say how a crawl went.
type crawlStats struct {
	Pages    int                    `json:"pages"`
	Fetched  int                    `json:"fetched"`
	Rendered int                    `json:"rendered"`
	Bytes    int64                  `json:"bytes"` // of bodies, after decompression
	Skipped  map[llmstxt.Reason]int `json:"skipped"`
	Limited  bool                   `json:"limited"`   // pages were left when maxPages was reached
	TimedOut bool                   `json:"timed_out"` // or when time was over
	Seconds  float64                `json:"seconds"`

	// What the pages in browsers came to.
	RenderSeconds float64 `json:"render_seconds,omitempty"`
	RenderBytes   int64   `json:"render_bytes,omitempty"`
}

func newCrawlStats(s llmstxt.CrawlStats, shown renderCost) *crawlStats {
	return &crawlStats{Pages: s.Pages, Fetched: s.Fetched, Rendered: s.Rendered, Bytes: s.Bytes, Skipped: s.Skipped,
		Limited: s.Limited, TimedOut: s.TimedOut, Seconds: s.Duration.Seconds(), RenderSeconds: shown.time.Seconds(), RenderBytes: shown.bytes}
}

// run crawls with the client looking on, and tells it how it went.
func (c *crawl) run(ws *websocket.Conn) {
	ctx, cancel := context.WithCancelCause(c.session.ctx)
	defer cancel(nil)
	t := &crawlSocket{opening.Watch(ws, opening.Times{KeepAlive: defaultKeepAlive, Pong: pongTimeout, Stall: defaultStall}, cancel), cancel}
	out, err := c.work(ctx, t)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else if out != nil {
		err = cmp.Or(t.deliver(out), err)
	}
	p, told := c.conclude(err)
	trouble := crawlMessage{Type: "error", Content: p.Text, Reason: p.Code}
	if out != nil { // a site may be enrolled though its file could not be hosted yet
		trouble.BaseURL, trouble.WebhookSecret = out.base, out.secret
	}
	switch {
	case err == nil:
		t.End(1000, "")
	case told && t.Send(trouble) == nil:
		t.End(p.Event, p.Text)
	default:
		t.Cut()
	}
	t.Wait()
}

// conclude puts into the session's result why the crawl ended. It reports
// false when there is nobody to be told.
func (c *crawl) conclude(err error) (p publicError, told bool) {
	r := &c.result
	var left *opening.ClosedError
	switch {
	case err == nil:
		r.Code = 1000
		return p, true
	case errors.As(err, &left):
		r.EndedBy, r.Code, r.Err = EndedByClient, left.Code, err
		return p, false
	case errors.Is(err, errClientGone):
		r.EndedBy, r.Code, r.Err = EndedByClient, wsframe.CloseAbnormal, err
		return p, false
	case errors.Is(err, errBrokenFrame):
		r.EndedBy, r.Code, r.Err = EndedByClient, wsframe.CloseProtocol, err
		return p, false
	}
	p = public(err)
	r.EndedBy, r.Code, r.Err = crawlEndedBy(err), p.Event, err
	if p.Class == fault.Internal {
		c.g.warnInternal(c.session.ctx, err, "session", c.session.ID, "kind", c.session.Kind)
	}
	return p, true
}

// A crawlSocket is the socket of a running crawl.
type crawlSocket struct {
	*opening.Socket
	leave context.CancelCauseFunc // ends the crawl
}

// log tells the client what happens. A client that cannot be told has gone.
func (t *crawlSocket) log(text string) { t.tell(crawlMessage{Type: "log", Content: text}) }

// page is log for the outcome of a page.
func (t *crawlSocket) page(e llmstxt.Event) {
	t.tell(crawlMessage{Type: "log", Content: e.Message, URL: e.URL, Reason: string(e.Reason)})
}

func (t *crawlSocket) tell(m crawlMessage) {
	if err := t.Send(m); err != nil {
		t.leave(err)
	}
}

// largeMessage is what many clients let a message be by default, those of
// Python's websockets among them.
const largeMessage = 1 << 20

// deliver sends what the crawl came to.
func (t *crawlSocket) deliver(out *crawlOutcome) error {
	result, err := opening.Encode(crawlMessage{Type: "result", Content: out.text, Lost: &out.site.Stats.Lost, Stats: newCrawlStats(out.site.Stats, out.rendered)})
	if err != nil {
		return err
	}
	if len(result) > largeMessage {
		t.log(fmt.Sprintf("The result is a message of %d bytes; some clients refuse more than %d unless told otherwise", len(result), largeMessage))
	}
	t.Busy()
	if err := t.Write(result); err != nil {
		return err
	}
	if out.url == "" {
		return nil
	}
	if err := t.Send(crawlMessage{Type: "url", Content: out.url, BaseURL: out.base, WebhookSecret: out.secret}); err != nil {
		return err
	}
	for _, f := range out.files {
		if err := t.Send(crawlMessage{Type: "file", Content: f.url, Name: f.name, URL: f.url}); err != nil {
			return err
		}
	}
	return nil
}
