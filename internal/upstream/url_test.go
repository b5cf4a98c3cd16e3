package upstream_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/upstream"
)

func TestParseURL_PathAndQuery_StayAsTheyAre(t *testing.T) {
	for _, tt := range []struct{ url, authority, addr, path string }{
		{"ws://example.com", "example.com", "example.com:80", "/"},
		{"  wss://example.com/ \n", "example.com", "example.com:443", "/"},
		{"WSS://EXAMPLE.com:443/A", "example.com", "example.com:443", "/A"},
		{"http://example.com:80/", "example.com", "example.com:80", "/"},
		{"https://example.com:80/", "example.com:80", "example.com:80", "/"},
		{"ws://example.com:/x", "example.com", "example.com:80", "/x"},
		{"wss://example.com/stream/btc%2Fusdt|eth", "example.com", "example.com:443", "/stream/btc%2Fusdt|eth"},
		{"ws://h/a%2fb%7e%41/../b//c/./d", "h", "h:80", "/a%2fb%7e%41/../b//c/./d"},
		{"ws://h/a%zz?%&&x=%", "h", "h:80", "/a%zz?%&&x=%"},
		{"ws://h?a=b/c?d", "h", "h:80", "/?a=b/c?d"},
		{"ws://h/?", "h", "h:80", "/?"},
		{"ws://h/a b/ö?ü=\"<>{}^`\\'", "h", "h:80", "/a%20b/%C3%B6?%C3%BC=\"<>{}^`\\'"},
		{"ws://us%40er:p%2Fw@h:81/", "h:81", "h:81", "/"},
		{"ws://user:p@ss@h/", "h", "h:80", "/"},
		{"ws://[2001:DB8::1]:80/", "[2001:DB8::1]", "[2001:DB8::1]:80", "/"},
		{"wss://[2001:db8::1]:8443/", "[2001:db8::1]:8443", "[2001:db8::1]:8443", "/"},
		{"wss://Bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example:443", "/"},
		{"wss://例え.jp:99/", "xn--r8jz45g.jp:99", "xn--r8jz45g.jp:99", "/"},
		{"ws://a_b.example/", "a_b.example", "a_b.example:80", "/"},
		{"ws://example.com./", "example.com.", "example.com.:80", "/"},
	} {
		u, err := upstream.ParseURL(tt.url)
		if err != nil {
			t.Errorf("%q: %v", tt.url, err)
			continue
		}
		if u.Authority() != tt.authority || u.Addr() != tt.addr || u.Path != tt.path {
			t.Errorf("%q: %s, %s, %s; want %s, %s, %s", tt.url, u.Authority(), u.Addr(), u.Path, tt.authority, tt.addr, tt.path)
		}
	}
}

