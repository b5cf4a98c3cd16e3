package network_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// Agents attach through a proxy that ends TLS, be it one that passes every
// Upgrade on or one that knows only WebSockets.
func TestAttach_ThroughNginx_Works(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		directives string
		passed     int // what becomes of an Upgrade that is no WebSocket's
	}{
		"any upgrade":     {"", http.StatusUnauthorized},
		"websockets only": {`if ($http_upgrade != "websocket") { return 403; }`, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			target, _ := target(t)
			g := serve(t)
			certificate := harness.NewCertificate(t)
			nginx := harness.Nginx(t, certificate, g.Addr, c.directives)

			// Without a secret, to see who answers.
			req, err := http.NewRequest(http.MethodGet, "https://"+nginx+"/agents/attach", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "farwire-agent")
			client := &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: certificate.Pool}, DisableKeepAlives: true,
			}}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.passed {
				t.Fatalf("nginx lets an Upgrade end with %s, and this test is about %d", resp.Status, c.passed)
			}

			a := newAgent(t, []string{"SSL_CERT_FILE=" + certificate.CAFile}, "--gateway", "https://"+nginx,
				"--secret", agentSecret, "--slug", "de1", "--country", "DE", "--allow-private")
			awaitAttached(a, g, "de1")
			open(t, g, target, "agent", "de1").mustEcho()
		})
	}

	t.Run("an authority that the agent does not trust", func(t *testing.T) {
		g := serve(t)
		nginx := harness.Nginx(t, harness.NewCertificate(t), g.Addr, "")
		a := newAgent(t, nil, "--gateway", "https://"+nginx, "--secret", agentSecret, "--slug", "de1", "--country", "DE")
		a.Await(a.Stderr, `gateway cannot be reached.*certificate`)
		if list, err := network(g); err != nil || len(list) != 0 {
			t.Errorf("the network is %v, %v", list, err)
		}
	})
}
