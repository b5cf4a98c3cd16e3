package main

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/preauth"
)

// pathFlags are those of the path form.
type pathFlags struct {
	HTTPRate     float64 `name:"http-rate" default:"100" placeholder:"N" help:"Requests per second in the path form and the forward proxy for each API key, above 0."`
	HTTPBurst    int     `name:"http-burst" default:"500" placeholder:"N" help:"Requests at once in the path form and the forward proxy for each API key, at least 1."`
	StripHeaders list    `placeholder:"NAME,..." help:"Further request headers that the path form leaves out; * at the end stands for any end."`
	SocksListen  string  `placeholder:"ADDR" help:"Address of a SOCKS5 listener of the forward proxy; port 0 picks one."`
	PathHost     string  `placeholder:"NAME" help:"Host name for the path form alone: only /to/ is served under it, and /to/ under no other name. Default: /to/ is served under every name."`
}

// apply puts the flags into the gateway's options.
func (p *pathFlags) apply(o *farwire.Options) error {
	switch {
	case !(p.HTTPRate > 0) || math.IsInf(p.HTTPRate, 1):
		return misusef("--http-rate: %v is not a number of requests per second; give more than 0", p.HTTPRate)
	case p.HTTPBurst < 1:
		return misusef("--http-burst: %d is less than one request; give 1 or more", p.HTTPBurst)
	case p.PathHost != "" && !isHostName(p.PathHost):
		return misusef("--path-host: %q is not one host name; give it without scheme and port, such as to.example.com", p.PathHost)
	}
	o.Limits.HTTPRate, o.Limits.HTTPBurst = p.HTTPRate, p.HTTPBurst
	o.StripHeaders = p.StripHeaders
	return nil
}

// isHostName reports whether a client's Host may be this name: one of other characters, of an
// asterisk say, would never match.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return true
}

// route sends requests of the path form to its handler before a ServeMux cleans
// their paths, and all others to next.
func (p *pathFlags) route(g *farwire.Gateway, next http.Handler) http.Handler {
	path := g.PathForm()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := p.PathHost == "" || strings.EqualFold(strings.TrimSuffix(hostName(r.Host), "."), p.PathHost)
		switch {
		case farwire.IsPathForm(r) && own:
			path.ServeHTTP(w, r)
		case farwire.IsPathForm(r), own && p.PathHost != "":
			g.NotFound().ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// listenSOCKS opens the SOCKS listener, or returns nil where none is asked for.
func (p *pathFlags) listenSOCKS() (net.Listener, error) {
	if p.SocksListen == "" {
		return nil, nil
	}
	return listen("--socks-listen", p.SocksListen)
}

// serveSOCKS serves on ln, which may be nil, until the function that it returns
// is called.
func serveSOCKS(g *farwire.Gateway, ln net.Listener, unknown *preauth.Guard, failed chan<- error, log *slog.Logger) (stop func()) {
	if ln == nil {
		return func() {}
	}
	log.Info("listening for SOCKS5", "addr", ln.Addr().String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.ServeSOCKS(unknown.Listen(ln)); err != nil {
			failed <- err
		}
	}()
	return func() {
		ln.Close()
		<-done
	}
}

// hostName returns a Host header without its port.
func hostName(host string) string {
	name, _, err := net.SplitHostPort(host)
	var bad *net.AddrError
	if errors.As(err, &bad) { // there is no port
		name = host
	}
	return strings.Trim(name, "[]")
}
