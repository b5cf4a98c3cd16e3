package network_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

const agentSecret = "the-agent-secret-of-a-test"

// serve starts a gateway with no agent of its own that takes agents.
func serve(t *testing.T, args ...string) *harness.Gateway {
	t.Helper()
	return harness.Serve(t, append([]string{"--local-agent", "none", "--agent-secret", agentSecret, "--rate", "1000"}, args...)...)
}

// startAgent starts an agent with the shared secret that reaches everything,
// and waits until it can be used.
func startAgent(t *testing.T, g *harness.Gateway, slug string, args ...string) *harness.TestProcess {
	t.Helper()
	p := newAgent(t, nil, append([]string{"--gateway", "http://" + g.Addr, "--secret", agentSecret,
		"--slug", slug, "--country", "DE", "--allow-private"}, args...)...)
	awaitAttached(p, g, slug)
	return p
}

// awaitAttached waits until both sides say that the agent is there.
func awaitAttached(p *harness.TestProcess, g *harness.Gateway, slug string) {
	p.Await(p.Stderr, `msg=attached .*agent=farwire-`+slug)
	g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug)
}

// newAgent starts an agent, which must stop with status 0 at the end.
func newAgent(t *testing.T, env []string, args ...string) *harness.TestProcess {
	t.Helper()
	cmd := harness.Farwire(t, append([]string{"agent"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	p := harness.Start(t, cmd)
	t.Cleanup(func() {
		select {
		case <-p.Done():
		default:
			p.Send(harness.Terminate) // unless it ends by itself just now
			if status := p.Status(); status != 0 {
				t.Errorf("an agent ended with status %d; its standard error:\n%s", status, p.Stderr)
			}
		}
	})
	return p
}

// target is a WebSocket server that sends every message back, and counts who
// has come.
func target(t *testing.T) (url string, came *atomic.Int64) {
	t.Helper()
	came = new(atomic.Int64)
	return harness.Target(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		came.Add(1)
		harness.Echo(ctx, c, r)
	}), came
}

// A session is a client's socket after its first message.
type session struct {
	t    *testing.T
	conn *websocket.Conn
	node string // the agent's id; empty: it was refused
	text string // the gateway's error message
}

// open asks a gateway for a session. Members of the message are given in pairs.
func open(t *testing.T, g *harness.Gateway, url string, more ...string) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, g.WS("/ws"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	message := map[string]string{"apiKey": g.Key, "url": url}
	for i := 0; i < len(more); i += 2 {
		message[more[i]] = more[i+1]
	}
	b, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(ctx, websocket.MessageText, b); err != nil {
		t.Fatal(err)
	}
	_, b, err = conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Type, Message string
		Node          string `json:"node_id"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return &session{t, conn, answer.Node, answer.Message}
}

// mustEcho sends a message and gets it back.
func (s *session) mustEcho() {
	s.t.Helper()
	if s.node == "" {
		s.t.Fatalf("not connected: %s", s.text)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatal(err)
	}
	if _, b, err := s.conn.Read(ctx); err != nil || string(b) != "hello" {
		s.t.Fatalf("the echo is %q, %v", b, err)
	}
}

// mustBeRefused wants an error message with each of the words, and a close code.
func (s *session) mustBeRefused(code websocket.StatusCode, words ...string) {
	s.t.Helper()
	if s.node != "" {
		s.t.Fatalf("connected through %s", s.node)
	}
	for _, w := range words {
		if !strings.Contains(s.text, w) {
			s.t.Errorf("the error is %q and does not say %q", s.text, w)
		}
	}
	if got := s.closed(); got != code {
		s.t.Errorf("closed with %d, want %d", got, code)
	}
}

// closed waits for the close frame and returns its code, -1 if no close frame comes.
func (s *session) closed() websocket.StatusCode {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*deadLink)
	defer cancel()
	_, b, err := s.conn.Read(ctx)
	if err == nil {
		s.t.Fatalf("there is a message: %q", b)
	}
	return websocket.CloseStatus(err)
}

func (s *session) close() {
	s.t.Helper()
	if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		s.t.Fatal(err)
	}
}

// An agentInfo is a line of GET /network.
type agentInfo struct {
	ID, Slug, Country, State, Version string
	Sessions                          int
	RTT                               float64 `json:"rtt_ms"`
}

// network asks a gateway for its agents.
func network(g *harness.Gateway) ([]agentInfo, error) {
	req, err := http.NewRequest(http.MethodGet, g.HTTP("/network"), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", g.Key)
	client := &http.Client{Timeout: harness.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(string(body))
	}
	var list struct{ Agents []agentInfo }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	return list.Agents, nil
}

// awaitNetwork asks for the agents again and again until they are as wanted.
func awaitNetwork(t *testing.T, g *harness.Gateway, want func([]agentInfo) bool) {
	t.Helper()
	var list []agentInfo
	var err error
	for late := time.Now().Add(harness.Timeout); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if list, err = network(g); err == nil && want(list) {
			return
		}
	}
	t.Fatalf("the network stays %+v, %v", list, err)
}

// idle reports whether there is but one agent and it has no session.
func idle(list []agentInfo) bool { return len(list) == 1 && list[0].Sessions == 0 }

func writeFile(t *testing.T, text string) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
