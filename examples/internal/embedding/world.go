package embedding

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A world is a host with its gateway, a target, a site and a broker that never
// says a word.
type world struct {
	host   *httptest.Server
	gw     *farwire.Gateway
	log    *harness.Output
	target string
	site   string
	broker net.Listener
	heads  chan http.Header // of upgrades at the target
}

func start(t *testing.T, mount Mount) *world {
	t.Helper()
	w := &world{log: new(harness.Output), heads: make(chan http.Header, 10)}
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	pool, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: logger})
	must(t, err)
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	must(t, err)
	must(t, pool.Add(exit))
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	must(t, err)
	w.gw, err = farwire.New(farwire.Options{Auth: keys, Agents: pool, Origins: []string{origin}, Logger: logger, Limits: farwire.Limits{Rate: -1}})
	must(t, err)
	w.host = harness.QuietServer(mount(w.gw, pool, logger))
	target := harness.QuietServer(http.HandlerFunc(w.echo))
	site := harness.QuietServer(http.HandlerFunc(page))
	w.target, w.site = "ws"+strings.TrimPrefix(target.URL, "http"), site.URL
	w.broker, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := w.gw.Shutdown(ctx); err != nil {
			t.Errorf("Gateway.Shutdown: %v; still there: %+v", err, w.gw.Stats())
		}
		if err := pool.Shutdown(ctx); err != nil {
			t.Errorf("Pool.Shutdown: %v", err)
		}
		w.broker.Close()
		for _, s := range []*httptest.Server{w.host, target, site} {
			s.Close()
		}
		client.CloseIdleConnections()
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) echo(rw http.ResponseWriter, r *http.Request) {
	w.heads <- r.Header.Clone()
	harness.WebSockets(context.Background(), harness.Echo).ServeHTTP(rw, r)
}

func page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<title>Home</title><main><p>A page with one sentence of prose, which is enough for an excerpt.</p></main>")
}

// callers are the two kinds: with a key, and signed in at the host.
var callers = map[string]struct {
	prefix string
	header http.Header
	key    string
}{
	"key":       {"", http.Header{"X-Api-Key": {key}}, key},
	"signed in": {"/app", http.Header{"Authorization": {"Basic " + basic(user, password)}}, ""},
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

var client = &http.Client{Transport: &http.Transport{}}

func (w *world) do(t *testing.T, method, path string, header http.Header) (int, string, http.Header) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.host.URL+path, nil)
	must(t, err)
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body), resp.Header
}

func (w *world) dial(t *testing.T, path string, o *websocket.DialOptions) (*websocket.Conn, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	o.HTTPClient = client
	conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.host.URL, "http")+path, o)
	if err != nil {
		text := ""
		if resp != nil {
			line, _ := bufio.NewReader(resp.Body).ReadString('\n')
			text = resp.Status + " " + line
		}
		t.Fatalf("upgrade of %s: %v %s", path, err, text)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return conn, resp
}

func send(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	must(t, c.Write(ctx, websocket.MessageText, []byte(text)))
}

func receive(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, b, err := c.Read(ctx)
	must(t, err)
	return string(b)
}

// until waits for what happens behind an answer's back.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
