package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

func TestPathFlags_PathHost_ServesNothingElse(t *testing.T) {
	g, err := farwire.New(farwire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rest := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, c := range []struct {
		pathHost, host, target string
		want                   int // 401: the path form asks for a key
	}{
		{"", "gw.test", "/to/-/http/a.test/", 401},
		{"", "gw.test", "/to/-/http/a.test//x/../y", 401},
		{"", "gw.test", "/", 418},
		{"to.test", "TO.test:8080", "/to/-/http/a.test/", 401},
		{"to.test", "to.test", "/", 404},
		{"to.test", "to.test", "/ws", 404},
		{"to.test", "To.test.", "/to/-/http/a.test/", 401},
		{"to.test", "to.test.:8080", "/ws", 404},
		{"to.test", "gw.test", "/to/-/http/a.test/", 404},
		{"to.test", "gw.test:80", "/", 418},
	} {
		r := httptest.NewRequest("GET", "http://"+c.host+"/", nil)
		r.RequestURI = c.target
		w := httptest.NewRecorder()
		(&pathFlags{PathHost: c.pathHost}).route(g, rest).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// A name that no request has would hide the path form from everybody.
func TestPathFlags_PathHost_IsOneHostName(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "to.example.com": true, "TO.example": true, "to_1.xn--bcher-kva.test": true, "192.0.2.1": true, "localhost": true,
		"*": false, "*.example.com": false, "a.example,b.example": false, "to.example.com.": false, ".example": false, "a..b": false,
		"bücher.test": false, "to.example:443": false, "http://to.example": false, "to example": false, "to.example\r": false, ",": false,
	} {
		p := pathFlags{HTTPRate: 1, HTTPBurst: 1, PathHost: name}
		if err := p.apply(new(farwire.Options)); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "--path-host: ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPathFlags_BadValues_NameTheFlag(t *testing.T) {
	for flag, p := range map[string]pathFlags{
		"--http-rate":  {HTTPBurst: 1},
		"--http-burst": {HTTPRate: 1},
		"--path-host":  {HTTPRate: 1, HTTPBurst: 1, PathHost: "https://to.test"},
	} {
		if err := p.apply(new(farwire.Options)); err == nil || !strings.HasPrefix(err.Error(), flag+":") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// What --strip-headers names reaches no target, in either of the two forms that send a
// client's headers on below /to/; what it does not name does.
func TestServe_StripHeaders_AreLeftOutOfThePathForm(t *testing.T) {
	heads := make(chan http.Header, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heads <- r.Header }))
	t.Cleanup(target.Close)
	g := startServe(t, "--allow-private", "--strip-headers", "X-Session-User, x-corp-*")
	for name, upgrade := range map[string]bool{"request": false, "WebSocket": true} {
		req, err := http.NewRequest(http.MethodGet, g.HTTP("/to/-/http/"+strings.TrimPrefix(target.URL, "http://")+"/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"X-API-Key": {g.Key}, "X-Session-User": {"alice"}, "X-Corp-Team": {"blue"}, "X-CORP-": {"red"}, "X-Corporate": {"kept"}, "X-Session-Users": {"kept"}}
		if upgrade {
			for field, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
				req.Header.Set(field, value)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var got http.Header
		select {
		case got = <-heads:
		default:
			t.Fatalf("%s: the target was not asked: %s", name, resp.Status)
		}
		for _, field := range []string{"X-Session-User", "X-Corp-Team", "X-Corp-", "X-Api-Key"} {
			if values, there := got[field]; there {
				t.Errorf("%s: the target got %s: %q", name, field, values)
			}
		}
		if got.Get("X-Corporate") != "kept" || got.Get("X-Session-Users") != "kept" {
			t.Errorf("%s: the target got %v", name, got)
		}
	}
}
