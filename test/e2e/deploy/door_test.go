//go:build unix

package deploy

import (
	"context"
	"crypto/tls"
	"encoding/json"

	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/harness"
)

var amqpLines = regexp.MustCompile("(?s)## AMQP\n\n```sh\n(.*?)```")

// The README's line for AMQP streams as it is printed, but for the names of the
// gateway, the key and the broker; without its header the answer names the header.
func TestREADME_CurlOfAMQP_Streams(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(repository + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	printed := amqpLines.FindStringSubmatch(string(text))
	if printed == nil {
		t.Fatal("the README has no line for AMQP")
	}
	c := harness.NewCertificate(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c.TLS}})
	if err != nil {
		t.Fatal(err)
	}
	broker := &brokertest.Broker{Serve: brokertest.OneMessage("a.key", "hello")}
	harness.ServeConns(t, ln, broker.Talk)

	serve := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--allow-private")
	serve.Env = append(serve.Env, "SSL_CERT_FILE="+c.CAFile, "FARWIRE_BROWSER=none")
	g := harness.StartGateway(t, serve)
	line := printed[1]
	for from, to := range map[string]string{"127.0.0.1:8080": g.Addr, "YOUR_API_KEY": g.Key, "broker.example.com": "localhost", "5671": portOf(ln.Addr().String())} {
		if !strings.Contains(line, from) {
			t.Fatalf("the README's line does not say %q: %s", from, line)
		}
		line = strings.ReplaceAll(line, from, to)
	}
	curl := harness.Start(t, exec.Command("sh", "-c", "exec "+line))
	curl.Await(curl.Stdout, `event: connected\n(?s:.*)event: message\ndata: \{"body":\s*"hello"`)

	bare := strings.Replace(line, "-H 'Content-Type: application/json'", "", 1)
	out, err := exec.Command("sh", "-c", bare).Output()
	if err != nil || bare == line || !strings.Contains(string(out), "add the header Content-Type: application/json") {
		t.Errorf("without the header: %v, %s", err, out)
	}
}

// far is a connection that is far away: what is sent through it arrives later.
func far(t *testing.T, to string, later time.Duration) (addr string) {
	t.Helper()
	ln := harness.Listen(t)
	t.Cleanup(func() { ln.Close() })
	pass := func(dst, src net.Conn) {
		defer dst.Close()
		type piece struct {
			b   []byte
			due time.Time
		}
		pieces := make(chan piece, 1024)
		go func() {
			defer close(pieces)
			for {
				b := make([]byte, 32<<10)
				n, err := src.Read(b)
				if n > 0 {
					pieces <- piece{b[:n], time.Now().Add(later)}
				}
				if err != nil {
					return
				}
			}
		}()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := dst.Write(p.b); err != nil {
				src.Close()
			}
		}
	}
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			gateway, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go pass(gateway, near)
			go pass(near, gateway)
		}
	}()
	return ln.Addr().String()
}

// Whichever agent chance picks answers the echo, also where no agent is in the
// gateway's process, and it answers from where it is: the way there is measured.
func TestEcho_EveryAgent_AnswersFromWhereItIs(t *testing.T) {
	t.Parallel()
	const away = 60 * time.Millisecond
	for name, local := range map[string]string{"with an agent in the process": "local:ZZ", "without": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := harness.Serve(t, "--agent-secret", agentSecret, "--local-agent", local, "--rate", "1000")
			distant := far(t, g.Addr, away)
			agents := map[string]string{"at1": g.Addr, "de1": g.Addr, "us1": distant}
			for slug, addr := range agents {
				harness.Start(t, harness.Farwire(t, "agent", "--gateway", "http://"+addr, "--secret", agentSecret, "--slug", slug, "--country", "AT"))
			}
			for slug := range agents {
				g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug+` `)
			}
			for range 16 {
				roundTrip(t, g, "")
			}
			for slug, addr := range agents {
				if took := roundTrip(t, g, slug); addr == distant && took < 2*away {
					t.Errorf("the echo of %s, which is %v away, comes back within %v", slug, away, took)
				}
			}
		})
	}
}

// roundTrip has a message come back from the echo.
func roundTrip(t *testing.T, g *harness.Gateway, agent string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
	defer cancel()
	query := url.Values{"url": {"ws://echo.farwire.alt"}, "api_key": {g.Key}}
	if agent != "" {
		query.Set("agent", agent)
	}
	conn, _, err := websocket.Dial(ctx, g.WS("/ws")+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatalf("the echo of agent %q: %v", agent, err)
	}
	defer conn.CloseNow()
	began := time.Now()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := conn.Read(ctx); err != nil || string(b) != "hello" {
		t.Fatalf("the echo of agent %q is %q, %v", agent, b, err)
	}
	took := time.Since(began)
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing: %v", err)
	}
	return took
}

// Where an agent is seen from stands in the log, in /network and in the table of farwire
// agents, as the proxy in front of the gateway has it. What ends cleanly is logged so.
func TestAgent_BehindTrustedProxy_PublicAddressIsShown(t *testing.T) {
	t.Parallel()
	const public = "93.184.216.34"
	g := harness.Serve(t, "--agent-secret", agentSecret, "--local-agent", "none", "--trusted-proxies", "127.0.0.1")
	u, err := url.Parse(g.HTTP(""))
	if err != nil {
		t.Fatal(err)
	}
	front := harness.QuietServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Header.Set("X-Forwarded-For", public)
	}})
	t.Cleanup(front.Close)
	agent := func(slug string) *harness.TestProcess {
		p := harness.Start(t, harness.Farwire(t, "agent", "--gateway", front.URL, "--secret", agentSecret, "--slug", slug, "--country", "AT"))
		g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug+` .*exit_ip=`+regexp.QuoteMeta(public))
		return p
	}
	stopped := agent("at1")
	agent("de1")

	status, body := ask(t, g.HTTP("/network"), g.Key)
	var network struct {
		Agents []struct {
			Slug   string
			ExitIP string `json:"exit_ip"`
		}
	}
	if err := json.Unmarshal([]byte(body), &network); err != nil || status != http.StatusOK || len(network.Agents) != 2 {
		t.Fatalf("/network: %d %s %v", status, body, err)
	}
	for _, a := range network.Agents {
		if a.ExitIP != public {
			t.Errorf("%s is at %q", a.Slug, a.ExitIP)
		}
	}
	table, err := harness.Farwire(t, "agents", "--gateway", g.HTTP(""), "--key", g.Key).Output()
	if err != nil || strings.Count(string(table), public) != 2 {
		t.Errorf("farwire agents: %v\n%s", err, table)
	}

	stopped.Signal(harness.Terminate)
	if status := stopped.Status(); status != 0 {
		t.Errorf("the agent ended with status %d", status)
	}
	g.Await(g.Stderr, `msg="agent detached" agent=farwire-at1 .*reason="agent has stopped"`)
	g.Stop()
	g.Await(g.Stderr, `msg="agent detached" agent=farwire-de1 .*reason="gateway is shutting down"`)
	if log := g.Stderr.String(); strings.Contains(log, "EOF") || strings.Contains(log, "level=WARN") {
		t.Errorf("a clean drain logs\n%s", log)
	}
}
