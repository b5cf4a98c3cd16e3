package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

func startServe(t *testing.T, args ...string) *harness.Gateway {
	t.Helper()
	return harness.StartGateway(t, program(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...))
}

// What serve prints works as it stands, in another folder and with no flag.
func TestServe_PrintedLines_Work(t *testing.T) {
	g := startServe(t)
	said := strings.Split(g.Stderr.String(), "\n")
	if want := "listening on http://" + g.Addr; said[0] != want {
		t.Errorf("the first line is %q, want %q", said[0], want)
	}
	if want := "API key of this run: " + g.Key; said[1] != want {
		t.Errorf("the second line is %q, want %q", said[1], want)
	}
	line := g.Await(g.Stderr, `(?m)^  (echo hello \| .+ relay .+)$`)[1]
	shell := exec.Command("sh", "-c", line)
	shell.Env = harness.Environ(runMain + "=1")
	shell.Dir = t.TempDir()
	p := harness.Start(t, shell)
	if status := p.Status(); status != statusOK {
		t.Errorf("%s\nended with status %d: %s", line, status, p.Stderr)
	}
	if got := p.Stdout.String(); got != "hello\n" {
		t.Errorf("%s\nprinted %q, want hello", line, got)
	}
	if got := p.Stderr.String(); got != "connected through farwire-local\nclosed: 1000\n" {
		t.Errorf("%s\nsaid %q", line, got)
	}
}

// The line for a stream gets as far as the broker, which is not there.
func TestServe_PrintedStreamLine_ReachesTheBroker(t *testing.T) {
	for _, keys := range [][]string{nil, {"--api-keys", "alice=operator-key-0123456789"}} {
		g := startServe(t, append(keys, "--allow-private")...)
		line := g.Await(g.Stderr, `(?m)^  (curl -N .*/amqp .*)$`)[1]
		// A broker may well run where the tests do: ask for one that cannot.
		line = strings.Replace(line, `"localhost",`, `"localhost", "port": 1,`, 1)
		shell := exec.Command("sh", "-c", line)
		shell.Env = harness.Environ("FARWIRE_KEY=operator-key-0123456789")
		p := harness.Start(t, shell)
		p.Await(p.Stdout, `event: error\ndata: \{"message":\s*"agent error: .*connection refused"`)
		if status := p.Status(); status != 0 {
			t.Errorf("%s\nended with status %d", line, status)
		}
	}
}

// Keys that the operator gave are never printed.
func TestServe_KeysGiven_AreNotPrinted(t *testing.T) {
	const key = "operator-key-0123456789"
	g := startServe(t, "--api-keys", "alice="+key, "--local-agent", "de1:DE")
	line := g.Await(g.Stderr, `(?m)^  (echo hello \| .+ relay .+)$`)[1]
	shell := exec.Command("sh", "-c", line)
	shell.Env = harness.Environ(runMain+"=1", "FARWIRE_KEY="+key)
	p := harness.Start(t, shell)
	if status := p.Status(); status != statusOK || p.Stdout.String() != "hello\n" {
		t.Errorf("%s\nended with status %d, printed %q: %s", line, status, p.Stdout, p.Stderr)
	}
	g.Stop()
	if said := g.Stderr.String(); strings.Contains(said, key) {
		t.Errorf("the key is in what serve said:\n%s", said)
	}
	if said := g.Stderr.String(); !strings.Contains(said, "subject=alice") {
		t.Errorf("the session's line does not name its subject:\n%s", said)
	}
}

