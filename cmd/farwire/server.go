package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/preauth"
)

// newServer guards against peers that open connections and say nothing. There
// is no WriteTimeout, which would end streams, and no ReadTimeout, which net/http
// goes on counting while a stream is answered.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	fresh := &newConns{conns: make(map[net.Conn]struct{})}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         fresh.state,

		// What one connection may ask for at once is not the library's default of 250.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 100},

		DisableGeneralOptionsHandler: true, // asteriskForm answers, behind what guards h
	}
	s.RegisterOnShutdown(fresh.closeAll)
	return s
}

// asteriskForm answers OPTIONS *, which asks about the server and no resource of it
// (RFC 9110, section 9.3.7). net/http's own answer does not say whose it is.
func asteriskForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.RequestURI == "*" {
			w.Header().Set("X-Farwire-From", "gateway")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guardServer bounds the connections of a server that have shown no key, and their
// requests. It is to serve what the guard listens on.
func guardServer(s *http.Server, g *preauth.Guard) {
	s.Handler = g.Handler(s.Handler)
	fresh := s.ConnState
	s.ConnContext = g.ConnContext
	s.RegisterOnShutdown(g.Shutdown)
	s.ConnState = func(c net.Conn, state http.ConnState) {
		fresh(c, state)
		g.ConnState(c, state)
	}
}

// newConns are the connections whose first request has not come. A shutdown of
// net/http waits five seconds for it, which may be all the time there is; browsers
// and load balancers open such connections in advance.
type newConns struct {
	mu    sync.Mutex
	gone  bool // connections that come now are not waited for
	conns map[net.Conn]struct{}
}

func (n *newConns) state(c net.Conn, s http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case s != http.StateNew:
		delete(n.conns, c)
	case n.gone:
		c.Close()
	default:
		n.conns[c] = struct{}{}
	}
}

func (n *newConns) closeAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	for c := range n.conns {
		c.Close()
	}
}

// listen opens the address of a flag, or says what to do about it.
func listen(flag, addr string) (net.Listener, error) {
	config := netio.ListenConfig()
	ln, err := config.Listen(context.Background(), "tcp", addr)
	var dns *net.DNSError
	var bad *net.AddrError
	_, port, _ := net.SplitHostPort(addr)
	_, noPort := net.LookupPort("tcp", port) // which Listen tells as a name that is not known
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, misusef("%s: %s is taken; stop what listens there or give another port, 0 for any", flag, addr)
	case errors.Is(err, fs.ErrPermission):
		return nil, misusef("%s: %s is not allowed to this user; give a port above 1023", flag, addr)
	case errors.As(err, &dns) && noPort != nil:
		return nil, misusef("%s: %q is not an address (%q is not a port); write host:port, such as 127.0.0.1:8080", flag, addr, port)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &dns):
		return nil, misusef("%s: %s is not an address of this machine; give one that is, such as 127.0.0.1:8080", flag, addr)
	case errors.As(err, &bad):
		return nil, misusef("%s: %q is not an address (%s); write host:port, such as 127.0.0.1:8080", flag, addr, bad.Err)
	}
	return nil, misusef("%s: %v; write host:port, such as 127.0.0.1:8080", flag, err)
}
