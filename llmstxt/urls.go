package llmstxt

import (
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Addresses. Two spellings of one address must become one string, because a
// page is crawled once; and a spelling must not change what a server sees. So
// this does what a browser does (WHATWG URL) where that keeps the meaning, the
// safe part of RFC 3986 section 6.2.2, and drops what only tracks people.

const (
	maxURL      = 2000 // bytes; longer ones are traps or state, not pages
	maxSegments = 24
)

// parseURL reads an absolute address and normalises it; nil if it is none of
// a web page.
func parseURL(s string) *url.URL {
	return resolve(nil, s)
}

// resolve reads an address as a page writes it in an attribute and normalises
// it; nil if it leads to no web page. base may be nil.
func resolve(base *url.URL, ref string) *url.URL {
	u, err := url.Parse(tidyRef(ref))
	if err != nil {
		return nil
	}
	if base != nil {
		// "https:page.html" is relative in a browser if the schemes agree.
		if u.Opaque != "" && strings.EqualFold(u.Scheme, base.Scheme) {
			if u, err = url.Parse(tidyRef(ref[strings.IndexByte(ref, ':')+1:])); err != nil {
				return nil
			}
		}
		u = base.ResolveReference(u)
	}
	return normalise(u)
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

func normalise(u *url.URL) *url.URL {
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" || u.Opaque != "" {
		return nil
	}
	host := hostName(u.Hostname())
	if host == "" {
		return nil
	}
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return nil
		}
		host = "[" + a.String() + "]"
	} else if strings.Contains(host, ":") {
		return nil
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n == 0 || n > 65535) {
		return nil
	}
	if p := strings.TrimLeft(u.Port(), "0"); p != "" && !(scheme == "http" && p == "80") && !(scheme == "https" && p == "443") {
		host += ":" + p
	}
	p := normalPercent(u.EscapedPath())
	if low := strings.ToLower(p); strings.Contains(low, ";jsessionid=") {
		i := strings.Index(low, ";jsessionid=")
		rest := p[i+1:]
		if j := strings.IndexAny(rest, ";/"); j >= 0 {
			p = p[:i] + rest[j:]
		} else {
			p = p[:i]
		}
	}
	// Escaped dots were not seen as such by ResolveReference.
	p = removeDots(p)
	out := &url.URL{Scheme: scheme, Host: host, RawQuery: dropTracking(normalPercent(u.RawQuery))}
	if unescaped, err := url.PathUnescape(p); err == nil {
		out.Path, out.RawPath = unescaped, p
	} else {
		return nil
	}
	return out
}

