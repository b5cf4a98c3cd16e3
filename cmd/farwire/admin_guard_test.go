package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/harness"
)

func TestAdminGuard_HostPageAndKey_DecideWhoIsServed(t *testing.T) {
	const key = "admin-key-0123456789"
	loopback, open := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, &net.TCPAddr{IP: net.IPv4zero, Port: 9}
	for _, c := range []struct {
		name            string
		listen          string
		addr            net.Addr
		key             string
		host            string
		header, value   string
		public, private int
	}{
		{"loopback without a key", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "", "", 200, 200},
		{"IPv6", "127.0.0.1:9", loopback, "", "[::1]:9", "", "", 200, 200},
		{"localhost", "127.0.0.1:9", loopback, "", "LocalHost", "", "", 200, 200},
		{"its name", "Ops.example:9", loopback, "", "ops.example.:9", "", "", 200, 200},
		{"another name", "ops.example:9", loopback, "", "evil.example:9", "", "", 421, 421},
		{"a name below", "ops.example:9", loopback, "", "x.ops.example", "", "", 421, 421},
		{"no host", "127.0.0.1:9", loopback, "", "", "", "", 421, 421},
		{"a page", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Origin", "http://127.0.0.1:9", 403, 403},
		{"a page of nothing", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Origin", "", 403, 403},
		{"a name before it", "127.0.0.1:9", loopback, "", "evil.example@127.0.0.1:9", "", "", 421, 421},
		{"a number", "127.0.0.1:9", loopback, "", "2130706433:9", "", "", 421, 421},
		{"an address of three", "127.0.0.1:9", loopback, "", "127.0.1:9", "", "", 421, 421},
		{"two ports", "127.0.0.1:9", loopback, "", "127.0.0.1:9:9", "", "", 421, 421},
		{"below localhost", "127.0.0.1:9", loopback, "", "evil.localhost:9", "", "", 421, 421},
		{"localhost below another", "127.0.0.1:9", loopback, "", "localhost.evil.example:9", "", "", 421, 421},
		{"an address below another", "127.0.0.1:9", loopback, "", "127.0.0.1.evil.example:9", "", "", 421, 421},
		{"a page of null", "127.0.0.1:9", loopback, key, "127.0.0.1:9", "Origin", "null", 403, 403},
		{"a foreign page's image", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Sec-Fetch-Site", "cross-site", 403, 403},
		{"a neighbour's", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Sec-Fetch-Site", "same-site", 403, 403},
		{"the address bar", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Sec-Fetch-Site", "none", 200, 200},
		{"its own page", "127.0.0.1:9", loopback, "", "127.0.0.1:9", "Sec-Fetch-Site", "same-origin", 200, 200},
		{"every interface without a key", ":9", open, "", "192.0.2.1:9", "", "", 200, 403},
		{"every interface, a guess", ":9", open, "", "192.0.2.1:9", "X-API-Key", key, 200, 403},
		{"loopback, key missing", "127.0.0.1:9", loopback, key, "127.0.0.1:9", "", "", 200, 401},
		{"wrong key", ":9", open, key, "192.0.2.1:9", "X-API-Key", key + "x", 200, 403},
		{"right key", ":9", open, key, "192.0.2.1:9", "X-API-Key", key, 200, 200},
		{"as a bearer", ":9", open, key, "192.0.2.1:9", "Authorization", "bearer " + key, 200, 200},
		{"as a password", ":9", open, key, "192.0.2.1:9", "Authorization", "Basic " + key, 200, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard := newAdminGuard(c.listen, c.addr, c.key, nil, new(attempts.Counter), slog.New(slog.DiscardHandler))
			served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			for want, h := range map[*int]http.Handler{&c.public: guard.public(served), &c.private: guard.public(guard.private(served))} {
				r := httptest.NewRequest("GET", "/sessions", nil)
				if r.Host = c.host; c.header != "" {
					r.Header.Set(c.header, c.value)
				}
				known := false
				r = r.WithContext(farwire.WithKeyShown(r.Context(), func() { known = true }))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if known != (want == &c.private && *want == 200) {
					t.Errorf("a connection that is answered %d counts as known: %v", w.Code, known)
				}
				if w.Code != *want || w.Header().Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%d %v, want %d and no CORS", w.Code, w.Header(), *want)
				}
			}
		})
	}
}

func TestAdminGuard_WrongKeys_AreCountedByAddress(t *testing.T) {
	const key, wrong = "admin-key-0123456789", "wrong-wrong-wrong-wrong"
	log := new(bytes.Buffer)
	guard := newAdminGuard(":9", &net.TCPAddr{IP: net.IPv4zero, Port: 9}, key, nil, new(attempts.Counter), slog.New(slog.NewTextHandler(log, nil)))
	ask := func(remote, name, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/sessions", nil)
		r.RemoteAddr = remote
		if name != "" {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		guard.private(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w
	}
	began := time.Now()
	for n := range 12 {
		if w := ask("198.51.100.1:9", "", ""); w.Code != 401 {
			t.Errorf("without a key: %d", w.Code)
		}
		name, value, want := "X-API-Key", wrong, 403
		if n%2 == 1 {
			name, value = "Authorization", "Bearer "+wrong
		}
		if n >= 10 {
			want = 429
		}
		w := ask("198.51.100.1:9", name, value)
		if w.Code != want || (w.Header().Get("Retry-After") != "") != (want == 429) || (w.Header().Get("X-RateLimit-Limit") == "10" && w.Header().Get("X-RateLimit-Remaining") == "0") != (want == 429) || strings.Contains(w.Body.String(), `"rate_limited"`) != (want == 429) {
			t.Errorf("wrong key %d: %d %v %s", n+1, w.Code, w.Header(), w.Body)
		}
	}
	if w := ask("198.51.100.1:9", "X-API-Key", key); w.Code != 200 {
		t.Errorf("the right key from there: %d", w.Code)
	}
	if w := ask("198.51.100.2:9", "X-API-Key", wrong); w.Code != 403 {
		t.Errorf("a wrong key from elsewhere: %d", w.Code)
	}
	lines := strings.Count(log.String(), `level=WARN msg="credentials refused" client=198.51.100.1 of=admin`)
	if lines < 1 || lines > 1+int(time.Since(began)/time.Second) || strings.Contains(log.String(), wrong) {
		t.Errorf("%d lines:\n%s", lines, log)
	}
}

// OPTIONS * is answered at the admin address to those alone who are served there, and at
// the public one to everybody.
func TestAdminGuard_OptionsAsterisk_IsGuarded(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--admin-listen", "127.0.0.1:0")
	admin := g.Await(g.Stderr, `(?m)^metrics at http://([^/]+)/metrics$`)[1]
	for _, c := range []struct {
		addr, host, header string
		want               int
	}{
		{admin, admin, "", http.StatusNoContent},
		{admin, "evil.example", "", http.StatusMisdirectedRequest},
		{admin, admin, "Origin: http://evil.example\r\n", http.StatusForbidden},
		{admin, admin, "Sec-Fetch-Site: cross-site\r\n", http.StatusForbidden},
		{g.Addr, g.Addr, "", http.StatusNoContent},
		{g.Addr, "other.example", "Origin: http://other.example\r\n", http.StatusNoContent},
	} {
		conn, err := net.DialTimeout("tcp", c.addr, harness.Timeout)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := fmt.Fprintf(conn, "OPTIONS * HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", c.host, c.header); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodOptions})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want || resp.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("at %s as %s %s: %s %v, want %d", c.addr, c.host, strings.TrimSpace(c.header), resp.Status, resp.Header, c.want)
		}
	}
}
