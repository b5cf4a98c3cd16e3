package llmstxt

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/credentials"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/pace"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// result is all that is kept of a fetched page until its turn to be committed
// comes: not its bytes.
type result struct {
	// The way to the page.
	asked    *url.URL // before the hops
	final    *url.URL // after the hops
	at       *url.URL // what is asked for at the last of them, with the number of a visit; nil: final
	hops     int
	cookies  credentials.Jars // of the way here
	reloaded bool             // the address was asked for once more, with a cookie that the answer set
	came     func()           // called when a body has come; nil: once it is read
	spared   time.Time        // not asked for: when it last was

	// The answer.
	refused    error // *skipError, or what the client said of a connection
	status     int   // of the last answer
	etag       string
	modified   string
	canonical  string   // of the header
	neighbours []string // of the header: the pages before and behind it
	signals    []string // of the base page's header
	newCookie  bool     // it set a cookie that was not sent
	bytes      int64
	hash       string
	form       form
	unchanged  bool

	// What was read of the page.
	page       *htmlpage.Page // until links and addresses are resolved
	evidence   Evidence
	said       []describe.Said // by the evidence's blocks
	links      []string        // in scope, normalised
	outside    int             // links to the host that are not in scope
	buttons    []string        // where nothing but a button leads, with credentials
	noindex    bool
	nofollow   bool
	unfollowed int // links that are not followed because the page asks for it
	rendered   bool
	renderNote string // the outcome of Options.Render
	soft404Signs

	held  int        // bytes of it that the crawl counts
	whole *wholeText // of it, if that is kept

	// Its twin, the page in Markdown.
	twin     *result
	twinURL  *url.URL // if the page names it
	twinOnly bool     // asked for in place of a page: HTML is of no use
	twinNote string   // its outcome
	probed   bool     // it has been asked for
	api      bool     // it is the description of an API
	shownAt  *url.URL // what addresses of that description are relative to
	alike    []string // identities of the twin that was adopted
}

// fetchPage follows one address to a page and reads it. allow is asked before
// every request and says why an address is not to be fetched; came is called when a body
// has come, once or more.
func (c *crawler) fetchPage(ctx context.Context, u *url.URL, allow func(*url.URL) error, came func()) *result {
	r := &result{asked: u, final: u, came: came}
	defer func() { r.came = nil }()
	if c.cookies != nil {
		r.cookies = credentials.Jars{c.cookies, nil}
	}
	for ; ; r.hops++ {
		if err := allow(r.final); err != nil {
			if isSkip(err, SkipScope) && r.hops > 0 && notpage.IsLoginElsewhere(r.final, u) {
				err = &skipError{Reason: SkipLogin, Detail: "leads to a login, " + r.final.String()}
			}
			r.refused = err
			return r
		}
		if prev := c.spared[r.final.String()]; prev != nil {
			r.keep(prev)
			r.spared = prev.Asked
			return r
		}
		next, err := c.try(ctx, r)
		if err == nil && next == nil && r.hops > 0 && len(r.final.String()) > weburl.MaxLength {
			return &result{asked: u, final: u, hops: r.hops, status: r.status, bytes: r.bytes, refused: longAddress}
		}
		if err != nil || next == nil {
			r.refused = err
			c.twinOf(ctx, r)
			return r
		}
		if r.hops >= c.MaxRedirects {
			r.refused = &skipError{Reason: SkipError, Detail: fmt.Sprintf("more than %d redirects", c.MaxRedirects)}
			return r
		}
		r.moveTo(next)
	}
}

// moveTo follows a hop. The number of a visit that the site puts into addresses is sent to
// it and is not of the page's own address.
func (r *result) moveTo(hop *url.URL) { r.at, r.final = hop, weburl.WithoutVisit(hop) }

// isAt reports a hop that leads to the page where it is.
func (r *result) isAt(hop *url.URL) bool {
	return weburl.WithoutVisit(hop).String() == r.final.String()
}

// hop is the address that is asked for.
func (r *result) hop() *url.URL { return cmp.Or(r.at, r.final) }

// retry says what to do after an answer that is not the last word.
type retry struct {
	again       bool          // ask again
	rateLimited bool          // the site was asked too often
	after       time.Duration // as it said itself; 0: it did not
}

// try asks for r.final until there is an answer worth having. It returns where
// to go instead, or nil when r is complete.
func (c *crawler) try(ctx context.Context, r *result) (next *url.URL, err error) {
	q := c.pace.Request()
	for n := 0; ; n++ {
		var again retry
		next, again, err = c.once(ctx, r, q)
		if ctx.Err() != nil || !c.again(ctx, n, q, again) {
			return next, err
		}
	}
}

// again waits before a request is sent once more, n+1 times in all, if it is.
func (c *crawler) again(ctx context.Context, n int, q *pace.Request, r retry) bool {
	tries := c.Retries
	if r.rateLimited && c.Retries > 0 {
		tries = pace.RateLimitTries
	}
	if deadline, ok := ctx.Deadline(); r.after > pace.LongestWait || ok && r.after > time.Until(deadline) {
		if r.rateLimited {
			q.Refused(0)
		}
		return false
	}
	worth := r.again
	if r.rateLimited {
		worth = q.Refused(r.after) && worth
	}
	if !worth || n >= tries {
		return false
	}
	wait := r.after
	if wait == 0 {
		wait = 200 * time.Millisecond << n
	}
	return pace.Sleep(ctx, wait) == nil
}

