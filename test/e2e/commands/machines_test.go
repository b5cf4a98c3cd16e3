package commands

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// twoMachines runs both commands of the README's two machines, with a proxy for TLS in
// front of the gateway, and the other --gateway that is said there.
func twoMachines(w *world, _ string) {
	all := commands(w.t)
	serve, ok := all["README.md: farwire serve --listen 0.0.0.0:8080 --api-keys alice=YOUR_API_KEY --agent-secret SHARED_SECRET"]
	agent, both := all["README.md: farwire agent --gateway https://gateway.example.com --secret SHARED_SECRET --slug at1 --country AT"]
	if !ok || !both {
		w.t.Fatal("the README has no two machines")
	}
	key, secret := strings.TrimSpace(w.run("openssl rand -hex 16")), strings.TrimSpace(w.run("openssl rand -hex 16"))
	g := w.start(w.words(serve.code, "0.0.0.0:8080", "127.0.0.1:0", "YOUR_API_KEY", key, "SHARED_SECRET", secret))
	gateway := g.Await(g.Stderr, `(?m)^listening on (http://\S+)$`)[1]

	u, err := url.Parse(gateway)
	if err != nil {
		w.t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(u))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{w.certificate.TLS}}
	front.StartTLS()
	w.t.Cleanup(front.Close)
	try := func(line, slug string) {
		w.start(line)
		g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug+` `) // which it says after the agent
		got := w.run("echo hello | farwire relay --gateway " + gateway + " --key " + key + " --geo AT --agent " + slug + " ws://echo.farwire.alt")
		if got != "hello\n" {
			w.t.Errorf("through %s: %q", slug, got)
		}
		if got := w.run("farwire agents --json --gateway " + gateway + " --key " + key); !strings.Contains(got, `"`+slug+`"`) {
			w.t.Errorf("/network is %s", got)
		}
	}
	try(w.words(agent.code, "https://gateway.example.com", front.URL, "SHARED_SECRET", secret), "at1")

	text, err := os.ReadFile(repository + "/README.md")
	if err != nil {
		w.t.Fatal(err)
	}
	clear := regexp.MustCompile("`(--gateway http://gateway.example.com:8080 --allow-cleartext)`").FindStringSubmatch(string(text))
	if clear == nil {
		w.t.Fatal("the README does not say how to do without TLS")
	}
	try(w.words(agent.code, "--gateway https://gateway.example.com", w.words(clear[1], "http://gateway.example.com:8080", gateway), "SHARED_SECRET", secret, "at1", "at2"), "at2")
}

var (
	message = regexp.MustCompile("(?s)```json\n(\\{\n  \"apiKey\".*?)```")
	direct  = regexp.MustCompile("```text\n(wss://gateway.example.com/ws\\?\\S+)\n```")
)

// The README's message and its URL open a relay, the message through a proxy that asks
// for a name and a password.
func TestREADME_MessageAndQuery_OpenRelays(t *testing.T) {
	w := newWorld(t)
	text, err := os.ReadFile(repository + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	first, second := message.FindStringSubmatch(string(text)), direct.FindStringSubmatch(string(text))
	if first == nil || second == nil {
		t.Fatalf("the README has a message: %t; a URL: %t", first != nil, second != nil)
	}
	behind := w.gateway("--socks-listen", "127.0.0.1:0")
	socks := behind.Await(behind.Stderr, `msg="listening for SOCKS5" addr=(\S+)`)[1]
	g := w.gateway()
	target := w.target()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
	defer cancel()
	dial := func(url string) *websocket.Conn {
		conn, resp, err := websocket.Dial(ctx, url, nil)
		if err != nil {
			t.Fatalf("%v, %v", err, resp)
		}
		t.Cleanup(func() { conn.CloseNow() })
		return conn
	}
	talk := func(conn *websocket.Conn, say, want string) {
		t.Helper()
		if err := conn.Write(ctx, websocket.MessageText, []byte(say)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := conn.Read(ctx); err != nil || !strings.Contains(string(b), want) {
			t.Fatalf("the answer is %q, %v; want %q", b, err, want)
		}
	}
	conn := dial(g.WS("/ws"))
	talk(conn, w.words(first[1], "YOUR_API_KEY", g.Key, "target.example.com", target, "user:pass@host:1080", "user:"+behind.Key+"@"+socks),
		`{"type":"connected","status":101,"node_id":"farwire-de1"`)
	talk(conn, "hello", "hello")

	talk(dial(w.words(second[1], "wss://gateway.example.com", g.WS(""), "wss%3A%2F%2Ftarget.example.com%2Fgraphql", "ws%3A%2F%2Fecho.farwire.alt%2Fgraphql", "YOUR_API_KEY", g.Key)), "hello", "hello")
}
