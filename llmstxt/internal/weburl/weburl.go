// Package weburl spells addresses of web pages in one way and says which of them
// belong to a crawl.
package weburl

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/idna"
)

// Addresses. Two spellings of one address must become one string, because a
// page is crawled once; and a spelling must not change what a server sees. So
// this does what a browser does (WHATWG URL) where that keeps the meaning, the
// safe part of RFC 3986 section 6.2.2, and drops what only tracks people.

const (
	MaxLength    = 2000 // bytes; longer ones are traps or state, not pages
	MaxHopLength = 8000 // bytes of an address on the way to a page, where state is
	maxSegments  = 24
)

// Parse reads an absolute address and normalises it; nil if it is not that of a
// web page.
func Parse(s string) *url.URL {
	return Resolve(nil, s)
}

// Resolve reads an address as a page writes it in an attribute and normalises
// it; nil if it does not lead to a web page. base may be nil.
func Resolve(base *url.URL, ref string) *url.URL {
	if u := resolvePlain(base, ref); u != nil {
		return u
	}
	return resolve(base, ref)
}

// resolvePlain does what Resolve does with most links of most pages: names of files and
// folders without a sign that means something. It returns nil for others.
func resolvePlain(base *url.URL, ref string) *url.URL {
	if !isPlain(ref) {
		return nil
	}
	return folderOf(base).resolve(ref)
}

// folder is where the links of a page start from. Its host is "" if that is not on the web, and
// its path if that is not plain.
type folder struct{ scheme, host, path string }

func folderOf(base *url.URL) (f folder) {
	if base == nil || base.Opaque != "" {
		return f
	}
	f.scheme, f.host, _ = site(base)
	path := base.EscapedPath()
	if path = path[:strings.LastIndexByte(path, '/')+1]; isPlain(path) {
		f.path = path
	}
	return f
}

// resolve makes an address of a plain path; nil if the folder has none.
func (f folder) resolve(ref string) *url.URL {
	if f.host == "" || ref[0] != '/' && f.path == "" {
		return nil
	}
	if ref[0] != '/' {
		ref = f.path + ref
	}
	p := removeDots(ref)
	return &url.URL{Scheme: f.scheme, Host: f.host, Path: p, RawPath: p}
}

// isPlain reports a path, relative or not, that is spelt in one way only.
func isPlain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !unreserved(c) && (c != '/' || i+1 < len(path) && path[i+1] == '/') {
			return false
		}
	}
	return path != ""
}

// ResolveHop is Resolve for where an answer leads, which may be an address with the number of
// a visit: a site that keeps visits apart by their addresses leads to nothing else.
func ResolveHop(base *url.URL, ref string) *url.URL {
	if u := resolvePlain(base, ref); u != nil {
		return u
	}
	return normalise(absolute(base, ref), true)
}

// WithoutVisit is a normalised address without the number of a visit.
func WithoutVisit(u *url.URL) *url.URL { return normalise(u, false) }

func resolve(base *url.URL, ref string) *url.URL { return normalise(absolute(base, ref), false) }

// absolute is an address as a browser reads it, not normalised; nil if it is invalid.
func absolute(base *url.URL, ref string) *url.URL {
	ref = escapeRest(browserRef(base, tidyRef(ref)))
	u, err := url.Parse(ref)
	if err != nil || strings.HasPrefix(ref, "//") && u.Host == "" {
		return nil
	}
	if base != nil {
		u = relativeTo(base, u)
	}
	return u
}

// relativeTo is RFC 3986 section 5.2.2, dots left to normalise. The one in net/url
// loses empty segments.
func relativeTo(base, ref *url.URL) *url.URL {
	u := *ref
	if u.Scheme != "" {
		return &u
	}
	u.Scheme = base.Scheme
	if u.Host != "" || u.User != nil {
		return &u
	}
	u.Host = base.Host
	p := ref.EscapedPath()
	switch {
	case p == "":
		p = base.EscapedPath()
		if !ref.ForceQuery && ref.RawQuery == "" {
			u.RawQuery = base.RawQuery
		}
	case p[0] != '/':
		dir := base.EscapedPath()
		p = dir[:strings.LastIndexByte(dir, '/')+1] + p
	}
	u.Path, u.RawPath = p, ""
	if t, err := url.PathUnescape(p); err == nil {
		u.Path, u.RawPath = t, p
	}
	return &u
}

// browserRef rewrites what a browser reads otherwise than RFC 3986: "http:/x"
// and "http:x" are relative where the base has that scheme and absolute
// elsewhere, and a colon does not make a scheme of other words.
func browserRef(base *url.URL, ref string) string {
	if strings.HasPrefix(ref, "//") {
		return "//" + strings.TrimLeft(ref, "/")
	}
	scheme, rest, ok := strings.Cut(ref, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return ref
	}
	isScheme := scheme != "" && plain.IsLetter(scheme[0])
	for i := range len(scheme) {
		c := scheme[i]
		isScheme = isScheme && (plain.IsLetter(c) || '0' <= c && c <= '9' || strings.IndexByte("+-.", c) >= 0)
	}
	switch {
	case !isScheme:
		return "./" + ref
	case !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return ref
	case base != nil && strings.EqualFold(scheme, base.Scheme) && !strings.HasPrefix(rest, "//"):
		return browserRef(base, rest)
	}
	return scheme + "://" + strings.TrimLeft(rest, "/")
}

