package crawl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

const agentSecret = "the secret of all the agents"

// A crawl goes on through another agent when the process of its own is killed,
// and ends with an error when that one was pinned.
func TestCrawl_AgentKilled_GoesOnThroughAnother(t *testing.T) {
	for _, c := range []struct {
		name, more string
		code       websocket.StatusCode
	}{
		{"another goes on", "", 1000},
		{"unless it was pinned", `,"agent":"at1"`, 1011},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := harness.Serve(t, "--agent-secret", agentSecret, "--local-agent", "none", "--rate", "1000")
			agents := map[string]*harness.TestProcess{}
			for _, slug := range []string{"at1", "at2"} {
				agents["farwire-"+slug] = harness.Start(t, harness.Farwire(t, "agent", "--gateway", g.HTTP(""), "--secret", agentSecret,
					"--slug", slug, "--country", "AT", "--allow-private"))
			}
			ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
			defer cancel()
			for _, id := range []string{"farwire-at1", "farwire-at2"} {
				awaitAgent(ctx, t, g, id)
			}
			site, hung := newHangingSite(t)
			conn, resp, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+g.Key), nil)
			if err != nil {
				t.Fatalf("%v: %v", err, resp)
			}
			defer conn.CloseNow()
			if err := conn.Write(ctx, websocket.MessageText, []byte(fmt.Sprintf(`{"url":%q%s}`, site, c.more))); err != nil {
				t.Fatal(err)
			}
			victim := "farwire-at1"
			select {
			case <-hung:
			case <-ctx.Done():
				t.Fatal("the page that hangs is never asked for")
			}
			if c.more == "" {
				victim = busy(ctx, t, g)
			}
			agents[victim].Signal(os.Kill)

			last, code := listen(ctx, t, conn)
			if code != c.code {
				t.Fatalf("closed with %d after %v", code, last)
			}
			if c.code == 1000 {
				if last["type"] != "url" {
					t.Errorf("the last message is %v", last)
				}
				if end := g.Await(g.Stderr, `kind=crawl .* agent=(\S+) .* code=1000 .* frames_to_client=3 `); end[1] == victim {
					t.Errorf("it ended through %s, which was killed", victim)
				}
			}
			if c.code == 1011 && last["content"] != "agent lost" {
				t.Errorf("the last message is %v", last)
			}
		})
	}
}

// newHangingSite serves a page that never comes at the first request.
func newHangingSite(t *testing.T) (url string, hung <-chan bool) {
	hanging := make(chan bool, 1)
	var once atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, "<title>Home</title><main><h1>Home</h1><p>A home page with two links and one sentence.</p><a href=slow>slow</a> <a href=b>b</a>")
		case "/slow":
			if once.CompareAndSwap(false, true) {
				hanging <- true
				<-r.Context().Done()
				return
			}
			fmt.Fprint(w, "<title>Slow</title><main><h1>Slow</h1><p>A page that comes at the second time of asking.</p>")
		case "/b":
			fmt.Fprint(w, "<title>B</title><main><h1>B</h1><p>A page that comes at once whenever it is asked for.</p>")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hanging
}

type listed struct {
	ID       string `json:"id"`
	Sessions int    `json:"sessions"`
}

func network(ctx context.Context, t *testing.T, g *harness.Gateway) []listed {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.HTTP("/network?api_key="+g.Key), nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Agents []listed }
	if err := json.Unmarshal([]byte(fetch(t, req)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Agents
}

// awaitAgent asks until the agent is there.
func awaitAgent(ctx context.Context, t *testing.T, g *harness.Gateway, id string) {
	t.Helper()
	for {
		for _, a := range network(ctx, t, g) {
			if a.ID == id {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not attach", id)
		case <-time.After(20 * time.Millisecond): // there is nothing to wait for but the next answer
		}
	}
}

// busy returns the agent that carries connections.
func busy(ctx context.Context, t *testing.T, g *harness.Gateway) string {
	t.Helper()
	for _, a := range network(ctx, t, g) {
		if a.Sessions > 0 {
			return a.ID
		}
	}
	t.Fatal("no agent carries anything")
	return ""
}

// listen reads until the close frame and returns the last message and the code.
func listen(ctx context.Context, t *testing.T, conn *websocket.Conn) (last map[string]any, code websocket.StatusCode) {
	t.Helper()
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return last, websocket.CloseStatus(err)
		}
		last = nil
		if err := json.Unmarshal(b, &last); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
	}
}
