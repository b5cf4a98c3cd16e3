package llmstxt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// result is all that is kept of a fetched page until its turn to be committed
// comes: not its bytes.
type result struct {
	final      *url.URL // after the hops
	refused    error    // *skipError, or what the client said of a connection
	status     int      // of the last answer
	hash       string
	etag       string
	modified   string
	noindex    bool
	rendered   bool
	unchanged  bool
	spared     time.Time // not asked for: when it last was
	renderNote string    // what became of Options.Render
	bytes      int64
	evidence   Evidence
	links      []string // in scope, normalised
	scan       *scan    // until links and addresses are resolved
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// fetchPage follows one address to a page and reads it. allow is asked before
// every request and says why an address is not to be fetched.
func (c *crawler) fetchPage(ctx context.Context, u *url.URL, allow func(*url.URL) error) *result {
	r := &result{final: u}
	for hop := 0; ; hop++ {
		if err := allow(r.final); err != nil {
			r.refused = err
			return r
		}
		if prev := c.spared[r.final.String()]; prev != nil {
			r.keep(prev)
			r.spared = prev.Asked
			return r
		}
		next, err := c.try(ctx, r)
		if err != nil || next == nil {
			r.refused = err
			return r
		}
		if hop >= c.MaxRedirects {
			r.refused = &skipError{SkipError, fmt.Sprintf("more than %d redirects", c.MaxRedirects)}
			return r
		}
		r.final = next
	}
}

// try asks for r.final until there is an answer worth having. It returns where
// to go instead, or nil when r is complete.
func (c *crawler) try(ctx context.Context, r *result) (next *url.URL, err error) {
	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 4<<20 {
			bodies.Put(buf)
		}
	}()
	for n := 0; ; n++ {
		buf.Reset()
		var wait time.Duration
		var again bool
		next, wait, again, err = c.once(ctx, r, buf)
		if !again || n >= c.Retries || ctx.Err() != nil {
			return next, err
		}
		if wait == 0 {
			wait = 200 * time.Millisecond << n
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, err
		}
	}
}

// once sends one request.
func (c *crawler) once(ctx context.Context, r *result, buf *bytes.Buffer) (next *url.URL, wait time.Duration, again bool, err error) {
	if c.pace != nil {
		if err := c.pace.Wait(ctx); err != nil {
			return nil, 0, false, err
		}
	}
	outer := ctx
	release, err := c.slot(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.PageTimeout)
	defer cancel()
	prev := c.previous[r.final.String()]
	resp, err := c.send(ctx, r.final, prev)
	if err != nil {
		return nil, 0, true, c.timeoutOr(outer, ctx, err)
	}
	defer resp.Body.Close()
	r.status = resp.StatusCode
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && prev != nil:
		r.keep(prev)
		return nil, 0, false, nil
	case code >= 300 && code < 400 && resp.Header.Get("Location") != "":
		next = resolve(r.final, resp.Header.Get("Location"))
		if next == nil {
			return nil, 0, false, &skipError{SkipStatus, "redirected to what is no web address"}
		}
		io.Copy(io.Discard, io.LimitReader(resp.Body, 16<<10))
		return next, 0, false, nil
	case code == http.StatusTooManyRequests || code >= 500:
		return nil, retryAfter(resp.Header.Get("Retry-After")), true, &skipError{SkipStatus, statusText(code)}
	case code != http.StatusOK:
		return nil, 0, false, &skipError{SkipStatus, statusText(code)}
	}
	kind := resp.Header.Get("Content-Type")
	if kind != "" && !isHTML(kind) {
		return nil, 0, false, &skipError{SkipType, "not HTML (" + mediaType(kind) + ")"}
	}
	tooLarge := &skipError{SkipSize, fmt.Sprintf("larger than %d bytes", c.MaxPageBytes)}
	if resp.ContentLength > c.MaxPageBytes {
		return nil, 0, false, tooLarge
	}
	if _, err := buf.ReadFrom(io.LimitReader(resp.Body, c.MaxPageBytes+1)); err != nil {
		return nil, 0, true, c.timeoutOr(outer, ctx, err)
	}
	if int64(buf.Len()) > c.MaxPageBytes {
		return nil, 0, false, tooLarge
	}
	release() // while this page is being read, another may be on its way
	body := buf.Bytes()
	r.bytes += int64(len(body))
	if kind == "" && !isHTML(http.DetectContentType(body)) {
		return nil, 0, false, &skipError{SkipType, "not HTML"}
	}
	sum := sha256.Sum256(body)
	r.hash = hex.EncodeToString(sum[:])
	r.etag, r.modified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	noindex, nofollow := false, false
	for _, v := range resp.Header.Values("X-Robots-Tag") {
		// "otherbot: noindex" is not for us.
		if name, rest, ok := strings.Cut(v, ":"); ok && !strings.ContainsAny(name, ", _") {
			if t := productToken(strings.TrimSpace(name)); t != productToken(c.UserAgent) {
				continue
			}
			v = rest
		}
		noindex, nofollow = robotsDirectives(v, noindex, nofollow)
	}
	if prev != nil && prev.Hash == r.hash && !noindex && !nofollow {
		etag, modified := r.etag, r.modified
		r.keep(prev)
		r.etag, r.modified = etag, modified
		return nil, 0, false, nil
	}
	return c.read(outer, r, toUTF8(body, kind), noindex, nofollow), 0, false, nil
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

