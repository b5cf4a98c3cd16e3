package llmstxt

import (
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// What a request carries. What the caller gave goes to the origin that was
// asked for; what the site set goes where a browser would send it.

// open are headers of the caller's that are not secret.
var open = []string{"Accept", "Accept-Language", "User-Agent"}

// ours are headers that belong to the connection, or to how a crawl asks.
var ours = []string{"Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Expect", "Host", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Keep-Alive", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// HasSecrets reports whether a crawl of base with these options sends something
// that is meant for its origin alone: headers, cookies, a user or a password.
// What such a crawl finds is not for everybody.
func HasSecrets(base string, o Options) bool {
	if u, err := url.Parse(strings.TrimSpace(base)); err == nil && u.User != nil {
		return true
	}
	for name := range o.Header {
		if name = textproto.CanonicalMIMEHeaderKey(name); !slices.Contains(open, name) && !isOurs(name) {
			return true
		}
	}
	return len(o.Cookies) > 0
}

func isOurs(name string) bool {
	return slices.Contains(ours, name) || strings.HasPrefix(name, "Proxy-")
}

// credentials are what the caller gave.
type credentials struct {
	scheme, host string // whose they are
	open, secret http.Header
}

func newCredentials(o Options, asked *url.URL, base string) credentials {
	c := credentials{asked.Scheme, asked.Host, http.Header{}, http.Header{}}
	for name, values := range o.Header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case isOurs(name):
		case slices.Contains(open, name):
			c.open[name] = slices.Clone(values)
		default:
			c.secret[name] = slices.Clone(values)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Cookies)) {
		addCookie(c.secret, name, o.Cookies[name])
	}
	if u, err := url.Parse(strings.TrimSpace(base)); err == nil && u.User != nil && c.secret.Get("Authorization") == "" {
		password, _ := u.User.Password()
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(u.User.Username(), password)
		c.secret.Set("Authorization", req.Header.Get("Authorization"))
	}
	return c
}

// set puts what belongs to a request's origin into its header.
func (c credentials) set(req *http.Request) {
	maps.Copy(req.Header, c.open)
	if req.URL.Scheme == c.scheme && req.URL.Host == c.host {
		for name, values := range c.secret {
			req.Header[name] = slices.Clone(values)
		}
	}
}

// addCookie adds a cookie as it was given: [http.Request.AddCookie] changes values
// such as {"a": 1}.
func addCookie(h http.Header, name, value string) {
	if before := h.Get("Cookie"); before != "" {
		name = before + "; " + name
	}
	h.Set("Cookie", name+"="+value)
}

// jars are the cookies that a site has set: while the base page was fetched, and
// with the redirects of one page. Those of other pages are not kept, because
// which of them came first is a matter of chance.
type jars []http.CookieJar

// keep puts an answer's cookies into the last one.
func (j *jars) keep(u *url.URL, resp *http.Response) {
	set := resp.Cookies()
	if len(set) == 0 || len(set) > 100 {
		return
	}
	if len(*j) == 0 || (*j)[len(*j)-1] == nil {
		jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return // it never is
		}
		*j = append((*j)[:max(0, len(*j)-1)], jar)
	}
	(*j)[len(*j)-1].SetCookies(u, set)
}

// set adds the cookies for a request; the later jar wins, the caller's do first.
func (j jars) set(req *http.Request) {
	have := map[string]bool{}
	for _, c := range req.Cookies() {
		have[c.Name] = true
	}
	for _, jar := range slices.Backward(j) {
		if jar == nil {
			continue
		}
		for _, c := range jar.Cookies(req.URL) {
			if !have[c.Name] {
				have[c.Name] = true
				req.AddCookie(c)
			}
		}
	}
}
