// Package pathform reads and writes what the path form changes of a request
// and of its answer: the address, /to/OPTIONS/SCHEME/HOST/PATH?QUERY, the
// headers, and the cookies. It dials nothing and knows no gateway.
//
//	client ── /to/-/https/api.test/v1?x=1 ──▶ Parse ──▶ Request
//	Request ── Outgoing (headers, cookies) ──▶ target
//	target ── Incoming (policies, Location, cookies) ──▶ client
package pathform

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
)

// Prefix is how each path of the path form begins.
const Prefix = "/to/"

// A Request is what a path of the path form asks for.
type Request struct {
	Options Options
	Scheme  string // of the target: http or https; ws and wss stand for them
	Host    string // host or host:port as written, in lower case
	Path    string // byte for byte; it begins with "/"
	Query   string // byte for byte, without "?"
	Asked   bool   // there was a "?", even with nothing behind it

	// Absolute says that the client asked for the target's own URL, through the
	// forward proxy: nothing is rewritten.
	Absolute bool

	prefix string // "/to/" and OPTIONS as written
	target string // host and port, for logs
	bare   bool   // the URL ends with its host
}

// Options are what stands between /to/ and the scheme, or in the user name of
// the forward proxy.
type Options struct {
	Key     string // ours; empty: it comes in a header
	Geo     string
	Agent   string
	Session string
	Timeout time.Duration // for the dial; zero: the default
	Idle    time.Duration // zero: none
	Cookies bool          // cookies=all: the client's own go to the target as well

	scope string // the options without the key, in one order: part of what confines cookies
}

// IsPath reports whether a request's target, as its first line has it, is of
// the path form. Ask before a ServeMux does: that one cleans paths.
func IsPath(requestURI string) bool { return strings.HasPrefix(requestURI, Prefix) }

// Parse reads a request's target as its first line has it.
func Parse(requestURI string) (*Request, error) {
	rest, ok := strings.CutPrefix(requestURI, Prefix)
	if !ok {
		return nil, fault.New(fault.NotFound, "the path must begin with /to/")
	}
	rawOptions, rest, ok1 := strings.Cut(rest, "/")
	scheme, rest, ok2 := strings.Cut(rest, "/")
	switch {
	case !ok1 || !ok2 || rawOptions == "" || isScheme(strings.TrimSuffix(rawOptions, ":")):
		return nil, fault.Invalidf("the path must be /to/OPTIONS/SCHEME/HOST/PATH; without options OPTIONS is -")
	case strings.HasSuffix(scheme, ":") && isScheme(scheme[:len(scheme)-1]) && strings.HasPrefix(rest, "/"): // of a URL as it is
		return nil, fault.Invalidf("the path must be /to/OPTIONS/SCHEME/HOST/PATH; write %s/HOST and not %s//HOST", scheme[:len(scheme)-1], scheme)
	}
	options, err := ParseOptions(rawOptions, true)
	if err != nil {
		return nil, err
	}
	r := &Request{Options: options, prefix: Prefix + rawOptions + "/"}
	return r, r.read(scheme, rest)
}

func isScheme(s string) bool {
	switch strings.ToLower(s) {
	case "http", "https", "ws", "wss":
		return true
	}
	return false
}

// ParseAbsolute reads a request's target that is an absolute URL, as the forward
// proxy gets them.
func ParseAbsolute(uri string, o Options) (*Request, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return nil, fault.Invalidf("the target must be an absolute URL")
	}
	r := &Request{Options: o, Absolute: true}
	return r, r.read(scheme, rest)
}

// read reads the scheme, and HOST[:PORT]/PATH?QUERY behind it.
func (r *Request) read(scheme, rest string) error {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		r.Scheme = "http"
	case "https", "wss":
		r.Scheme = "https"
	default:
		return fault.Invalidf("the scheme %q must be http, https, ws or wss", fault.Clip(scheme))
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	r.Host = rest[:end]
	if strings.Contains(r.Host, "%") {
		r.Host = delimiters.Replace(r.Host)
	}
	r.Host = strings.ToLower(asPunycode(r.Host))
	if err := checkHost(r.Host); err != nil {
		return err
	}
	host, port := r.HostPort()
	r.target = net.JoinHostPort(host, port)
	r.bare = rest[end:] == ""
	r.Path, r.Query, r.Asked = strings.Cut(rest[end:], "?")
	if r.Path == "" {
		r.Path = "/"
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c == 0x7f {
			return fault.Invalidf("the path has a character that a request cannot hold")
		}
	}
	return nil
}

