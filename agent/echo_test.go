package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/agent"
)

// clientThrough is an HTTP client whose connections go through an exit.
func clientThrough(t *testing.T, e agent.Exit) *http.Client {
	tr := &http.Transport{DialContext: e.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// Every agent answers the echo itself: one of this process and one behind a
// tunnel, neither of which may reach a private address.
func TestEcho_ThroughAnyAgent_Answers(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "de1", Country: "DE"})
	attached(t, p, 1)
	here, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]agent.Exit{"direct": here, "pool": selectOne(t, p, agent.Query{Slugs: []string{"de1"}})} {
		t.Run(name, func(t *testing.T) {
			client := clientThrough(t, e)
			for _, host := range []string{"echo.farwire.alt", "ECHO.farwire.alt."} {
				ws, _, err := websocket.Dial(withTimeout(t), "ws://"+host+"/any/path", &websocket.DialOptions{
					HTTPClient: client, Subprotocols: []string{"chat"}})
				if err != nil {
					t.Fatal(err)
				}
				if ws.Subprotocol() != "chat" {
					t.Errorf("subprotocol %q", ws.Subprotocol())
				}
				ws.SetReadLimit(-1)
				long := strings.Repeat("farwire ", 100_000)
				for _, say := range []string{"hello", "", long} {
					wrote := make(chan error, 1)
					go func() { wrote <- ws.Write(withTimeout(t), websocket.MessageText, []byte(say)) }()
					if kind, got, err := ws.Read(withTimeout(t)); err != nil || kind != websocket.MessageText || string(got) != say {
						t.Fatalf("%d bytes came back as %d, %v", len(say), len(got), err)
					}
					if err := <-wrote; err != nil {
						t.Fatal(err)
					}
				}
				if err := ws.Close(4000, "bye"); err != nil {
					t.Errorf("close: %v", err)
				}
			}
			resp, err := client.Post("http://echo.farwire.alt/a?b=c", "text/x-test", strings.NewReader("the body"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(body) != "the body" || resp.Header.Get("Content-Type") != "text/x-test" ||
				resp.Header.Get("X-Echo-Method") != "POST" || resp.Header.Get("X-Echo-Path") != "/a?b=c" {
				t.Errorf("%s %v %q, %v", resp.Status, resp.Header, body, err)
			}
			if resp, err = client.Get("http://echo.farwire.alt/a?b=c"); err != nil {
				t.Fatal(err)
			}
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.Contains(string(body), `"path":"/a?b=c"`) {
				t.Errorf("%s %q, %v", resp.Status, body, err)
			}
			if _, err := e.DialContext(t.Context(), "tcp", "echo.farwire.alt:443"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("another port: %v", err)
			}
			only := agent.WithRules(t.Context(), agent.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}})
			var de *agent.DialError
			if _, err := e.DialContext(only, "tcp", "echo.farwire.alt:80"); !errors.As(err, &de) || de.Fault != agent.FaultPolicy {
				t.Errorf("under rules that allow an address alone: %v", err)
			}
		})
	}
}

// A connection to the echo that is closed leaves nothing behind: TestMain looks
// for goroutines.
func TestEcho_ClientLeaves_Ends(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"", "GET / HTTP/1.1\r\n", "nonsense\r\n\r\n"} {
		c, err := e.DialContext(context.Background(), "tcp", net.JoinHostPort(agent.EchoHost, "80"))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		io.WriteString(c, say)
		c.Close()
	}
}
