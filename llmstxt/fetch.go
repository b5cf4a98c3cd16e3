package llmstxt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
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
	links      []string       // in scope, normalised
	scan       *htmlpage.Page // until links and addresses are resolved
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
		next = weburl.Resolve(r.final, resp.Header.Get("Location"))
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
	if kind != "" && !decode.IsHTML(kind) {
		return nil, 0, false, &skipError{SkipType, "not HTML (" + decode.MediaType(kind) + ")"}
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
	if kind == "" && !decode.IsHTML(http.DetectContentType(body)) {
		return nil, 0, false, &skipError{SkipType, "not HTML"}
	}
	sum := sha256.Sum256(body)
	r.hash = hex.EncodeToString(sum[:])
	r.etag, r.modified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	noindex, nofollow := false, false
	for _, v := range resp.Header.Values("X-Robots-Tag") {
		// "otherbot: noindex" is not for us.
		if name, rest, ok := strings.Cut(v, ":"); ok && !strings.ContainsAny(name, ", _") {
			if t := robots.ProductToken(strings.TrimSpace(name)); t != robots.ProductToken(c.UserAgent) {
				continue
			}
			v = rest
		}
		noindex, nofollow = robots.Directives(v, noindex, nofollow)
	}
	if prev != nil && prev.Hash == r.hash && !noindex && !nofollow {
		etag, modified := r.etag, r.modified
		r.keep(prev)
		r.etag, r.modified = etag, modified
		return nil, 0, false, nil
	}
	return c.read(outer, r, decode.UTF8(body, kind), noindex, nofollow), 0, false, nil
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
		if next := weburl.Resolve(u, resp.Header.Get("Location")); next != nil {
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
