// Command nethttp mounts a gateway into a net/http server whose middleware is
// its own: a log of requests, authentication by session, and CORS by rs/cors.
package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rs/cors"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() { host.Run(mount) }

// region mount

// mount serves callers with a key at /ws and so on, and people who are signed
// in below /app.
func mount(gw *farwire.Gateway, pool *agent.Pool, log *slog.Logger) http.Handler {
	gateway := http.NewServeMux()
	gateway.Handle("/ws", gw.Relay())
	gateway.Handle("/ws/{$}", gw.Relay())
	gateway.Handle("/amqp", gw.AMQP())
	gateway.Handle("/ws/crawl", gw.Crawl())
	gateway.Handle("/auth/token", gw.Token())
	gateway.Handle("/network", gw.Network())
	gateway.Handle("/usage", gw.Usage())
	gateway.Handle("/healthz", gw.Health())

	people := http.NewServeMux()
	people.Handle("/console/", http.StripPrefix("/console", console.Handler(console.Options{Gateway: "/app/", NoKey: true})))
	people.Handle("/", gateway)

	root := http.NewServeMux()
	root.Handle("/agents/attach", pool)
	root.Handle("/app/", http.StripPrefix("/app", signedIn(people)))
	root.Handle("/", gateway)

	allow := cors.New(cors.Options{
		AllowedOrigins: []string{host.Origin},
		AllowedMethods: []string{"GET", "POST"},
		AllowedHeaders: []string{"X-API-Key", "Authorization", "Content-Type"},
		ExposedHeaders: []string{"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining"},
	})
	return logged(log, allow.Handler(root))
}

// endregion

// region principal

// signedIn names the caller to the gateway. No API key is needed then. What
// the host has read is taken out of the request: the relay's direct form would
// have to tell it from what is meant for the target.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if want, known := host.Accounts[user]; !ok || !known || password != want {
			w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: user}))
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

// endregion

// region unwrap

// logged writes a line for each request. Its ResponseWriter has Unwrap, by
// which the gateway finds what it needs to take a connection over, to flush and
// to set deadlines.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		start := time.Now()
		next.ServeHTTP(rec, r)
		log.Info("request", "method", r.Method, "path", r.URL.Path, "status", rec.status, "duration", time.Since(start))
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// endregion
