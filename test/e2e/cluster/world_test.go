package cluster_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A cluster is the one of the page. Callers have a key each, because a key has
// a limit.
type cluster struct {
	t                *testing.T
	page             *page
	alice, bob       string
	gateways         [2]*harness.Gateway
	front            string // nginx, for clients: host:port
	agents           map[string]*harness.TestProcess
	certificate      *harness.Certificate
	db, redis, nats  *harness.Server
	bucket           *harness.S3Server
	http             *http.Client
	gatewayVariables []string
	agentSecret      string
}

// newCluster starts everything, as the page has it.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		t: t, page: readPage(t), alice: rand.Text(), bob: rand.Text(), agents: make(map[string]*harness.TestProcess),
		certificate: harness.NewCertificate(t),
		db:          harness.Postgres(t), redis: harness.Redis(t), nats: harness.NATS(t), bucket: harness.S3(t),
	}
	transport := &http.Transport{TLSClientConfig: c.certificate.Client(), DisableKeepAlives: true}
	c.http = &http.Client{Transport: transport, Timeout: harness.Timeout}
	t.Cleanup(transport.CloseIdleConnections)

	c.agentSecret = rand.Text()
	c.gatewayVariables = c.page.variables("gateway.env", map[string]string{
		"FARWIRE_API_KEYS":     "alice=" + c.alice + ",bob=" + c.bob,
		"FARWIRE_TOKEN_SECRET": rand.Text() + rand.Text(),
		"FARWIRE_AGENT_SECRET": c.agentSecret,

		"FARWIRE_TRUSTED_PROXIES": "127.0.0.1",

		"DATABASE_URL":  c.db.URL,
		"REDIS_URL":     "redis://" + c.redis.Addr,
		"NATS_URL":      c.nats.URL,
		"S3_ENDPOINT":   c.bucket.Endpoint,
		"S3_BUCKET":     c.bucket.Bucket,
		"S3_ACCESS_KEY": c.bucket.AccessKey,
		"S3_SECRET_KEY": c.bucket.SecretKey,
		"S3_PUBLIC_URL": "https://files.test",
	})
	front := harness.Listen(t)
	c.front = port(front)
	for i := range c.gateways {
		c.gateways[i] = c.startGateway(i, harness.FreeAddr(t)) // the one that is killed comes back there
	}
	harness.NginxConf(t, c.nginx(c.gateways, c.front), front)
	for _, slug := range []string{"at1", "de1", "de2"} {
		c.agents[slug] = c.startAgent("agent "+slug, "https://gateway.example.com", "https://"+c.front)
	}
	for i := range c.gateways {
		c.awaitAgents(i)
	}
	return c
}

// nginx is the page's file for these gateways.
func (c *cluster) nginx(gateways [2]*harness.Gateway, front string) string {
	c.t.Helper()
	return c.page.block("nginx.conf",
		"/etc/ssl/gateway.pem", c.certificate.CertFile, "/etc/ssl/gateway.key", c.certificate.KeyFile,
		"10.0.0.11:8080", gateways[0].Addr, "10.0.0.12:8080", gateways[1].Addr,
		"listen 443 ssl;\n    server_name gateway.example.com;", listen(front))
}

// startAgent starts an agent by a command of the page.
func (c *cluster) startAgent(block string, words ...string) *harness.TestProcess {
	c.t.Helper()
	cmd := c.page.command(block, words, "--allow-private") // what they reach here is on loopback
	cmd.Env = append(cmd.Env, "FARWIRE_SECRET="+c.agentSecret, "SSL_CERT_FILE="+c.certificate.CAFile)
	return harness.Start(c.t, cmd)
}

func port(ln *net.TCPListener) string {
	return fmt.Sprintf("localhost:%d", ln.Addr().(*net.TCPAddr).Port)
}

// listen is what nginx listens on here instead of a name of the page.
func listen(addr string) string {
	return "listen " + strings.Replace(addr, "localhost", "127.0.0.1", 1) + " ssl;\n    server_name localhost;"
}

