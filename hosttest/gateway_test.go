package hosttest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/hosttest"
	"github.com/farwire/farwire/internal/harness"
)

// TestNewGateway_TraceOfTheHost_CountsBytes is what a host writes to test its own part: here a
// Trace that counts the bytes of a tenant.
func TestNewGateway_TraceOfTheHost_CountsBytes(t *testing.T) {
	var carried atomic.Int64
	gw := hosttest.NewGateway(t, farwire.Options{
		Trace: &farwire.Trace{SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			if i.Subject == "alice" {
				carried.Add(r.BytesToClient)
			}
		}},
	}, map[string]http.Handler{
		"api.example.com": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.Host) }),
		"feed.example.com": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer c.CloseNow()
			if err := c.Write(r.Context(), websocket.MessageText, []byte("odds")); err == nil {
				c.Close(websocket.StatusNormalClosure, "")
			}
		}),
	})
	mux := http.NewServeMux()
	mux.Handle("/to/", gw.PathForm())
	mux.Handle("GET /ws", gw.Relay())
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, target := range []string{"http/api.example.com/", "https/api.example.com/", "http/api.example.com:8080/"} {
		status, text := harness.Get(t, server.URL+"/to/-/"+target, "X-API-Key", hosttest.Key)
		if status != http.StatusOK || !strings.HasPrefix(text, "hello api.example.com") {
			t.Errorf("%s: %d %q", target, status, text)
		}
	}
	if status, text := harness.Get(t, server.URL+"/to/-/https/nowhere.example.com/", "X-API-Key", hosttest.Key); status != http.StatusBadGateway {
		t.Errorf("of a host that is not there: %d %q", status, text)
	}
	c, _, err := websocket.Dial(t.Context(), server.URL+"/ws?api_key="+hosttest.Key+"&url=wss://feed.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, text, err := c.Read(t.Context()); string(text) != "odds" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := gw.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if carried.Load() == 0 {
		t.Error("the Trace was told of no bytes")
	}
}

func TestNewGateway_InBubble_PathFormAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gw := hosttest.NewGateway(t, farwire.Options{}, map[string]http.Handler{
			"api.example.com": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
		})
		for _, scheme := range []string{"http", "https"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/to/-/"+scheme+"/api.example.com/", nil)
			r.Header.Set("X-API-Key", hosttest.Key)
			w := httptest.NewRecorder()
			gw.PathForm().ServeHTTP(w, r)
			if w.Code != http.StatusOK || w.Body.String() != "hello" {
				t.Errorf("%s: %d %q", scheme, w.Code, w.Body)
			}
		}
	})
}
