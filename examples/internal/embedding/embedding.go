// Package embedding tests a host program that has mounted a gateway: each
// handler, with a key and for callers that the host has named, through the
// host's own middleware.
package embedding

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

const (
	key     = "a-key-of-alice-0123"
	secret  = "secret-of-the-agents-0123"
	timeout = time.Minute

	// The host's own, which its middleware below /app lets in.
	user, password = "carol", "carols-password"
	origin         = "https://app.example.com"
)

// A Mount makes the host's handler.
type Mount func(*farwire.Gateway, *agent.Pool, *slog.Logger) http.Handler

// Test runs every test against the host.
func Test(t *testing.T, mount Mount) {
	w := start(t, mount)
	for name, test := range map[string]func(*testing.T, *world){
		"relay": relays, "direct": direct, "amqp": streams, "amqp error": failsToStream, "crawl": crawls,
		"plain": plain, "cors": crossOrigin, "agents": attaches, "log": logs, "console": consoles, "refusals": refusals,
	} {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

// relays asks in a first message, and sends a large message both ways.
func relays(t *testing.T, w *world) {
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			header := c.header.Clone()
			header.Set("Origin", origin)
			conn, _ := w.dial(t, c.prefix+"/ws", &websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{"app"}})
			if conn.Subprotocol() != "app" {
				t.Errorf("subprotocol %q", conn.Subprotocol())
			}
			ask, err := json.Marshal(map[string]any{"url": w.target})
			must(t, err)
			send(t, conn, string(ask))
			if got := receive(t, conn); !strings.Contains(got, `"connected"`) {
				t.Fatalf("the answer is %s", got)
			}
			large := strings.Repeat("farwire ", 100_000)
			send(t, conn, large)
			if got := receive(t, conn); got != large {
				t.Errorf("%d bytes came back as %d others", len(large), len(got))
			}
			if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("closing: %v", err)
			}
			<-w.heads
		})
	}
}

// direct asks in the query. What signed the caller in at the host must not
// reach the target.
func direct(t *testing.T, w *world) {
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			conn, resp := w.dial(t, c.prefix+"/ws?room=7&url="+w.target, &websocket.DialOptions{HTTPHeader: c.header, Subprotocols: []string{"other", "chat"}})
			if resp.Header.Get("X-Farwire-Node") == "" || conn.Subprotocol() != "chat" {
				t.Errorf("answered with %v", resp.Header)
			}
			if got := (<-w.heads).Get("Authorization"); got != "" {
				t.Errorf("the target was told %q", got)
			}
			send(t, conn, "hello")
			if got := receive(t, conn); got != "hello" {
				t.Errorf("got %q", got)
			}
			must(t, conn.Close(websocket.StatusNormalClosure, ""))
		})
	}
}

// streams begins an event stream at a broker that says nothing. The answer
// must begin all the same, and the session end when the client leaves.
func streams(t *testing.T, w *world) {
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			before := w.gw.Stats().Kinds[farwire.KindAMQP].Active
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			resp := w.post(t, ctx, c.prefix, c.header, w.broker.Addr().String())
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
				t.Fatalf("answered with %s %v", resp.Status, resp.Header)
			}
			until(t, "the stream runs", func() bool { return w.gw.Stats().Kinds[farwire.KindAMQP].Active == before+1 })
			cancel()
			until(t, "the stream has ended", func() bool { return w.gw.Stats().Kinds[farwire.KindAMQP].Active == before })
		})
	}
}

// failsToStream reads the error event of a broker that is not there.
func failsToStream(t *testing.T, w *world) {
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			resp := w.post(t, ctx, c.prefix, c.header, "127.0.0.1:1")
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "\n\nevent: error\ndata: ") {
				t.Errorf("%s: %s, %v", resp.Status, body, err)
			}
		})
	}
}

func (w *world) post(t *testing.T, ctx context.Context, prefix string, header http.Header, broker string) *http.Response {
	t.Helper()
	host, port, err := net.SplitHostPort(broker)
	must(t, err)
	req, err := http.NewRequestWithContext(ctx, "POST", w.host.URL+prefix+"/amqp", strings.NewReader(fmt.Sprintf(`{"host":%q,"port":%s}`, host, port)))
	must(t, err)
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	must(t, err)
	return resp
}

func crawls(t *testing.T, w *world) {
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			conn, _ := w.dial(t, c.prefix+"/ws/crawl", &websocket.DialOptions{HTTPHeader: c.header})
			send(t, conn, `{"url":"`+w.site+`"}`)
			var types []string
			for {
				_, b, err := conn.Read(context.Background())
				if err != nil {
					if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
						t.Errorf("after %v: %v", types, err)
					}
					break
				}
				var m struct{ Type, Content string }
				must(t, json.Unmarshal(b, &m))
				types = append(types, m.Type)
				if m.Type == "result" && !strings.Contains(m.Content, "one sentence of prose") {
					t.Errorf("the result is %q", m.Content)
				}
			}
			if len(types) == 0 || types[len(types)-1] != "result" {
				t.Errorf("messages %v", types)
			}
		})
	}
}