// ParseOptions reads OPTIONS: "-" or nothing, or name=value pairs with ";"
// between them. The key is one of them where the path form reads them.
//
// Many libraries encode a whole segment of a path, "=" and ";" included, or do not decode a
// user name: what has no "=" is decoded first. What has one is not: whoever has written
// "geo=" and encoded what stands behind it, which may be anybody's, must not find other
// options read from that.
func ParseOptions(raw string, key bool) (Options, error) {
	if !strings.Contains(raw, "=") {
		if whole, err := url.PathUnescape(raw); err == nil {
			raw = whole
		}
	}
	return parseOptions(raw, key)
}

func parseOptions(raw string, key bool) (Options, error) {
	var o Options
	if raw == "" || raw == "-" {
		return o, nil
	}
	given := make(map[string]string)
	for pair := range strings.SplitSeq(raw, ";") {
		rawName, rawValue, found := strings.Cut(pair, "=")
		name, err1 := url.PathUnescape(rawName)
		value, err2 := url.PathUnescape(rawValue)
		switch {
		case err1 != nil || err2 != nil:
			return o, fault.Invalidf("the options cannot be decoded")
		case !found || name == "":
			return o, fault.Invalidf("options are written as name=value with ; between them; - stands for no options")
		case value == "":
			return o, fault.Invalidf("the option %s is empty", fault.Clip(name))
		}
		if _, twice := given[name]; twice {
			return o, fault.Invalidf("the option %s is given twice", fault.Clip(name))
		}
		given[name] = value
		if name == "key" && key {
			o.Key = value
		} else if err := o.set(name, value); err != nil {
			return o, err
		}
	}
	delete(given, "key")
	o.scope = scope(given)
	return o, nil
}

// set reads the value of an option other than the key.
func (o *Options) set(name, value string) (err error) {
	switch name {
	case "geo", "agent":
		if strings.Contains(value, ";") {
			return fault.Invalidf("the option %s has an encoded ; in its value; between two options it stands as it is", name)
		}
		if name == "geo" {
			o.Geo = value
		} else {
			o.Agent = value
		}
	case "session":
		if !validSession(value) {
			return fault.Invalidf("session must be 1 to 64 letters, digits, dots, hyphens and underscores")
		}
		o.Session = value
	case "timeout":
		if o.Timeout, err = seconds(value); err != nil || o.Timeout <= 0 || o.Timeout > time.Minute {
			return fault.Invalidf("timeout must be a number of seconds above 0 and up to 60")
		}
	case "idle_timeout":
		if o.Idle, err = seconds(value); err != nil {
			return fault.Invalidf("idle_timeout must be a number of seconds, zero or more")
		}
	case "cookies":
		if value != "all" {
			return fault.Invalidf("cookies must be all, or be left out")
		}
		o.Cookies = true
	default:
		return fault.Invalidf("there is no option %s", fault.Clip(name))
	}
	return nil
}

// Sticky returns the sticky session: that of the options; in the path form, left
// out, the target's host.
func (r *Request) Sticky() string {
	if r.Options.Session != "" || r.Absolute {
		return r.Options.Session
	}
	host, _ := r.HostPort()
	return host
}

// URL returns the target's URL for net/http, whose RequestURI is the path and
// query byte for byte. An OPTIONS for an absolute URL that ends with its host is one for
// the whole server, "*" (RFC 9112, section 3.2.4).
func (r *Request) URL(method string) *url.URL {
	u := &url.URL{Scheme: r.Scheme, Host: r.Host, RawQuery: r.Query, ForceQuery: r.Asked && r.Query == ""}
	switch {
	case method == http.MethodOptions && r.Absolute && r.bare:
		u.Opaque = "*"
		return u
	case !strings.HasPrefix(r.Path, "//"):
		u.Opaque = r.Path
		return u
	}
	// As an opaque path net/http would take this one for an absolute URL.
	raw := encodeRest(r.Path)
	path, err := url.PathUnescape(raw)
	if err != nil { // a stray "%": it can only be said in another way
		raw = strings.ReplaceAll(raw, "%", "%25")
		path = r.Path
	}
	u.Path, u.RawPath = path, raw
	return u
}

