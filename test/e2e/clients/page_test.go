package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// servers starts the servers that the clients want, and returns the address of each.
func servers(t *testing.T, env ...string) (*harness.TestProcess, map[string]string) {
	t.Helper()
	cmd := harness.Node(t, "testdata/npm/servers.cjs")
	cmd.Env = append(cmd.Env, env...)
	p := harness.Start(t, cmd)
	var ports map[string]int
	if err := json.Unmarshal([]byte(p.Await(p.Stdout, `serving (.*)\n`)[1]), &ports); err != nil {
		t.Fatal(err)
	}
	addrs := make(map[string]string)
	for name, port := range ports {
		addrs[name] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return p, addrs
}

// A section of docs/clients.md shows one client.
type section struct{ title, language, code string }

// sections reads the page: each heading with a block of code behind it.
func sections(t *testing.T) (list []section) {
	t.Helper()
	tree, err := harness.Tree()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(tree, "docs/clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	title := ""
	for _, m := range regexp.MustCompile("(?m)^#+ (.*)$|(?s)```(\\w+)\\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if m[1] != "" {
			title = m[1]
		} else {
			list = append(list, section{title, m[2], m[3]})
		}
	}
	return list
}

// tokenSection is where the page asks for the token of the others.
const tokenSection = "Clients, unmodified"

// What the clients of the page say when all is well, and which server each wants.
var wanted = map[string]struct{ server, says string }{
	tokenSection: {"plain", `{"token":"TOKEN","expires_in":300}`},
	"curl":       {"plain", `{"method":"GET","url":"/v1/items?page=2","body":"","authorization":"","cookie":"","origin":""}`},
	"fetch":      {"plain", `[200,"target","{\"method\":\"POST\",\"url\":\"/v1/items\",\"body\":\"a new item\",\"authorization\":\"Bearer of-the-api\",\"cookie\":\"\",\"origin\":\"\"}"]`},
	"axios":      {"plain", `{"method":"PUT","url":"/v1/items/1?a+b=c%2Fd","body":"{\"price\":2}","authorization":"","cookie":"","origin":""}`},
	"Python requests": {"plain", `["/v1/items?page=2", "target"]` + "\n" +
		`["sid=1", ""]` + "\n" + `["/moved?here=1", true]`},
	"EventSource polyfill":   {"plain", `["event 1","event 2","event 3"]`},
	"WebSocket":              {"plain", `"echo hello"`},
	"Python websockets":      {"plain", `echo hello`},
	"reconnecting-websocket": {"plain", `"echo hello"`},
	"graphql-ws":             {"graphql", `[{"hello":"world"},{"tick":1},{"tick":2}]`},
	"MQTT.js":                {"mqtt", `["tick","tick"]`},
	"stompjs":                {"stomp", `"tick"`},
	"centrifuge":             {"centrifuge", `[{"asked":1},"tick"]`},
	"Socket.IO":              {"socketio", `[["polling","websocket"],42,"eriwraf",3]`},
	"SignalR":                {"signalr", `[[42,1,2,3,"tick"],[42,1,2,3,"tick"],[42,1,2,3,"tick"]]`},
	"SockJS":                 {"sockjs", `[["websocket","echo hello"],["xhr-streaming","echo hello"],["xhr-polling","echo hello"]]`},
	"Pusher":                 {"pusher", `{"on":"news"}`},
	"Phoenix":                {"phoenix", `[[{"joined":"room:1"},{"hello":1}],[{"joined":"room:1"},{"hello":1}]]`},
}

// Every client of the page runs as it is printed there, but for the two host names
// and the token, with TLS to the gateway and to the target.
func TestPage_EveryClient_ReachesItsServer(t *testing.T) {
	certificate := harness.NewCertificate(t)
	cmd := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--allow-private", "--local-agent", "de1:DE", "--rate", "1000",
		"--tls-cert", certificate.CertFile, "--tls-key", certificate.KeyFile)
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+certificate.CAFile)
	g := harness.StartGateway(t, cmd)
	_, addrs := servers(t, "TLS_CERT="+certificate.CertFile, "TLS_KEY="+certificate.KeyFile)
	env := []string{"KEY=" + g.Key, "CURL_CA_BUNDLE=" + certificate.CAFile, "NODE_EXTRA_CA_CERTS=" + certificate.CAFile,
		"REQUESTS_CA_BUNDLE=" + certificate.CAFile, "SSL_CERT_FILE=" + certificate.CAFile}
	port := g.Addr[strings.LastIndexByte(g.Addr, ':')+1:]
	token := "TOKEN"
	adapted := func(s section) string {
		want, ok := wanted[s.title]
		if !ok {
			t.Fatalf("the page has a client that the test does not know: %s", s.title)
		}
		return strings.NewReplacer(`"api.example.com"`, `"127.0.0.1"`, "api.example.com", addrs[want.server],
			"'gateway.example'", "'127.0.0.1'", "wssPort: 443", "wssPort: "+port, "gateway.example", g.Addr, "TOKEN", token).Replace(s.code)
	}
	start := func(cmd *exec.Cmd) *harness.TestProcess {
		cmd.Env = append(cmd.Env, env...)
		return harness.Start(t, cmd)
	}
	output := func(title string, p *harness.TestProcess) string {
		if status := p.Status(); status != 0 {
			t.Errorf("%s ends with status %d: %s%s", title, status, p.Stdout, p.Stderr)
		}
		return strings.TrimSpace(p.Stdout.String())
	}
	file := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	rest := func(s section) string { // what the test does with what the block has made
		name := strings.ReplaceAll(strings.ToLower(s.title), " ", "-") + "." + s.language[:2]
		b, err := os.ReadFile(filepath.Join("testdata/npm/page", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	var script strings.Builder
	script.WriteString("globalThis.WebSocket ??= require('ws');\nconsole.info = console.error; // SignalR logs\nconst cases = {\n")
	got := make(map[string]string)
	running := make(map[string]*harness.TestProcess)
	for _, s := range sections(t) {
		switch s.language {
		case "sh":
			running[s.title] = start(exec.Command("sh", "-c", adapted(s)))
			if s.title == tokenSection { // the others want it
				said := output(s.title, running[s.title])
				delete(running, s.title)
				var made struct{ Token string }
				if err := json.Unmarshal([]byte(said), &made); err != nil || made.Token == "" {
					t.Fatalf("no token: %q, %v", said, err)
				}
				token = made.Token
				got[s.title] = strings.Replace(said, token, "TOKEN", 1)
			}
		case "python":
			running[s.title] = start(harness.Python(t, file("client.py", adapted(s)+rest(s))))
		case "js":
			fmt.Fprintf(&script, "%q: async () => {\n%s\n%s},\n", s.title, adapted(s), rest(s))
		default:
			t.Errorf("%s: a block in %s is not run", s.title, s.language)
		}
	}
	script.WriteString(`};
Promise.all(Object.entries(cases).map(([name, use]) => use().then(
  (value) => console.log(JSON.stringify([name, JSON.stringify(value)])),
  (err) => console.log(JSON.stringify([name, String(err?.stack ?? err?.message ?? err)])),
))).then(() => process.exit(0));`)
	node := start(harness.Node(t, file("clients.cjs", script.String())))
	for title, p := range running {
		got[title] = output(title, p)
	}
	for line := range strings.Lines(output("Node.js", node)) {
		var said [2]string
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Errorf("a client printed %q", line)
			continue
		}
		got[said[0]] = said[1]
	}
	for title, want := range wanted {
		if got[title] != want.says {
			t.Errorf("%s says\n%s\nwant\n%s", title, got[title], want.says)
		}
	}
}
