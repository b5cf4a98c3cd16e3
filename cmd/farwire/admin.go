package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/prometheus"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/preauth"
)

// An admin serves what is for operators alone, on an address of its own. Nil
// is one that is turned off.
type admin struct {
	ln      net.Listener
	server  *http.Server
	metrics *prometheus.Metrics
	// Registry is where further services of this process add their metrics.
	registry *client.Registry
	mux      *http.ServeMux
	guard    adminGuard
}

// admin serves what operators ask for. Connections that have shown no admin key count
// to unknown, together with those of the other listeners.
func (s *serve) admin(clientAddr func(*http.Request) netip.Addr, wrong *attempts.Counter, unknown *preauth.Guard, log *slog.Logger) (*admin, error) {
	if s.AdminListen == "" {
		return nil, nil
	}
	ln, err := listen("--admin-listen", s.AdminListen)
	if err != nil {
		return nil, err
	}
	b := build()
	metrics := prometheus.New(prometheus.Options{Version: b.version, Commit: b.commit})
	registry := client.NewRegistry()
	registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
	// All of net/http/pprof but cmdline, which would show keys given as flags.
	guard := newAdminGuard(s.AdminListen, ln.Addr(), s.AdminKey, clientAddr, wrong, log)
	for path, h := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
	} {
		mux.Handle(path, guard.private(h))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "bad_request", fmt.Sprintf("%q is not served on the admin address", r.URL.Path))
	})
	a := &admin{ln, newServer(guard.public(asteriskForm(mux)), log), metrics, registry, mux, guard}
	guardServer(a.server, unknown)
	go a.server.Serve(unknown.Listen(ln)) // ends with close
	return a, nil
}

// trace returns what counts a gateway's sessions; nil: nobody asks.
func (a *admin) trace() *farwire.Trace {
	if a == nil {
		return nil
	}
	return a.metrics.Trace()
}

// watch shows what the gateway holds, and how a limiter that it shares with
// others does.
func (a *admin) watch(g *farwire.Gateway, limiter farwire.Limiter, others *cluster) {
	if a == nil {
		return
	}
	a.metrics.Watch(g)
	a.mux.Handle("/sessions", a.guard.private(g.AllSessionsHandler()))
	a.mux.Handle("/sessions/{id}", a.guard.private(g.AllSessionsHandler()))
	if shared, ok := limiter.(*redislimit.Limiter); ok {
		a.metrics.WatchLimiter(func() prometheus.LimiterStats { return prometheus.LimiterStats(shared.Stats()) })
	}
	if others != nil {
		a.metrics.WatchCluster(func() prometheus.ClusterStats { return prometheus.ClusterStats(others.Stats()) })
	}
}

// reloadKey returns a function that reads the admin key again, if it came from a file.
// id refuses a new key that has another purpose, too.
func (a *admin) reloadKey(first string, id *identity) func() error {
	fromFile, found, err := secretFile("admin-key", readUnlessPipe)
	if a == nil || !found || err != nil || fromFile != first {
		return func() error { return nil }
	}
	return func() error {
		key, _, err := secretFile("admin-key", readAgain)
		if err != nil {
			return err
		}
		if err := checkAdminKey(key); err != nil {
			return err
		}
		next := id.inUse
		next.admin = key
		return id.admit(next, func() error {
			a.guard.key.Store(&key)
			return nil
		})
	}
}

func (a *admin) addr() net.Addr {
	if a == nil {
		return nil
	}
	return a.ln.Addr()
}

// close ends profiles that are being taken, too.
func (a *admin) close() {
	if a != nil {
		a.server.Close()
	}
}
