package pathform

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// stripped are the request headers that proxies in front of a gateway add: they
// name the client, or vouch for it, and are not the target's business. "*" at
// the end stands for any end.
var stripped = []string{
	"x-forwarded-*", "forwarded", "via", "x-real-ip", "true-client-ip", "cf-*", "cf-access-*", "x-goog-iap-*",
	"x-amzn-oidc-*", "x-auth-request-*", "remote-user", "tailscale-*", "x-pomerium-*", "x-authentik-*",
	"x-ms-client-principal*", "x-client-*", "x-ssl-*",
}

// removed are the headers of an answer that would act on the gateway's origin.
var removed = []string{
	"service-worker-allowed", "clear-site-data", "strict-transport-security", "alt-svc", "nel", "report-to",
	"reporting-endpoints", "cross-origin-*", "permissions-policy", "feature-policy", "x-frame-options", "accept-ch",
	"critical-ch", "speculation-rules", "set-login", "observe-browsing-topics", "origin-trial", "content-security-policy*", "access-control-*", "set-cookie2",
	"x-farwire-*", "referrer-policy", "surrogate-control", "cdn-cache-control",
	// A server in front would obey these: nginx and Apache answer with a file or a
	// location of their own, or keep the answer for everybody.
	"x-accel-redirect", "x-accel-expires", "x-sendfile", "x-sendfile-temporary", "x-lighttpd-send-file", "x-reproxy-url",
}

// policy is what every page from elsewhere is held to.
const policy = "sandbox; default-src 'none'; form-action 'none'; base-uri 'none'"

// matches reports whether a header's name is one of a list in lower case.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		if begin, wild := strings.CutSuffix(pattern, "*"); wild {
			return len(name) >= len(begin) && strings.EqualFold(name[:len(begin)], begin)
		}
		return len(name) == len(pattern) && strings.EqualFold(name, pattern)
	})
}

// IsBrowser reports whether a request comes from a browser.
func IsBrowser(h http.Header) bool {
	return h.Get("Sec-Fetch-Site") != "" || strings.HasPrefix(h.Get("User-Agent"), "Mozilla/")
}

// Outgoing changes a client's headers into those for the target. What belongs
// to the hop alone and what is ours (the key) is left to the caller. caller is
// whose cookies go along; strip are further names to leave out, in lower case. Of
// an absolute URL nothing is changed.
func (r *Request) Outgoing(h http.Header, caller string, strip []string) {
	if r.Absolute {
		return
	}
	cookies := ""
	if len(h["Cookie"]) > 0 { // else nobody needs the scope, which is a hash
		cookies = cookiesFor(h, r.CookieScope(caller), r.Options.Cookies)
	}
	basic := IsBrowser(h) && isBasic(h.Get("Authorization"))
	Strip(h, strip)
	delete(h, "Cookie")
	if cookies != "" {
		h.Set("Cookie", cookies)
	}
	if basic {
		delete(h, "Authorization") // it is a person's, for the gateway's origin
	}
	if h.Get("Origin") != "" {
		h.Set("Origin", r.Origin())
	}
	if referer := h.Get("Referer"); referer != "" {
		h.Set("Referer", r.referer(referer))
	}
}

// Strip leaves out what proxies in front of the gateway add to a request, and the names
// of strip, in lower case.
func Strip(h http.Header, strip []string) {
	for name := range h {
		if matches(stripped, name) || matches(strip, name) {
			delete(h, name)
		}
	}
}

func isBasic(authorization string) bool {
	return len(authorization) >= 6 && strings.EqualFold(authorization[:6], "basic ")
}

// referer returns the target's address behind one of ours; its root for any
// other page.
func (r *Request) referer(referer string) string {
	if u, err := url.Parse(referer); err == nil {
		if from, err := Parse(u.RequestURI()); err == nil && from.Scheme == r.Scheme && from.HostHeader() == r.HostHeader() {
			query := ""
			if from.Asked {
				query = "?" + from.Query
			}
			return r.Origin() + from.Path + query
		}
	}
	return r.Origin() + "/"
}

// An Answer says for whom Incoming changes an answer.
type Answer struct {
	Caller  string
	Request http.Header // as the client sent it
	HTTPS   bool        // the client came over https
	Node    string      // the agent's id
}

// Incoming changes the headers of a target's answer into those for the client. Of
// an absolute URL it says where the answer comes from, and changes nothing else.
func (r *Request) Incoming(h http.Header, a Answer) {
	if !r.Absolute {
		r.confine(h, a)
	}
	set(h, "X-Farwire-Node", a.Node, "X-Farwire-From", "target")
	if !r.Absolute {
		Private(h)
		Isolate(h)
		AllowOrigin(h, a.Request)
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http would guess one
	}
}

// Early changes the headers of an answer that comes before the one that counts (1xx).
func (r *Request) Early(h http.Header, a Answer) {
	if !r.Absolute {
		r.confine(h, a)
	}
	notOurs(h)
}

