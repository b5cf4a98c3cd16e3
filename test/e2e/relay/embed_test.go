package relay

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const hostKey = "a-key-of-the-host"

// embedded mounts the relay in a host program's server, behind its middleware.
func embedded(t *testing.T, o farwire.RelayOptions, wrap func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := farwire.APIKeys(map[string]string{hostKey: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{
		Auth: keys, Agents: exit, Relay: o, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wrap(gw.Relay()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		server.Close()
	})
	return server
}

func wsURL(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") + "/ws" }

// A session on which nothing happens outlives a proxy that ends what is idle,
// because the gateway pings; without its pings it does not.
func TestRelay_IdleBehindNginx_Stays(t *testing.T) {
	const proxyTimeout, idle = 4 * time.Second, 9 * time.Second
	certificate := harness.NewCertificate(t)
	for _, c := range []struct {
		name      string
		keepAlive time.Duration
		survives  bool
	}{{"with pings", proxyTimeout / 8, true}, {"without", -1, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			host := embedded(t, farwire.RelayOptions{KeepAlive: c.keepAlive}, func(h http.Handler) http.Handler { return h })
			nginx := harness.Nginx(t, certificate, host.Listener.Addr().String(), "proxy_read_timeout 4s; proxy_send_timeout 4s;")
			// The target speaks after a long silence.
			silent := target(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
				c.CloseRead(ctx)
				select {
				case <-time.After(idle):
					c.Write(ctx, websocket.MessageText, []byte("still here")) // nobody may be there to read it
				case <-ctx.Done():
				}
			})
			browser := &http.Client{Transport: &http.Transport{TLSClientConfig: certificate.Client()}}
			defer browser.CloseIdleConnections()
			conn := dial(t, "wss://"+nginx+"/ws", &websocket.DialOptions{HTTPClient: browser})
			ctx := patient(t)
			if err := conn.Write(ctx, websocket.MessageText, []byte(`{"key": "`+hostKey+`", "url": "`+silent+`"}`)); err != nil {
				t.Fatal(err)
			}
			if _, first, err := conn.Read(ctx); err != nil || !strings.Contains(string(first), "connected") {
				t.Fatalf("the first message is %q, %v", first, err)
			}
			_, message, err := conn.Read(ctx) // answers pings meanwhile
			switch {
			case c.survives && (err != nil || string(message) != "still here"):
				t.Errorf("after %v of silence: %q, %v", idle, message, err)
			case !c.survives && err == nil:
				t.Errorf("nginx let %v of silence pass: this test shows nothing", idle)
			}
		})
	}
}

// The relay works behind the middleware that hosts have.
func TestRelay_BehindMiddleware_Works(t *testing.T) {
	var said harness.Log
	logger := middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(&said, "", 0), NoColor: true})
	router := func(stack ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(stack...)
			r.Get("/ws", h.ServeHTTP)
			return r
		}
	}
	wrapped := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(harness.OnlyUnwrap{Inner: w}, r) })
	}
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"chi's Logger":              router(logger),
		"chi's Compress":            router(middleware.Compress(5)),
		"chi's Logger and Compress": router(middleware.RequestID, logger, middleware.Recoverer, middleware.Compress(5)),
		"Unwrap alone":              wrapped,
		"Unwrap twice inside chi":   func(h http.Handler) http.Handler { return router(logger, middleware.Compress(5))(wrapped(wrapped(h))) },
	} {
		for _, hold := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				host := embedded(t, farwire.RelayOptions{HoldHandler: hold}, wrap)
				to := target(t, harness.Echo)

				c := session(t, wsURL(host), ask{"key": hostKey, "url": to})
				exchange(t, c, strings.Repeat("what a compressor would like ", 1000))
				if err := c.Close(4000, "bye"); err != nil {
					t.Errorf("the close frame was not answered: %v", err)
				}

				// The direct form: its 101, and its errors, pass the middleware too.
				direct := dial(t, wsURL(host)+"?api_key="+hostKey+"&url="+to, &websocket.DialOptions{Subprotocols: []string{"chat"}})
				if direct.Subprotocol() != "chat" {
					t.Errorf("subprotocol %q, want chat", direct.Subprotocol())
				}
				exchange(t, direct, "hello")
				if err := direct.Close(1000, ""); err != nil {
					t.Errorf("the close frame was not answered: %v", err)
				}
				_, resp, err := websocket.Dial(patient(t), wsURL(host)+"?api_key=nobody&url="+to, nil)
				if err == nil || resp.StatusCode != http.StatusForbidden {
					t.Errorf("a wrong key: %v, %v, want 403", resp, err)
				}
			})
		}
	}
	if text := said.String(); !strings.Contains(text, "/ws") || !strings.Contains(text, "101") {
		t.Errorf("the logger wrote %q", text)
	}
}

// Behind middleware that cannot work it says whose fault that is.
func TestRelay_BehindTimeoutHandler_SaysWhyItCannotWork(t *testing.T) {
	host := embedded(t, farwire.RelayOptions{}, func(h http.Handler) http.Handler {
		return http.TimeoutHandler(h, time.Minute, "too late")
	})
	for _, address := range []string{wsURL(host), wsURL(host) + "?api_key=" + hostKey + "&url=" + target(t, harness.Echo)} {
		_, resp, err := websocket.Dial(patient(t), address, nil)
		if err == nil {
			t.Fatal("http.TimeoutHandler lets sockets pass: this test shows nothing")
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), "http.TimeoutHandler") {
			t.Errorf("%s %q, %v; want 500 and a text that names http.TimeoutHandler", resp.Status, body, err)
		}
	}
}

// Read and write timeouts of the host's server do not end sessions.
func TestRelay_TimeoutsOfTheServer_DoNotEndSessions(t *testing.T) {
	var handler http.Handler
	embedded(t, farwire.RelayOptions{}, func(h http.Handler) http.Handler { handler = h; return h })
	const timeout = 2 * time.Second
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = timeout, timeout
	server.Start()
	t.Cleanup(server.Close)
	late := target(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		c.CloseRead(ctx)
		select {
		case <-time.After(2 * timeout):
			c.Write(ctx, websocket.MessageText, []byte("late"))
		case <-ctx.Done():
		}
	})
	c := session(t, wsURL(server), ask{"key": hostKey, "url": late})
	if _, message, err := c.Read(patient(t)); err != nil || string(message) != "late" {
		t.Errorf("read %q, %v", message, err)
	}
	c.CloseNow()
}
