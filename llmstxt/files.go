package llmstxt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/credentials"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/pace"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

// Files that are not pages: robots.txt and site maps.

// fileRoom is what a file that is not small takes of the process's share.
type fileRoom struct{ release func() }

// free gives it back, when nothing of the file is read any more.
func (r *fileRoom) free() {
	if r.release != nil {
		r.release()
		r.release = nil
	}
}

// getPlain fetches one, at most limit bytes of it as it is sent, and returns a
// reader of what it says. It follows redirects, and asks again like for a page. allow is
// asked where each of them leads to; nil: anywhere. A file that is not small needs a
// fileRoom; without one it is errLargeFile.
func (c *crawler) getPlain(ctx context.Context, u *url.URL, limit int64, r *fileRoom, allow func(*url.URL) error) (io.Reader, error) {
	var cookies credentials.Jars // that are insisted on along the way
	for hop := 0; ; hop++ {
		var body io.Reader
		var next *url.URL
		var err error
		q := c.pace.Request()
		for n := 0; ; n++ {
			var again retry
			body, next, again, err = c.getPlainOnce(ctx, u, limit, r, q, &cookies)
			if err == nil || ctx.Err() != nil || !c.again(ctx, n, q, again) {
				break
			}
		}
		if next == nil {
			return body, err
		}
		if hop >= max(5, c.MaxRedirects) {
			return nil, &skipError{Reason: SkipError, Detail: "too many redirects"}
		}
		if allow != nil {
			if err := allow(next); err != nil {
				return nil, err
			}
		}
		u = next
	}
}

func (c *crawler) getPlainOnce(ctx context.Context, u *url.URL, limit int64, r *fileRoom, q *pace.Request, cookies *credentials.Jars) (io.Reader, *url.URL, retry, error) {
	if err := q.Wait(ctx); err != nil {
		return nil, nil, retry{}, err
	}
	a := &transfer{crawler: c, outer: ctx, limit: limit}
	defer a.close()
	if err := a.ask(u, nil, *cookies); err != nil {
		return nil, nil, retry{again: !permanent(err) && !a.drips(err)}, err
	}
	switch code := a.resp.StatusCode; {
	case code >= 300 && code < 400 && a.resp.Header.Get("Location") != "":
		c.pace.Answered()
		cookies.Keep(u, a.resp.Header.Values("Set-Cookie"))
		if next, err := leadsTo(u, a.resp.Header.Get("Location")); err == nil && next != nil {
			return nil, next, retry{}, nil
		}
		return nil, nil, retry{}, &statusError{code}
	case httphead.IsHaste(a.resp):
		return nil, nil, retry{again: true, rateLimited: true, after: httphead.RetryAfter(a.resp.Header.Get("Retry-After"))}, &statusError{code}
	case code < 200 || code >= 300: // a transforming proxy says 203, and 204 that the file is empty
		c.pace.Answered()
		return nil, nil, retry{again: httphead.MayPass(code)}, &statusError{code}
	}
	sent, err := a.readPlain(r)
	if err != nil {
		return nil, nil, retry{again: err != errLargeFile && !isSkip(err, SkipTimeout)}, err
	}
	c.pace.Answered()
	body, err := decode.Stream(sent, strings.Join(a.resp.Header.Values("Content-Encoding"), ","))
	if err != nil {
		return nil, nil, retry{}, &skipError{Reason: SkipEncoding, Detail: err.Error()}
	}
	return body, nil, retry{}, nil
}

var errLargeFile = errors.New("the file is too large to read now")

// readPlain reads a file as it was sent.
func (a *transfer) readPlain(r *fileRoom) (*bytes.Buffer, error) {
	sent := new(bytes.Buffer)
	if _, err := sent.ReadFrom(io.LimitReader(a.resp.Body, share.SmallBody)); err != nil {
		return nil, a.failed(err)
	}
	switch {
	case sent.Len() < share.SmallBody:
		return sent, nil
	case r == nil:
		return nil, errLargeFile
	}
	// The site does not pay for the wait.
	began := time.Now()
	a.clock.Stop()
	r.free() // what a try before this one took
	release, err := share.LargeFiles.Take(a.outer, a.owner)
	if err != nil {
		return nil, err
	}
	r.release = release
	a.rewind(time.Since(began))
	if _, err := sent.ReadFrom(io.LimitReader(a.resp.Body, a.limit-share.SmallBody)); err != nil {
		return nil, a.failed(err)
	}
	return sent, nil
}

// statusError is an answer without the file.
type statusError struct{ code int }

func (e *statusError) Error() string { return statusText(e.code) }