// notOurs leaves out what the gateway alone says, in the head of an answer.
func notOurs(h http.Header) {
	delete(h, "X-Farwire-From")
	delete(h, "X-Farwire-Node")
}

// untrailed are the fields, besides those that are removed, that have no business among
// trailers (RFC 9110, section 6.5.1) and would escape what is done to them in a head.
var untrailed = []string{
	"set-cookie", "www-authenticate", "location", "content-location", "refresh", "cache-control", "vary", "x-content-type-options",
}

// Trailing changes the trailers of an answer.
func (r *Request) Trailing(h http.Header) {
	for name := range h {
		if !r.Absolute && (matches(removed, name) || matches(untrailed, name)) {
			delete(h, name)
		}
	}
	notOurs(h)
}

// Closing changes the trailers of a request, which have no credentials, no cookies and
// nothing else that Outgoing changes or leaves out. strip is as for Outgoing.
func (r *Request) Closing(h http.Header, strip []string) {
	if r.Absolute {
		return
	}
	Strip(h, strip)
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "Origin", "Referer"} {
		delete(h, name)
	}
}

// confine keeps an answer's headers to the path form.
func (r *Request) confine(h http.Header, a Answer) {
	for name := range h {
		if matches(removed, name) || isForCDN(name) {
			delete(h, name)
		}
	}
	if IsBrowser(a.Request) {
		delete(h, "Www-Authenticate")
	}
	if lines, ok := h["Set-Cookie"]; ok {
		delete(h, "Set-Cookie")
		if cookies := confineCookies(lines, r.CookieScope(a.Caller), readCookies(a.Request), a.HTTPS); cookies != nil {
			h["Set-Cookie"] = cookies
		}
	}
	for _, name := range []string{"Location", "Content-Location"} {
		for i, value := range h[name] {
			h[name][i] = r.Rewrite(value)
		}
	}
	for i, value := range h["Refresh"] {
		h["Refresh"][i] = r.refresh(value)
	}
}

// isForCDN reports whether a header is one of a CDN's own in place of Cache-Control.
func isForCDN(name string) bool {
	const end = "-cdn-cache-control"
	return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
}

// Isolate keeps a page from acting as one of the gateway's.
func Isolate(h http.Header) {
	set(h, "Content-Security-Policy", policy, "X-Content-Type-Options", "nosniff", "Referrer-Policy", "no-referrer")
}

// set sets headers, each a canonical name and its value. The values are in one piece of
// memory.
func set(h http.Header, fields ...string) {
	values := make([]string, len(fields)/2)
	for i := range values {
		values[i] = fields[2*i+1]
		h[fields[2*i]] = values[i : i+1 : i+1]
	}
}

// Readable sets the headers of an answer of the gateway's own, which a page of any
// origin may read.
func Readable(h, request http.Header) {
	Isolate(h)
	h.Add("Vary", "Origin, X-API-Key, Authorization, Cookie")
	if origin := request.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "Retry-After, X-Farwire-From, X-RateLimit-Limit, X-RateLimit-Remaining")
	}
}

// Private keeps an answer out of caches that several callers share.
func Private(h http.Header) {
	directives := []string{"private"}
	if h["Cache-Control"] == nil && h.Get("Pragma") == "no-cache" {
		directives = append(directives, "no-cache") // ours would hide it (RFC 9111, section 5.4)
	}
	for _, line := range h["Cache-Control"] {
		for d := range strings.SplitSeq(line, ",") {
			d = strings.TrimSpace(d)
			name, _, _ := strings.Cut(strings.ToLower(d), "=")
			switch strings.TrimSpace(name) {
			case "", "public", "private", "s-maxage":
			default:
				directives = append(directives, d)
			}
		}
	}
	h.Set("Cache-Control", strings.Join(directives, ", "))
	h.Add("Vary", "Origin, X-API-Key, Authorization, Cookie")
}

// AllowOrigin lets the page that asked read the answer (Fetch standard, section
// 3.2): any page, with its credentials.
func AllowOrigin(answer, request http.Header) {
	origin := request.Get("Origin")
	if origin == "" {
		return
	}
	var names []string
	for name := range answer {
		if !matches([]string{"set-cookie", "access-control-*"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	answer.Set("Access-Control-Allow-Origin", origin)
	answer.Set("Access-Control-Allow-Credentials", "true")
	answer.Set("Access-Control-Expose-Headers", strings.Join(names, ", "))
}

// IsPreflight reports whether a browser asks whether it may ask.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// Preflight writes the headers of the answer to a preflight.
func Preflight(answer, request http.Header) {
	answer.Set("Access-Control-Allow-Origin", request.Get("Origin"))
	answer.Set("Access-Control-Allow-Credentials", "true")
	answer.Set("X-Farwire-From", "gateway")
	answer.Set("Access-Control-Allow-Methods", request.Get("Access-Control-Request-Method"))
	if asked := request.Values("Access-Control-Request-Headers"); len(asked) > 0 {
		answer.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	answer.Set("Access-Control-Max-Age", "7200")
	answer.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
}
