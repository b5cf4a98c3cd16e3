package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// silentBroker accepts connections and says nothing.
func silentBroker(t *testing.T) (port int) {
	t.Helper()
	ended := make(chan struct{})
	ln := harness.Conns(t, func(net.Conn) { <-ended })
	t.Cleanup(func() { close(ended) })
	return ln.Addr().(*net.TCPAddr).Port
}

// The five flags are what /usage says, and -1 means no limit.
func TestServe_LimitsOfAKey_AreWhatUsageSays(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--max-sessions", "7", "--max-streams", "2", "--max-crawls", "3", "--max-pages-per-day", "40", "--max-sites=-1")
	_, body := harness.Get(t, g.HTTP("/usage?api_key="+g.Key))
	type limit struct{ Limit *int }
	var u struct{ Relay, HTTP, Tunnel, AMQP, Crawl, Pages, Sites limit }
	if err := json.Unmarshal([]byte(body), &u); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		got  *int
		want int
	}{"relay": {u.Relay.Limit, 7}, "http": {u.HTTP.Limit, 7}, "tunnel": {u.Tunnel.Limit, 7}, "amqp": {u.AMQP.Limit, 2}, "crawl": {u.Crawl.Limit, 3},
		"pages": {u.Pages.Limit, 40}} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("%s: the limit is %v, want %d: %s", name, c.got, c.want, body)
		}
	}
	if u.Sites.Limit != nil {
		t.Errorf("-1 became a limit of %d sites", *u.Sites.Limit)
	}
}

// A recrawl runs under the limit that the gateways have.
func TestWork_PagesPerDay_IsALimit(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"0", "-2"} {
		out, err := program(t, "work", "--data-dir", t.TempDir(), "--max-pages-per-day="+n).CombinedOutput()
		if want := "--max-pages-per-day: " + n + " is not a limit"; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s, want %q", err, out, want)
		}
	}
	p := program(t, "work", "--data-dir", t.TempDir(), "--max-pages-per-day", "40")
	p.Env = append(p.Env, "FARWIRE_BROWSER=none")
	worker := harness.Start(t, p)
	worker.Await(worker.Stderr, "recrawling due sites")
}

func TestServe_MaxStreams_RefusesTheNext(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--max-streams", "2", "--allow-private")
	port := silentBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := func(ctx context.Context) *http.Response {
		t.Helper()
		body := strings.NewReader(fmt.Sprintf(`{"host": "127.0.0.1", "port": %d}`, port))
		r, err := http.NewRequestWithContext(ctx, "POST", g.HTTP("/amqp"), body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", g.Key)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	for range 2 {
		if resp := stream(ctx); resp.StatusCode != http.StatusOK {
			t.Fatalf("a stream within the limit: %s", resp.Status)
		}
	}
	resp := stream(t.Context())
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(said), `"code":"limit_reached"`) || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third stream: %s %v %s", resp.Status, resp.Header, said)
	}
	cancel() // both streams end, and there is room
	for end := time.Now().Add(harness.Timeout); ; time.Sleep(20 * time.Millisecond) {
		resp := stream(t.Context())
		if resp.StatusCode == http.StatusOK {
			break
		} else if time.Now().After(end) {
			t.Fatalf("a stream after the two have ended: %s", resp.Status)
		}
		resp.Body.Close()
	}
	g.Await(g.Stderr, `(?s)(?:msg="session ended" [^\n]*kind=amqp.*){2}`)
}

// While the shared secret changes, old and new admit agents. When the old one is
// gone, the links that it admitted stay, and it admits nobody anew.
func TestServe_AgentSecretsChange_LinksStay(t *testing.T) {
	t.Parallel()
	const older, newer = "the-older-secret-of-agents", "the-newer-secret-of-agents"
	file := filepath.Join(t.TempDir(), "agent-secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(older + "\n")
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--local-agent", "none")
	cmd.Env = append(cmd.Env, "FARWIRE_AGENT_SECRET_FILE="+file)
	g := harness.StartGateway(t, cmd)
	reloads := 0
	reload := func(text string, refused int) {
		t.Helper()
		write(text)
		reloads++
		g.Signal(syscall.SIGHUP)
		g.Await(g.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=%d\n`, reloads, refused))
	}
	attach := func(slug, secret string) *harness.TestProcess {
		t.Helper()
		return harness.Start(t, program(t, "agent", "--gateway", g.HTTP(""), "--secret", secret, "--slug", slug, "--country", "DE"))
	}
	attached := func(slug, secret string) {
		t.Helper()
		p := attach(slug, secret)
		p.Await(p.Stderr, "msg=attached")
		g.Await(g.Stderr, `msg="agent attached" agent=farwire-`+slug) // which it says later
	}
	refused := func(slug, secret string) {
		t.Helper()
		p := attach(slug, secret)
		p.Await(p.Stderr, "gateway refuses this agent")
		p.Signal(harness.Terminate)
		p.Status()
	}
	attached("one", older)
	refused("early", newer)
	reload(newer+","+older, 0)
	attached("two", older)
	attached("three", newer)
	reload("short,"+newer, 1)
	attached("four", older) // the previous value stays in use
	reload(newer, 0)
	refused("late", older)
	attached("five", newer)
	_, body := harness.Get(t, g.HTTP("/network?api_key="+g.Key))
	for _, slug := range []string{"one", "two", "three", "four", "five"} {
		if !strings.Contains(body, `"slug":"`+slug+`"`) {
			t.Errorf("%s has no link: %s", slug, body)
		}
	}
	for _, slug := range []string{"early", "late"} {
		if strings.Contains(body, `"slug":"`+slug+`"`) {
			t.Errorf("%s has a link: %s", slug, body)
		}
	}
	if said := g.Stderr.String(); strings.Contains(said, older) || strings.Contains(said, newer) {
		t.Errorf("the log holds a secret:\n%s", said)
	}
}