func TestServe_Endpoints_Answer(t *testing.T) {
	g := startServe(t)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", http.StatusOK, `{"ok":true}`},
		{"/ws", http.StatusUpgradeRequired, `"detail"`},
		{"/ws/", http.StatusUpgradeRequired, `"detail"`},
		{"/amqp", http.StatusMethodNotAllowed, `"detail"`},
		{"/amqp/", http.StatusMethodNotAllowed, `"detail"`},
		{"/agents/attach", http.StatusForbidden, `"detail"`},
		{"/network", http.StatusUnauthorized, `"detail"`},
		{"/network?api_key=" + g.Key, http.StatusOK, `"farwire-local"`},
		{"/usage", http.StatusUnauthorized, `"detail"`},
		{"/usage?api_key=" + g.Key, http.StatusOK, "key-1"},
		{"/ws/crawl", http.StatusUpgradeRequired, `"detail"`},
		{"/files/", http.StatusNotFound, `"detail"`},
		{"/hooks/site-changed", http.StatusMethodNotAllowed, `"detail"`},
		{"/files/nonsense", http.StatusNotFound, `"detail"`},
		{"/ws/nonsense", http.StatusNotFound, `"detail"`},
		{"/debug/pprof/", http.StatusNotFound, `"detail"`},
	} {
		status, body := harness.Get(t, g.HTTP(c.path))
		if status != c.status || !strings.Contains(body, c.body) || !json.Valid([]byte(body)) {
			t.Errorf("GET %s: %d %s, want %d and JSON with %s", c.path, status, body, c.status, c.body)
		}
	}
}

func TestServe_TokenSecret_IssuesTokens(t *testing.T) {
	g := startServe(t)
	req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", g.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.ExpiresIn != 300 {
		t.Fatalf("POST /auth/token: %d %+v %v", resp.StatusCode, answer, err)
	}
	if status, body := harness.Get(t, g.HTTP("/usage?token="+answer.Token)); status != http.StatusOK {
		t.Errorf("the token does not work: %d %s", status, body)
	}
}

func TestServe_Rate_IsHeld(t *testing.T) {
	g := startServe(t, "--rate", "0.001", "--burst", "2")
	var statuses []int
	for range 3 {
		req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", g.Key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
	if want := []int{200, 200, 429}; !slices.Equal(statuses, want) {
		t.Errorf("answers %v, want %v", statuses, want)
	}
}

func TestServe_Admin_HasMetricsAndHealth(t *testing.T) {
	g := startServe(t, "--admin-listen", "127.0.0.1:0")
	profiles := g.Await(g.Stderr, `(?m)^profiles at (http://\S+/debug/pprof/)$`)[1]
	if status, body := harness.Get(t, profiles); status != http.StatusOK || !strings.Contains(body, "goroutine") {
		t.Errorf("GET %s: %d %s", profiles, status, body)
	}
	metrics := g.Await(g.Stderr, `(?m)^metrics at (http://\S+/metrics)$`)[1]
	if status, body := harness.Get(t, metrics); status != http.StatusOK || !strings.Contains(body, "\nfarwire_build_info{") {
		t.Errorf("GET %s: %d %s", metrics, status, body)
	}
	if status, _ := harness.Get(t, g.HTTP("/metrics")); status != http.StatusNotFound {
		t.Errorf("the metrics are served to callers: %d", status)
	}
	if status, _ := harness.Get(t, profiles+"cmdline"); status != http.StatusNotFound {
		t.Errorf("the command line, with its keys, is shown: %d", status)
	}
	if status, body := harness.Get(t, strings.TrimSuffix(profiles, "debug/pprof/")+"healthz"); status != http.StatusNotFound || !strings.Contains(body, `"code":"bad_request"`) {
		t.Errorf("the gateway itself is served to operators, or its absence is not told in JSON: %d %s", status, body)
	}
}

func TestServe_DataFolderMissing_IsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	startServe(t, "--data-dir", dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "sites.db-") { // SQLite's own
			names = append(names, entry.Name())
		}
	}
	if want := []string{"files", "sites.db"}; !slices.Equal(names, want) {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

// wantJSONLines holds each line to the form of a JSON log.
func wantJSONLines(t *testing.T, text string) {
	t.Helper()
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		var line struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(l), &line); err != nil || line.Time == "" || line.Level == "" || line.Msg == "" {
			t.Errorf("not a JSON line of a log: %q", l)
		}
	}
}

