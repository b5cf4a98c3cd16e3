package llmstxt

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// headOnly answers everything with one head and a small page.
type headOnly struct {
	status int
	header http.Header
}

func (h headOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	header := h.header.Clone()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "text/html")
	}
	return &http.Response{StatusCode: h.status, Header: header, ContentLength: -1, Request: r,
		Body: io.NopCloser(strings.NewReader("<title>T</title><h1>T</h1><p>A page."))}, nil
}

func (h headOnly) crawler(t *testing.T) (*crawler, *url.URL) {
	u := weburl.Parse("http://docs.test/")
	c, err := newCrawler(u.String(), u, Options{Client: &http.Client{Transport: h}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.threads.Close)
	c.scope, c.robots = weburl.ScopeOf(u), &robots.Rules{}
	return c, u
}

const largeField = 250_000

// What a page leaves of its head is small and is counted, however large the head is.
func TestResult_HostileHead_IsNotKept(t *testing.T) {
	long := strings.Repeat("x", largeField)
	var cookies []string
	for i := range 100 {
		cookies = append(cookies, fmt.Sprintf("c%d=%s", i, strings.Repeat("v", 2400)))
	}
	for name, header := range map[string]http.Header{
		"ETag":             {"Etag": {`"` + long + `"`}},
		"Last-Modified":    {"Last-Modified": {long}},
		"Content-Type":     {"Content-Type": {"text/html; x=" + long}},
		"canonical":        {"Link": {"</" + long + ">; rel=canonical"}},
		"Markdown":         {"Link": {"</" + long + `.md>; rel=alternate; type="text/markdown"`}},
		"large cookie":     {"Set-Cookie": {"a=" + long}},
		"large attribute":  {"Set-Cookie": {"a=b; Comment=" + long}},
		"too many cookies": {"Set-Cookie": cookies},
	} {
		c, u := headOnly{http.StatusOK, header}.crawler(t)
		r := c.fetchPage(t.Context(), u, func(*url.URL) error { return nil }, nil)
		if r.refused != nil {
			t.Errorf("%s: %v", name, r.refused)
		}
		if n := r.size(); n > 80<<10 || r.etag != "" || r.modified != "" || r.canonical != "" || r.twinURL != nil {
			t.Errorf("%s: %d bytes are kept; of the head %d, %d, %d, %v", name, n, len(r.etag), len(r.modified), len(r.canonical), r.twinURL)
		}
	}
	c, u := headOnly{http.StatusOK, http.Header{"Etag": {`"1"`}, "Last-Modified": {"today"}, "Link": {"</" + long + ">; rel=canonical, </a>; rel=canonical"}, "Set-Cookie": {"a=b"}}}.crawler(t)
	if r := c.fetchPage(t.Context(), u, func(*url.URL) error { return nil }, nil); r.etag != `"1"` || r.modified != "today" || r.canonical != "/a" || r.cookies.Size() == 0 {
		t.Errorf("of a small head are kept %q, %q, %q and %d bytes of cookies", r.etag, r.modified, r.canonical, r.cookies.Size())
	}
	old := &result{}
	if old.keep(&Page{ETag: long, LastModified: long}); old.etag != "" || old.modified != "" {
		t.Errorf("of an earlier crawl %d and %d bytes are kept", len(old.etag), len(old.modified))
	}
}

// An address that is too long to be asked for is not followed.
func TestFetchPage_RedirectToLongAddress_IsSkipped(t *testing.T) {
	for name, length := range map[string]int{"large": largeField, "longer than a hop's": weburl.MaxHopLength} {
		ref := "/" + strings.Repeat("x", length)
		for header, head := range map[string]headOnly{
			"Location": {http.StatusFound, http.Header{"Location": {ref}}},
			"Refresh":  {http.StatusOK, http.Header{"Refresh": {"0; url=" + ref}}},
		} {
			c, u := head.crawler(t)
			r := c.fetchPage(t.Context(), u, func(*url.URL) error { return nil }, nil)
			if !isSkip(r.refused, SkipURL) || r.final.String() != u.String() {
				t.Errorf("%s: %s: %v at an address of %d bytes", header, name, r.refused, len(r.final.String()))
			}
			if head.status == http.StatusOK {
				continue
			}
			var status *statusError
			if _, err := c.getPlain(t.Context(), u, 1000, nil, nil); !errors.As(err, &status) {
				t.Errorf("a file: %s: %v", name, err)
			}
		}
	}
}
