package crawl

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// newSite serves a home page that links to three others.
func newSite(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<title>Example Documentation</title><main><h1>Example Documentation</h1>
<p>All that there is to know about the example, and a little more than that.</p>
<a href=start>Getting Started</a> <a href=guide>Guide</a> <a href=api>API</a></main>`)
		case "/start", "/guide", "/api":
			name := r.URL.Path[1:]
			fmt.Fprintf(w, `<title>The %[1]s page</title><main><h1>The %[1]s page</h1><p>Learn how to use the %[1]s of the example in a few steps.</p></main>`, name)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// token changes the gateway's key for a token.
func token(t *testing.T, g *harness.Gateway) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", g.Key)
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(fetch(t, req)), &answer); err != nil || answer.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	return answer.Token
}

func fetch(t *testing.T, req *http.Request) string {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", req.URL, resp.Status, b, err)
	}
	return string(b)
}

// The example programs of the specification run as they are printed there, but
// for the host, the token and the site: Python's websockets, Node.js's ws, and
// the WebSocket that Node.js has from the browsers.
func TestCrawl_ProgramsOfTheSpecification_Work(t *testing.T) {
	certificate := harness.NewCertificate(t)
	g := harness.Serve(t, "--allow-private", "--local-agent", "de1:DE")
	nginx := harness.Nginx(t, certificate, g.Addr, "")
	site := newSite(t)

	useWS := filepath.Join(t.TempDir(), "ws.js")
	if err := os.WriteFile(useWS, []byte("globalThis.WebSocket = require('ws');\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []struct {
		name, file string
		run        func(testing.TB, string, ...string) *exec.Cmd
		env        string
		says       string // in front of the file
	}{
		{"Python", "crawl.py", harness.Python, "", "Generated: "},
		{"Node.js with ws", "crawl.js", harness.Node, "NODE_OPTIONS=--require " + useWS, "Generated llms.txt: "},
		{"Node.js as a browser", "crawl.js", harness.Node, "NODE_OPTIONS=--experimental-websocket", "Generated llms.txt: "},
	} {
		for name, gateway := range map[string]string{"plain": "ws://" + g.Addr, "nginx with TLS": "wss://" + nginx} {
			t.Run(program.name+", "+name, func(t *testing.T) {
				script := harness.Adapted(t, "testdata/seed/"+program.file, map[string]string{
					"wss://api.example.com":    gateway,
					"YOUR_TOKEN":               token(t, g),
					"https://docs.example.com": site,
				})
				cmd := program.run(t, script)
				cmd.Env = append(cmd.Env, program.env, "SSL_CERT_FILE="+certificate.CAFile, "NODE_EXTRA_CA_CERTS="+certificate.CAFile)
				p := harness.Start(t, cmd)
				if status := p.Status(); status != 0 {
					t.Fatalf("status %d: %s", status, p.Stderr)
				}
				out := p.Stdout.String()
				for n := 1; n <= 4; n++ {
					if want := fmt.Sprintf("Progress: Crawling page %d/50...\n", n); !strings.Contains(out, want) {
						t.Errorf("it did not print %q", want)
					}
				}
				if want := program.says + "# Example Documentation\n\n> " + site + "/\n\n## Example Doc"; !strings.Contains(out, want) {
					t.Errorf("it did not print %q", want)
				}
				if program.file == "crawl.js" && !strings.HasSuffix(out, "Connection closed: 1000 \n") {
					t.Errorf("it did not see the close")
				}
				hosted := regexp.MustCompile(`(?m)^Hosted at: (\S+)$`).FindStringSubmatch(out)
				if hosted == nil {
					t.Fatalf("no URL in what it printed:\n%s", out)
				}
				req, err := http.NewRequest(http.MethodGet, hosted[1], nil)
				if err != nil {
					t.Fatal(err)
				}
				file := fetch(t, req)
				if !strings.HasPrefix(file, "# Example Documentation\n") || strings.Count(file, "\n## ") != 4 {
					t.Errorf("the hosted file is\n%s", file)
				}
				if t.Failed() {
					t.Logf("it printed:\n%s", out)
				}
			})
		}
	}
}
