package amqp_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

func TestErrors_EachKind_IsReadable(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	nobody, err := harness.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		changes fields
		want    string
		code    float64
	}{
		{"refused", fields{"port": nobody[0]}, "agent error: connection refused", 1011},
		{"unknown host", fields{"host": "broker.invalid"}, "agent error: no such host", 1011},
		{"wrong password", fields{"password": "secret-that-is-wrong"}, "agent error: username or password refused", 1011},
		{"unknown user", fields{"username": "who"}, "agent error: username or password refused", 1011},
		{"no user", fields{"username": "", "password": ""}, "agent error: username or password refused", 1011},
		{"unknown vhost", fields{"virtual_host": "nope"}, `agent error: virtual host "nope" not found`, 1011},
		{"forbidden vhost", fields{"username": rabbitmq.Guest, "password": rabbitmq.GuestSecret},
			"agent error: no permission: access to vhost '" + v + "' refused for user 'nobody'", 1011},
		{"no permission", fields{"virtual_host": "/", "username": rabbitmq.Guest, "password": rabbitmq.GuestSecret, "queue_prefix": "mine"},
			"agent error: no permission: access to queue 'mine_de1_* in vhost '/' refused for user 'nobody'", 1011},
		{"reserved queue", fields{"queue_prefix": "amq."}, "agent error: no permission: queue name 'amq.*", 1011},
		{"unknown exchange", fields{"exchange": "nope"}, `agent error: exchange "nope" not found`, 1011},
		{"plain to a TLS port", fields{"port": node.TLSPort}, "agent error: the broker speaks TLS on this port; did you mean ssl: true?", 1011},
		{"TLS to a plain port", fields{"ssl": true}, "agent error: TLS: no TLS on this port; did you mean ssl: false?", 1011},
		{"certificate for another host", fields{"ssl": true, "port": node.TLSPort, "host": "127.0.0.2"}, "", 1011},
		{"pinned agent away", fields{"agent": "us9"}, "no agent is attached that fits agent us9", 1011},
		{"no agent in the country", fields{"geo": "US,FR"}, "no agent is attached that fits geo US,FR", 1011},
		{"HTTP", fields{"port": port(harness.Conns(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); io.Copy(io.Discard, c) }))},
			"agent error: the target does not speak AMQP 0-9-1", 1011},
		{"AMQP 1.0", fields{"port": port(harness.Conns(t, func(c net.Conn) { io.WriteString(c, "AMQP\x00\x01\x00\x00"); io.Copy(io.Discard, c) }))},
			"agent error: the target speaks AMQP 1.0, not AMQP 0-9-1", 1011},
		{"hangs up", fields{"port": port(harness.Conns(t, func(c net.Conn) { io.CopyN(io.Discard, c, 8) }))}, "agent error: the broker closed the connection", 1011},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := ask(v, c.changes)
			s := open(t, srv.URL, body)
			e := s.want("error")
			s.ends()
			message, _ := e.data["message"].(string)
			if before, after, ok := strings.Cut(c.want, "*"); ok && strings.HasPrefix(message, before) && strings.HasSuffix(message, after) {
				// as wanted
			} else if c.want != "" && message != c.want {
				t.Errorf("message %q, want %q", message, c.want)
			}
			if reason, _ := e.data["reason"].(string); e.data["code"] != c.code || reason == "" || len(e.data) != 3 {
				t.Errorf("event %s", e.raw)
			}
			for _, secret := range []string{rabbitmq.AdminSecret, rabbitmq.GuestSecret, "secret-that-is-wrong", "127.0.0.1", "[::1]", "dial tcp"} {
				if strings.Contains(e.raw, secret) {
					t.Errorf("%s tells %q", e.raw, secret)
				}
			}
		})
	}
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

func TestTLS_UntrustedCertificate_IsRefused(t *testing.T) {
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: local(t), RootCAs: x509.NewCertPool()})
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t, gw)
	s := open(t, srv.URL, ask("/", fields{"ssl": true, "port": node.TLSPort}))
	if e := s.want("error"); e.data["message"] != "agent error: TLS: certificate signed by an unknown authority" || e.data["code"] != 1011.0 {
		t.Errorf("%s", e.raw)
	}
	_, srv = gateway(t, farwire.Options{})
	s = open(t, srv.URL, ask("/", fields{"ssl": true, "port": node.TLSPort, "host": "127.0.0.2"}))
	if e := s.want("error"); e.data["code"] != 1011.0 || !strings.HasPrefix(e.data["message"].(string), "agent error: ") {
		t.Errorf("%s", e.raw)
	}
	// A name that reaches the broker and stands in no certificate.
	exit := local(t)
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, fmt.Sprint("127.0.0.1:", node.TLSPort))
	}
	_, srv = gateway(t, farwire.Options{Agents: exit})
	s = open(t, srv.URL, ask("/", fields{"ssl": true, "host": "other.example"}))
	if e := s.want("error"); e.data["message"] != "agent error: TLS: certificate is not valid for this host" {
		t.Errorf("%s", e.raw)
	}
}

func TestGuard_ForbiddenBroker_IsRefused(t *testing.T) {
	guarded, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, srv := gateway(t, farwire.Options{Agents: guarded})
	for _, host := range []string{"127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254"} {
		s := open(t, srv.URL, ask("/", fields{"host": host}))
		e := s.want("error")
		s.ends()
		if m := e.data["message"].(string); !strings.HasPrefix(m, "target refused: ") || !strings.Contains(m, host) || e.data["code"] != 1008.0 {
			t.Errorf("%s", e.raw)
		}
	}
}

// A broker that never answers costs the twenty seconds of the contract, and a
// comment tells the client meanwhile that somebody is there.
func TestConnect_SilentBroker_TimesOut(t *testing.T) {
	silent := harness.Conns(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	_, srv := gateway(t, farwire.Options{})
	for _, c := range []fields{{"port": port(silent)}, {"port": port(silent), "ssl": true}} {
		t.Run(fmt.Sprint("ssl ", c["ssl"]), func(t *testing.T) {
			t.Parallel()
			s := open(t, srv.URL, ask("/", c))
			begin := time.Now()
			for _, want := range []string{": the stream is open\n", "\n", ": still here\n"} {
				if line, err := s.r.ReadString('\n'); err != nil || line != want {
					t.Errorf("%q, %v", line, err)
				}
			}
			if e := s.want("error"); e.data["message"] != "agent error: timed out" || e.data["code"] != 1011.0 {
				t.Errorf("%s", e.raw)
			}
			if d := time.Since(begin); d > 40*time.Second {
				t.Errorf("after %v", d)
			}
			s.ends()
		})
	}
}

func TestRequest_Invalid_AnswersHTTPError(t *testing.T) {
	gw, srv := gateway(t, farwire.Options{})
	do := func(method, contentType, body, apiKey string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest(method, srv.URL+"/amqp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("X-API-Key", apiKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	if resp, body := do("POST", "text/plain", "{}", key); resp.StatusCode != 415 || !strings.Contains(body, `"detail"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if err := gw.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	resp, body := do("POST", "application/json", `{"host": "x"}`, key)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "draining") {
		t.Errorf("%s %s", resp.Status, body)
	}
}
