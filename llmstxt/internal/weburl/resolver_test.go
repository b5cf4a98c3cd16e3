package weburl

import "testing"

// A Resolver finds what Resolve does, from whatever page and for whatever link.
func TestResolver_AnyLink_AsResolve(t *testing.T) {
	bases := []string{"http://example.com/", "http://example.com", "https://Example.com:443/docs/guide/start.html?x=1", "http://example.com:8080/a b/c", "https://example.com/a%20b/c/",
		"https://example.com/(S(abc))/page", "https://[::1]/x/y", "http://0x7f.1/x/y", "ftp://example.com/x/y", "http://example.com/a/../b/./c"}
	refs := []string{"", "x", "x/", "./x", "../x", "../../../x", "/x", "//x", "//other.com/x", "/a//b", "a//b", "x?y=1", "?y=1", "http:x", "http:/x", "https://example.com/x", "HTTPS://EXAMPLE.COM/x",
		"https://other.com./x", "mailto:a@b.c", "a%41b", "~x/_y.-z", "x;jsessionid=1", "a:b", " x", "x\n"}
	for _, base := range bases {
		b := Parse(base)
		if b == nil {
			continue
		}
		r := Resolver{Base: b, Left: ResolverMemory}
		for _, ref := range refs {
			got, want := r.Resolve(ref), Resolve(b, ref)
			if (got == nil) != (want == nil) || got != nil && *got != *want {
				t.Errorf("%s from %s: %v, want %v", ref, base, got, want)
			}
		}
	}
}

// What is said to lead to another host does not lead to this one.
func TestLeadsTo_AnyAddress_NeverDeniesItsHost(t *testing.T) {
	hosts := []string{"example.com", "example.com:8080", "xn--bcher-kva.example", "127.0.0.1", "127.0.0.1:8080", "[::1]"}
	refs := []string{"/x", "x", "//example.com/x", "https://example.com", "https://example.com/x", "http://example.com?x", "http://example.com#x", "http://example.com./x", "http://EXAMPLE.com/x", "http://exam\nple.com/x",
		"http://user@example.com/x", "http://example.com:80/x", "http://example.com:8080/x", "http:example.com/x", "http:///example.com/x", `http:\\example.com\x`, `https://example.com\x`, " http://example.com/x", "http://ex%61mple.com/x",
		"https://bücher.example/x", "https://xn--bcher-kva.example/x", "https://XN--bcher-kva.example/x", "http://127.0.0.1/x", "http://127.0.0.1:8080/x", "http://127.1/x", "http://0x7f.0.0.1/x", "http://[::1]/x", "http://[0:0::1]/x"}
	base := Parse("http://example.com/a/b")
	for _, host := range hosts {
		for _, ref := range refs {
			if u := Resolve(base, ref); u != nil && u.Host == host && !LeadsTo(host, ref) {
				t.Errorf("%q leads to %s", ref, host)
			}
		}
	}
	for _, ref := range []string{"https://other.com/x", "http://www.example.com", "https://example.org#x", "http://example.com.evil.net?x", "http://example.com/x"} {
		if host := "sub.example.com"; LeadsTo(host, ref) {
			t.Errorf("%q does not lead to %s", ref, host)
		}
	}
}
