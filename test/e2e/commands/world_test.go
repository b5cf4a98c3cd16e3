package commands

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/harness"
)

// A world is a folder to paste commands in, with farwire on PATH.
type world struct {
	t           *testing.T
	dir         string
	certificate *harness.Certificate
	env         []string
}

// goRun is a go that knows how to run the program, which is compiled already.
const goRun = `#!/bin/sh
[ "$1 $2" = "run ./cmd/farwire" ] || { echo "go $*: only go run ./cmd/farwire is here" >&2; exit 97; }
shift 2
exec farwire "$@"
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), certificate: harness.NewCertificate(t)}
	bin := t.TempDir()
	if err := os.Symlink(harness.Farwire(t).Path, filepath.Join(bin, "farwire")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(goRun), 0o755); err != nil {
		t.Fatal(err)
	}
	proxies := func(v string) bool {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		return strings.HasSuffix(name, "_proxy")
	}
	w.env = append(slices.DeleteFunc(harness.Environ(), proxies), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"SSL_CERT_FILE="+w.certificate.CAFile, "CURL_CA_BUNDLE="+w.certificate.CAFile, "FARWIRE_BROWSER=none")
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// words replaces words of a page by those of the test, given in pairs. Each must be there.
func (w *world) words(code string, pairs ...string) string {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(code, pairs[i]) {
			w.t.Fatalf("the page does not say %q:\n%s", pairs[i], code)
		}
	}
	return strings.NewReplacer(pairs...).Replace(code)
}

// command is what a shell makes of the code, with words replaced and variables set.
func (w *world) command(code string, env ...string) *exec.Cmd {
	cmd := exec.Command("sh", "-e", "-c", code)
	cmd.Dir, cmd.Env = w.dir, append(slices.Clone(w.env), env...)
	return cmd
}

// start runs one command that goes on until the test ends it.
func (w *world) start(code string, env ...string) *harness.TestProcess {
	w.t.Helper()
	return harness.Start(w.t, w.command("exec "+code, env...))
}

// run runs the code to its end, which must be a good one, and returns what it printed.
func (w *world) run(code string, env ...string) string {
	w.t.Helper()
	p := harness.Start(w.t, w.command(code, env...))
	if status := p.Status(); status != 0 {
		w.t.Fatalf("status %d of\n%s\n%s%s", status, code, p.Stdout, p.Stderr)
	}
	return p.Stdout.String()
}

// gateway is one whose agent is in Germany and may reach the test's servers.
func (w *world) gateway(args ...string) *harness.Gateway {
	w.t.Helper()
	cmd := harness.Farwire(w.t, append([]string{"serve", "--listen", "127.0.0.1:0", "--allow-private", "--local-agent", "de1:DE", "--no-recrawl"}, args...)...)
	cmd.Env = slices.Clone(w.env)
	return harness.StartGateway(w.t, cmd)
}

// target is a site of two pages, an API, and a WebSocket that echoes, over TLS.
func (w *world) target() (hostPort string) {
	w.t.Helper()
	page := func(title, link string) string {
		return fmt.Sprintf("<title>%[1]s</title><main><h1>%[1]s</h1><p>What is written about %[1]s takes one sentence on this page.</p>%s</main>", title, link)
	}
	mux := http.NewServeMux()
	s := httptest.NewUnstartedServer(mux)
	html := func(path, text string) {
		mux.HandleFunc("GET "+path, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(rw, text)
		})
	}
	html("/{$}", page("Example Docs", `<a href="/install">Install</a>`))
	html("/install", page("Install", ""))
	mux.HandleFunc("GET /llms.txt", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "# Example Docs\n\n> What is written about Example Docs.\n\n## Docs\n\n- [Install](%s/install): What is written about Install.\n", s.URL)
	})
	mux.HandleFunc("GET /v1/items", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintf(rw, "items of %s", r.URL) })
	mux.HandleFunc("GET /stream", func(rw http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if err != nil || cookie.Value != "abc123" || r.Header.Get("Authorization") != "Bearer token" {
			http.Error(rw, "who are you?", http.StatusForbidden)
			return
		}
		c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
		if err != nil {
			return
		}
		harness.Echo(r.Context(), c, r)
	})
	s.TLS = &tls.Config{Certificates: []tls.Certificate{w.certificate.TLS}}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// broker delivers one message to each consumer.
func (w *world) broker() (port string) {
	w.t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{w.certificate.TLS}})
	if err != nil {
		w.t.Fatal(err)
	}
	broker := &brokertest.Broker{Serve: brokertest.OneMessage("a.key", "hello")}
	harness.ServeConns(w.t, ln, broker.Talk)
	_, port, err = net.SplitHostPort(ln.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	return port
}