// read takes from a page what will be needed of it, and returns where a meta
// refresh leads to.
func (c *crawler) read(ctx context.Context, r *result, page []byte, noindex, nofollow bool) *url.URL {
	s := scanPage(page, c.need)
	if s.refresh != "" {
		base := baseOf(r.final, s)
		if u := resolve(base, s.refresh); u != nil && u.String() != r.final.String() {
			return u
		}
	}
	if why := s.needsBrowser(); why != "" && c.Render != nil {
		rendered, err := c.Render(ctx, r.final.String(), why)
		if err != nil {
			r.renderNote = fmt.Sprintf("Could not render %s (%s): %s; using its static form", r.final, why, detail(err))
		} else {
			r.renderNote = fmt.Sprintf("Rendered %s: %s", r.final, why)
			page = bytes.ToValidUTF8(rendered, []byte("\ufffd"))
			s, r.rendered = scanPage(page, c.need), true
			// The pages of an application are one file: what they show tells
			// them apart.
			sum := sha256.Sum256(page)
			r.hash = hex.EncodeToString(sum[:])
		}
	}
	r.scan = s
	r.noindex = s.noindex || noindex
	if s.nofollow || nofollow {
		s.hrefs = nil
	}
	blocks, anchors := readBlocks(page[s.from:s.to])
	r.evidence = Evidence{Version: evidenceVersion, Need: c.need, Lang: clipBytes(s.lang, 35), Title: clipBytes(s.title, 500),
		OpenTitle: clipBytes(s.ogTitle, 500), SiteName: clipBytes(s.siteName, 200), Crumbs: s.crumbs, Edges: s.edgeTexts, Blocks: blocks, Anchors: anchors,
		Description: clipBytes(firstOf(s.desc, s.ogDesc, s.ldDesc), 4*c.DescLength)}
	return nil
}

// keep takes over what an earlier crawl read.
func (r *result) keep(prev *Page) {
	r.unchanged = true
	r.hash, r.etag, r.modified = prev.Hash, prev.ETag, prev.LastModified
	r.evidence, r.links = prev.Evidence, slices.Clone(prev.Links)
}