// startGateway starts a gateway by the command of the page.
func (c *cluster) startGateway(i int, addr string) *harness.Gateway {
	c.t.Helper()
	cmd := c.page.command(fmt.Sprintf("gateway %d", i+1), []string{fmt.Sprintf("10.0.0.1%d:8080", i+1), addr}, "--admin-listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, c.gatewayVariables...)
	return harness.StartGateway(c.t, cmd)
}

// metric returns the value of a gateway's metric.
func (c *cluster) metric(i int, name string) string {
	c.t.Helper()
	g := c.gateways[i]
	resp, err := c.http.Get(g.Await(g.Stderr, `(http://\S+)/metrics`)[1] + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(text)
	if m == nil {
		c.t.Fatalf("gateway %d does not tell %s", i+1, name)
	}
	return string(m[1])
}

// fallbacks returns how often each gateway has answered from its own share of
// the limits.
func (c *cluster) fallbacks() (n [2]string) {
	c.t.Helper()
	for i := range n {
		n[i] = c.metric(i, `farwire_limiter_answers_total{source="fallback"}`)
	}
	return n
}

// awaitNetwork waits until a gateway reaches all three agents, whoever holds them.
func (c *cluster) awaitNetwork(i int) {
	c.t.Helper()
	c.await(harness.Timeout, func() bool {
		req, err := http.NewRequest(http.MethodGet, c.through(i).url("/network"), nil)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("X-API-Key", c.alice)
		var answer struct{ Agents []struct{ Slug string } }
		return c.do(req, &answer) == http.StatusOK && len(answer.Agents) == 3
	}, "all agents are reached")
}

// awaitAgents waits until a gateway has a link of its own to all three agents.
func (c *cluster) awaitAgents(i int) {
	c.t.Helper()
	for _, slug := range []string{"at1", "de1", "de2"} {
		c.gateways[i].Await(c.gateways[i].Stderr, `msg="agent attached" .*slug=`+slug)
	}
}

// A dialler knows where its sessions begin: at nginx, or at one gateway.
type dialler struct {
	c    *cluster
	base string // ws://… or wss://…
}

func (c *cluster) throughNginx() dialler  { return dialler{c, "wss://" + c.front} }
func (c *cluster) through(i int) dialler  { return dialler{c, "ws://" + c.gateways[i].Addr} }
func (d dialler) url(path string) string  { return "http" + strings.TrimPrefix(d.base, "ws") + path }
func (d dialler) String() string          { return d.base }
func (c *cluster) client() *websocketDial { return &websocketDial{HTTPClient: c.http} }

type websocketDial = websocket.DialOptions

// A session is a relay to an echo.
type session struct {
	t    *testing.T
	conn *websocket.Conn
	node string // the agent's id; empty: it was refused
	text string // the gateway's error message
}

// relay asks for a session. Members of the message are given in pairs.
func (d dialler) relay(key, target string, more ...string) *session {
	d.c.t.Helper()
	s, err := d.tryRelay(key, target, more...)
	if err != nil {
		d.c.t.Fatalf("%s: %v", d, err)
	}
	return s
}

func (d dialler) tryRelay(key, target string, more ...string) (*session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, d.base+"/ws", d.c.client())
	if err != nil {
		return nil, err
	}
	d.c.t.Cleanup(func() { conn.CloseNow() })
	message := map[string]string{"apiKey": key, "url": target}
	for i := 0; i < len(more); i += 2 {
		message[more[i]] = more[i+1]
	}
	b, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, b); err != nil {
		return nil, err
	}
	_, b, err = conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Type, Message string
		Node          string `json:"node_id"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("%w: %s", err, b)
	}
	return &session{d.c.t, conn, answer.Node, answer.Message}, nil
}

// echo sends a message and gets it back.
func (s *session) echo(text string) error {
	if s.node == "" {
		return fmt.Errorf("not connected: %s", s.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	if _, b, err := s.conn.Read(ctx); err != nil || string(b) != text {
		return fmt.Errorf("the echo of %q is %q, %w", text, b, err)
	}
	return nil
}

func (s *session) mustEcho() {
	s.t.Helper()
	if err := s.echo("hello"); err != nil {
		s.t.Fatal(err)
	}
}

// token changes a key for a token.
func (d dialler) token(key string) string {
	d.c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, d.url("/auth/token"), nil)
	if err != nil {
		d.c.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	var answer struct{ Token string }
	if status := d.c.do(req, &answer); status != http.StatusOK {
		d.c.t.Fatalf("%s: no token: %d", d, status)
	}
	return answer.Token
}

// usage asks what a caller has used, and returns the status.
func (d dialler) usage(key string, answer any) int {
	d.c.t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.url("/usage"), nil)
	if err != nil {
		d.c.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	return d.c.do(req, answer)
}

func (c *cluster) do(req *http.Request, answer any) int {
	c.t.Helper()
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode < 300 && answer != nil {
		if err := json.Unmarshal(body, answer); err != nil {
			c.t.Fatalf("%v: %s", err, body)
		}
	}
	return resp.StatusCode
}

func (c *cluster) await(within time.Duration, ok func() bool, what string) {
	c.t.Helper()
	for late := time.Now().Add(within); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(late) {
			c.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// pathWith returns a PATH with the program of this repository in front.
func pathWith(t *testing.T) string {
	t.Helper()
	return "PATH=" + filepath.Dir(harness.Farwire(t).Path) + string(os.PathListSeparator) + os.Getenv("PATH")
}
