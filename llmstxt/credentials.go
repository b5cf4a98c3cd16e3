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
type jars []*jar

// A jar holds cookies that one page has set. Only who fetches that page changes it.
type jar struct {
	http.CookieJar
	sizes map[string]int // bytes, by what tells cookies apart
	size  int            // their sum
}

// What is taken of a site's cookies. Browsers ignore larger ones, RFC 6265bis, section
// 5.7; the line of one may have that many bytes and its attributes.
const (
	maxCookie       = 4 << 10 // bytes of its name and value
	maxCookieLine   = maxCookie + 1<<10
	maxCookies      = 100 // of a jar
	maxCookieBytes  = 64 << 10
	maxCookieHeader = 16 << 10 // bytes of a request, beside those of the caller's
)

// keep puts an answer's cookies into the last one.
func (j *jars) keep(u *url.URL, resp *http.Response) {
	var lines []string
	for _, line := range resp.Header.Values("Set-Cookie") {
		if len(line) <= maxCookieLine && len(lines) < maxCookies {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return
	}
	if len(*j) == 0 || (*j)[len(*j)-1] == nil {
		in, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return // it never is
		}
		*j = append((*j)[:max(0, len(*j)-1)], &jar{CookieJar: in, sizes: map[string]int{}})
	}
	last := (*j)[len(*j)-1]
	set := (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies()
	last.SetCookies(u, slices.DeleteFunc(set, func(c *http.Cookie) bool { return !last.takes(u, c) }))
}

// takes counts a cookie in, in place of an earlier one of its name, and reports whether
// there is room for it.
func (j *jar) takes(u *url.URL, c *http.Cookie) bool {
	if len(c.Name)+len(c.Value) > maxCookie {
		return false
	}
	path := c.Path
	if !strings.HasPrefix(path, "/") {
		path = u.Path // or a part of it
	}
	key := c.Name + ";" + u.Host + ";" + c.Domain + ";" + path
	size := 300 + len(c.Raw) + 2*len(key)
	before, replaces := j.sizes[key]
	if !replaces && len(j.sizes) >= maxCookies || j.size+size-before > maxCookieBytes {
		return false
	}
	j.size += size - before
	j.sizes[key] = size
	return true
}

// size is about how many bytes the last one takes: the others are those of the base page,
// or of the page whose twin this is.
func (j jars) size() int {
	if len(j) == 0 || j[len(j)-1] == nil {
		return 0
	}
	return j[len(j)-1].size
}

// set adds the cookies for a request; the later jar wins, the caller's do first.
func (j jars) set(req *http.Request) {
	have := map[string]bool{}
	for _, c := range req.Cookies() {
		have[c.Name] = true
	}
	var all []string
	if given := req.Header.Get("Cookie"); given != "" {
		all = append(all, given)
	}
	left := maxCookieHeader
	for _, of := range slices.Backward(j) {
		if of == nil {
			continue
		}
		for _, c := range of.Cookies(req.URL) {
			text := c.String()
			if size := len("; ") + len(text); text != "" && !have[c.Name] && size <= left {
				left -= size
				have[c.Name] = true
				all = append(all, text)
			}
		}
	}
	if len(all) > 0 {
		req.Header.Set("Cookie", strings.Join(all, "; "))
	}
}