// settle resolves a result's addresses, once the scope is known.
func (c *crawler) settle(r *result) {
	s := r.scan
	if s == nil {
		return
	}
	r.scan = nil
	base := baseOf(r.final, s)
	own := r.final.String()
	inScope := func(ref string) string {
		if ref == "" {
			return ""
		}
		if u := resolve(base, ref); u != nil && c.scope.has(u) {
			return u.String()
		}
		return ""
	}
	r.evidence.Up = inScope(s.up)
	if can := inScope(s.canonical); can != own {
		r.evidence.Canonical = can
	}
	seen := make(map[string]struct{}, len(s.hrefs))
	var nav navigation
	for i, h := range s.hrefs {
		if len(r.links) >= maxLinks {
			break
		}
		l := inScope(h)
		if l == "" || l == own {
			continue
		}
		if _, ok := seen[l]; !ok {
			seen[l] = struct{}{}
			r.links = append(r.links, l)
			nav.add(l, s.groups[i])
		}
	}
	r.evidence.Nav = nav.result()
}

func baseOf(page *url.URL, s *scan) *url.URL {
	if s.base != "" {
		if b := resolve(page, s.base); b != nil {
			return b
		}
	}
	return page
}

func (c *crawler) send(ctx context.Context, u *url.URL, prev *Page) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1")
	if prev != nil {
		if prev.ETag != "" {
			req.Header.Set("If-None-Match", prev.ETag)
		}
		if prev.LastModified != "" {
			req.Header.Set("If-Modified-Since", prev.LastModified)
		}
	}
	return c.client.Do(req)
}

// getPlain reads a file that is no page: robots.txt or a sitemap.
func (c *crawler) getPlain(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	for hop := 0; ; hop++ {
		body, next, err := c.getPlainOnce(ctx, u, limit)
		if next == nil {
			return body, err
		}
		if hop >= max(5, c.MaxRedirects) {
			return nil, &skipError{SkipError, "too many redirects"}
		}
		u = next
	}
}

func (c *crawler) getPlainOnce(ctx context.Context, u *url.URL, limit int64) ([]byte, *url.URL, error) {
	if c.pace != nil {
		if err := c.pace.Wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.PageTimeout)
	defer cancel()
	resp, err := c.send(ctx, u, nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if code := resp.StatusCode; code >= 300 && code < 400 && resp.Header.Get("Location") != "" {
		if next := resolve(u, resp.Header.Get("Location")); next != nil {
			return nil, next, nil
		}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, &statusError{resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	return body, nil, err
}

// statusError is an answer that is none.
type statusError struct{ code int }

func (e *statusError) Error() string { return statusText(e.code) }

// timeoutOr tells a page that took too long from a crawl that was stopped.
func (c *crawler) timeoutOr(outer, inner context.Context, err error) error {
	if outer.Err() == nil && inner.Err() != nil && errors.Is(inner.Err(), context.DeadlineExceeded) {
		return &skipError{SkipTimeout, "took longer than " + c.PageTimeout.String()}
	}
	return err
}

const maxRetryAfter = 30 * time.Second

// retryAfter reads the header in both forms; 0 if there is none.
func retryAfter(v string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(time.Until(t), 0), maxRetryAfter)
	}
	return 0
}

func mediaType(kind string) string {
	if m, _, err := mime.ParseMediaType(kind); err == nil {
		return m
	}
	return strings.ToLower(strings.TrimSpace(strings.SplitN(kind, ";", 2)[0]))
}

func isHTML(kind string) bool {
	m := mediaType(kind)
	return m == "text/html" || m == "application/xhtml+xml"
}

// toUTF8 finds a page's encoding in the header, its byte order mark or its
// meta elements, and converts it. Without any of them UTF-8 is believed if it
// is valid.
func toUTF8(body []byte, kind string) []byte {
	enc, name, certain := charset.DetermineEncoding(body[:min(len(body), 1024)], kind)
	if name == "utf-8" && certain && kind != "" && !utf8.Valid(body) {
		// Servers say UTF-8 of all files; one that says otherwise of itself and is
		// not UTF-8 knows better.
		enc, name, certain = charset.DetermineEncoding(body[:min(len(body), 1024)], "text/html")
	}
	if name == "utf-8" || !certain && utf8.Valid(body) {
		return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	}
	if out, err := enc.NewDecoder().Bytes(body); err == nil {
		return bytes.TrimPrefix(out, []byte("\xef\xbb\xbf"))
	}
	return body
}
