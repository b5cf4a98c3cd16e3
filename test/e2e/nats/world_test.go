package nats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

const (
	key         = "0123456789abcdef-alice"
	other       = "0123456789abcdef-bob"
	tokenSecret = "0123456789abcdef0123456789abcdef-token"
	agentSecret = "0123456789abcdef-agents"
)

// A world is a cluster, its agents and a target.
type world struct {
	t      *testing.T
	secret string // of the tokens
	nats   *harness.Server
	redis  *harness.Server // nil: none
	target string          // ws://…, an echo
	http   *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, secret: tokenSecret, nats: harness.NATS(t)}
	transport := &http.Transport{DisableKeepAlives: true}
	w.http = &http.Client{Transport: transport, Timeout: harness.Timeout}
	sockets := harness.WebSockets(t.Context(), harness.Echo)
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			io.WriteString(rw, "plain")
			return
		}
		sockets.ServeHTTP(rw, r)
	}))
	t.Cleanup(echo.Close)
	w.target = "ws" + strings.TrimPrefix(echo.URL, "http")
	return w
}

// gateway starts one more; arguments beat what all have.
func (w *world) gateway(args ...string) *harness.Gateway {
	w.t.Helper()
	return w.gatewayAt(w.nats.URL, args...)
}

// gatewayAt starts one that finds NATS elsewhere.
func (w *world) gatewayAt(natsURL string, args ...string) *harness.Gateway {
	w.t.Helper()
	cmd := harness.Farwire(w.t, append([]string{"serve", "--listen", "127.0.0.1:0", "--token-secret", w.secret,
		"--agent-secret", agentSecret, "--admin-listen", "127.0.0.1:0", "--rate", "1000",
		"--api-keys", "alice=" + key + ",bob=" + other}, args...)...)
	cmd.Env = append(cmd.Env, "NATS_URL="+natsURL, "FARWIRE_BROWSER=none")
	if w.redis != nil {
		cmd.Env = append(cmd.Env, "REDIS_URL=redis://"+w.redis.Addr)
	}
	return harness.StartGateway(w.t, cmd)
}

// agent starts one that knows these gateways.
func (w *world) agent(slug string, links int, gateways ...*harness.Gateway) *harness.TestProcess {
	w.t.Helper()
	var urls []string
	for _, g := range gateways {
		urls = append(urls, g.HTTP(""))
	}
	return w.agentAt(slug, links, urls...)
}

func (w *world) agentAt(slug string, links int, gateways ...string) *harness.TestProcess {
	w.t.Helper()
	args := []string{"agent", "--slug", slug, "--country", "DE", "--secret", agentSecret, "--allow-private", "--links", fmt.Sprint(links)}
	for _, g := range gateways {
		args = append(args, "--gateway", g)
	}
	return harness.Start(w.t, harness.Farwire(w.t, args...))
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(harness.Timeout); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within %v: %s", harness.Timeout, what)
		}
	}
}

// call sends a request with a key and decodes what comes, if it is JSON.
func (w *world) call(method, address, key string, v any) int {
	w.t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if v != nil {
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
			w.t.Fatalf("%s %s: %v", method, address, err)
		}
	}
	return resp.StatusCode
}

// holders are the names of the gateways that hold each agent, as one of them sees it.
func (w *world) holders(g *harness.Gateway) map[string][]string {
	w.t.Helper()
	var network struct {
		Agents []struct {
			Slug     string
			Gateways []string
		}
	}
	if status := w.call(http.MethodGet, g.HTTP("/network"), key, &network); status != http.StatusOK {
		w.t.Fatalf("/network: %d", status)
	}
	by := map[string][]string{}
	for _, a := range network.Agents {
		by[a.Slug] = a.Gateways
	}
	return by
}

// awaitAgents waits until all gateways see these agents with so many links.
func (w *world) awaitAgents(links int, slugs []string, gateways ...*harness.Gateway) {
	w.t.Helper()
	for _, g := range gateways {
		w.eventually("agents are seen", func() bool {
			by := w.holders(g)
			return len(by) == len(slugs) && !slices.ContainsFunc(slugs, func(s string) bool { return len(by[s]) != links })
		})
	}
}

// A session is a relay that echoes.
type session struct {
	t    *testing.T
	conn *websocket.Conn
	n    int
}

func (w *world) try(g *harness.Gateway, key, slug string) (*session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	q := url.Values{"url": {w.target}, "api_key": {key}, "agent": {slug}}
	conn, resp, err := websocket.Dial(ctx, g.WS("/ws?"+q.Encode()), nil)
	if err != nil {
		if resp != nil && resp.Body != nil {
			b, _ := io.ReadAll(resp.Body) // whatever came of it
			return nil, fmt.Errorf("%w: %s", err, b)
		}
		return nil, err
	}
	w.t.Cleanup(func() { conn.CloseNow() })
	return &session{t: w.t, conn: conn}, nil
}

func (w *world) relay(g *harness.Gateway, slug string) *session {
	w.t.Helper()
	s, err := w.try(g, key, slug)
	if err != nil {
		w.t.Fatal(err)
	}
	s.echo()
	return s
}

// echo sends the next numbered frame, which must come back.
func (s *session) echo() {
	s.t.Helper()
	if err := s.tryEcho(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) tryEcho() error {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	s.n++
	want := fmt.Sprint("frame ", s.n)
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
		return err
	}
	if _, got, err := s.conn.Read(ctx); err != nil || string(got) != want {
		return fmt.Errorf("got %q, %w; want %q", got, err, want)
	}
	return nil
}

// wantClose waits for the session's end.
func (s *session) wantClose(code websocket.StatusCode, reason string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	_, _, err := s.conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != code || !strings.Contains(fmt.Sprint(err), reason) {
		s.t.Errorf("closed with %d, want %d %q: %v", got, code, reason, err)
	}
}

// keysFile writes a file of keys by their hashes.
func (w *world) keysFile(path string, hashes ...string) {
	w.t.Helper()
	var list []map[string]string
	for i, h := range hashes {
		list = append(list, map[string]string{"name": fmt.Sprint("file-", i), "key_sha256": h})
	}
	b, err := json.Marshal(list)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) folder() string { return filepath.Join(w.t.TempDir()) }

// ends returns the code that the session was closed with, or 0 when it goes on.
func (s *session) ends() websocket.StatusCode {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte("still there?")); err == nil {
		_, _, err = s.conn.Read(ctx)
		if err == nil {
			return 0
		}
		return websocket.CloseStatus(err)
	}
	_, _, err := s.conn.Read(ctx)
	return websocket.CloseStatus(err)
}
