package pathform_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/pathform"
)

func parse(t *testing.T, target string) *pathform.Request {
	t.Helper()
	r, err := pathform.Parse(target)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return r
}

func TestParse_PathAndQuery_ReachTheTargetByteForByte(t *testing.T) {
	for _, path := range []string{
		"/", "/a/b", "//", "//evil.test/x", "///a//b", "/a//b", "/./a/../b", "/%2e%2e/a", "/a%2Fb", "/a%2fb", "/%zz", "/a%",
		"/a;b=c/d", "/a:b@c", "/~!$&'()*+,;=", "/ä", "/a|b", "/a\"b", "/[x]", "/?", "/?a", "/?a=b&a=b", "/??", "/?a=%20+&;=x|\"<>",
		"/a?b/c?d", "/x?url=http://y/z?q", "/socket.io/?EIO=4&transport=polling", "/http://a/b", "/*", "/%00", "/a%0d%0aX:%20y",
		"//a/b?c", "//a;b?c=%2F",
	} {
		r := parse(t, "/to/-/https/api.test:8443"+path)
		req := &http.Request{Method: "GET", URL: r.URL("GET"), Host: r.HostHeader(), Header: http.Header{}}
		var b bytes.Buffer
		if err := req.Write(&b); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		line, err := bufio.NewReader(&b).ReadString('\n')
		if want := "GET " + path + " HTTP/1.1\r\n"; err != nil || line != want {
			t.Errorf("%s: the request line is %q", path, line)
		}
	}
}

func TestParse_Scheme_NamesHTTPOrTLS(t *testing.T) {
	for scheme, want := range map[string]string{"http": "http", "ws": "http", "https": "https", "wss": "https", "WSS": "https"} {
		r := parse(t, "/to/-/"+scheme+"/API.test")
		if r.Scheme != want || r.Host != "api.test" || r.Path != "/" {
			t.Errorf("%s: %+v", scheme, r)
		}
	}
}

func TestParse_EachOption_IsRead(t *testing.T) {
	r := parse(t, "/to/key=a%3Bb%2Fc;geo=DE,AT;agent=de1;session=a.b-C_1;timeout=2.5;idle_timeout=60;cookies=all/http/t/x")
	want := pathform.Options{Key: "a;b/c", Geo: "DE,AT", Agent: "de1", Session: "a.b-C_1", Timeout: 2500 * time.Millisecond, Idle: time.Minute, Cookies: true}
	got := r.Options
	if got.Key != want.Key || got.Geo != want.Geo || got.Agent != want.Agent || got.Session != want.Session ||
		got.Timeout != want.Timeout || got.Idle != want.Idle || got.Cookies != want.Cookies {
		t.Errorf("%+v", got)
	}
	if _, err := pathform.ParseOptions("key=x", false); err == nil {
		t.Error("the forward proxy's user name may hold a key")
	}
}

