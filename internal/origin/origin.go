// Package origin says where a request comes from: from which address, by which
// scheme, and from a page of which web origin.
package origin

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Any lets pages of every web origin call a handler that wants a key: it
// answers a preflight, which cannot show one, and says so on every answer (Fetch
// standard, section 3.2). No cookie is allowed along, so nobody else's is worth
// anything to such a page. What a host's own middleware has said already stays.
func Any(methods string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// A host's middleware that decides on origins says that the answer varies by
		// them, also where it has nothing to allow.
		decided := h.Get("Access-Control-Allow-Origin") != "" || httpguts.HeaderValuesContainsToken(h.Values("Vary"), "Origin")
		if !decided {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "Retry-After, X-Farwire-From, X-RateLimit-Limit, X-RateLimit-Remaining")
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("X-Farwire-From", "gateway")
		h.Set("Allow", methods+", OPTIONS")
		if r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-API-Key")
			h.Set("Access-Control-Max-Age", "86400")
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// Trusted says whether a request may come from where it comes, for a caller that only
// the host knows: a browser on a foreign page would bring the host's cookie. It may
// come without an Origin, from the host's own, and from those that are allowed.
func Trusted(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		return site != "cross-site" && site != "same-site"
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) && schemeFits(r, u.Scheme) {
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(origin, a) })
}

// schemeFits compares an origin's scheme with the request's, where that is
// known: TLS that ends here is, and so is what a trusted proxy says.
func schemeFits(r *http.Request, scheme string) bool {
	if r.TLS != nil {
		return scheme == "https"
	}
	if said, ok := r.Context().Value(schemeKey{}).(string); ok {
		return scheme == said
	}
	return true
}

// Addr reads the address of a connection's far end, "host:port"; the zero Addr when it
// is something else.
func Addr(hostPort string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// Client returns a function that says who the client of a request is, behind proxies
// that are trusted: the rightmost address in X-Forwarded-For that is not trusted, where
// the peer is; else the peer.
func Client(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	isTrusted := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		peer := Addr(r.RemoteAddr)
		if !isTrusted(peer) {
			return peer
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		client := peer
		for i := len(hops) - 1; i >= 0; i-- {
			a, ok := forwardedAddr(hops[i])
			if !ok {
				return client // what stands left of nonsense is nobody's word
			}
			if client = a; !isTrusted(a) {
				return client
			}
		}
		return client
	}
}

// forwardedAddr reads an entry of X-Forwarded-For; some proxies add a port.
func forwardedAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

type schemeKey struct{}

// WithScheme returns a context that says whether a request came by http or https,
// where the host knows it from a proxy that it trusts.
func WithScheme(ctx context.Context, scheme string) context.Context {
	return context.WithValue(ctx, schemeKey{}, strings.ToLower(scheme))
}

// OverTLS reports whether the client came over https: TLS here, or a trusted
// proxy says so.
func OverTLS(r *http.Request) bool {
	said, ok := r.Context().Value(schemeKey{}).(string)
	return r.TLS != nil || ok && said == "https"
}
