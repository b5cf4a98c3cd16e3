// Package credentials is what a crawl's requests carry: what the caller gave goes to the
// origin that was asked for; what the site set goes where a browser would send it.
package credentials

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

// open are headers of the caller's that are not secret.
var open = []string{"Accept", "Accept-Language", "User-Agent"}

// ours are headers that belong to the connection, or to how a crawl asks.
var ours = []string{"Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Expect", "Host", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Keep-Alive", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// HasSecrets reports whether a crawl of base with these headers and cookies sends
// something that is meant for its origin alone.
func HasSecrets(base string, header http.Header, cookies map[string]string) bool {
	if u, err := url.Parse(strings.TrimSpace(base)); err == nil && u.User != nil {
		return true
	}
	for name := range header {
		if name = textproto.CanonicalMIMEHeaderKey(name); !slices.Contains(open, name) && !isOurs(name) {
			return true
		}
	}
	return len(cookies) > 0
}

func isOurs(name string) bool {
	return slices.Contains(ours, name) || strings.HasPrefix(name, "Proxy-")
}

// Given is what the caller gave. It is safe for concurrent use.
type Given struct {
	scheme, host string // whose they are
	open, secret http.Header
}

// New returns what belongs to the origin of asked, which is base without its user and
// password.
func New(header http.Header, cookies map[string]string, asked *url.URL, base string) Given {
	c := Given{asked.Scheme, asked.Host, http.Header{}, http.Header{}}
	for name, values := range header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case isOurs(name):
		case slices.Contains(open, name):
			c.open[name] = slices.Clone(values)
		default:
			c.secret[name] = slices.Clone(values)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		addCookie(c.secret, name, cookies[name])
	}
	if u, err := url.Parse(strings.TrimSpace(base)); err == nil && u.User != nil && c.secret.Get("Authorization") == "" {
		password, _ := u.User.Password()
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(u.User.Username(), password)
		c.secret.Set("Authorization", req.Header.Get("Authorization"))
	}
	return c
}

// UserAgent is what the caller gave to be called by; "": nothing.
func (c Given) UserAgent() string { return c.open.Get("User-Agent") }

// BelongTo reports whether a request for an address carries a secret of the caller's.
func (c Given) BelongTo(u *url.URL) bool {
	return len(c.secret) > 0 && u.Scheme == c.scheme && u.Host == c.host
}

// Set puts what belongs to a request's origin into its header.
func (c Given) Set(req *http.Request) {
	maps.Copy(req.Header, c.open)
	if c.BelongTo(req.URL) {
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

// Jars are the cookies that a site has set: while the base page was fetched, and
// with the redirects of one page. Those of other pages are not kept, because
// which of them came first is a matter of chance.
type Jars []*Jar

// A Jar holds cookies that one page has set. Only who fetches that page changes it.
type Jar struct {
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

// Keep puts an answer's cookies into the last one, and reports whether the next request for
// the address has others than the one before.
func (j *Jars) Keep(u *url.URL, header []string) (news bool) {
	var lines []string
	for _, line := range header {
		if len(line) <= maxCookieLine && len(lines) < maxCookies {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return false
	}
	before := j.sent(u)
	if len(*j) == 0 || (*j)[len(*j)-1] == nil {
		in, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return false // it never is
		}
		*j = append((*j)[:max(0, len(*j)-1)], &Jar{CookieJar: in, sizes: map[string]int{}})
	}
	last := (*j)[len(*j)-1]
	set := (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies()
	last.SetCookies(u, slices.DeleteFunc(set, func(c *http.Cookie) bool { return !last.takes(u, c) }))
	return j.sent(u) != before
}

// sent is what a request for an address carries.
func (j Jars) sent(u *url.URL) string {
	req := &http.Request{URL: u, Header: http.Header{}}
	j.Set(req)
	return req.Header.Get("Cookie")
}

// takes counts a cookie in, in place of an earlier one of its name, and reports whether
// there is room for it.
func (j *Jar) takes(u *url.URL, c *http.Cookie) bool {
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

// Size is about how many bytes the last one takes: the others are those of the base page,
// or of the page whose twin this is.
func (j Jars) Size() int {
	if len(j) == 0 || j[len(j)-1] == nil {
		return 0
	}
	return j[len(j)-1].size
}

// Set adds the cookies for a request; the later jar wins, the caller's do first.
func (j Jars) Set(req *http.Request) {
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
