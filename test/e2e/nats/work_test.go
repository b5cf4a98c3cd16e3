package nats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// enrol has alice enrol a site at a gateway that recrawls nothing, whose files and SQLite
// are in dir. The cluster has one agent. Seen counts the visits of the site.
func enrol(t *testing.T, w *world, dir string) (g *harness.Gateway, seen *atomic.Int64) {
	t.Helper()
	seen = new(atomic.Int64)
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(rw, r)
			return
		}
		fmt.Fprintf(rw, "<html><head><title>Page</title></head><body><main><h1>Page</h1><p>The text of visit %d is here for all to read.</p></main></body></html>", seen.Add(1))
	}))
	t.Cleanup(site.Close)
	g = w.gateway("--data-dir", dir, "--no-recrawl")
	w.agent("de1", 1, g)
	w.awaitAgents(1, []string{"de1"}, g)

	ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+key), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	ask, err := json.Marshal(map[string]any{"url": site.URL, "enableAutoUpdate": true, "useBrightdata": false, "maxPages": 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, ask); err != nil {
		t.Fatal(err)
	}
	enrolled, said := false, ""
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			break
		}
		said += string(b) + "\n"
		var m struct {
			Secret string `json:"webhook_secret"`
		}
		if json.Unmarshal(b, &m) == nil && m.Secret != "" {
			enrolled = true
		}
	}
	if !enrolled {
		t.Fatalf("the site was not enrolled:\n%s", said)
	}
	return g, seen
}

// due makes all sites due.
func due(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("python3", "-c", `import sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=30)
c.execute("UPDATE farwire_sites SET next_crawl = last_crawl")
c.commit()`, filepath.Join(dir, "sites.db"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A site is enrolled at a gateway that recrawls nothing, and recrawled by the
// command, on the same SQLite, through the agent of the cluster.
func TestWork_DueSite_IsRecrawledThroughTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.folder()
	g, seen := enrol(t, w, dir)
	before := seen.Load()
	due(t, dir)
	cmd := harness.Farwire(t, "work", "--data-dir", dir, "--token-secret", tokenSecret, "--api-keys", "alice="+key)
	cmd.Env = append(cmd.Env, "NATS_URL="+w.nats.URL, "FARWIRE_BROWSER=none")
	worker := harness.Start(t, cmd)
	w.eventually("the site is crawled again", func() bool { return seen.Load() > before })
	w.eventually("and its outcome is known", func() bool {
		var list struct {
			Sites []struct {
				Outcome string `json:"last_outcome"`
			}
		}
		w.call(http.MethodGet, g.HTTP("/sites"), key, &list)
		return len(list.Sites) == 1 && list.Sites[0].Outcome == "updated" && strings.Contains(worker.Log(), "kind=recrawl")
	})
	worker.Signal(harness.Terminate)
	if status := worker.Status(); status != 0 {
		t.Errorf("the worker ended with status %d", status)
	}
}

// The command was started before the secret of the cluster was replaced, and is told by
// SIGHUP. What it cannot read changes nothing.
func TestWork_Hangup_ReadsKeysAndSecretsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir, files := w.folder(), w.folder()
	_, seen := enrol(t, w, dir)
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(files, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cmd := harness.Farwire(t, "work", "--data-dir", dir)
	cmd.Env = append(cmd.Env, "NATS_URL="+w.nats.URL, "FARWIRE_BROWSER=none",
		"FARWIRE_TOKEN_SECRET_FILE="+write("token-secret", strings.Repeat("of-before-", 4)), "FARWIRE_API_KEYS_FILE="+write("keys", "alice="+key))
	worker := harness.Start(t, cmd)
	worker.Await(worker.Stderr, "recrawling due sites")
	write("token-secret", "short")
	worker.Signal(syscall.SIGHUP)
	worker.Await(worker.Stderr, `reload ended" refused=1\n`)
	write("token-secret", tokenSecret)
	write("keys", "alice="+key+",bob="+other)
	worker.Signal(syscall.SIGHUP)
	worker.Await(worker.Stderr, `(?s)reload ended.*keys read again" keys=2.*reload ended" refused=0\n`)

	before := seen.Load()
	due(t, dir)
	again := time.Now().Add(5 * time.Second) // it may have tried before it heard of the agent
	w.eventually("the site is crawled through the cluster's agent", func() bool {
		if time.Now().After(again) {
			due(t, dir)
			again = time.Now().Add(5 * time.Second)
		}
		return seen.Load() > before
	})
	worker.Signal(harness.Terminate)
	if status := worker.Status(); status != 0 {
		t.Errorf("the worker ended with status %d", status)
	}
}
