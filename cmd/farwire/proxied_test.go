package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/farwire/farwire/internal/origin"
)

// Of X-Forwarded-Proto counts what the trusted proxy has said last: the rest is the word of
// whom it heard it from.
func TestServe_ForwardedProto_TheLastCounts(t *testing.T) {
	s := &serve{trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, c := range []struct {
		from  string
		said  []string
		https bool
	}{
		{"192.0.2.1:9", nil, false},
		{"192.0.2.1:9", []string{"https"}, true},
		{"192.0.2.1:9", []string{"HTTPS "}, true},
		{"192.0.2.1:9", []string{"http"}, false},
		{"192.0.2.1:9", []string{"https, http"}, false},
		{"192.0.2.1:9", []string{"http,https"}, true},
		{"192.0.2.1:9", []string{"https", "http"}, false},
		{"192.0.2.1:9", []string{"http", "ftp, https"}, true},
		{"192.0.2.1:9", []string{"https,"}, false},
		{"192.0.2.1:9", []string{"https", ""}, false},
		{"192.0.2.1:9", []string{"https, ftp"}, false},
		{"198.51.100.1:9", []string{"https"}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		r.Header["X-Forwarded-Proto"] = c.said
		var https bool
		s.withScheme(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { https = origin.OverTLS(r) })).
			ServeHTTP(httptest.NewRecorder(), r)
		if https != c.https {
			t.Errorf("%s says %q: https is %v, want %v", c.from, c.said, https, c.https)
		}
	}
}