// plain asks the endpoints that answer at once.
func plain(t *testing.T, w *world) {
	for name, c := range callers {
		for _, p := range []struct{ method, path, want string }{
			{"POST", "/auth/token", `"expires_in":300`},
			{"GET", "/network", `"id":"farwire-de1"`},
			{"GET", "/usage", `"relay":{`},
			{"GET", "/healthz", `{"ok":true}`},
		} {
			t.Run(name+p.path, func(t *testing.T) {
				status, body, _ := w.do(t, p.method, c.prefix+p.path, c.header)
				if status != http.StatusOK || !strings.Contains(body, p.want) {
					t.Errorf("%d %s", status, body)
				}
			})
		}
	}
}

// refusals: without a key, and with one that is wrong, in our own words; and
// by the host where it is the host that refuses.
func refusals(t *testing.T, w *world) {
	for _, c := range []struct {
		path   string
		header http.Header
		status int
		ours   bool
	}{
		{"/usage", nil, http.StatusUnauthorized, true},
		{"/usage", http.Header{"X-Api-Key": {"a-wrong-key-0123456789"}}, http.StatusForbidden, true},
		{"/ws", nil, http.StatusUpgradeRequired, true},
		{"/app/usage", nil, http.StatusUnauthorized, false},
		{"/app/usage", http.Header{"Authorization": {"Basic " + basic(user, "guess")}}, http.StatusUnauthorized, false},
		{"/app/ws", nil, http.StatusUnauthorized, false},
		{"/app/console/", nil, http.StatusUnauthorized, false},
	} {
		status, body, header := w.do(t, "GET", c.path, c.header)
		if status != c.status || strings.Contains(body, `{"detail":`) != c.ours {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
		if c.ours && (header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %v", c.path, header)
		}
	}
	// A page of another origin has the browser bring along what signs a person in.
	for _, path := range []string{"/app/ws?url=" + w.target, "/app/ws/crawl"} {
		header := callers["signed in"].header.Clone()
		header.Set("Origin", "https://evil.example")
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.host.URL, "http")+path, &websocket.DialOptions{HTTPHeader: header, HTTPClient: client})
		if err == nil {
			conn.CloseNow()
		}
		if resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another origin: %v, %v", path, resp, err)
		}
	}
}

// consoles reads the console's page and the files that it names.
func consoles(t *testing.T, w *world) {
	header := callers["signed in"].header
	status, page, head := w.do(t, "GET", "/app/console/", header)
	if status != http.StatusOK || !strings.Contains(page, `<meta name="farwire-gateway" content="/app/">`) {
		t.Fatalf("%d %s", status, page)
	}
	if policy := head.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the page's policy is %q", policy)
	}
	files := regexp.MustCompile(`(?:src|href)="([^":#]+)"`).FindAllStringSubmatch(page, -1)
	if len(files) < 2 {
		t.Errorf("the page names %q", files)
	}
	for _, f := range files {
		status, _, head := w.do(t, "GET", "/app/console/"+f[1], header)
		if kind := head.Get("Content-Type"); status != http.StatusOK || kind == "" || strings.HasPrefix(kind, "text/html") {
			t.Errorf("%s: %d %s", f[1], status, kind)
		}
	}
	if status, body, _ := w.do(t, "GET", "/app/console/no-such-file", header); status != http.StatusNotFound || !strings.Contains(body, `{"detail":`) {
		t.Errorf("a file that is not there: %d %s", status, body)
	}
}

// crossOrigin asks as a browser does for a page of the host's.
func crossOrigin(t *testing.T, w *world) {
	status, _, header := w.do(t, "OPTIONS", "/amqp", http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-api-key"},
	})
	if status/100 != 2 || header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("preflight: %d %v", status, header)
	}
	status, _, header = w.do(t, "GET", "/usage", http.Header{"Origin": {origin}, "X-Api-Key": {key}})
	if status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("%d %v", status, header)
	}
	_, _, header = w.do(t, "GET", "/usage", http.Header{"Origin": {"https://evil.example"}, "X-Api-Key": {key}})
	if got := header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a page of %s may read the answer", got)
	}
}

// attaches has an agent dial in through the host, and relays through it.
func attaches(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, agent.RunOptions{Gateways: []string{w.host.URL}, Secret: secret, Slug: "at1", Country: "AT",
			AllowPrivate: true, Logger: slog.New(slog.DiscardHandler)})
	}()
	defer func() {
		cancel()
		must(t, <-done)
	}()
	until(t, "the agent is attached", func() bool {
		list, _ := w.gw.Agents()
		return len(list) == 2
	})
	conn, _ := w.dial(t, "/ws?agent=at1&url="+w.target, &websocket.DialOptions{HTTPHeader: callers["key"].header})
	<-w.heads
	send(t, conn, "hello")
	if got := receive(t, conn); got != "hello" {
		t.Errorf("got %q", got)
	}
	must(t, conn.Close(websocket.StatusNormalClosure, ""))
}

// logs looks for a line of the host's own about a request and one of the
// gateway's about a session.
func logs(t *testing.T, w *world) {
	w.do(t, "GET", "/network", nil)
	relays(t, w)
	until(t, "the log has both lines", func() bool {
		text := w.log.String()
		return strings.Contains(text, "/network") && strings.Contains(text, "401") && strings.Contains(text, "session ended")
	})
	if text := w.log.String(); strings.Contains(text, password) || strings.Contains(text, "panic") {
		t.Errorf("the log holds a password or a panic:\n%s", text)
	}
}
