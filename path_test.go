package farwire_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// newPathWorld serves the path form and a target, both on loopback.
func newPathWorld(t *testing.T, target http.Handler, edit ...func(*farwire.Options)) *world {
	t.Helper()
	plain := func(o *farwire.Options) {
		o.Agents, o.Limits = direct(t, agent.DirectOptions{AllowPrivate: true}), farwire.Limits{}
	}
	w := newGatewayWorld(t, append([]func(*farwire.Options){plain}, edit...)...)
	w.target = httptest.NewServer(target)
	t.Cleanup(w.target.Close)
	w.server = httptest.NewServer(w.gw.PathForm())
	w.ln = w.server.Listener
	w.dialIn = func() (net.Conn, error) { return net.Dial("tcp", w.ln.Addr().String()) }
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := w.gw.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		w.server.Close()
	})
	return w
}

// host is the target's host and port.
func (w *world) host() string { return strings.TrimPrefix(w.target.URL, "http://") }

// url is the address of a path of the target's; the key is an option.
func (w *world) url(path string) string {
	return w.server.URL + "/to/key=" + testKey + "/http/" + w.host() + path
}

func (w *world) request(method, path string, body io.Reader, lines ...string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url(path), body)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		req.Header.Add(name, value)
	}
	return req
}

var plainClient = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// fetch sends a request and reads its answer.
func (w *world) fetch(req *http.Request) (*http.Response, string) {
	w.t.Helper()
	resp, err := plainClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(body)
}

func TestPathForm_Request_ReachesTheTargetAsItWas(t *testing.T) {
	seen := make(chan string, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var head []string
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			head = append(head, name+"="+strings.Join(r.Header[name], ","))
		}
		seen <- fmt.Sprintf("%s %s %s %s %s", r.Method, r.RequestURI, r.Host, strings.Join(head, ";"), body)
		rw.Header().Set("X-Theirs", "1")
		rw.Header().Set("Content-Encoding", "gzip")
		rw.WriteHeader(http.StatusTeapot)
		io.WriteString(rw, "not really gzip")
	}))
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               string
	}{
		{"GET", "/a%2Fb//c?x=%20&y", "", []string{"User-Agent: probe", "X-A: 1", "X-A: 2"}, "GET /a%2Fb//c?x=%20&y HOST User-Agent=probe;X-A=1,2 "},
		{"PATCH", "/", "body", []string{"User-Agent: probe", "Accept-Encoding: br"}, "PATCH / HOST Accept-Encoding=br;Content-Length=4;User-Agent=probe body"},
		{"DELETE", "/x", "", []string{"User-Agent: probe", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 1", "Te: trailers", "X-Forwarded-For: 1.1.1.1"}, "DELETE /x HOST Te=trailers;User-Agent=probe "},
		{"OPTIONS", "/x", "", []string{"User-Agent: probe", "Origin: https://app.test"}, "OPTIONS /x HOST Origin=http://HOST;User-Agent=probe "},
		{"GET", "/x", "", []string{"User-Agent: probe", "X-API-Key: theirs", "Authorization: Bearer theirs"}, "GET /x HOST Authorization=Bearer theirs;User-Agent=probe;X-Api-Key=theirs "},
	} {
		resp, body := w.fetch(w.request(c.method, c.path, strings.NewReader(c.body), c.header...))
		if got, want := <-seen, strings.ReplaceAll(c.want, "HOST", w.host()); got != want {
			t.Errorf("%s %s: the target sees\n%s, want\n%s", c.method, c.path, got, want)
		}
		if resp.StatusCode != http.StatusTeapot || body != "not really gzip" || resp.Header.Get("X-Theirs") != "1" || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %d %q %v", c.method, resp.StatusCode, body, resp.Header)
		}
		if resp.Header.Get("X-Farwire-Node") == "" || resp.Header.Get("X-Farwire-From") != "target" || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", c.method, resp.Header)
		}
		if resp.Header.Get("Content-Type") != "" {
			t.Errorf("a content type that the target did not give: %v", resp.Header)
		}
	}
}