// What a library has percent-encoded, all of a segment or some of it, is the same request.
func TestParse_EncodedSegments_AreTheSame(t *testing.T) {
	same := func(got, want *pathform.Request) bool {
		return got.Options.Key == want.Options.Key && got.Options.Geo == want.Options.Geo && got.Options.Agent == want.Options.Agent &&
			got.Options.Session == want.Options.Session && got.Options.Timeout == want.Options.Timeout &&
			got.Host == want.Host && got.Target() == want.Target() && got.CookieScope("alice") == want.CookieScope("alice")
	}
	encode := func(s, these string) string {
		for _, c := range these {
			s = strings.ReplaceAll(s, string(c), fmt.Sprintf("%%%02X", c))
		}
		return s
	}
	for _, options := range []string{"-", "geo=DE", "geo=DE,AT;session=a", "agent=de1;timeout=2.5", "session=a-b;key=of%3Balice%25and%3Dmore", "key=of%3Balice;geo=DE", "key=simple"} {
		want := parse(t, "/to/"+options+"/https/api.test:8443/a%3Ab?c%3Dd")
		for _, these := range []string{"%=;,-.", "%=;", "%=", "-"} {
			for _, lower := range []bool{false, true} {
				written := encode(options, these)
				if lower {
					written = strings.ReplaceAll(strings.ReplaceAll(written, "%3D", "%3d"), "%3B", "%3b")
				}
				got := parse(t, "/to/"+written+"/https/api.test%3A8443/a%3Ab?c%3Dd")
				if !same(got, want) || got.Path != "/a%3Ab" || got.Query != "c%3Dd" {
					t.Errorf("%s: %+v, want %+v", written, got, want)
				}
				if to, from := got.Rewrite("/x"), "/to/"+written+"/https/api.test:8443/x"; to != from {
					t.Errorf("%s: an address is rewritten to %s", from, to)
				}
			}
		}
	}
	for _, host := range []string{"%5B2001:db8::1%5D:8443", "%5b2001%3adb8%3a%3a1%5d%3A8443", "[2001%3Adb8::1]:8443"} {
		if got := parse(t, "/to/-/https/"+host+"/"); got.Target() != "[2001:db8::1]:8443" {
			t.Errorf("%s: %s", host, got.Target())
		}
	}
	for user, want := range map[string]string{"geo%3DDE%3Bsession%3Da": "DE a", "geo=DE;session=a": "DE a", "alice%40b.test": " ", "100%": " ", "a%3Db": " "} {
		if o, err := pathform.UserOptions(user); err != nil || o.Geo+" "+o.Session != want {
			t.Errorf("%s: %+v %v", user, o, err)
		}
	}
}

// What a program encodes as one value may come from anybody: it is that value or an error,
// and never another option. A key that it brought would send the caller's own to the target.
func TestParse_ValueEncodedByItsWriter_IsNoOtherOption(t *testing.T) {
	for _, option := range []string{"geo", "agent", "session", "timeout", "idle_timeout", "cookies", "key"} {
		for _, value := range []string{"DE", "5", "a.b", "all", ""} {
			for _, more := range []string{";key=theirs", ";cookies=all", ";session=b", ";geo=AT;agent=x", "%3Bkey%3Dtheirs", ";"} {
				for name, encode := range map[string]func(string) string{"query": url.QueryEscape, "path": url.PathEscape} {
					for _, before := range []string{"", "timeout=3;"} {
						if before != "" && option == "timeout" {
							continue
						}
						written := before + option + "=" + encode(value+more)
						o, err := pathform.ParseOptions(written, true)
						if err != nil {
							continue
						}
						if got := map[string]string{"key": o.Key, "geo": o.Geo, "agent": o.Agent, "session": o.Session}; got[option] == "" || o.Cookies {
							t.Errorf("%s, %s: %+v", name, written, o)
						} else if delete(got, option); got["key"]+got["geo"]+got["agent"]+got["session"] != "" {
							t.Errorf("%s, %s: %+v", name, written, o)
						}
					}
				}
			}
		}
	}
}

