package nats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A site is enrolled at a gateway that recrawls nothing, and recrawled by the
// command, on the same SQLite, through the agent of the cluster.
func TestWork_DueSite_IsRecrawledThroughTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var seen atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(rw, r)
			return
		}
		fmt.Fprintf(rw, "<html><head><title>Page</title></head><body><main><h1>Page</h1><p>The text of visit %d is here for all to read.</p></main></body></html>", seen.Add(1))
	}))
	defer site.Close()
	dir := w.folder()
	g := w.gateway("--data-dir", dir, "--no-recrawl")
	w.agent("de1", 1, g)
	w.awaitAgents(1, []string{"de1"}, g)

	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
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
	before := seen.Load()
	due := exec.Command("python3", "-c", `import sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=30)
c.execute("UPDATE farwire_sites SET next_crawl = last_crawl")
c.commit()`, filepath.Join(dir, "sites.db"))
	if out, err := due.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
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