func TestParseURL_Invalid_NamesThePart(t *testing.T) {
	for text, want := range map[string]string{
		"": "missing", " ": "missing", "example.com": "must begin with ws://", "ftp://h/": "must begin with ws://",
		"ws://": "host is missing", "ws:///x": "host is missing", "ws://h:0/": "port is out of range", "ws://h:65536/": "port is out of range",
		"ws://h:x/": "host or port is not valid", "ws://a b/": "host or port is not valid", "ws://h/\r\nX: y": "control character",
		"ws://h/#": "fragment", `ws://a\b/`: "not valid", `ws://a\b@c/`: "not valid", "ws://a,b/": "host is not valid",
		"ws://[fe80::1%25eth0]/": "zone", "ws://[fe80::1%eth0]/": "not valid", "ws://%zz@h/": "percent-encoded", "ws://[::1/": "not valid",
	} {
		u, err := upstream.ParseURL(text)
		if err == nil {
			t.Errorf("%q: %+v, want an error with %q", text, u, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestURL_AddQuery_KeepsTheOldOne(t *testing.T) {
	for _, tt := range []struct{ url, more, want string }{
		{"ws://h/a", "", "/a"}, {"ws://h/a", "b=1", "/a?b=1"}, {"ws://h/a?", "b=1", "/a?b=1"}, {"ws://h/a?x", "b=%2F&c", "/a?x&b=%2F&c"},
	} {
		u, err := upstream.ParseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if u.AddQuery(tt.more); u.Path != tt.want {
			t.Errorf("%s and %q: %s, want %s", tt.url, tt.more, u.Path, tt.want)
		}
	}
}

func TestURL_FollowLocation_ResolvesOrFails(t *testing.T) {
	from, err := upstream.ParseURL("wss://h:8443/a/b?c=d/e")
	if err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		"/y%2Fz": "wss://h:8443/y%2Fz", "y?q": "wss://h:8443/a/y?q", "?q=/": "wss://h:8443/a/b?q=/", "//other/x": "wss://other/x",
		"https://other:99/|": "wss://other:99/|", "ws://other/": "ws://other/", "HTTP://other": "ws://other/", "/x#part": "wss://h:8443/x",
		"../x": "wss://h:8443/x", "./x": "wss://h:8443/a/x", "../../x?../y": "wss://h:8443/x?../y", "..": "wss://h:8443/", ".": "wss://h:8443/a/",
		"y/./z/../..%2F/": "wss://h:8443/a/y/..%2F/", "../y/..": "wss://h:8443/", "...": "wss://h:8443/a/...", "/a/../x": "wss://h:8443/a/../x",
		"": "", "mailto:x@y": "", "ftp://other/": "", "//": "",
	} {
		u, err := from.Follow(location)
		got := ""
		if err == nil {
			got = map[bool]string{true: "wss://", false: "ws://"}[u.TLS] + u.Authority() + u.Path
		}
		if got != want {
			t.Errorf("%q leads to %q (%v), want %q", location, got, err, want)
		}
	}
}

func TestParseProxy_EachForm_IsReadOrRefused(t *testing.T) {
	for text, want := range map[string]string{
		"http://way.example:8080": "http way.example:8080", "https://way.example": "https way.example:443", "SOCKS5://way.example": "socks5 way.example:1080",
		"socks5h://u:p@way.example:1": "socks5 way.example:1", "way.example:3128": "http way.example:3128", "u:p@10.0.0.1:1": "http 10.0.0.1:1",
		" http://cust-zone+1:p%40ss%3A%2F%23%25@127.0.0.1:1 ": "http 127.0.0.1:1",
	} {
		u, err := upstream.ParseProxy(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := u.Scheme + " " + upstream.ProxyAddr(u); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"1": "host:port", "mozilla": "host:port", "ftp://x": "must begin with http:// or socks5://", "socks4://x:1": "must begin with",
		"http://u:p/w@h:1": "percent-encoded", "http://u:p#w@h:1": "percent-encoded", "http://h:1/x": "alone", "http://h:1?x": "alone",
		"socks5://:1080": "host is missing", "http://h:0": "port is out of range",
	} {
		if u, err := upstream.ParseProxy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want an error with %q", text, u, err, want)
		}
	}
}

// FuzzURL holds what is written into a request line to what came in: the same
// bytes, save those that no request line holds; and, where net/url and ParseURL
// both take a URL, to the host that net/url finds.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"ws://h/a%2Fb|c?d=%zz", "wss://u:p@[2001:db8::1]:8443?x", "http://Bücher.example/ä b", `ws://a\b@c/d`, "ws://a@b@c:1/", "ws://h/a/../b?c#d", "ws://h/\x7f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := upstream.ParseURL(text)
		if err != nil {
			return
		}
		if strings.ContainsFunc(u.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || !strings.HasPrefix(u.Path, "/") {
			t.Fatalf("%q: a request line cannot hold %q", text, u.Path)
		}
		_, rest, _ := strings.Cut(strings.Trim(text, " \t\r\n\f"), "://")
		written := ""
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			written = rest[i:]
		}
		if !strings.HasPrefix(written, "/") {
			written = "/" + written
		}
		if got := unescapeEncoded(u.Path, written); got != written {
			t.Fatalf("%q: path and query became %q, want %q", text, got, written)
		}
		if strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/\\?#@[]", r) }) {
			t.Fatalf("%q: host %q", text, u.Host)
		}
		parsed, err := url.Parse(strings.Trim(text, " \t\r\n\f"))
		if err == nil && utf8.ValidString(text) && isASCII(parsed.Host) && !strings.EqualFold(parsed.Hostname(), u.Host) {
			t.Fatalf("%q: host %q, and net/url says %q", text, u.Host, parsed.Hostname())
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f }) }

// unescapeEncoded undoes the encoding of the bytes that had to be encoded, and
// of no others: it goes along what was written.
func unescapeEncoded(path, written string) string {
	var b strings.Builder
	for i := 0; i < len(written) && path != ""; i++ {
		n := 1
		if c := written[i]; c <= ' ' || c >= 0x7f {
			n = min(3, len(path))
		}
		raw := path[:n]
		if n > 1 {
			var err error
			if raw, err = url.PathUnescape(raw); err != nil {
				return "no escape at " + path
			}
		}
		b.WriteString(raw)
		path = path[n:]
	}
	return b.String() + path
}
