package commands

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// runs run a block each, as it is printed but for names of hosts, ports, keys and the
// places of files.
var runs map[string]func(w *world, code string)

func init() {
	runs = map[string]func(*world, string){
		"README.md: go run ./cmd/farwire serve": func(w *world, code string) { w.fromClone(code) },
		"README.md: $ echo hello | go run ./cmd/farwire relay --key KEY --agent local ws://echo.farwire.alt": relayFromClone,
		"README.md: make test": planned,
		"README.md: farwire crawl https://docs.example.com/ > llms.txt":                                                     crawlTwice,
		"README.md: farwire serve --listen 0.0.0.0:8080 --api-keys alice=YOUR_API_KEY --agent-secret SHARED_SECRET":         twoMachines,
		"CONTRIBUTING.md: make test    # installs what the tests run, and runs all of them":                                 planned,
		"docs/benchmarks.md: make quality":                                                                                  planned,
		"docs/amqp.md: curl -N -X POST http://127.0.0.1:8080/amqp \\":                                                       stream,
		"docs/path.md: curl -H \"X-API-Key: $KEY\" 'http://localhost:8080/to/geo=DE/https/api.example.com/v1/items?page=2'": request,
		"docs/proxy.md: curl -x http://localhost:8080 -U \"geo=DE:$KEY\" https://api.example.com/v1/items":                  proxied,
		"docs/crawl.md: farwire crawl https://docs.example.com/ -o llms.txt --format index":                                 crawlIndex,
		"docs/crawl.md: farwire crawl https://docs.example.com/ --full --markdown -o site/":                                 crawlFull,
		"docs/crawl.md: farwire check https://docs.example.com/llms.txt":                                                    check,
		"docs/crawl.md: curl -X POST https://gw.example.com/hooks/site-changed -H 'Content-Type: application/json' \\":      hook,
		"docs/operating.md: export FARWIRE_GATEWAY=https://gateway.example.com FARWIRE_KEY_FILE=/run/secrets/key":           lookAt,
		"docs/operating.md: farwire completion bash > /etc/bash_completion.d/farwire":                                       complete,
		"docs/scaling.md: farwire work --token-secret SECRET --keys-file keys.json":                                         work,
	}
}

func TestPages_Commands_RunAsPrinted(t *testing.T) {
	all := commands(t)
	for name, run := range runs {
		t.Run(name, func(t *testing.T) { run(newWorld(t), all[name].code) })
	}
}

// fromClone starts the gateway of the README's first command, and returns its URL and key.
func (w *world) fromClone(code string) (gateway, key string) {
	w.t.Helper()
	if b, err := os.ReadFile(repository + "/cmd/farwire/main.go"); err != nil || !strings.Contains(string(b), "\npackage main\n") {
		w.t.Fatalf("./cmd/farwire is not a program: %v", err)
	}
	p := w.start(strings.TrimSpace(code), "FARWIRE_LISTEN=127.0.0.1:0")
	gateway = p.Await(p.Stderr, `(?m)^listening on (http://\S+)$`)[1]
	key = p.Await(p.Stderr, `(?m)^API key of this run: (\S+)$`)[1]
	for _, thing := range []string{"farwire.* relay ", "curl .*/amqp", "crawl"} { // a line for each thing to try
		p.Await(p.Stderr, thing)
	}
	return gateway, key
}

func relayFromClone(w *world, code string) {
	gateway, key := w.fromClone("go run ./cmd/farwire serve")
	var run, want []string
	for line := range strings.Lines(code) {
		if typed, ok := strings.CutPrefix(line, "$ "); ok {
			run = append(run, typed)
		} else {
			want = append(want, line)
		}
	}
	got := w.run(w.words(strings.Join(run, ""), "KEY", key), "FARWIRE_GATEWAY="+gateway)
	if got != strings.Join(want, "") || got == "" {
		w.t.Errorf("it prints %q; the page has %q", got, want)
	}
}

// planned has make say what it would do: every target is there.
func planned(w *world, code string) {
	cmd := w.command(code, "MAKEFLAGS=n")
	cmd.Dir = repository
	p := harness.Start(w.t, cmd)
	if status := p.Status(); status != 0 || len(p.Stdout.String()) < len("scripts/x") {
		w.t.Errorf("status %d of %s: %s%s", status, code, p.Stdout, p.Stderr)
	}
}

const docsSite = "https://docs.example.com/"

// crawled runs a crawl's command and returns the files that it has made.
func (w *world) crawled(code string) map[string]string {
	w.t.Helper()
	w.run(w.words(code, docsSite, "https://"+w.target()+"/"), "FARWIRE_ALLOW_PRIVATE=true")
	files := make(map[string]string)
	err := filepath.WalkDir(w.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		files[strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(name, w.dir)), "/")] = string(b)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

func (w *world) holds(files map[string]string, name, want string) {
	w.t.Helper()
	if !strings.Contains(files[name], want) {
		w.t.Errorf("%s does not hold %q: %q", name, want, files)
	}
}

const sentence = "What is written about Install takes one sentence on this page."

func crawlTwice(w *world, code string) {
	files := w.crawled(code)
	w.holds(files, "llms.txt", "\n## Install\n")
	crawledFull(w, files)
}

