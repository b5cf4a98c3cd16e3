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
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/request"
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
			g.refused(r.Context(), KindCrawl.String(), g.o.ClientAddr(r), err)
			g.o.fail(w, err)
		}
		if err := opening.Check(w, r); err != nil {
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
	seen := c.g.readAuth(r)
	refusal := c.admit(r.Context(), seen)
	if errors.Is(refusal, errOrigin) {
		c.result.Err = refusal
		c.g.o.fail(w, refusal)
		return
	}
	var protocol string
	if list := opening.Offered(r); len(list) > 0 {
		protocol = list[0]
	}
	client, err := opening.Accept(w, r, protocol, false)
	if err != nil {
		c.result.Err = errClientGone
		return
	}
	conn := client.Conn
	c.session.conn = conn
	defer afterKill(c.g.kill, func() { conn.Close() })()
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
	if refusal == nil {
		refusal = c.read(msg)
	}
	if refusal != nil {
		client.Release()
		if p, told := c.conclude(refusal); told {
			opening.WriteClose(conn, crawlMessage{Type: "error", Content: p.Text, Reason: p.Code}, p.Event, p.Text)
		}
		opening.CloseAfterLast(conn)
		return
	}
	c.run(client.Keep())
}

// admit finds out whose crawl it is. Until the upgrade is answered the
// request's own context ends when the client leaves.
func (c *crawl) admit(ctx context.Context, seen requestAuth) error {
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
	limit := c.g.o.Crawl.MaxPages
	c.req = crawlRequest{
		url:        strings.TrimSpace(f.Text("url", "")),
		maxPages:   f.Int("maxPages", min(50, limit), 1, math.MaxInt),
		descLength: f.Int("descLength", 500, 100, 2000),
		layout:     llmstxt.Layout(f.Text("format", string(llmstxt.Pages))),
		enroll:     f.Bool("enableAutoUpdate", false),
		enhance:    f.Bool("llmEnhance", false),
		remote:     f.Bool("useBrightdata", true),
		full:       f.Bool("full", false),
		markdown:   f.Bool("markdown", false),
	}
	geo, agents, sticky := f.Text("geo", ""), f.Text("agent", ""), f.Text("session", "")
	c.req.choice = readChoice(f)
	minutes := f.Int("recrawlIntervalMinutes", 7*24*60, 1, math.MaxInt)
	if f.Err != nil {
		return f.Err
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
	case c.req.enroll && c.req.secret():
		return fault.Invalidf("enableAutoUpdate stores no headers, cookies or passwords; leave either these or enableAutoUpdate out")
	}
	c.req.query.Host, c.req.query.Subject = u.Hostname(), c.session.Subject
	c.result.Target = c.req.query.Host
	c.session.reached("", c.result.Target)
	return nil
}

// The most of each that a crawl request may have.
const (
	maxGlobs = 64
	maxGlob  = 1000 // bytes
	maxDelay = time.Hour
)

// readChoice reads which pages are wanted, what is sent along, and how fast.
func readChoice(f *request.Fields) llmstxt.Options {
	o := llmstxt.Options{
		Include: readGlobs(f, "include"), Exclude: readGlobs(f, "exclude"),
		Language: readWord(f, "language"), Version: readWord(f, "version"),
		Delay: f.Seconds("delay"), Signals: f.Bool("signals", false),
		Header: http.Header{}, Cookies: map[string]string{},
	}
	headers, cookies := f.Pairs("headers"), f.Pairs("cookies")
	switch {
	case len(headers)+len(cookies) > request.MaxHeaders:
		f.Refuse("headers and cookies", fmt.Sprintf("are more than %d together", request.MaxHeaders))
	case o.Delay > maxDelay:
		f.Refuse("delay", fmt.Sprintf("must be at most %g seconds", maxDelay.Seconds()))
	}
	for _, h := range headers {
		switch {
		case !httpguts.ValidHeaderFieldName(h.Name):
			f.Refuse("headers:", fmt.Sprintf("%q is not a header name", fault.Clip(h.Name)))
		case !httpguts.ValidHeaderFieldValue(h.Value):
			f.Refuse("headers:", fmt.Sprintf("the value of %s has a character that a header cannot hold", fault.Clip(h.Name)))
		}
		o.Header.Add(h.Name, h.Value)
	}
	for _, c := range cookies {
		if (&http.Cookie{Name: c.Name, Value: c.Value}).Valid() != nil {
			f.Refuse("cookies:", fmt.Sprintf("%q or its value has a character that a cookie cannot hold", fault.Clip(c.Name)))
		}
		o.Cookies[c.Name] = c.Value
	}
	return o
}

// readGlobs reads a list of globs on paths.
func readGlobs(f *request.Fields, name string) []string {
	list := f.Strings(name)
	if len(list) > maxGlobs {
		f.Refuse(name, fmt.Sprintf("has more than %d globs", maxGlobs))
	}
	for _, glob := range list {
		if !strings.HasPrefix(glob, "/") && !strings.HasPrefix(glob, "*") || len(glob) > maxGlob || strings.ContainsFunc(glob, unicode.IsControl) {
			f.Refuse(name, fmt.Sprintf("has %q, which is not a glob on paths; write it as /docs/**", fault.Clip(glob)))
		}
	}
	return list
}

// readWord reads a language or a version.
func readWord(f *request.Fields, name string) string {
	s := strings.TrimSpace(f.Text(name, ""))
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '/' }) {
		f.Refuse(name, "must be a word of at most 64 bytes")
	}
	return s
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
	j := &crawlJob{g: c.g, kind: KindCrawl, principal: c.session.principal, session: c.session.ID, subject: c.session.Subject, req: c.req, maxPages: pages, log: t.log}
	// Whoever leaves a crawl shortly before its end has had its pages crawled.
	defer func() { release(int(j.pages.Load())) }()
	if c.req.enroll {
		j.arrived = c.roomForSite(ctx, fail)
	}
	j.hosted = c.g.o.Storage != nil && !c.req.secret()
	if c.req.texts() && !j.hosted {
		t.log(tellNotHosted)
	}
	site, err := j.crawl(ctx)
	c.result.Node = j.node
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
	p := c.session.principal
	pages, release, err = c.g.takePages(ctx, p, c.req.maxPages)
	if err == nil && pages < c.req.maxPages {
		t.log(fmt.Sprintf("Of your %d pages a day %d are left; the crawl stops there", p.Limits.PagesPerDay, pages))
	}
	return pages, release, err
}
