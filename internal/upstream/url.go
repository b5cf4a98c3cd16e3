package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"github.com/farwire/farwire/internal/fault"
)

// A URL is the address of a target, checked. Whether HTTP or WebSocket is
// spoken there is not part of it.
type URL struct {
	TLS  bool
	Host string // a name in ASCII, or an address without brackets
	Port string // empty: the default, 80 or 443
	User *url.Userinfo

	// Path is the path and the query, byte for byte as they were written, save
	// for bytes that no request line can hold: these are percent-encoded.
	Path string
}

// blanks are what people paste around a URL.
const blanks = " \t\r\n\f"

// ParseURL checks the url that a client sent: ws or wss, for which http and
// https stand too. Its errors are bad requests.
func ParseURL(s string) (*URL, error) {
	s = strings.Trim(s, blanks)
	if s == "" {
		return nil, fault.Invalidf("url is missing")
	}
	scheme, rest, _ := strings.Cut(s, "://")
	u := new(URL)
	switch strings.ToLower(scheme) {
	case "ws", "http":
	case "wss", "https":
		u.TLS = true
	default:
		return nil, fault.Invalidf("url must begin with ws:// or wss:// (http:// and https:// stand for them)")
	}
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, fault.Invalidf("url cannot be parsed: it has a control character")
	case strings.Contains(s, "#"):
		return nil, fault.Invalidf("url must not have a fragment (RFC 6455, section 3)")
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
		u.setPath(rest[i:])
	} else {
		u.setPath("")
	}
	return u, u.setAuthority(authority)
}

// setAuthority reads user, host and port (RFC 3986, section 3.2). Where it has a
// backslash, browsers end it there and others do not.
func (u *URL) setAuthority(s string) error {
	if strings.Contains(s, `\`) {
		return fault.Invalidf("url cannot be parsed: host or port is not valid")
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		name, password, hasPassword := strings.Cut(s[:i], ":")
		name, err := url.PathUnescape(name)
		if err == nil {
			password, err = url.PathUnescape(password)
		}
		if err != nil {
			return fault.Invalidf("url cannot be parsed: its user or password is not percent-encoded")
		}
		u.User = url.User(name)
		if hasPassword {
			u.User = url.UserPassword(name, password)
		}
		s = s[i+1:]
	}
	parsed, err := url.Parse("ws://" + s)
	if err != nil {
		// The parser's own text repeats what it was given.
		return fault.Invalidf("url cannot be parsed: host or port is not valid")
	}
	if err := CheckHost(parsed); err != nil {
		return fault.Invalidf("url: %v", err)
	}
	u.Host, u.Port = parsed.Hostname(), parsed.Port()
	return nil
}

// setPath keeps path and query as they are, as far as a request line can hold
// them.
func (u *URL) setPath(s string) {
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	u.Path = escape(s)
}

// AddQuery adds parameters, as they are, behind those that the URL has.
func (u *URL) AddQuery(raw string) {
	switch _, query, ok := strings.Cut(u.Path, "?"); {
	case raw == "":
		return
	case !ok:
		u.Path += "?"
	case query != "":
		u.Path += "&"
	}
	u.Path += escape(raw)
}

// escape percent-encodes what a request line cannot hold: a space would end the
// target there. Browsers do the same.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Addr returns the host and port to dial.
func (u *URL) Addr() string {
	return net.JoinHostPort(u.Host, u.EffectivePort())
}

// EffectivePort returns the port to dial.
func (u *URL) EffectivePort() string { return cmp.Or(u.Port, u.defaultPort()) }

// Scheme returns ws or wss.
func (u *URL) Scheme() string {
	if u.TLS {
		return "wss"
	}
	return "ws"
}

// Authority returns the host, and the port if it is not the default, as a Host
// header has them (RFC 9112, section 3.2).
func (u *URL) Authority() string {
	if u.Port != "" && u.Port != u.defaultPort() {
		return net.JoinHostPort(u.Host, u.Port)
	}
	if strings.Contains(u.Host, ":") {
		return "[" + u.Host + "]"
	}
	return u.Host
}

func (u *URL) defaultPort() string {
	if u.TLS {
		return "443"
	}
	return "80"
}

// sameOrigin reports whether two URLs have scheme, host and port in common.
func (u *URL) sameOrigin(v *URL) bool { return u.TLS == v.TLS && u.Addr() == v.Addr() }

// Follow returns what a Location header leads to from here (RFC 3986, section
// 5.2), its path and query as they were written.
func (u *URL) Follow(location string) (*URL, error) {
	location, _, _ = strings.Cut(strings.Trim(location, blanks), "#")
	scheme := "ws:"
	if u.TLS {
		scheme = "wss:"
	}
	path, _, _ := strings.Cut(u.Path, "?")
	base := scheme + "//" + u.Authority()
	colon, slash := strings.IndexByte(location, ':'), strings.IndexAny(location, "/?")
	switch {
	case location == "":
		return nil, errors.New("it has no Location")
	case colon >= 0 && (slash < 0 || colon < slash):
		return ParseURL(location)
	case strings.HasPrefix(location, "//"):
		return ParseURL(scheme + location)
	case strings.HasPrefix(location, "/"):
		return ParseURL(base + location)
	case strings.HasPrefix(location, "?"):
		return ParseURL(base + path + location)
	}
	relative, query := location, ""
	if i := strings.IndexByte(location, '?'); i >= 0 {
		relative, query = location[:i], location[i:]
	}
	return ParseURL(base + withoutDots(path[:strings.LastIndexByte(path, '/')+1]+relative) + query)
}

// withoutDots removes the segments "." and ".." from a path that begins with "/" (RFC
// 3986, section 5.2.4).
func withoutDots(path string) string {
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == ".." {
			kept = kept[:max(0, len(kept)-1)]
		}
		if dots := s == "." || s == ".."; !dots {
			kept = append(kept, s)
		} else if i == len(segments)-1 {
			kept = append(kept, "") // it names a folder
		}
	}
	return "/" + strings.Join(kept, "/")
}

// CheckHost makes the host of u ASCII, and refuses one that is missing or not
// valid and a port that cannot be dialled. The text of its error is fit for a
// caller.
func CheckHost(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return errors.New("host is missing")
	}
	if port != "" {
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return errors.New("port is out of range")
		}
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return errors.New("host is not valid: an IPv6 address with a zone is valid on one machine only")
		}
		return nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names with an underscore are not valid host names and yet in use.
		ascii = strings.ToLower(host)
	}
	if strings.ContainsFunc(ascii, notInName) {
		return errors.New("host is not valid")
	}
	if ascii != host {
		u.Host = ascii
		if port != "" {
			u.Host = net.JoinHostPort(ascii, port)
		}
	}
	return nil
}

// notInName reports whether no host name has this character.
func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
}
