//go:build unix

package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

const agentSecret = "secret-of-the-agents-0123"

// Proxies stand in front of a gateway as the page has them.
func TestFront_ProxiesOfThePage_Work(t *testing.T) {
	broker, err := rabbitmq.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	for name, start := range map[string]func(*testing.T, *harness.Gateway, *harness.Certificate) string{"nginx": nginx, "Caddy": caddy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := harness.Serve(t, "--allow-private", "--agent-secret", agentSecret, "--trusted-proxies", proxyOfThePage(t))
			c := harness.NewCertificate(t)
			passes(t, g, c, broker, start(t, g, c))
		})
	}
}

// proxyOfThePage is what the page has the gateway trust.
func proxyOfThePage(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile("`FARWIRE_TRUSTED_PROXIES=(\\S+)`").FindStringSubmatch(read(t, repository+"/docs/operating.md"))
	if m == nil {
		t.Fatal("the page has the gateway trust no proxy")
	}
	return m[1]
}

// nginx starts one as the page has it.
func nginx(t *testing.T, g *harness.Gateway, c *harness.Certificate) (addr string) {
	t.Helper()
	ln := harness.Listen(t)
	addr = ln.Addr().String()
	harness.NginxConf(t, pageBlock(t, "nginx.conf",
		"listen 443 ssl;", "listen "+addr+" ssl;",
		"server_name gateway.example.com;", "server_name localhost;",
		"/etc/ssl/gateway.pem", c.CertFile, "/etc/ssl/gateway.key", c.KeyFile,
		"127.0.0.1:8080", g.Addr), ln)
	return addr
}

// caddy starts one as the page has it, with a certificate of the test's: here is
// nobody who would give it one for the name.
func caddy(t *testing.T, g *harness.Gateway, c *harness.Certificate) (addr string) {
	t.Helper()
	program := harness.Look(t, "caddy")
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	env := harness.Environ("HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)

	// First, to the letter.
	if err := os.WriteFile(file, []byte(pageBlock(t, "Caddyfile")), 0o600); err != nil {
		t.Fatal(err)
	}
	validate := exec.Command(program, "validate", "--config", file, "--adapter", "caddyfile")
	validate.Env = env
	if out, err := validate.CombinedOutput(); err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, out)
	}

	addr = "localhost:" + portOf(harness.FreeAddr(t)) // Caddy takes no socket from its parent
	text := pageBlock(t, "Caddyfile",
		"gateway.example.com {", "https://"+addr+" {\n    bind 127.0.0.1\n    tls "+c.CertFile+" "+c.KeyFile,
		"127.0.0.1:8080", g.Addr)
	text = "{\n    admin off\n    auto_https disable_redirects\n}\n" + text
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(program, "run", "--config", file, "--adapter", "caddyfile")
	run.Env = env
	p := harness.Start(t, run)
	p.Await(p.Stderr, `serving initial configuration`)
	return addr
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// passes does through a proxy what clients and agents do: a relay, an event
// stream, a crawl, and an agent that attaches.
func passes(t *testing.T, g *harness.Gateway, c *harness.Certificate, broker *rabbitmq.Node, addr string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c.Client(), DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: harness.Timeout}
	t.Run("relay", func(t *testing.T) { echo(t, client, "wss://"+addr+"/ws", g.Key) })
	t.Run("stream", func(t *testing.T) { streams(t, client, g, broker, "https://"+addr+"/amqp") })
	t.Run("address", func(t *testing.T) {
		const elsewhere = "127.0.0.2"
		from := transport.Clone()
		from.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(elsewhere)}}).DialContext
		echo(t, &http.Client{Transport: from, Timeout: harness.Timeout}, "wss://"+addr+"/ws", g.Key)
		g.Await(g.Stderr, `msg="session ended" .*client=`+regexp.QuoteMeta(elsewhere)+` `)
	})
	t.Run("crawl", func(t *testing.T) { crawls(t, client, g, "wss://"+addr+"/ws/crawl") })
	t.Run("agent", func(t *testing.T) {
		cmd := harness.Farwire(t, "agent", "--gateway", "https://"+addr, "--secret", agentSecret, "--slug", "at1", "--country", "AT", "--allow-private")
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+c.CAFile)
		harness.Start(t, cmd)
		g.Await(g.Stderr, `msg="agent attached" .*slug=at1`)
		echo(t, client, "wss://"+addr+"/ws?agent=at1", g.Key)
	})
}

// echo relays to the gateway's own echo and to a target of the test's when an
// agent is asked for, and has a large message come back.
func echo(t *testing.T, client *http.Client, url, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	url, agent, _ := strings.Cut(url, "?agent=")
	target := "ws://echo.farwire.alt"
	if agent != "" {
		target = harness.Target(t, harness.Echo)
	} else {
		agent = "local"
	}
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	say := func(text string) string {
		t.Helper()
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, b, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := say(fmt.Sprintf(`{"apiKey":%q,"url":%q,"agent":%q}`, key, target, agent)); !strings.Contains(got, `"connected"`) {
		t.Fatalf("the answer is %s", got)
	}
	for _, text := range []string{"hello", strings.Repeat("farwire ", 50_000)} {
		if got := say(text); got != text {
			t.Errorf("%d bytes came back as %d others", len(text), len(got))
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// streams has each event cross while the stream has no end, and the client's
// leaving, too.
func streams(t *testing.T, client *http.Client, g *harness.Gateway, broker *rabbitmq.Node, url string) {
	ask := fmt.Sprintf(`{"apiKey":%q,"host":"127.0.0.1","port":%d,"username":%q,"password":%q,"exchange":"amq.topic"}`,
		g.Key, broker.Port, rabbitmq.Admin, rabbitmq.AdminSecret)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("answered with %s %v", resp.Status, resp.Header)
	}
	await := harness.Lines(t, resp.Body)
	await("event: connected")
	for range 3 {
		if err := broker.Publish(map[string]amqp091.Publishing{"k": {Body: []byte("12345")}}); err != nil {
			t.Fatal(err)
		}
		await("event: message")
	}
	cancel()
	g.Await(g.Stderr, `msg="session ended" .*kind=amqp`)
}

func crawls(t *testing.T, client *http.Client, g *harness.Gateway, url string) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>Home</title><main><p>A page with one sentence of prose, which is enough for an excerpt.</p></main>")
	}))
	defer site.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"X-Api-Key": {g.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"url":"`+site.URL+`"}`)); err != nil {
		t.Fatal(err)
	}
	result := ""
	for {
		_, b, err := conn.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var m struct{ Type, Content string }
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "result" {
			result = m.Content
		}
	}
	if !strings.Contains(result, "one sentence of prose") {
		t.Errorf("the result is %q", result)
	}
}