// Target returns the target's host and port, for logs.
func (r *Request) Target() string { return r.target }

// HostPort returns the target's host, without brackets, and its port.
func (r *Request) HostPort() (host, port string) {
	u := url.URL{Host: r.Host}
	if port = u.Port(); port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.Scheme]
	}
	return u.Hostname(), port
}

// Origin returns the target's origin (RFC 6454, section 6.2).
func (r *Request) Origin() string { return r.Scheme + "://" + r.HostHeader() }

// HostHeader returns the Host for the target: without a default port.
func (r *Request) HostHeader() string {
	if r.Scheme == "http" {
		return strings.TrimSuffix(r.Host, ":80")
	}
	return strings.TrimSuffix(r.Host, ":443")
}

// delimiters are those of a host and its port, which many libraries encode in a path.
var delimiters = strings.NewReplacer("%3A", ":", "%3a", ":", "%5B", "[", "%5b", "[", "%5D", "]", "%5d", "]")

// asPunycode returns a host whose name has letters beyond ASCII, as they are or as a
// browser writes them in a path, as DNS has it (RFC 5891); any other as it is.
func asPunycode(host string) string {
	text, err := url.PathUnescape(host)
	if err != nil || !utf8.ValidString(text) || !strings.ContainsFunc(text, beyondASCII) {
		return host
	}
	name, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		name, port = text[:i], text[i:]
	}
	if name, err = idna.Lookup.ToASCII(name); err != nil {
		return host // which is refused
	}
	return name + port
}

func beyondASCII(c rune) bool { return c >= utf8.RuneSelf }

// checkHost refuses text that is neither a host nor a host with a port.
func checkHost(host string) error {
	if isPlain(host) {
		return nil
	}
	u, err := url.Parse("http://" + host)
	switch {
	case strings.Contains(host, "@"), strings.Contains(host, "%40"): // which is not repeated: it may hold a password
		return fault.Invalidf("the target's user name belongs in the Authorization header, not before its host")
	case err != nil, u.Hostname() == "", u.Host != host, !httpguts.ValidHostHeader(host), strings.ContainsAny(host, "%\\#"), strings.ContainsFunc(host, beyondASCII):
		return fault.Invalidf("the host %q is not valid", fault.Clip(host))
	case strings.HasSuffix(host, ":"):
		return fault.Invalidf("the host %q ends with a colon and has no port", fault.Clip(host))
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fault.Invalidf("the port %s must be from 1 to 65535", fault.Clip(port))
		}
	}
	return nil
}

// isPlain reports whether a host is of letters, digits, dots and hyphens, as most are, with
// or without a port.
func isPlain(host string) bool {
	name, port, found := strings.Cut(host, ":")
	if found {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// ProxyUser returns the user name and the password of Proxy-Authorization: Basic.
func ProxyUser(r *http.Request) (user, password string) {
	user, password, _ = (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	return user, password
}

// UserOptions reads a user name of the forward proxy's: OPTIONS, or a name that says
// nothing.
func UserOptions(user string) (Options, error) {
	if !strings.Contains(user, "=") {
		// A client that does not decode the name of its proxy's URL must not lose its geo.
		if o, err := ParseOptions(user, false); err == nil {
			return o, nil
		}
		return Options{}, nil
	}
	return ParseOptions(user, false)
}

func validSession(s string) bool {
	return safetext.IsName(s, 64)
}

func seconds(s string) (time.Duration, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1e9) { // NaN is neither
		return 0, strconv.ErrRange
	}
	return time.Duration(f * float64(time.Second)), nil
}

// encodeRest encodes the bytes that net/url would not take in a raw path.
func encodeRest(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~!$&'()*+,;=:@[]/%", c) >= 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}