func hostName(h string) string {
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	for i := 0; i < len(h); i++ {
		if h[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(h)
			if err != nil {
				return ""
			}
			return a
		}
		if strings.IndexByte(" <>\"`{}|\\^%/?#@", h[i]) >= 0 || h[i] < ' ' {
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

// normalPercent decodes what never needed an escape, escapes what must have
// one, and writes the rest in capitals.
func normalPercent(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '%' || c >= 0x7f || c <= ' ' || strings.IndexByte("\"<>`{}|^\\", c) >= 0 {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			d := unhex(s[i+1])<<4 | unhex(s[i+2])
			if unreserved(d) {
				b.WriteByte(d)
			} else {
				b.WriteByte('%')
				b.WriteByte(upperHex[d>>4])
				b.WriteByte(upperHex[d&15])
			}
			i += 2
			continue
		}
		if c == '%' || c >= 0x7f || c <= ' ' || strings.IndexByte("\"<>`{}|^\\", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// tracking are query parameters that name a visit and not a page.
var tracking = map[string]bool{
	"gclid": true, "gclsrc": true, "dclid": true, "gbraid": true, "wbraid": true, "fbclid": true,
	"msclkid": true, "yclid": true, "twclid": true, "ttclid": true, "li_fat_id": true, "igshid": true,
	"mc_cid": true, "mc_eid": true, "mkt_tok": true, "_ga": true, "_gl": true, "_hsenc": true, "_hsmi": true,
	"hsctatracking": true, "vero_id": true, "oly_anon_id": true, "oly_enc_id": true, "rb_clickid": true,
	"s_cid": true, "srsltid": true, "ref_src": true, "ref_url": true, "phpsessid": true, "jsessionid": true,
}

func dropTracking(q string) string {
	if q == "" {
		return ""
	}
	var b strings.Builder
	for part := range strings.SplitSeq(q, "&") {
		name, _, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		if part == "" || tracking[name] || strings.HasPrefix(name, "utm_") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(part)
	}
	return b.String()
}

// scope is what a crawl may visit: one host, and the paths below a prefix.
type scope struct {
	scheme, host string
	prefix       string // "/docs/", or "/docs" for that page and what is below it
}

func scopeOf(base *url.URL) scope {
	s := scope{scheme: base.Scheme, host: base.Host, prefix: base.EscapedPath()}
	dir, last := path.Split(s.prefix)
	if strings.Contains(last, ".") || base.RawQuery != "" {
		s.prefix = dir
	}
	return s
}

// has reports whether u is in scope. The other scheme of the same host on its
// usual port is the same site: u is then rewritten to the base's scheme.
func (s scope) has(u *url.URL) bool {
	if u.Host != s.host {
		return false
	}
	p := u.EscapedPath()
	if !strings.HasPrefix(p, s.prefix) ||
		!strings.HasSuffix(s.prefix, "/") && len(p) > len(s.prefix) && p[len(s.prefix)] != '/' {
		return false
	}
	if u.Scheme != s.scheme {
		if u.Port() != "" {
			return false
		}
		u.Scheme = s.scheme
	}
	return true
}

// dir is the scope's directory: where a sitemap of its own would be.
func (s scope) dir() string { return s.prefix[:strings.LastIndexByte(s.prefix, '/')+1] }

// shape is an address with its numbers and values taken out: what all days of
// a calendar and all combinations of a facet have in common.
func shape(u *url.URL) (string, bool) {
	p := u.EscapedPath()
	var b strings.Builder
	digits, counted := false, false
	for i := 0; i < len(p); i++ {
		if '0' <= p[i] && p[i] <= '9' {
			if !digits {
				b.WriteByte('0')
			}
			digits, counted = true, true
			continue
		}
		digits = false
		b.WriteByte(p[i])
	}
	if u.RawQuery != "" {
		counted = true
		b.WriteByte('?')
		// One parameter may be what tells pages apart; several are a facet.
		if name, _, _ := strings.Cut(u.RawQuery, "="); !strings.Contains(u.RawQuery, "&") {
			b.WriteString(name)
		} else {
			b.WriteByte('*')
		}
	}
	return b.String(), counted
}

// repeats reports a path that bites its own tail, as a relative link on a
// server that answers every path makes it: /a/b/a/b/a/b, or is absurdly deep.
func repeats(p string) bool {
	seg := strings.Split(strings.Trim(p, "/"), "/")
	if len(seg) > maxSegments {
		return true
	}
	seen := map[string]int{}
	for _, s := range seg {
		if seen[s]++; seen[s] > 2 && s != "" {
			return true
		}
	}
	return false
}

// notPages are endings of what is never HTML, so that it is not even asked for.
var notPages = map[string]bool{}

func init() {
	for e := range strings.FieldsSeq(`7z aac apk avi avif bmp bz2 css deb dmg doc docx dvi eot eps epub exe flac gif gz ico inv
		iso jar jpeg jpg json jsonl m4a m4v mkv mobi mov mp3 mp4 mpeg mpg msi odp ods odt ogg ogv otf
		pdf pkg png ppt pptx rar rpm rss rtf svg swf tar tgz tif tiff ttf txt wasm wav webm
		webmanifest webp whl woff woff2 wsdl xls xlsx xml xsd xz yaml yml zip zst`) {
		notPages["."+e] = true
	}
}

func isFile(u *url.URL) bool {
	return notPages[strings.ToLower(path.Ext(u.Path))]
}
