package farwire

import (
	"crypto/tls"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/upgrade"
)

// ForwardProxy returns the handler that serves programs which know proxies (RFC
// 9110, section 7.1): CONNECT over HTTP/1.1 and HTTP/2, requests for an absolute
// URL, and WebSockets for one. Everything else goes to next. It must stand before a
// ServeMux, which knows no CONNECT and cleans paths:
//
//	http.Server{Handler: gw.ForwardProxy(mux)}
//
// Proxy-Authorization: Basic says who asks. The password is a key or a token, the
// user name is OPTIONS of the path form without a key (geo=DE;session=a), or any text
// without "=". A caller that the host named (WithPrincipal) needs none. Without
// either every proxied request is answered 407; without Options.Auth, too.
//
// A CONNECT is a session of [KindTunnel], a request for an absolute URL one of
// [KindHTTP]. Headers and cookies are passed as they are, less those of the hop.
// The end of one of a tunnel's streams crosses to the other side, which may go on;
// over HTTP/2 the end of the target's ends the tunnel. HTTP/2 has no absolute URLs:
// there a request that has Proxy-Authorization is taken for a proxied one, and over
// TLS one for a host that neither the handshake nor the certificate names.
func (g *Gateway) ForwardProxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch uri, absolute := absoluteURL(r); {
		case r.Method == http.MethodConnect:
			g.serveConnect(w, r)
		case absolute:
			g.serveAbsolute(w, r, uri)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// absoluteURL returns the URL that a proxied request is for. HTTP/2 has no absolute
// form, and net/http does not show the scheme that was asked for: there a proxied
// request is one with credentials for a proxy, or for a host that the client cannot
// have found at the end of its connection.
func absoluteURL(r *http.Request) (string, bool) {
	scheme, _, found := strings.Cut(r.RequestURI, "://")
	switch {
	case found && !strings.ContainsAny(scheme, "/?"):
		return r.RequestURI, true
	case r.ProtoMajor >= 2 && (r.Header.Get("Proxy-Authorization") != "" || isForeign(r)):
		return "http://" + r.Host + r.RequestURI, true
	}
	return "", false
}

// isForeign reports whether a request's host is neither the one that TLS was set up
// for nor another one of the same certificate (RFC 9113, section 9.1.1). A reverse
// proxy, which may name any, says in a header that it is one.
func isForeign(r *http.Request) bool {
	if r.TLS == nil || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host := rules.Host((&url.URL{Host: r.Host}).Hostname())
	name := rules.Host(r.TLS.ServerName)
	_, notAddress := netip.ParseAddr(host)
	if host == name || name == "" && notAddress == nil { // addresses are not told
		return false
	}
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || server.TLSConfig == nil {
		return true
	}
	certificates := server.TLSConfig.Certificates
	if get := server.TLSConfig.GetCertificate; get != nil {
		if c, err := get(&tls.ClientHelloInfo{ServerName: r.TLS.ServerName}); err == nil && c != nil {
			certificates = []tls.Certificate{*c}
		}
	}
	return !slices.ContainsFunc(certificates, func(c tls.Certificate) bool {
		return c.Leaf != nil && c.Leaf.VerifyHostname(host) == nil
	})
}

// proxyUser returns what Proxy-Authorization holds.
func proxyUser(r *http.Request) (user, password string) {
	user, password, _ = (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	return user, password
}

// readProxyAuth reads who asks from Proxy-Authorization and from nothing else.
func (g *Gateway) readProxyAuth(r *http.Request) requestAuth {
	seen := requestAuth{remote: g.o.ClientAddr(r), http: true, shown: upgrade.KeyShown(r.Context())}
	_, seen.key = proxyUser(r)
	if p, ok := PrincipalFrom(r.Context()); ok {
		seen.named = &p
		if g.o.Auth == nil && !g.tokens.ours(seen.key) {
			seen.key = "" // the header is the host's affair
		}
		if r.ProtoMajor >= 2 && r.Method != http.MethodConnect {
			// A page may have asked for it; no page asks for an absolute URL.
			seen.origin = g.checkOrigin(r)
		}
	}
	return seen
}

// proxyOptions reads a user name: OPTIONS, or a name that says nothing.
func proxyOptions(user string) (pathform.Options, error) {
	if !strings.Contains(user, "=") {
		return pathform.Options{}, nil
	}
	return pathform.ParseOptions(user, false)
}

// failProxy answers a proxied request with an error of the gateway's own. Who
// showed no valid credentials is asked for them (RFC 9110, section 11.7).
func (g *Gateway) failProxy(w http.ResponseWriter, err error) {
	p := g.o.face(err)
	if fault.Is(err, fault.KeyMissing) || fault.Is(err, fault.KeyInvalid) {
		p.Status = http.StatusProxyAuthRequired
		w.Header().Set("Proxy-Authenticate", `Basic realm="farwire", charset="UTF-8"`)
	}
	w.Header().Set("X-Farwire-From", "gateway")
	writeError(w, p)
}

// serveAbsolute serves a request for an absolute URL: the path form's way, with
// nothing rewritten.
func (g *Gateway) serveAbsolute(w http.ResponseWriter, r *http.Request, uri string) {
	kind, socket := KindHTTP, isWebSocket(r)
	if socket {
		kind = KindRelay
	}
	user, _ := proxyUser(r)
	options, err := proxyOptions(user)
	var to *pathform.Request
	if err == nil {
		to, err = pathform.ParseAbsolute(uri, options)
	}
	if err == nil && socket {
		err = checkUpgrade(w, r)
	}
	if err != nil {
		// What is wrong is told to those who may ask.
		if _, unknown := g.authenticate(r.Context(), g.readProxyAuth(r)); unknown != nil {
			err = unknown
		}
	}
	var s *session
	if err == nil {
		s, err = g.enter(r.Context(), kind)
	}
	if err != nil {
		g.refused(r.Context(), kind.String(), g.o.ClientAddr(r), err)
		g.failProxy(w, err)
		return
	}
	if socket {
		defer s.abandonOnPanic()
		g.relayByPath(s, w, r, to)
		return
	}
	g.forward(s, w, r, to)
}

// keepForwarded puts back what httputil.ReverseProxy takes out of a request besides
// the headers of the hop: a forward proxy changes nothing else.
func keepForwarded(p *httputil.ProxyRequest) {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		values, ok := p.In.Header[name]
		if ok && !httpguts.HeaderValuesContainsToken(p.In.Header["Connection"], name) {
			p.Out.Header[name] = slices.Clone(values)
		}
	}
}