// Every line on standard error is JSON: the greeting, the log, and errors.
func TestServe_LogFormatJSON_EveryLineIsJSON(t *testing.T) {
	wantJSON := func(text string) { t.Helper(); wantJSONLines(t, text) }
	for _, args := range [][]string{{"--log-format", "json"}, {"--log-format=json"}} {
		p := program(t, append([]string{"serve", "--rate", "0"}, args...)...)
		p.Env = append(p.Env, "FARWIRE_NONSENSE=1")
		out, err := p.CombinedOutput()
		if status := p.ProcessState.ExitCode(); err == nil || status != statusMisuse || !strings.Contains(string(out), "--rate") || !strings.Contains(string(out), "FARWIRE_NONSENSE") {
			t.Errorf("status %d: %s", status, out)
		}
		wantJSON(string(out))
	}
	p := program(t, "serve", "--nonsense")
	p.Env = append(p.Env, "FARWIRE_LOG_FORMAT=json")
	if out, err := p.CombinedOutput(); err == nil {
		t.Errorf("an unknown flag is accepted: %s", out)
	} else {
		wantJSON(string(out))
	}

	g := startServe(t, "--log-format", "json", "--admin-listen", "127.0.0.1:0", "--socks-listen", "127.0.0.1:0")
	g.Stop()
	wantJSON(g.Stderr.String())
	last := strings.Split(strings.TrimSpace(g.Stderr.String()), "\n")
	var line struct{ Msg string }
	if err := json.Unmarshal([]byte(last[len(last)-1]), &line); err != nil || line.Msg != "drained" {
		t.Errorf("the last line is %q", last[len(last)-1])
	}
}

// The other commands that run until they are stopped log in JSON as well, from their
// first line to their last.
func TestAgentAndWork_LogFormatJSON_EveryLineIsJSON(t *testing.T) {
	g := startServe(t, "--agent-secret", "secret-of-the-agents-0123")
	agent := harness.Start(t, program(t, "agent", "--gateway", g.HTTP(""), "--secret", "secret-of-the-agents-0123", "--slug", "at1", "--country", "AT", "--log-format", "json"))
	g.Await(g.Stderr, `msg="agent attached"`)
	work := program(t, "work", "--data-dir", t.TempDir())
	work.Env = append(work.Env, "FARWIRE_LOG_FORMAT=json", "FARWIRE_BROWSER=none", "FARWIRE_NONSENSE=1")
	worker := harness.Start(t, work)
	worker.Await(worker.Stderr, "recrawling due sites")
	for name, p := range map[string]*harness.TestProcess{"agent": agent, "work": worker} {
		p.Signal(harness.Terminate)
		if status := p.Status(); status != statusOK {
			t.Errorf("%s ended with status %d", name, status)
		}
		wantJSONLines(t, p.Stderr.String())
	}
	if log := worker.Stderr.String(); !strings.HasSuffix(log, `"msg":"drained"}`+"\n") {
		t.Errorf("the worker's last line is not of the end of its drain: %s", log)
	}
	for _, args := range [][]string{{"agent", "--slug"}, {"agent"}, {"work", "--drain-timeout=0s"}} {
		out, err := program(t, append(args, "--log-format=json")...).CombinedOutput()
		if err == nil {
			t.Errorf("%q succeeds", args)
		}
		wantJSONLines(t, string(out))
	}
}

