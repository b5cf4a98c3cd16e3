// Package upstream opens the connection towards a target: it checks what a
// client asked for, dials through an exit, and through the client's proxy where
// one was given, and does the handshakes of TLS and WebSocket.
//
//	client's words ──ParseURL, SetHeader, …──▶ Target
//	Target ──exit.DialContext──▶ [proxy ──▶] TLS ──▶ upgrade ──▶ Conn
//
// Each error is either a bad request, which names what the client sent, or says
// whose fault it was: the exit's, the target's, the proxy's.
package upstream

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/internal/fault"
)

// A Field is a header field or a cookie as a client gave it.
type Field struct{ Name, Value string }

// A Target is a WebSocket that a client asked for, checked and ready to be
// dialled.
type Target struct {
	URL          *URL
	Subprotocols []string // to offer
	Extensions   []string // to offer, each with its parameters
	Proxy        *url.URL // the client's; nil: none
	TLS          TLS
	Redirects    int // how many to follow
	Body         int // how many bytes of an answer that refuses are kept

	// Ignored names, as the client spelt them, the headers that were left out
	// because they belong to the handshake or the hop.
	Ignored []string

	host   string  // as the Host header has it; empty: the URL's
	named  string  // the name or address in host
	header []Field // in the order given, Host and Cookie taken out
	cookie string  // the whole Cookie header; empty: none
}

// SetHeader takes the headers and cookies that a client sent, behind the URL,
// whose user and password become an Authorization where no other was given.
// What could inject is refused and not repaired.
func (t *Target) SetHeader(header, cookies []Field) error {
	user := t.URL.User
	for _, h := range header {
		name := strings.ToLower(h.Name)
		switch {
		case !httpguts.ValidHeaderFieldName(h.Name):
			return fault.Invalidf("headers: %q is not a header name", fault.Clip(h.Name))
		case !httpguts.ValidHeaderFieldValue(h.Value):
			return fault.Invalidf("headers: the value of %s has a character that a header cannot hold", h.Name)
		case OfHop(name):
			t.Ignored = append(t.Ignored, h.Name)
		case name == "host" && t.host != "":
			return fault.Invalidf("headers: Host is given twice")
		case name == "host":
			named, ok := hostHeader(h.Value)
			if !ok {
				return fault.Invalidf("headers: Host is not valid")
			}
			t.host, t.named = h.Value, named
		case name == "cookie":
			t.addCookie(h.Value)
		default:
			if name == "authorization" {
				user = nil
			}
			t.header = append(t.header, h)
		}
	}
	for _, c := range cookies {
		if !ValidCookie(c.Name, c.Value) {
			return fault.Invalidf("cookies: %q or its value has a character that a cookie cannot hold", fault.Clip(c.Name))
		}
		t.addCookie(c.Name + "=" + c.Value)
	}
	if user != nil {
		password, _ := user.Password()
		t.header = append(t.header, Field{"Authorization", basic(user.Username(), password)})
	}
	return nil
}

// hostHeader returns the name or address, without brackets, in a Host header, and
// whether it is one: uri-host [":" port] (RFC 9110, section 7.2). What a loose reader
// would take for another host than we do would pass the rules that a key has.
func hostHeader(value string) (name string, ok bool) {
	u, err := url.Parse("//" + value)
	if err != nil || u.Host != value {
		return "", false
	}
	name = u.Hostname()
	return name, CheckHost(u) == nil
}

// ValidCookie lets through what servers use (foo[bar]), with a value as a header may
// carry it, and no name that would change where a cookie ends.
func ValidCookie(name, value string) bool {
	return httpguts.ValidHeaderFieldValue(value) && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '=' || r == ';' || r == ',' })
}

// addCookie joins cookies into one header (RFC 6265, section 5.4).
func (t *Target) addCookie(c string) {
	if t.cookie != "" && c != "" {
		t.cookie += "; "
	}
	t.cookie += c
}

// OfHop reports whether a header, its name in lower case, belongs to the
// handshake or to one hop alone.
func OfHop(name string) bool {
	switch name {
	case "connection", "upgrade", "transfer-encoding", "content-length", "te", "trailer", "keep-alive":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-") || strings.HasPrefix(name, "proxy-")
}

// SetSubprotocols takes the subprotocols to offer.
func (t *Target) SetSubprotocols(list []string) error {
	for i, p := range list {
		if !httpguts.ValidHeaderFieldName(p) {
			return fault.Invalidf("subprotocols: %q is not a subprotocol name", fault.Clip(p))
		}
		if slices.Contains(list[:i], p) {
			return fault.Invalidf("subprotocols: %q is given twice", fault.Clip(p))
		}
	}
	t.Subprotocols = list
	return nil
}

// OtherHosts returns the hosts that the target's Host header and TLS's server name
// choose, where they are not the one that is dialled.
func (t *Target) OtherHosts() []string {
	var others []string
	for _, host := range []string{t.named, t.TLS.ServerName} {
		if host != "" && !strings.EqualFold(host, t.URL.Host) && !slices.Contains(others, host) {
			others = append(others, host)
		}
	}
	return others
}

// redirected returns the target that an answer leads to. Another scheme, host
// or port gets nothing that was meant for this one.
func (t *Target) redirected(to *URL) *Target {
	next := *t
	next.URL = to
	next.Redirects--
	if !t.URL.sameOrigin(to) {
		next.host, next.named, next.header, next.cookie, next.TLS.ServerName = "", "", nil, "", ""
	}
	return &next
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
