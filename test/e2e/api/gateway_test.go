package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/internal/harness"
)

const (
	key         = "a-key-of-alice-0123"
	spent       = "a-key-of-bob-456789" // of a caller who has no request left
	secret      = "secret-of-the-agents-0123"
	hook        = "the-secret-of-the-site"
	testTimeout = time.Minute
)

var client = &http.Client{
	Timeout:       testTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true},
}

// A world is a gateway with all that the program mounts, and what it reaches.
type world struct {
	gw     *farwire.Gateway
	pool   *agent.Pool
	server *httptest.Server
	local  *httptest.Server // the same without agents from elsewhere, and without a list of them
	target string           // a WebSocket that echoes
	site   string
	broker net.Listener // says nothing
}

// directory knows alice, who may do all, and bob, who may do nothing more.
type directory struct{}

func (directory) Authenticate(_ context.Context, c farwire.Credentials) (farwire.Principal, error) {
	switch c.Key {
	case key:
		return farwire.Principal{Subject: "alice", KeyID: "1", Limits: farwire.Limits{Rate: -1}}, nil
	case spent:
		return farwire.Principal{Subject: "bob", KeyID: "2", Limits: farwire.Limits{Rate: 1e-6, Burst: 1, HTTPRate: 1e-6, HTTPBurst: 1}}, nil
	}
	return farwire.Principal{}, farwire.ErrUnauthorized
}

// oneSite is a store in which one site is enrolled.
type oneSite struct{ farwire.SiteStore }

func (oneSite) Enrolled(_ context.Context, base string) ([]farwire.Site, error) {
	if !strings.HasPrefix(base, "https://enrolled.example") {
		return nil, nil
	}
	return []farwire.Site{{ID: 1, Subject: "alice", BaseURL: base, WebhookSecret: hook}}, nil
}

func (oneSite) Sites(context.Context, string) ([]farwire.Site, error) {
	return []farwire.Site{{ID: 1, Subject: "alice", BaseURL: "https://enrolled.example/", Interval: time.Hour, NextCrawl: time.Now(), LastCrawl: time.Now()}}, nil
}

func (oneSite) Remove(context.Context, int64) error { return nil }

func (oneSite) MakeDue(_ context.Context, _ int64, at time.Time) (time.Time, error) { return at, nil }
func (oneSite) Count(context.Context, string) (int, error)                          { return 1, nil }

// late is an exit whose targets never answer in time.
var late = agent.Exit{ID: "farwire-late1", Slug: "late1", Country: "XX",
	DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &agent.DialError{Fault: agent.FaultTarget, Err: context.DeadlineExceeded}
	}}

func start(t *testing.T) *world {
	t.Helper()
	w := new(world)
	quiet := slog.New(slog.DiscardHandler)
	var err error
	w.pool, err = agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	must(t, err)
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	must(t, err)
	guarded, err := agent.Direct(agent.DirectOptions{Slug: "guarded1", Country: "AT"})
	must(t, err)
	for _, e := range []agent.Exit{exit, guarded, late} {
		must(t, w.pool.Add(e))
	}
	files, err := farwire.NewFolderStorage(t.TempDir(), "http://files.example/files/")
	must(t, err)
	if _, err := files.Save(t.Context(), farwire.File{Name: "a/llms.txt", ContentType: "text/plain", Body: []byte("# Title\n")}); err != nil {
		t.Fatal(err)
	}
	o := farwire.Options{Auth: directory{}, Agents: w.pool, Logger: quiet, Storage: files, Sites: oneSite{}}
	w.gw, err = farwire.New(o)
	must(t, err)
	w.server = harness.QuietServer(mount(w.gw, w.pool, files))
	localPool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: quiet})
	must(t, err)
	o.Agents = exit // which lists none
	alone, err := farwire.New(o)
	must(t, err)
	w.local = harness.QuietServer(mount(alone, localPool, files))
	target := harness.QuietServer(harness.WebSockets(context.Background(), harness.Echo))
	site := harness.QuietServer(http.HandlerFunc(page))
	w.target, w.site = "ws"+strings.TrimPrefix(target.URL, "http"), site.URL
	w.broker, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		must(t, errors.Join(w.gw.Shutdown(ctx), alone.Shutdown(ctx), w.pool.Shutdown(ctx), files.Close(), w.broker.Close()))
		for _, s := range []*httptest.Server{w.server, w.local, target, site} {
			s.Close()
		}
	})
	return w
}

// mount is what the program's routes are; TestOpenAPI_EveryRoute_IsDescribed compares.
func mount(g *farwire.Gateway, pool *agent.Pool, files *farwire.FolderStorage) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", g.Relay())
	mux.Handle("/ws/{$}", g.Relay())
	mux.Handle("/amqp", g.AMQP())
	mux.Handle("/amqp/{$}", g.AMQP())
	mux.Handle("/ws/crawl", g.Crawl())
	mux.Handle("/files/", http.StripPrefix("/files", files))
	mux.Handle("/auth/token", g.Token())
	mux.Handle("/agents/attach", pool)
	mux.Handle("/network", g.Network())
	mux.Handle("/sessions", g.SessionsHandler())
	mux.Handle("/sessions/{id}", g.SessionsHandler())
	mux.Handle("/usage", g.Usage())
	mux.Handle("/hooks/site-changed", g.SiteChanged())
	mux.Handle("/sites", g.SitesHandler())
	mux.Handle("/sites/{id}", g.SitesHandler())
	mux.Handle("/healthz", g.Health())
	mux.Handle("/readyz", g.Ready())
	mux.Handle("/", console.Handler(console.Options{}))
	path := g.PathForm()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			path.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, `<title>Home</title><main><p>A page with one sentence of prose, which is enough.</p><a href="/gone">gone</a></main>`)
}

func head(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}
