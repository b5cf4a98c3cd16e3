package clients

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// ask asks for a URL with headers, and returns the status and the body.
func ask(t *testing.T, client *http.Client, url string, lines ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A hostile target behind an nginx that knows its people, caches and has a location of
// its own gets no secret of theirs, no other caller's answer and no say in what nginx
// does.
func TestHostile_Target_GetsNothingOfTheFront(t *testing.T) {
	var mu sync.Mutex
	var told []string
	var answers atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		told = append(told, fmt.Sprint(r.Header, r.URL, r.Host))
		mu.Unlock()
		h := rw.Header()
		for name, value := range map[string]string{"Cache-Control": "public, max-age=600, s-maxage=600", "Expires": "Thu, 31 Dec 2037 23:55:55 GMT",
			"X-Accel-Expires": "600", "Surrogate-Control": "max-age=600", "CDN-Cache-Control": "max-age=600", "Vary": "Accept", "WWW-Authenticate": `Basic realm="app"`} {
			h.Set(name, value)
		}
		if r.URL.Path == "/internal" {
			h.Set("X-Accel-Redirect", "/management/keys")
			h.Set("X-Sendfile", "/etc/passwd")
		}
		fmt.Fprintf(rw, "answer %d", answers.Add(1))
	}))
	defer target.Close()
	g := harness.Serve(t, "--allow-private", "--api-keys", "alice=the-key-of-alice-0123,bob=the-key-of-bob-012345", "--trusted-proxies", "127.0.0.1")
	front := harness.Listen(t)
	harness.NginxConf(t, fmt.Sprintf(`
	proxy_cache_path %s keys_zone=answers:1m;
	server {
		listen %s;
		location /management/ { internal; return 200 "management"; }
		location / {
			proxy_pass http://%s;
			proxy_cache answers;
			proxy_cache_key $request_uri;
			proxy_set_header X-Forwarded-For secret-address;
			proxy_set_header X-Forwarded-User secret-user;
			proxy_set_header X-Real-IP secret-address;
			proxy_set_header Remote-User secret-user;
			proxy_set_header X-Auth-Request-Email secret-user;
			proxy_set_header Cf-Access-Jwt-Assertion secret-token;
			proxy_set_header X-SSL-Client-Cert secret-certificate;
			proxy_set_header Tailscale-User-Login secret-user;
		}
	}
`, t.TempDir(), front.Addr(), g.Addr), front)
	client := new(http.Client)
	defer client.CloseIdleConnections()
	base := "http://" + front.Addr().String() + "/to/-/http/" + strings.TrimPrefix(target.URL, "http://")
	browser := []string{"User-Agent: Mozilla/5.0", "Authorization: Basic secret", "Cookie: host_session=secret; fw.x=secret", "Referer: http://" + front.Addr().String() + "/secret?q=secret"}
	seen := make(map[string]bool)
	for _, key := range []string{"the-key-of-alice-0123", "the-key-of-bob-012345", "the-key-of-alice-0123"} {
		status, body := ask(t, client, base+"/cached", append(browser, "X-API-Key: "+key)...)
		if status != 200 || seen[body] {
			t.Errorf("%d %q, which somebody else had: %v", status, body, seen)
		}
		seen[body] = true
	}
	if status, body := ask(t, client, base+"/internal", "X-API-Key: the-key-of-alice-0123"); status != 200 || !strings.HasPrefix(body, "answer ") {
		t.Errorf("the target has nginx answer: %d %s", status, body)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, line := range told {
		if strings.Contains(line, "secret") || strings.Contains(line, "the-key-of") {
			t.Errorf("the target is told %s", line)
		}
	}
	if len(told) != 4 {
		t.Errorf("%d requests reached the target", len(told))
	}
}

// Whatever a key may reach, it reaches no listener of the gateway's own process: not
// the operator's, not the console, not the proxy.
func TestHostile_Link_ReachesNoManagementEndpoint(t *testing.T) {
	admin := harness.FreeAddr(t)
	w := newProxyWorld(t, echoRequest, "--admin-listen", admin)
	direct := &http.Client{Transport: &http.Transport{}}
	defer direct.CloseIdleConnections()
	if status, body := ask(t, direct, "http://"+admin+"/sessions"); status != 200 {
		t.Fatalf("the operator gets %d %s", status, body)
	}
	proxied := func(scheme, host string) *http.Client {
		tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: scheme, User: url.UserPassword("any", w.gateway.Key), Host: host})}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	_, port, _ := strings.Cut(admin, ":")
	for _, own := range []string{admin, w.gateway.Addr, w.socks, "localhost:" + port, "[::ffff:127.0.0.1]:" + port, "127.1:" + port} {
		if status, body := ask(t, direct, w.gateway.HTTP("/to/key="+w.gateway.Key+"/http/"+own+"/sessions")); status < 400 || strings.Contains(body, "sessions\":") {
			t.Errorf("the path form to %s: %d %s", own, status, body)
		}
		if status, body := ask(t, proxied("http", w.gateway.Addr), "http://"+own+"/sessions"); status < 400 || strings.Contains(body, "sessions\":") {
			t.Errorf("an absolute URL to %s: %d %s", own, status, body)
		}
		for scheme, at := range map[string]string{"http": w.gateway.Addr, "socks5": w.socks} {
			if resp, err := proxied(scheme, at).Get("https://" + own + "/"); err == nil {
				resp.Body.Close()
				t.Errorf("a tunnel by %s to %s", scheme, own)
			} else if !strings.Contains(err.Error(), "Forbidden") && !strings.Contains(err.Error(), "not allowed") && !strings.Contains(err.Error(), "Bad Gateway") &&
				!strings.Contains(err.Error(), "Bad Request") && !strings.Contains(err.Error(), "unreachable") && !strings.Contains(err.Error(), "failure") {
				t.Errorf("%s by %s: %v", own, scheme, err)
			}
		}
	}
	w.gateway.Await(w.gateway.Stderr, `kind=http .*code=403`)
}