// once sends one request and reads its answer.
func (c *crawler) once(ctx context.Context, r *result, q *pace.Request) (next *url.URL, again retry, err error) {
	if err := q.Wait(ctx); err != nil {
		return nil, retry{}, err
	}
	a := &transfer{crawler: c, outer: ctx, limit: c.MaxPageBytes}
	defer a.free()
	defer a.close()
	prev := c.previous[r.final.String()]
	if r.twinOnly || prev != nil && prev.Evidence.Twin != "" {
		prev = nil // the words of the twin may change alone
	}
	a.text = r.twinOnly
	if err := a.ask(r.hop(), prev, r.cookies); err != nil {
		return nil, retry{again: !permanent(err) && !a.drips(err)}, err
	}
	resp := a.resp
	r.status = resp.StatusCode
	if name := a.challenge(); name != "" {
		c.pace.Answered()
		return nil, retry{}, &skipError{Reason: SkipChallenge, Detail: name}
	}
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && prev != nil:
		c.pace.Answered()
		r.keep(prev)
		return nil, retry{}, nil
	case code >= 300 && code < 400 && resp.Header.Get("Location") != "":
		c.pace.Answered()
		if next, err = leadsTo(r.hop(), resp.Header.Get("Location")); err != nil {
			return nil, retry{}, err
		}
		if next == nil {
			return nil, retry{}, notWeb
		}
		r.cookies.Keep(r.final, resp.Header.Values("Set-Cookie"))
		io.Copy(io.Discard, io.LimitReader(resp.Body, 16<<10))
		return next, retry{}, nil
	case httphead.IsHaste(resp):
		return nil, retry{again: true, rateLimited: true, after: httphead.RetryAfter(resp.Header.Get("Retry-After"))},
			&skipError{Reason: SkipStatus, Detail: statusText(code), lost: true}
	case httphead.MayPass(code):
		return nil, retry{again: true}, &skipError{Reason: SkipStatus, Detail: statusText(code), lost: true}
	case code == http.StatusMultipleChoices && !r.twinOnly: // a page for people that leads to the choices
	case code != http.StatusOK && code != http.StatusNonAuthoritativeInfo && !httphead.IsWhole(resp):
		c.pace.Answered()
		return nil, retry{}, &skipError{Reason: SkipStatus, Detail: statusText(code)}
	}
	kind := resp.Header.Get("Content-Type")
	kind = kind[:min(len(kind), httphead.MaxField)]
	var isPage bool
	if !strings.Contains(kind, "/") {
		kind = "" // it says nothing: browsers look at the body
	}
	if r.form, isPage = formOf(kind, r.final); r.twinOnly && r.api && !decode.IsHTML(kind) {
		r.form = formMarkdown
	} else if kind != "" && (!isPage || r.twinOnly && r.form == formHTML) {
		return nil, retry{}, &skipError{Reason: SkipType, Detail: "not HTML (" + decode.MediaType(kind) + ")"}
	}
	if err := a.readSent(); err != nil {
		return nil, retry{again: !isSkip(err, SkipSize) && !isSkip(err, SkipTimeout)}, err
	}
	if r.came != nil {
		r.came()
	}
	c.pace.Answered()
	r.newCookie = r.cookies.Keep(r.final, resp.Header.Values("Set-Cookie"))
	if err = a.core(a.sent.Len()); err == nil {
		c.threads.Do(func() { next, err = c.open(a, r, kind, prev) })
	}
	if err == nil && next == nil && resp.StatusCode == http.StatusMultipleChoices {
		err = &skipError{Reason: SkipStatus, Detail: statusText(resp.StatusCode)}
	}
	switch err {
	case tooManyAs200, downAs200:
		return nil, retry{again: true}, err
	}
	return next, retry{}, err
}

// longAddress says that an address is too long for that of a page.
var longAddress = &skipError{Reason: SkipURL, Detail: fmt.Sprintf("the address is longer than %d bytes", weburl.MaxLength)}

// longHop says that an address is too long to be asked for on the way to a page.
var longHop = &skipError{Reason: SkipURL, Detail: fmt.Sprintf("leads to an address longer than %d bytes", weburl.MaxHopLength)}

// notWeb says that an answer leads to what cannot be asked for.
var notWeb = &skipError{Reason: SkipStatus, Detail: "redirected to something that is not a web address"}

// leadsTo resolves the address that an answer leads to; nil if it does not lead to a
// web page. On the way to a page an address may carry state, as those of single
// sign-on do: only where the way ends it is the page's.
func leadsTo(from *url.URL, ref string) (*url.URL, error) {
	if len(ref) > weburl.MaxHopLength {
		return nil, longHop
	}
	u := weburl.ResolveHop(from, ref)
	if u != nil && len(u.String()) > weburl.MaxHopLength {
		return nil, longHop
	}
	return u, nil
}

// slot waits for the right to send a request, and returns what gives it back.
func (c *crawler) slot(ctx context.Context) (release func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return sync.OnceFunc(func() { <-c.slots }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *transfer) send(ctx context.Context, u *url.URL, prev *Page, cookies credentials.Jars) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if a.head {
		req.Method = http.MethodHead
	}
	req.Header.Set("User-Agent", a.UserAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,text/markdown;q=0.8,text/plain;q=0.7,*/*;q=0.1")
	if a.text {
		req.Header.Set("Accept", "text/markdown,text/plain;q=0.9,*/*;q=0.1")
	}
	req.Header.Set("Accept-Encoding", decode.Accepted)
	a.given.Set(req)
	cookies.Set(req)
	if prev != nil {
		if prev.ETag != "" {
			req.Header.Set("If-None-Match", prev.ETag)
		}
		if prev.LastModified != "" {
			req.Header.Set("If-Modified-Since", prev.LastModified)
		}
	}
	return a.client.Do(req)
}