func TestPathForm_Key_IsReadInItsOrder(t *testing.T) {
	auth := make(chan string, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		auth <- r.Header.Get("X-API-Key") + "|" + r.Header.Get("Authorization")
	}))
	const wrong = "not-a-key-of-anybody"
	for _, c := range []struct {
		options string
		header  []string
		status  int
		sent    string
	}{
		{"key=" + testKey, []string{"X-API-Key: " + wrong, "Authorization: Bearer " + wrong}, 200, wrong + "|Bearer " + wrong},
		{"key=" + wrong, []string{"X-API-Key: " + testKey}, 403, ""},
		{"-", []string{"X-API-Key: " + testKey, "Authorization: Bearer theirs"}, 200, "|Bearer theirs"},
		{"-", []string{"X-API-Key: " + testKey, "Authorization: Basic dTpw"}, 200, "|Basic dTpw"},
		{"-", []string{"X-API-Key: " + testKey, "Authorization: Bearer " + testKey}, 200, "|"},
		{"-", []string{"X-API-Key: " + wrong, "Authorization: Bearer " + testKey}, 403, ""},
		{"-", []string{"Authorization: Bearer " + testKey}, 200, "|"},
		{"-", []string{"X-API-Key: " + testKey, "User-Agent: Mozilla/5.0", "Authorization: Basic dTpw"}, 200, "|"},
		{"-", nil, 401, ""},
		{"cookies=all", []string{"X-API-Key: " + testKey}, 200, "|"},
		{"cookies=all", []string{"X-API-Key: " + testKey, "Origin: https://a.test"}, 403, ""},
		{"cookies=all;key=" + testKey, nil, 403, ""},
	} {
		req := w.request("GET", "/", nil, c.header...)
		req.URL.Opaque = "/to/" + c.options + "/http/" + w.host() + "/"
		resp, body := w.fetch(req)
		sent := ""
		if resp.StatusCode == 200 {
			sent = <-auth
		} else if resp.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s %v: from %q", c.options, c.header, resp.Header.Get("X-Farwire-From"))
		}
		if resp.StatusCode != c.status || sent != c.sent {
			t.Errorf("%s %v: %d, sent %q; %s", c.options, c.header, resp.StatusCode, sent, body)
		}
	}
	if strings.Contains(w.log.String(), testKey) {
		t.Error("the log shows the key")
	}
}

// What the host knows its caller by is no key in a header.
func TestPathForm_HostNamedCaller_AllCookiesNeedAKeyInAHeader(t *testing.T) {
	cookies := make(chan string, 14) // as many as requests
	w := newPathWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cookies <- r.Header.Get("Cookie") + "|" + r.Header.Get("Authorization")
	}))
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gw.PathForm().ServeHTTP(rw, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"})))
	}))
	defer login.Close()
	for _, c := range []struct {
		options string
		header  []string
		status  int
	}{
		{"cookies=all", nil, 403},
		{"cookies=all", []string{"Authorization: Bearer anything"}, 403},
		{"cookies=all", []string{"Authorization: Bearer " + testKey}, 403},
		{"cookies=all", []string{"Authorization: Basic dTpw"}, 403},
		{"cookies=all;key=" + testKey, []string{"Authorization: Bearer anything", "X-API-Key: " + testKey}, 403},
		{"cookies=all", []string{"Authorization: Bearer anything", "X-API-Key: " + testKey}, 200},
		{"cookies=all", []string{"X-API-Key: " + testKey, "Origin: " + login.URL}, 403},
	} {
		for _, socket := range []bool{false, true} {
			req := w.request("GET", "/", nil, append(c.header, "Cookie: session=1")...)
			req.URL.Host = strings.TrimPrefix(login.URL, "http://")
			req.URL.Opaque = "/to/" + c.options + "/http/" + w.host() + "/"
			req.Host = ""
			if socket {
				for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
					req.Header.Set(name, value)
				}
			}
			resp, body := w.fetch(req)
			if resp.StatusCode != c.status {
				t.Errorf("%+v, socket %v: %d %s", c, socket, resp.StatusCode, body)
			}
			if resp.StatusCode == 200 {
				if got := <-cookies; got != "session=1|" {
					t.Errorf("%+v: the target sees %q", c, got)
				}
			}
		}
	}
}

// In one browser a target's cookies come back to the caller that was given them, and to
// nobody else.
func TestPathForm_TargetsCookies_BelongToTheirCaller(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "of", Value: r.URL.Query().Get("of")})
		io.WriteString(rw, r.Header.Get("Cookie"))
	}), func(o *farwire.Options) {
		o.Auth = must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}, otherKey: {Subject: "bob"}}))
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for _, step := range []struct{ key, of, want string }{
		{testKey, "alice", ""}, {otherKey, "bob", ""}, {testKey, "alice", "of=alice"}, {otherKey, "bob", "of=bob"},
	} {
		req := w.request("GET", "/?of="+step.of, nil, "X-API-Key: "+step.key)
		req.URL = must(req.URL.Parse("/to/-/http/" + w.host() + "/?of=" + step.of))
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != step.want {
			t.Errorf("%s: %d %q, %v; want %q", step.of, resp.StatusCode, body, err, step.want)
		}
	}
}

func TestPathForm_HostNamedCaller_KeepsItsAuthorization(t *testing.T) {
	auth := make(chan string, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		auth <- r.Header.Get("Authorization") + r.Header.Get("Cookie")
	}))
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gw.PathForm().ServeHTTP(rw, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"})))
	}))
	defer login.Close()
	for header, status := range map[string]int{"Accept: x": 200, "Origin: https://evil.test": 403, "Origin: " + login.URL: 200} {
		req := w.request("GET", "/", nil, header, "Authorization: Bearer of-the-host", "Cookie: session=of-the-host")
		req.URL.Host = strings.TrimPrefix(login.URL, "http://")
		req.URL.Opaque = "/to/-/http/" + w.host() + "/"
		req.Host = ""
		resp, body := w.fetch(req)
		if resp.StatusCode != status {
			t.Errorf("%s: %d %s", header, resp.StatusCode, body)
		} else if status == 200 {
			if got := <-auth; got != "" {
				t.Errorf("%s: the target gets %q", header, got)
			}
		}
	}
}
