// Command chi mounts a gateway into a chi router, behind chi's own middleware.
package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() { host.Run(mount) }

// region mount

func mount(gw *farwire.Gateway, pool *agent.Pool, log *slog.Logger) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID)
	r.Use(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: slog.NewLogLogger(log.Handler(), slog.LevelInfo), NoColor: true}))
	r.Use(middleware.Recoverer)
	r.Use(middleware.Compress(5))
	r.Use(cors.Handler(cors.Options{
		AllowedOrigins: []string{host.Origin},
		AllowedMethods: []string{"GET", "POST"},
		AllowedHeaders: []string{"X-API-Key", "Authorization", "Content-Type"},
	}))
	gateway := func(r chi.Router) {
		r.Handle("/ws", gw.Relay())
		r.Handle("/ws/", gw.Relay())
		r.Handle("/ws/crawl", gw.Crawl())
		r.Handle("/amqp", gw.AMQP())
		// A timeout is for what answers at once: it would end a stream, and
		// cannot end a socket.
		r.Group(func(r chi.Router) {
			r.Use(middleware.Timeout(10 * time.Second))
			r.Handle("/auth/token", gw.Token())
			r.Handle("/network", gw.Network())
			r.Handle("/usage", gw.Usage())
			r.Handle("/healthz", gw.Health())
		})
	}
	r.Handle("/agents/attach", pool)
	r.Group(gateway)
	r.Route("/app", func(r chi.Router) {
		r.Use(middleware.BasicAuth("app", host.Accounts), named)
		r.Group(gateway)
		r.Handle("/console/*", http.StripPrefix("/app/console", console.Handler(console.Options{Gateway: "/app/", NoKey: true})))
	})
	return r
}

// named tells the gateway whom chi's BasicAuth has let in.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: user}))
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

// endregion
