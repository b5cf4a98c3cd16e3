package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
)

// An admin serves what is for operators alone, on an address of its own. Nil
// is one that is turned off.
type admin struct {
	ln     net.Listener
	server *http.Server
}

func (s *serve) admin(log *slog.Logger) (*admin, error) {
	if s.AdminListen == "" {
		return nil, nil
	}
	ln, err := listen("--admin-listen", s.AdminListen)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	// All of net/http/pprof but cmdline, which would show keys given as flags.
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	a := &admin{ln, newServer(mux, log)}
	go a.server.Serve(ln) // ends with close
	return a, nil
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
