package relay

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// The example programs of the specification run as they are printed there, but
// for the host, the key and the target, in front of a gateway that is reached
// directly and behind nginx with TLS.
func TestRelay_ProgramsOfTheSpecification_Work(t *testing.T) {
	certificate := harness.NewCertificate(t)
	cmd := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--allow-private", "--local-agent", "de1:DE")
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+certificate.CAFile)
	g := harness.StartGateway(t, cmd)
	// It answers once and closes, so that the programs end.
	echo := secureTarget(t, certificate, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		kind, message, err := c.Read(ctx)
		if err != nil {
			t.Errorf("the target read %v", err)
			return
		}
		if err := c.Write(ctx, kind, message); err != nil {
			t.Error(err)
		}
		c.Close(websocket.StatusNormalClosure, "")
	})
	nginx := harness.Nginx(t, certificate, g.Addr, "")

	for _, program := range []struct {
		file string
		run  func(testing.TB, string, ...string) *exec.Cmd
	}{{"relay.py", harness.Python}, {"relay.js", harness.Node}} {
		for name, gateway := range map[string]string{"plain": g.WS("/ws"), "nginx with TLS": "wss://" + nginx + "/ws"} {
			t.Run(program.file+", "+name, func(t *testing.T) {
				script := harness.Adapted(t, "testdata/seed/"+program.file, map[string]string{
					"wss://scraping-api.55-tech.com/ws": gateway,
					"YOUR_API_KEY":                      g.Key,
					"wss://echo.websocket.events":       echo,
				})
				cmd := program.run(t, script)
				cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+certificate.CAFile, "NODE_EXTRA_CA_CERTS="+certificate.CAFile)
				p := harness.Start(t, cmd)
				if status := p.Status(); status != 0 {
					t.Errorf("status %d: %s", status, p.Stderr)
				}
				want := "Connected via farwire-de1\nReceived: hello from scraping api\n"
				if got := p.Stdout.String(); got != want {
					t.Errorf("it printed %q, want %q", got, want)
				}
			})
		}
	}
}

// The terminal's client verifies the gateway's certificate like everybody else.
func TestTerminal_BehindNginx_VerifiesTheCertificate(t *testing.T) {
	certificate := harness.NewCertificate(t)
	g := harness.Serve(t)
	nginx := harness.Nginx(t, certificate, g.Addr, "")
	for _, trusted := range []bool{true, false} {
		cmd := harness.Farwire(t, "relay", "ws://echo.farwire.alt", "--gateway", "wss://"+nginx, "--key", g.Key)
		cmd.Stdin = strings.NewReader("one\ntwo\n")
		if trusted {
			cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+certificate.CAFile)
		}
		p := harness.Start(t, cmd)
		status, out, said := p.Status(), p.Stdout.String(), p.Stderr.String()
		switch {
		case trusted && (status != 0 || out != "one\ntwo\n"):
			t.Errorf("status %d, printed %q: %s", status, out, said)
		case !trusted && (status != 1 || out != "" || !strings.Contains(said, "certificate")):
			t.Errorf("without trust: status %d, printed %q: %s", status, out, said)
		}
	}
}
