// Command pathform mounts the path form behind the host's own login: whoever is signed
// in reaches any HTTP server through an agent, by URL alone.
package main

import (
	"log/slog"
	"net/http"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() { host.Run(mount) }

// region mount

// mount serves /to/ to those who are signed in. A ServeMux cleans paths, so the path
// form is asked first.
func mount(gw *farwire.Gateway, _ *agent.Pool, _ *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", gw.Health())
	path := signedIn(gw.PathForm())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			path.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// signedIn names the caller to the gateway. The login's cookie stays here: of cookies
// only the target's own are sent on.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("app_session")
		if err != nil || host.Sessions[cookie.Value] == "" {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		caller := farwire.Principal{Subject: host.Sessions[cookie.Value]}
		next.ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), caller)))
	})
}

// endregion
