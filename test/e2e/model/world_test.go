package model

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const (
	callerKey   = "a-key-of-the-caller"
	modelKey    = "sk-or-v1-a-key-of-the-model"
	testTimeout = time.Minute
)

// serve runs a server for the length of the test.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// site serves pages by their paths; what is not among them is a 404.
func site(t *testing.T, pages map[string]string) *httptest.Server {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	}))
}

// asModel is the adapter for a server of the API.
func asModel(t *testing.T, api *httptest.Server, change ...func(*openrouter.Options)) *openrouter.Model {
	t.Helper()
	o := openrouter.Options{APIKey: modelKey, BaseURL: api.URL + "/v1", HTTPClient: api.Client()}
	for _, f := range change {
		f(&o)
	}
	m, err := openrouter.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A gateway is one that crawls, with all that it logs.
type gateway struct {
	t   *testing.T
	url string
	log *harness.Log
}

func newGateway(t *testing.T, model farwire.Enhancer) *gateway {
	t.Helper()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := farwire.APIKeys(map[string]string{callerKey: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, log: new(harness.Log)}
	gw, err := farwire.New(farwire.Options{
		Auth: keys, Agents: exit, Logger: slog.New(slog.NewTextHandler(g.log, nil)), Limits: farwire.Limits{Rate: -1},
		Crawl: farwire.CrawlOptions{Enhance: model},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gw.Crawl())
	g.url = "ws" + strings.TrimPrefix(server.URL, "http") + "/ws/crawl?api_key=" + callerKey
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		server.Close()
	})
	return g
}

// crawl asks for a crawl and returns its file and what the client was told.
func (g *gateway) crawl(url, format string, enhance bool) (file, logs string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), testTimeout)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, g.url, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	ask, err := json.Marshal(map[string]any{"url": url, "format": format, "llmEnhance": enhance, "maxPages": 200})
	if err != nil {
		g.t.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, ask); err != nil {
		g.t.Fatal(err)
	}
	for {
		_, b, err := ws.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return file, logs
		}
		if err != nil {
			g.t.Fatal(err)
		}
		var m struct{ Type, Content string }
		if err := json.Unmarshal(b, &m); err != nil {
			g.t.Fatal(err)
		}
		switch m.Type {
		case "log":
			logs += m.Content + "\n"
		case "result":
			file = m.Content
		default:
			g.t.Fatalf("%s: %s", m.Type, m.Content)
		}
	}
}

// page is an innocent one.
func page(title, text string, links ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html lang=en><head><title>%s</title></head><body><main><h1>%s</h1><p>%s</p><ul>", title, title, text)
	for _, l := range links {
		fmt.Fprintf(&b, "<li><a href=%q>%s</a></li>", l, strings.Trim(l, "/"))
	}
	b.WriteString("</ul></main></body></html>")
	return b.String()
}