func TestParse_InvalidPath_NamesThePart(t *testing.T) {
	for target, want := range map[string]string{
		"/too/-/http/a/":               "begin with /to/",
		"/to/-/http":                   "/to/OPTIONS/SCHEME/HOST/PATH",
		"/to//http/a/":                 "OPTIONS is -",
		"/to/-":                        "/to/OPTIONS/SCHEME/HOST/PATH",
		"/to/https://a/b":              "OPTIONS is -",
		"/to/WSS://a/b":                "OPTIONS is -",
		"/to/http/a/b":                 "OPTIONS is -",
		"/to/http:/a/b":                "OPTIONS is -",
		"/to/-/https://a/b":            "write https/HOST and not https://HOST",
		"/to/geo=DE/ws://a:80/b?c":     "write ws/HOST and not ws://HOST",
		"/to/-/https:/a/b":             "scheme",
		"/to/-/ftp://a/b":              "scheme",
		"/to/-/ftp/a/":                 "scheme",
		"/to/-/http//a":                "host",
		"/to/-/http/?x":                "host",
		"/to/-/http/u@a/":              "Authorization",
		"/to/-/http/u:hidden@a/":       "Authorization",
		"/to/-/http/u:hidden%40a/":     "Authorization",
		"/to/-/http/hidden%40a/":       "host",
		"/to/-/http/a:0/":              "port",
		"/to/-/http/a:65536/":          "port",
		"/to/-/http/a:b/":              "host",
		"/to/-/http/a:/":               "colon",
		"/to/-/http/a%2eb/":            "host",
		"/to/-/http/a\\b/":             "host",
		"/to/-/http/[::1/":             "host",
		"/to/proxy=x/http/a/":          "no option proxy",
		"/to/url=x/http/a/":            "no option url",
		"/to/geo/http/a/":              "name=value",
		"/to/geo=/http/a/":             "empty",
		"/to/;/http/a/":                "name=value",
		"/to/geo=DE;geo=AT/http/a/":    "twice",
		"/to/geo=%zz/http/a/":          "decoded",
		"/to/geo%3D/http/a/":           "empty",
		"/to/geo=DE%3Bx/http/a/":       "geo",
		"/to/agent=a%3Burl=x/http/a/":  "agent",
		"/to/-/http/a%3A0/":            "port",
		"/to/-/http/a%3A/":             "colon",
		"/to/-/http/a%2Fb/":            "host",
		"/to/-/http/[fe80::1%25eth0]/": "host",
		"/to/session=a%20b/http/a/":    "session",
		"/to/session=" + strings.Repeat("a", 65) + "/http/a/": "session",
		"/to/timeout=0/http/a/":                               "timeout",
		"/to/timeout=61/http/a/":                              "timeout",
		"/to/timeout=NaN/http/a/":                             "timeout",
		"/to/idle_timeout=-1/http/a/":                         "idle_timeout",
		"/to/cookies=some/http/a/":                            "cookies",
		"/to/-/http/a/b c":                                    "character",
	} {
		if _, err := pathform.Parse(target); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "u:hidden") {
			t.Errorf("%s: %v, want something about %q", target, err, want)
		}
	}
}

func TestRewrite_EachAddress_StaysBelowTo(t *testing.T) {
	r := parse(t, "/to/geo=DE/https/api.test/a/b/c?q=1")
	const own = "/to/geo=DE/https/api.test"
	for address, want := range map[string]string{
		"https://api.test/x":               own + "/x",
		"http://api.test/x":                "/to/geo=DE/http/api.test/x",
		"https://other.test:8443/x?y#z":    "/to/geo=DE/https/other.test:8443/x?y#z",
		"https://other.test":               "/to/geo=DE/https/other.test/",
		"https://other.test?x":             "/to/geo=DE/https/other.test/?x",
		"wss://other.test/s":               "/to/geo=DE/https/other.test/s",
		"HTTPS://user:pw@other.test/x":     "/to/geo=DE/https/other.test/x",
		"https://a@b@other.test/x":         "/to/geo=DE/https/other.test/x",
		"//other.test/x":                   "/to/geo=DE/https/other.test/x",
		"/\\other.test/x":                  "/to/geo=DE/https/other.test/x",
		"\\\\other.test\\x":                "/to/geo=DE/https/other.test/x",
		"http:other.test/x":                "/to/geo=DE/http/other.test/x",
		"wss:/other.test/x":                "/to/geo=DE/https/other.test/x",
		"https:x":                          own + "/a/b/x",
		"HTTPS:/x":                         own + "/x",
		"https:?x=2":                       own + "/a/b/c?x=2",
		"https:":                           own + "/a/b/c?q=1",
		"https:\\\\other.test/x":           "/to/geo=DE/https/other.test/x",
		"https:////other.test/x":           "/to/geo=DE/https/other.test/x",
		"h\tttps://other.test/x":           "/to/geo=DE/https/other.test/x",
		"/x%2Fy//z":                        own + "/x%2Fy//z",
		"/../../../healthz":                own + "/healthz",
		"/%2e%2e/%2E./.%2e/healthz":        own + "/healthz",
		"..\\..\\..\\..\\healthz":          own + "/healthz",
		"../../../../../../healthz":        own + "/healthz",
		"x":                                own + "/a/b/x",
		"./x/":                             own + "/a/b/x/",
		"..":                               own + "/a/",
		"?x=2":                             own + "/a/b/c?x=2",
		"#f":                               own + "/a/b/c?q=1#f",
		"":                                 own + "/a/b/c?q=1",
		" \t":                              own + "/a/b/c?q=1",
		"https://other.test/../../healthz": "/to/geo=DE/https/other.test/healthz",
		"https://../healthz":               "/to/geo=DE/https/invalid/healthz",
		"https://..%2f..%2fhealthz":        "/to/geo=DE/https/....healthz/",
		"/caf\xe9?q=\xfc#\xdf":             own + "/caf\xe9?q=\xfc#\xdf",
		"\x8a\xbf/x":                       own + "/a/b/\x8a\xbf/x",
		"https://other.test/\x82\xa0\ty":   "/to/geo=DE/https/other.test/\x82\xa0y",
		"https://b\xfccher.test/x":         "/to/geo=DE/https/b\xfccher.test/x",
		"/\u00e9\ufffd":                    own + "/\u00e9\ufffd",
		"mailto:a@b":                       "mailto:a@b",
		"myapp://callback?code=1":          "myapp://callback?code=1",
	} {
		if got := r.Rewrite(address); got != want {
			t.Errorf("%s\n gives %s\n want  %s", address, got, want)
		}
	}
}