// escapeRest normalises the escapes behind the host, if there is one: net/url
// would escape a whole path anew, and more of it, for a single sign.
func escapeRest(ref string) string {
	at := 0
	if i := strings.Index(ref, "//"); i == 0 || i > 0 && ref[i-1] == ':' && !strings.ContainsAny(ref[:i], "/?#") {
		if at = strings.IndexAny(ref[i+2:], "/?#"); at < 0 {
			return ref
		}
		at += i + 2
	}
	return ref[:at] + Escape(ref[at:])
}

// tidyRef mends what browsers accept and net/url does not.
func tidyRef(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\r\n") {
		s = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	}
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\\' || c == '%' || c <= ' ' || c == 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	query := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '?' || c == '#':
			query = true
			b.WriteByte(c)
		case c == '\\' && !query:
			b.WriteByte('/')
		case c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])):
			b.WriteString("%25")
		case c <= ' ' || c == 0x7f:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// site is an address up to its path, normalised; false for one that is not on the web.
func site(u *url.URL) (scheme, host string, ok bool) {
	scheme = strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" || u.Opaque != "" {
		return "", "", false
	}
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(u.Hostname())
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", "", false
		}
		host = "[" + a.String() + "]"
	} else if host = hostName(u.Hostname()); host == "" || strings.Contains(host, ":") {
		return "", "", false
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n == 0 || n > 65535) {
		return "", "", false
	}
	if p := strings.TrimLeft(u.Port(), "0"); p != "" && !(scheme == "http" && p == "80") && !(scheme == "https" && p == "443") {
		host += ":" + p
	}
	return scheme, host, true
}

// normalise spells an address in one way, without what names a visit unless that is kept;
// nil for one that is not on the web.
func normalise(u *url.URL, keepVisit bool) *url.URL {
	if u == nil {
		return nil
	}
	scheme, host, ok := site(u)
	if !ok {
		return nil
	}
	p := Escape(u.EscapedPath())
	if !keepVisit {
		p = pathWithoutVisit(p)
	}
	// Escaped dots were not seen as such by ResolveReference.
	p = removeDots(p)
	query := strings.ReplaceAll(Escape(u.RawQuery), "'", "%27")
	out := &url.URL{Scheme: scheme, Host: host, RawQuery: dropTracking(query, keepVisit)}
	if unescaped, err := url.PathUnescape(p); err == nil {
		out.Path, out.RawPath = unescaped, p
	} else {
		return nil
	}
	return out
}

// hostName is a host in lower case and ASCII; "" if it cannot be a host. Numbers
// other than four decimal ones are not hosts either: a browser reads 0x7f.1 as an
// address, and no site is called so.
func hostName(h string) string {
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	idn := strings.Contains(h, "xn--")
	for i := range len(h) {
		idn = idn || h[i] >= 0x80
	}
	if idn {
		a, err := idna.Lookup.ToASCII(h)
		if err != nil {
			return ""
		}
		h = a
	}
	if h == "" {
		return ""
	}
	for i := range len(h) {
		if c := h[i]; !plain.IsWordByte(c) && c != '-' && c != '.' && c != '_' {
			return ""
		}
	}
	last := h[strings.LastIndexByte(h, '.')+1:]
	number := strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
	if number {
		if a, err := netip.ParseAddr(h); err != nil || !a.Is4() {
			return ""
		}
	}
	return h
}

// removeDots is RFC 3986 section 5.2.4 for an absolute path.
func removeDots(p string) string {
	if p == "" {
		return "/"
	}
	if p[0] != '/' {
		p = "/" + p
	}
	if !strings.Contains(p, "/.") {
		return p
	}
	parts := strings.Split(p[1:], "/")
	out := parts[:0]
	for i, s := range parts {
		last := i == len(parts)-1
		switch s {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

// tracking are query parameters that name a visit and not a page.
var tracking = map[string]bool{
	"gclid": true, "gclsrc": true, "dclid": true, "gbraid": true, "wbraid": true, "fbclid": true,
	"msclkid": true, "yclid": true, "twclid": true, "ttclid": true, "li_fat_id": true, "igshid": true,
	"mc_cid": true, "mc_eid": true, "mkt_tok": true, "_ga": true, "_gl": true, "_hsenc": true, "_hsmi": true,
	"hsctatracking": true, "vero_id": true, "oly_anon_id": true, "oly_enc_id": true, "rb_clickid": true,
	"s_cid": true, "srsltid": true, "ref_src": true, "ref_url": true,
	"gad_source": true, "gad_campaignid": true, "ysclid": true, "_openstat": true, "epik": true, "_branch_match_id": true,
	"s_kwcid": true, "sc_cid": true, "pk_campaign": true, "pk_kwd": true, "pk_source": true, "pk_medium": true, "piwik_campaign": true,
}

func dropTracking(q string, keepVisit bool) string {
	if q == "" {
		return ""
	}
	var b strings.Builder
	b.Grow(len(q))
	for part := range strings.SplitSeq(q, "&") {
		name, value, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		if part == "" || tracking[name] || strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "mtm_") || !keepVisit && (visitFields[name] || visit(name, value)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(part)
	}
	return b.String()
}
