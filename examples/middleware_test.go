package examples

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/farwire/farwire/hosttest"
	"github.com/farwire/farwire/internal/harness"
)

func unwrapping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(harness.OnlyUnwrap{Inner: w}, r) })
}

// inGin has gin's router lead everything to the handlers, with gin's own middleware
// around them.
func inGin(next http.Handler) http.Handler {
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.Any("/*path", gin.WrapH(next))
	return engine
}

// inEcho does the same with echo's.
func inEcho(own ...echo.MiddlewareFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		e := echo.New()
		e.Use(append([]echo.MiddlewareFunc{echomiddleware.Recover(), echomiddleware.RequestID()}, own...)...)
		e.Any("/*", echo.WrapHandler(next))
		return e
	}
}

// inChi does the same with chi's.
func inChi(own ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(own...)
		r.Handle("/*", next)
		return r
	}
}

// What hosts put around their handlers, and what our handlers work behind: all of
// them, but behind a router that knows no CONNECT, before which the forward proxy
// stands.
func TestMiddleware_Compatible_HandlersWork(t *testing.T) {
	gin.SetMode(gin.TestMode)
	all := hosttest.Handlers()
	routed := all[:len(all)-1]
	if all[len(all)-1] != hosttest.ForwardProxy {
		t.Fatalf("the handlers are %q", all)
	}
	gzip, err := gzhttp.NewWrapper()
	if err != nil {
		t.Fatal(err)
	}
	gzipAll, err := gzhttp.NewWrapper(gzhttp.MinSize(0), gzhttp.ContentTypeFilter(gzhttp.CompressAllContentTypeFilter))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		wrap     func(http.Handler) http.Handler
		handlers []hosttest.Handler
	}{
		"net/http":                  {func(next http.Handler) http.Handler { return next }, all},
		"net/http, Unwrap alone":    {unwrapping, all},
		"net/http, MaxBytesHandler": {func(next http.Handler) http.Handler { return http.MaxBytesHandler(next, 64<<10) }, all},
		"chi":                       {inChi(middleware.RequestID, middleware.Logger, middleware.Recoverer), all},
		"chi, Compress":             {inChi(middleware.Compress(5, "text/event-stream", "text/html")), all},
		"chi, Compress inside a wrapper that has only Unwrap": {inChi(unwrapping, middleware.Compress(5)), all},
		"chi, Compress around a wrapper that has only Unwrap": {inChi(middleware.Compress(5), unwrapping), all},
		"gin":                      {inGin, routed},
		"echo":                     {inEcho(), routed},
		"echo, Gzip":               {inEcho(echomiddleware.Gzip()), routed},
		"otelhttp":                 {instrumented, all},
		"gzhttp":                   {func(next http.Handler) http.Handler { return gzip(next) }, all},
		"gzhttp, of every type":    {func(next http.Handler) http.Handler { return gzipAll(next) }, all},
		"otelhttp, gzhttp and chi": {func(next http.Handler) http.Handler { return instrumented(gzip(inChi(middleware.Compress(5))(next))) }, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, hosttest.Host{Middleware: c.wrap, Handlers: c.handlers})
		})
	}
}

func instrumented(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "host", otelhttp.WithTracerProvider(noop.NewTracerProvider()))
}

// A session's cookie lets people in, by a middleware that loads the session before
// and stores it after.
func TestMiddleware_SessionCookie_HandlersWork(t *testing.T) {
	sessions := scs.New()
	signedIn := func(next http.Handler) http.Handler {
		return sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/login":
				sessions.Put(r.Context(), "name", "alice")
			case sessions.GetString(r.Context(), "name") != "alice":
				http.Error(w, "sign in first", http.StatusUnauthorized)
			default:
				sessions.Put(r.Context(), "last", time.Now().Format(time.RFC3339Nano)) // so that there is something to store
				next.ServeHTTP(w, r)
			}
		}))
	}
	server := httptest.NewServer(signedIn(http.NotFoundHandler()))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: server.Client().Transport}
	resp, err := client.Get(server.URL + "/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, c := range jar.Cookies(at) {
		cookies = append(cookies, c.String())
	}
	host := hosttest.Host{Middleware: signedIn, Handlers: hosttest.Handlers(), Header: http.Header{"Cookie": {strings.Join(cookies, "; ")}}}
	hosttest.Run(t, host)
	host.Header = nil
	if err := hosttest.Check(t.Context(), host); err == nil || strings.Count(err.Error(), "401 Unauthorized") != len(host.Handlers) {
		t.Errorf("without the cookie: %v", err)
	}
}

// What docs/embedding.md says cannot work does not, and for the reason that it gives.
func TestMiddleware_Incompatible_HandlersFail(t *testing.T) {
	gin.SetMode(gin.TestMode)
	const hidden = "hides http.Hijacker"
	type reasons map[hosttest.Handler]string
	for name, c := range map[string]struct {
		wrap  func(http.Handler) http.Handler
		fails reasons
	}{
		"http.TimeoutHandler": {func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") }, reasons{
			hosttest.Relay: hidden, hosttest.AMQP: "hides http.Flusher", hosttest.Crawl: hidden, hosttest.Agents: hidden,
			hosttest.PathForm: "an answer without an end has not begun", hosttest.ForwardProxy: hidden,
		}},
		"a ServeMux around the path form and the forward proxy": {func(next http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", next)
			return mux
		}, reasons{hosttest.PathForm: `the target was asked for "/Asked/as%252Fit/is?q=A+b"`, hosttest.ForwardProxy: "the answer is 307 Temporary Redirect"}},
		"gin around the forward proxy":  {inGin, reasons{hosttest.ForwardProxy: "by CONNECT: the answer is 404 Not Found"}},
		"echo around the forward proxy": {inEcho(), reasons{hosttest.ForwardProxy: "by CONNECT: the answer is 404 Not Found"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for handler, reason := range c.fails {
				err := hosttest.Check(t.Context(), hosttest.Host{Middleware: c.wrap, Handlers: []hosttest.Handler{handler}})
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("%s: got %v, want %q", handler, err, reason)
				}
			}
			if name == "http.TimeoutHandler" && len(c.fails) != len(hosttest.Handlers()) {
				t.Errorf("%d handlers of %d", len(c.fails), len(hosttest.Handlers()))
			}
		})
	}
}