// Whatever a target sends as Location, a browser at /to/… stays below it.
func FuzzRewrite(f *testing.F) {
	for _, s := range []string{"/a", "//a", "https://a/b", "../../x", "\\\\x", "https:/x", "%2e%2e/", "http://a;b/"} {
		f.Add(s)
	}
	r, err := pathform.Parse("/to/-/https/api.test/a/b")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := r.Rewrite(s)
		if scheme, _, ok := strings.Cut(got, ":"); ok && !strings.HasPrefix(got, "/") {
			switch strings.ToLower(scheme) {
			case "http", "https", "ws", "wss":
				t.Errorf("%q gives %q", s, got)
			}
			return
		}
		if !strings.HasPrefix(got, "/to/-/http") {
			t.Errorf("%q gives %q", s, got)
		}
		path, _, _ := strings.Cut(got, "?")
		path, _, _ = strings.Cut(path, "#")
		for segment := range strings.SplitSeq(strings.ReplaceAll(path, "\\", "/"), "/") {
			if d := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); d == ".." || d == "." {
				t.Errorf("%q gives %q", s, got)
			}
		}
	})
}

// Whatever Parse takes can be sent, and is one line of a request.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"/to/-/http/a/", "/to/key=x;geo=DE/wss/a:1/b?c", "/to/-/https/[::1]:8/x//y", "/to/-/http/a//b|c%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := pathform.Parse(s)
		if err != nil {
			return
		}
		req := &http.Request{Method: "GET", URL: r.URL("GET"), Host: r.HostHeader(), Header: http.Header{}}
		var b bytes.Buffer
		if err := req.Write(&b); err != nil {
			return // net/http refuses it, and nothing is sent
		}
		head := b.String()
		line, _, _ := strings.Cut(head, "\r\n")
		if !strings.HasPrefix(line, "GET /") || !strings.HasSuffix(line, " HTTP/1.1") || strings.Count(line, " ") != 2 || !strings.HasSuffix(head, "\r\n\r\n") {
			t.Errorf("%q is sent as %q", s, head)
		}
		if r.Target() == "" || !strings.HasPrefix(r.Rewrite("/x"), pathform.Prefix) {
			t.Errorf("%q: %+v", s, r)
		}
	})
}
