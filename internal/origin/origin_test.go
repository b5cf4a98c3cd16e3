package origin_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/origin"
)

func TestTrusted_OriginAndFetchSite_Decide(t *testing.T) {
	allowed := []string{"https://app.example.com"}
	for _, c := range []struct {
		origin, site, scheme string
		tls, want            bool
	}{
		{want: true},
		{site: "same-origin", want: true},
		{site: "none", want: true},
		{site: "cross-site"},
		{site: "same-site"},
		{origin: "http://gw.test", want: true},
		{origin: "http://GW.test", want: true},
		{origin: "http://other.test"},
		{origin: "http://gw.test:81"},
		{origin: "null"},
		{origin: "gw.test"},
		{origin: "https://APP.example.com", want: true},
		{origin: "https://app.example.com.evil.test"},
		{origin: "https://gw.test", want: true}, // nobody says by which scheme it came
		{origin: "http://gw.test", tls: true},
		{origin: "https://gw.test", tls: true, want: true},
		{origin: "https://gw.test", scheme: "HTTPS", want: true},
		{origin: "http://gw.test", scheme: "https"},
	} {
		r := httptest.NewRequest("GET", "http://gw.test/ws", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if c.scheme != "" {
			r = r.WithContext(origin.WithScheme(r.Context(), c.scheme))
		}
		if got := origin.Trusted(r, allowed); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if over, want := origin.OverTLS(r), c.tls || strings.EqualFold(c.scheme, "https"); over != want {
			t.Errorf("%+v: over TLS %v", c, over)
		}
	}
}

func TestAny_Preflight_AnsweredWithoutTheHandler(t *testing.T) {
	served := 0
	h := origin.Any("GET, HEAD", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	r := httptest.NewRequest("OPTIONS", "/usage", nil)
	r.Header.Set("Access-Control-Request-Method", "GET")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent || served != 0 || w.Header().Get("Access-Control-Allow-Origin") != "*" ||
		w.Header().Get("Access-Control-Allow-Methods") != "GET, HEAD" || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("%d %v, served %d times", w.Code, w.Header(), served)
	}
	// A host that decides on origins itself has the last word.
	w = httptest.NewRecorder()
	w.Header().Set("Vary", "Accept, Origin")
	h.ServeHTTP(w, httptest.NewRequest("GET", "/usage", nil))
	if served != 1 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v, served %d times", w.Header(), served)
	}
}

func TestAddr_HostPort_IsUnmapped(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8::1]:5": "2001:db8::1",
		"192.0.2.1": "invalid IP", "@": "invalid IP", "": "invalid IP", "name.test:5": "invalid IP"} {
		if got := origin.Addr(in).String(); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// FuzzClient gives anything as X-Forwarded-For. The client is never a trusted proxy's
// word for nothing: it is the peer, or an address without a zone that stands in the
// header.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", "6.6.6.6, 198.51.100.1", "a, 10.0.0.1", "[2001:db8::1]:80", "::ffff:1.2.3.4, fe80::1%eth0", ",,,"} {
		f.Add(seed)
	}
	client := origin.Client([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, header string) {
		for peer, trusted := range map[string]bool{"10.0.0.1:5": true, "192.0.2.1:5": false} {
			r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}}
			got := client(r)
			switch {
			case !got.IsValid() || got.Zone() != "" || got.Is4In6():
				t.Fatalf("%q from %s: %v", header, peer, got)
			case !trusted && got.String() != "192.0.2.1":
				t.Fatalf("%q, of a peer that is not trusted: %v", header, got)
			}
		}
	})
}