func crawlFull(w *world, code string) { crawledFull(w, w.crawled(code)) }

func crawledFull(w *world, files map[string]string) {
	w.holds(files, "site/llms.txt", "Install")
	w.holds(files, "site/llms-full.txt", sentence)
	w.holds(files, "site/install.md", sentence)
}

func crawlIndex(w *world, code string) { w.holds(w.crawled(code), "llms.txt", "- [Install](https://") }

func check(w *world, code string) {
	w.run(w.words(code, docsSite, "https://"+w.target()+"/"), "FARWIRE_ALLOW_PRIVATE=true")
}

func stream(w *world, code string) {
	g := w.gateway()
	curl := w.start(w.words(code, "127.0.0.1:8080", g.Addr, "broker.example.com", "localhost", "5671", w.broker()), "KEY="+g.Key)
	curl.Await(curl.Stdout, `event: connected\n(?s:.*)event: message\ndata: \{"body":\s*"hello"`)
}

func request(w *world, code string) {
	g := w.gateway()
	got := w.run(w.words(code, "localhost:8080", g.Addr, "api.example.com", w.target()), "KEY="+g.Key)
	if got != "items of /v1/items?page=2" {
		w.t.Errorf("the answer is %q", got)
	}
}

func proxied(w *world, code string) {
	g := w.gateway("--socks-listen", "127.0.0.1:0")
	socks := g.Await(g.Stderr, `msg="listening for SOCKS5" addr=(\S+)`)[1]
	target := w.target()
	w.write("fetch.py", "import urllib.request\nprint(urllib.request.urlopen('https://"+target+"/v1/items').read().decode(), end='')\n")
	got := w.run(w.words(code, "localhost:8080", g.Addr, "localhost:1080", socks, "api.example.com", target), "KEY="+g.Key)
	if want := strings.Repeat("items of /v1/items", 3); got != want {
		w.t.Errorf("the answers are %q, want %q", got, want)
	}
}

func hook(w *world, code string) {
	g := w.gateway("--tls-cert", w.certificate.CertFile, "--tls-key", w.certificate.KeyFile)
	site := "https://" + w.target() + "/"
	ctx, cancel := context.WithTimeout(w.t.Context(), harness.Timeout)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: w.certificate.Client()}
	w.t.Cleanup(transport.CloseIdleConnections)
	conn, _, err := websocket.Dial(ctx, g.WS("/ws/crawl")+"?api_key="+g.Key, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"url":"`+site+`","enableAutoUpdate":true}`)); err != nil {
		w.t.Fatal(err)
	}
	var m struct {
		BaseURL string `json:"base_url"`
		Secret  string `json:"webhook_secret"`
	}
	for m.Secret == "" {
		_, b, err := conn.Read(ctx)
		if err != nil {
			w.t.Fatalf("the site is not enrolled: %v", err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			w.t.Fatal(err)
		}
	}
	got := w.run(w.words(code, "gw.example.com", g.Addr, docsSite, m.BaseURL, "…", m.Secret))
	if !regexp.MustCompile(`^\{"next_crawl_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}\n?$`).MatchString(got) {
		w.t.Errorf("the answer is %q", got)
	}
}

func lookAt(w *world, code string) {
	g := w.gateway()
	w.write("key", g.Key+"\n")
	ctx, cancel := context.WithTimeout(w.t.Context(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, g.WS("/ws")+"?url=ws%3A%2F%2Fecho.farwire.alt&api_key="+g.Key, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.CloseNow()
	var list struct{ Sessions []struct{ ID string } }
	said := w.run("farwire sessions --json", "FARWIRE_GATEWAY="+g.HTTP(""), "FARWIRE_KEY="+g.Key)
	if err := json.Unmarshal([]byte(said), &list); err != nil || len(list.Sessions) != 1 {
		w.t.Fatalf("the sessions are %s, %v", said, err)
	}
	id := list.Sessions[0].ID
	got := w.run(w.words(code, "https://gateway.example.com", g.HTTP(""), "/run/secrets/key", filepath.Join(w.dir, "key"), " ID", " "+id))
	for _, want := range []string{"de1", id} {
		if !strings.Contains(got, want) {
			w.t.Errorf("no %s in\n%s", want, got)
		}
	}
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		w.t.Errorf("the session ended with %v", err)
	}
}

func complete(w *world, code string) {
	w.run(w.words(code, "/etc/bash_completion.d/farwire", "bash", `"${fpath[1]}/_farwire"`, "zsh", "~/.config/fish/completions/farwire.fish", "fish"))
	w.run("bash -n bash")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if b, err := os.ReadFile(filepath.Join(w.dir, shell)); err != nil || !strings.Contains(string(b), "farwire") {
			w.t.Errorf("%s: %q, %v", shell, b, err)
		}
	}
}

func work(w *world, code string) {
	record := w.run("farwire keygen alice")
	_, record, _ = strings.Cut(record, "\n")
	w.write("keys.json", "["+record+"]")
	p := w.start(w.words(code, "SECRET", strings.Repeat("secret-of-tokens-", 2)))
	p.Await(p.Stderr, `msg="recrawling due sites"`)
	p.Signal(harness.Terminate)
	if status := p.Status(); status != 0 {
		w.t.Errorf("it ends with status %d:\n%s", status, p.Stderr)
	}
}
