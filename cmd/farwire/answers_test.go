package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_OwnAnswers_CarryXFarwireFrom goes through every endpoint
// and method: pages, files, preflights, redirects and refusals.
func TestServe_OwnAnswers_CarryXFarwireFrom(t *testing.T) {
	folder := t.TempDir()
	g := startServe(t, "--data-dir", folder, "--admin-listen", "127.0.0.1:0", "--rate", "1000")
	admin := strings.TrimSuffix(g.Await(g.Stderr, `(?m)^metrics at (http://\S+/metrics)$`)[1], "/metrics")
	if err := os.MkdirAll(filepath.Join(folder, "files", "llms"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "files", "llms", "llms.txt"), []byte("# A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, url string, header map[string]string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		if strings.HasSuffix(url, "/*") {
			req.URL.Opaque = "*"
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	key := map[string]string{"X-API-Key": g.Key}
	preflight := map[string]string{"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	socket := func(more map[string]string) map[string]string {
		all := make(map[string]string)
		for _, m := range []map[string]string{upgrade, more} {
			for name, value := range m {
				all[name] = value
			}
		}
		return all
	}
	statuses := make(map[int]bool)
	check := func(want, method, url string, header map[string]string) {
		t.Helper()
		resp := ask(method, url, header)
		statuses[resp.StatusCode] = true
		if from := resp.Header.Values("X-Farwire-From"); len(from) != 1 || from[0] != want {
			t.Errorf("%s %s %v: %s, X-Farwire-From is %q, want %s", method, url, header, resp.Status, from, want)
		}
	}
	for _, path := range []string{"/", "/files/llms/llms.txt", "/files/", "/healthz", "/readyz", "/network", "/usage", "/sessions", "/sites",
		"/auth/token", "/amqp", "/ws", "/ws/", "/ws/crawl", "/agents/attach", "/hooks/site-changed", "/nonsense", "/to/", "/to/-/http/",
		"//ws", "/ws/../amqp"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "DELETE"} {
			check("gateway", method, g.HTTP(path), key)
		}
		check("gateway", "OPTIONS", g.HTTP(path), preflight)
		check("gateway", "GET", g.HTTP(path), nil)
	}
	for _, path := range []string{"/metrics", "/sessions", "/debug/pprof/", "/debug/pprof/cmdline", "/nonsense"} {
		check("gateway", "GET", admin+path, nil)
		check("gateway", "HEAD", admin+path, nil)
		check("gateway", "GET", admin+path, preflight)
	}
	check("gateway", "OPTIONS", g.HTTP("/*"), nil)
	check("gateway", "OPTIONS", g.HTTP("/*"), preflight)
	check("gateway", "OPTIONS", admin+"/*", nil)
	check("gateway", "GET", g.HTTP("/*"), nil)
	for _, path := range []string{"/", "/files/llms/llms.txt"} {
		etag := ask("GET", g.HTTP(path), nil).Header.Get("ETag")
		check("gateway", "GET", g.HTTP(path), map[string]string{"If-None-Match": etag})
		check("gateway", "GET", g.HTTP(path), map[string]string{"Range": "bytes=1-2"})
		check("gateway", "GET", g.HTTP(path), map[string]string{"Range": "bytes=900000-"})
	}
	check("gateway", "GET", g.HTTP("/ws"), upgrade)
	check("gateway", "GET", g.HTTP("/ws/crawl"), upgrade)
	check("gateway", "GET", g.HTTP("/ws?url=ws://echo.farwire.alt"), upgrade)
	check("target", "GET", g.HTTP("/ws?url=ws://echo.farwire.alt"), socket(key))
	check("target", "GET", g.HTTP("/to/-/ws/echo.farwire.alt/"), socket(key))
	check("target", "GET", g.HTTP("/to/-/http/echo.farwire.alt/"), key)
	check("target", "OPTIONS", g.HTTP("/to/-/http/echo.farwire.alt/"), key)
	for _, status := range []int{101, 200, 204, 206, 304, 307, 400, 401, 403, 404, 405, 416, 426} {
		if !statuses[status] {
			t.Errorf("no answer had the status %d", status)
		}
	}
}