func TestServe_SeveralListeners_AllArePrinted(t *testing.T) {
	for _, c := range []struct{ listen, want string }{
		{"127.0.0.1:8080", "farwire relay --key K --agent local ws://echo.farwire.alt"},
		{"127.0.0.1:9", "farwire relay --gateway ws://127.0.0.1:9 --key K --agent local ws://echo.farwire.alt"},
		{"0.0.0.0:8080", "farwire relay --key K --agent local ws://echo.farwire.alt"},
		{"[::]:80", "farwire relay --gateway ws://127.0.0.1:80 --key K --agent local ws://echo.farwire.alt"},
		{"[::1]:80", "farwire relay --gateway ws://[::1]:80 --key K --agent local ws://echo.farwire.alt"},
		{"192.0.2.1:80", "farwire relay --gateway ws://192.0.2.1:80 --key K --agent local ws://echo.farwire.alt"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.listen)
		if err != nil {
			t.Fatal(err)
		}
		g := banner{addr: addr, key: "K", agent: "local", binary: "farwire"}
		if got := strings.TrimPrefix(g.relayLine(), "echo hello | "); got != c.want {
			t.Errorf("listening on %s: %s, want %s", c.listen, got, c.want)
		}
	}
}

func TestShellWord_AnyText_IsOneWordForAShell(t *testing.T) {
	for _, word := range []string{"/usr/bin/farwire", "/my programs/far$wire", "it's", "", "*", `a\b`, "ä"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellWord(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q for a shell, %v", word, out, err)
		}
	}
}

// A path that is written carelessly, as a base that ends with a slash makes it, is answered as
// by http.ServeMux, but with the right path in JSON, which clients of an API show.
func TestServe_PathHasEmptyOrDottedSegments_RedirectsInJSON(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, path := range []string{"/", "/ws", "/ws/", "//ws", "//", "/ws//", "///ws///crawl", "/./ws", "/a/../ws", "/../../ws", "/ws/.", "/ws/..",
		"//ws?url=ws://a.test//x&b=/../", "/a%2f%2Fb//c", "/a//%C3%A4%20", "//gateway.example/ws", `//a\b`, "/a%2Fb", "/...//x"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			want, got := httptest.NewRecorder(), httptest.NewRecorder()
			mux.ServeHTTP(want, httptest.NewRequest(method, "http://gateway.test"+path, nil))
			cleanPaths(mux).ServeHTTP(got, httptest.NewRequest(method, "http://gateway.test"+path, nil))
			// A ServeMux escapes an escaped path once more.
			location := strings.ReplaceAll(want.Header().Get("Location"), "%25", "%")
			if got.Code != want.Code || got.Header().Get("Location") != location {
				t.Errorf("%s %s: %d to %q, want %d to %q", method, path, got.Code, got.Header().Get("Location"), want.Code, location)
			}
			if got.Code == http.StatusNoContent {
				continue
			}
			var told struct{ Detail, Code string }
			if err := json.Unmarshal(got.Body.Bytes(), &told); err != nil || told.Code != "bad_request" ||
				!strings.Contains(told.Detail, strconv.Quote(strings.SplitN(location, "?", 2)[0])) ||
				got.Header().Get("Content-Type") != "application/json" || got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("X-Farwire-From") != "gateway" {
				t.Errorf("%s %s: %v %s", method, path, got.Header(), got.Body)
			}
		}
	}
}

// A duration in a JSON log has its unit, as in text.
func TestLogger_JSON_DurationHasItsUnit(t *testing.T) {
	for _, d := range []time.Duration{0, 10 * time.Second, 90 * time.Minute, 1500 * time.Microsecond, -time.Second} {
		var text, object strings.Builder
		for format, w := range map[string]io.Writer{"text": &text, "json": &object} {
			log, err := logFlags{LogFormat: format}.logger(w)
			if err != nil {
				t.Fatal(err)
			}
			log.With("before", d).WithGroup("in").Info("draining", "timeout", d, "sessions", 3)
		}
		var line struct {
			Before string
			In     struct {
				Timeout  string
				Sessions int
			}
		}
		if err := json.Unmarshal([]byte(object.String()), &line); err != nil || line.Before != d.String() || line.In.Timeout != d.String() || line.In.Sessions != 3 {
			t.Errorf("JSON has %s, %v", object.String(), err)
		}
		if !strings.Contains(text.String(), "in.timeout="+d.String()+" ") {
			t.Errorf("text has %s", text.String())
		}
	}
}
