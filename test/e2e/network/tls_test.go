package network_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A TLS failure is the target's fault: another agent would meet the same, so
// none is asked. It counts against the agent for this host all the same, since
// some targets refuse an agent so.
func TestRelay_TLSFails_NoOtherAgentIsTried(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	// It reads one byte, so that the end is no reset.
	closing := harness.Conns(t, func(c net.Conn) { c.Read(make([]byte, 1)) })

	for name, c := range map[string]struct{ host, relay, crawl string }{
		"unknown authority": {untrusted.Listener.Addr().String(), "TLS: certificate signed by an unknown authority", "Failed to fetch page: "},
		"no TLS":            {plain.Listener.Addr().String(), "TLS: the target does not speak TLS on this port", "Failed to fetch page: "},
		"closes at once":    {closing.Addr().String(), "TLS: ", "Failed to fetch page: "},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var dialled []string
			pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			for _, slug := range []string{"de1", "de2", "de3"} {
				exit, err := agent.Direct(agent.DirectOptions{Slug: slug, Country: "DE", AllowPrivate: true})
				if err != nil {
					t.Fatal(err)
				}
				dial := exit.DialContext
				exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					mu.Lock()
					defer mu.Unlock()
					dialled = append(dialled, slug)
					return dial(ctx, network, addr)
				}
				if err := pool.Add(exit); err != nil {
					t.Fatal(err)
				}
			}
			keys, err := farwire.APIKeys(map[string]string{"a-key-of-the-test": "alice"})
			if err != nil {
				t.Fatal(err)
			}
			gw, err := farwire.New(farwire.Options{Auth: keys, Agents: pool, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle("GET /ws", gw.Relay())
			mux.Handle("GET /ws/crawl", gw.Crawl())
			server := httptest.NewServer(mux)
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
				defer cancel()
				if err := gw.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				server.Close()
			})
			// refused asks and returns the agents that were tried.
			refused := func(path, message, want string) []string {
				t.Helper()
				mu.Lock()
				dialled = nil
				mu.Unlock()
				ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
				defer cancel()
				ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http")+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer ws.CloseNow()
				if err := ws.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
					t.Fatal(err)
				}
				var answer struct{ Type, Message, Content string }
				for answer.Type != "error" {
					_, b, err := ws.Read(ctx)
					if err != nil {
						t.Fatal(err)
					}
					if err := json.Unmarshal(b, &answer); err != nil {
						t.Fatal(err)
					}
				}
				if text := answer.Message + answer.Content; !strings.HasPrefix(text, want) {
					t.Errorf("%s: told %q, want %q", path, text, want)
				}
				if _, _, err := ws.Read(ctx); websocket.CloseStatus(err) != websocket.StatusInternalError {
					t.Errorf("%s: closed with %v", path, err)
				}
				mu.Lock()
				defer mu.Unlock()
				return dialled
			}
			if through := refused("/ws", `{"apiKey":"a-key-of-the-test","url":"wss://`+c.host+`/"}`, c.relay); len(through) != 1 {
				t.Errorf("the relay dialled through %v, want one agent, once", through)
			}
			through := refused("/ws/crawl?api_key=a-key-of-the-test", `{"url":"https://`+c.host+`/"}`, c.crawl)
			if len(slices.Compact(slices.Clone(through))) != 1 {
				t.Errorf("the crawl dialled through %v, want one agent", through)
			}
		})
	}
}
