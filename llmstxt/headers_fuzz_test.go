package llmstxt

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
)

// Whatever the head of an answer says is read without harm, and what is taken from it
// stands in it.
func FuzzHeaders(f *testing.F) {
	for _, v := range []string{"<http://a.test/>; rel=canonical", "<a>;rel=\"canonical next\",<b>;;,", "120", "-1", "99999999999999999999",
		"Fri, 31 Dec 9999 23:59:59 GMT", "5; url=/x", "ai-input=no, x", "farwire: noindex, nofollow", strings.Repeat("<a>;", 5000)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		h := http.Header{"Link": {v}, "Content-Signal": {v}, "Retry-After": {v}}
		if u := httphead.Canonical(h); !strings.Contains(v, "<"+u+">") && u != "" {
			t.Errorf("canonical is %q", u)
		}
		if d := httphead.RetryAfter(v); d < 0 {
			t.Errorf("retry after %v", d)
		}
		if httphead.Refuses(httphead.Signals(h)) && !strings.Contains(strings.ToLower(v), "ai-input=n") {
			t.Error("refuses")
		}
		if to := htmlpage.RefreshTarget(v); len(to) > len(v) {
			t.Errorf("refresh to %q", to)
		}
		p := &htmlpage.Page{}
		at := &url.URL{Scheme: "http", Host: "a.test", Path: "/"}
		r := &result{asked: at, final: at}
		if u := r.twinLink(h, p); u != nil && u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("twin at %q", u)
		}
	})
}
