package weburl

import (
	"net/url"
	"strings"
	"testing"
)

func TestResolve_EachReference_IsNormalized(t *testing.T) {
	base, _ := url.Parse("https://Docs.Test/guide/start.html?x=1")
	for ref, want := range map[string]string{
		"":                               "https://docs.test/guide/start.html?x=1",
		"next.html":                      "https://docs.test/guide/next.html",
		" next.html\n":                   "https://docs.test/guide/next.html",
		"ne\nxt.html":                    "https://docs.test/guide/next.html",
		"../a/./b":                       "https://docs.test/a/b",
		"/../../a":                       "https://docs.test/a",
		"/a/%2e%2E/b":                    "https://docs.test/b",
		"?y=2":                           "https://docs.test/guide/start.html?y=2",
		"#top":                           "https://docs.test/guide/start.html?x=1",
		"//other.test":                   "https://other.test/",
		"HTTP://Other.Test:80/A":         "http://other.test/A",
		"https://docs.test:443/":         "https://docs.test/",
		"https://docs.test:8443/":        "https://docs.test:8443/",
		"https://docs.test./x":           "https://docs.test/x",
		"https://user:pass@docs.test/x":  "https://docs.test/x",
		`\a\b`:                           "https://docs.test/a/b",
		"/a b":                           "https://docs.test/a%20b",
		"/%7euser/%c3%a9":                "https://docs.test/~user/%C3%A9",
		"/é?q=é":                         "https://docs.test/%C3%A9?q=%C3%A9",
		"/100%":                          "https://docs.test/100%25",
		"/a%2fb":                         "https://docs.test/a%2Fb",
		"/a;jsessionid=ABC?x=1":          "https://docs.test/a?x=1",
		"/a;jsessionid=A;jsessionid=B/c": "https://docs.test/a/c", "/(S(a1))/(X(1)S(b2))/c": "https://docs.test/c", "/(S(a1))": "https://docs.test/", "/a/(S(a1))/?AspxAutoDetectCookieSupport=1": "https://docs.test/a/", "/(s(a1))/c": "https://docs.test/(s(a1))/c",
		"/a?sid=0123456789abcdef0123456789ABCDEF&id=2":                     "https://docs.test/a?id=2",
		"/a?id=2&SessionID=k3v9q0zz71mmxw2p4r8t6y5u1a&osCsid=":             "https://docs.test/a?id=2",
		"/a?src=contextnavpagetreemode&src=page":                           "https://docs.test/a?src=page",
		"/a?s=0123456789abcdef0123456789abcdef":                            "https://docs.test/a",
		"/a?s=how+to+boil&sid=12&session=spring-term-of-2025-in-the-house": "https://docs.test/a?s=how+to+boil&sid=12&session=spring-term-of-2025-in-the-house",
		"/a?utm_source=x&id=2&fbclid=y":                                    "https://docs.test/a?id=2",
		"/a?gad_source=1&mtm_campaign=x&pk_kwd=y&page=2":                   "https://docs.test/a?page=2",
		"/a?utm_source=x":      "https://docs.test/a",
		"/a?":                  "https://docs.test/a",
		"/a?b=1&a=2":           "https://docs.test/a?b=1&a=2",
		"https:page.html":      "https://docs.test/guide/page.html",
		"https://bücher.test/": "https://xn--bcher-kva.test/",
		"http://[::1]:80/x":    "http://[::1]/x",
		"mailto:a@b.test":      "",
		"javascript:void(0)":   "",
		"data:text/html,x":     "",
		"ftp://docs.test/":     "",
		"file:///etc/passwd":   "",
		"http://":              "",
		"http://a b/":          "",
		"tel:123":              "",
	} {
		got := ""
		if u := Resolve(base, ref); u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", ref, got, want)
		}
	}
}

func TestScope_BaseURL_DecidesWhatIsInside(t *testing.T) {
	for _, tt := range []struct {
		base    string
		in, out string
	}{
		{"https://a.test/", "https://a.test/x http://a.test/x", "https://b.test/ https://a.test:8443/ http://a.test:8080/"},
		{"https://a.test/docs/", "https://a.test/docs/ https://a.test/docs/x/y", "https://a.test/docs https://a.test/ https://a.test/doc"},
		{"https://a.test/docs", "https://a.test/docs https://a.test/docs/x", "https://a.test/docs-old https://a.test/"},
		{"https://a.test/docs/index.html", "https://a.test/docs/x.html", "https://a.test/x"},
		{"https://a.test/docs?page=1", "https://a.test/docs?page=2 https://a.test/x", "https://b.test/"},
		{"http://a.test:8080/", "http://a.test:8080/x", "http://a.test/ https://a.test:8080/"},
	} {
		s := ScopeOf(Parse(tt.base))
		for _, in := range strings.Fields(tt.in) {
			if u := Parse(in); !s.Has(u) || u.Scheme != s.Scheme {
				t.Errorf("%s is not in the scope of %s, or as %s", in, tt.base, u)
			}
		}
		for _, out := range strings.Fields(tt.out) {
			if s.Has(Parse(out)) {
				t.Errorf("%s is in the scope of %s", out, tt.base)
			}
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://a.test/", "https://a.test:443/%7e/../x?utm_a=1#f", "HTTP://Ä.test/é", `http:\\a.test\x`, "http://a/%", "http://[::1]/", "//x", "/a;jsessionid=1", "http://a.test/?a=%zz", "x.html", "../a/./b", "a//b", ".", "..", "/", "/a/../..", "a/.", "~x_-.", "*"} {
		f.Add(s)
	}
	base := Parse("http://base.test/dir/page")
	bases := []*url.URL{base, {Scheme: "HTTPS", Host: "A.test:443", Path: "/x/y/z", RawPath: "/x%2Fy/z", RawQuery: "q"},
		{Scheme: "http", Host: "[::1]:80", Path: "/"}, {Scheme: "http", Host: "a.test"}, {Scheme: "ftp", Host: "a.test", Path: "/x"},
		{Scheme: "http", Host: "a.test:0", Path: "/a/"}, {Scheme: "http", Host: "a.test", Path: "//a/./../b"}}
	f.Fuzz(func(t *testing.T, s string) {
		u := Resolve(base, s)
		for _, base := range bases {
			u, slow := Resolve(base, s), resolve(base, s)
			if (slow == nil) != (u == nil) || u != nil && *u != *slow {
				t.Fatalf("%q on %s: %#v, by the long way %#v", s, base, u, slow)
			}
		}
		if u == nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" || u.User != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
			t.Fatalf("%q: %#v", s, u)
		}
		// What is normalised stays as it is, also through a string.
		again := Parse(u.String())
		if again == nil || again.String() != u.String() {
			t.Fatalf("%q: %q, then %v", s, u, again)
		}
		for i := range len(u.String()) {
			if c := u.String()[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
				t.Fatalf("%q: %q has a character that an address must not have", s, u)
			}
		}
	})
}
