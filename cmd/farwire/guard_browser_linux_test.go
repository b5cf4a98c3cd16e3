package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A local browser's proxy is a listener of this process, too, though it comes later.
func TestServe_ListenerOfABrowser_IsNeverDialled(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><title>App</title><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/app.js"></script>`)
	}))
	t.Cleanup(app.Close)
	path, proxy := harness.SilentBrowser(t)
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--allow-private", "--allow-ports", "1-65535")
	cmd.Env = append(cmd.Env, "FARWIRE_BROWSER="+path)
	g := harness.StartGateway(t, cmd)
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl")+"?api_key="+g.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"url":%q,"maxPages":1}`, app.URL)); err != nil {
		t.Fatal(err)
	}
	addr := proxy()
	resp, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusProxyAuthRequired {
		t.Errorf("the proxy at %s answers %s", addr, resp.Status)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		if status, body := through(t, g, host+":"+port); status != http.StatusForbidden || !strings.Contains(body, `"code":"target_forbidden"`) {
			t.Errorf("%s:%s: %d %s", host, port, status, body)
		}
	}
}
