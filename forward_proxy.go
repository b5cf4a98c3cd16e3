package farwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/socks"
	"github.com/farwire/farwire/internal/tunnel"
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

// NotFound returns a handler that answers 404 in the form of the gateway's errors.
func (g *Gateway) NotFound() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, fault.New(fault.NotFound, "there is nothing here"))
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
	if host == name || name == "" && notAddress == nil { // TLS names no addresses (RFC 6066, section 3)
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

// serveAbsolute serves a request for an absolute URL: the path form's way, with
// nothing rewritten.
func (g *Gateway) serveAbsolute(w http.ResponseWriter, r *http.Request, uri string) {
	kind, serve := KindHTTP, (*Gateway).forward
	if opening.IsWebSocket(r) {
		kind, serve = KindRelay, (*Gateway).relayByPath
	}
	user, _ := pathform.ProxyUser(r)
	options, err := pathform.UserOptions(user)
	var to *pathform.Request
	if err == nil {
		to, err = pathform.ParseAbsolute(uri, options)
	}
	if err == nil && kind == KindRelay {
		err = opening.Check(w, r)
	}
	if err != nil {
		// Only a caller with valid credentials is told what is wrong with the request.
		if _, unknown := g.authenticate(r.Context(), g.readProxyAuth(r)); unknown != nil {
			err = unknown
		}
	}
	if err == nil {
		err = serve(g, w, r, to)
	}
	if err != nil {
		g.noteRefused(r.Context(), kind, g.o.ClientAddr(r), err)
		g.failProxy(w, err)
	}
}

// ServeSOCKS serves the forward proxy as SOCKS5 (RFC 1928) on l until the
// caller closes l; it then returns nil. Any other error of l's is returned. A
// connection of l's that is a [KeyShownConn] is told once its client has shown
// a valid key. Sessions that run go on: they are ended by [Gateway.Shutdown].
//
// User name and password (RFC 1929) are those of [Gateway.ForwardProxy]; a client
// without them is refused, and everybody is without Options.Auth. Only CONNECT is
// served. A target that is forbidden is answered with reply 2, one that cannot be
// reached or does not answer in time with 4, one that refuses with 5, another
// command with 7, and everything else with 1.
func (g *Gateway) ServeSOCKS(l net.Listener) error {
	var pause time.Duration
	for {
		conn, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			pause = 0
			g.acceptSOCKS(conn)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.As(err, &temporary) && temporary.Temporary(): // no descriptor is left
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		default:
			return fmt.Errorf("farwire: ServeSOCKS: %w", err)
		}
	}
}

// acceptSOCKS begins a session, of which a drain knows from its first byte on.
func (g *Gateway) acceptSOCKS(conn net.Conn) {
	ctx := attempts.Sharing(context.Background(), conn)
	s, err := g.enter(ctx, KindTunnel)
	if err != nil {
		g.noteRefused(ctx, KindTunnel, origin.Addr(conn.RemoteAddr().String()), err)
		conn.Close()
		return
	}
	s.conn = conn
	t := &tunnelSession{g: g, s: s}
	go func() {
		defer func() {
			if v := recover(); v != nil { // in the host's own code
				g.o.Logger.Error("panic in a SOCKS session", "err", v, "stack", string(debug.Stack()))
				s.abandon(fmt.Errorf("panic: %v", v))
			}
		}()
		early, err := t.socks(conn)
		if err != nil {
			by := endedBy(err)
			if errors.Is(err, errClientGone) {
				by = EndedByClient
			}
			cut := context.AfterFunc(g.kill, func() { conn.Close() })
			opening.CloseAfterLast(conn)
			cut()
			s.end(t.result(by, 0, err))
			return
		}
		t.finish(t.carry(conn, early).Run(), 0)
	}()
}

// A KeyShownConn is a connection of the listener that ServeSOCKS is given which is told
// that its client has shown a valid key, as [WithKeyShown] tells of those of a server.
// KeyShown is called once, and returns at once.
type KeyShownConn interface {
	net.Conn
	KeyShown()
}

// socks speaks with the client as far as the answer to its request. It returns what the
// client has sent for the target.
func (t *tunnelSession) socks(conn net.Conn) (early []byte, err error) {
	life := t.s.ctx
	ctx, cancel := context.WithTimeoutCause(life, askTimeout, errTimeout)
	defer cancel()
	late := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer late()
	c, err := socks.ReadCredentials(conn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errClientGone, err)
	}
	seen := requestAuth{key: c.Password, remote: origin.Addr(conn.RemoteAddr().String()), bucket: BucketHTTP}
	if counted, ok := conn.(KeyShownConn); ok {
		seen.shown = counted.KeyShown
	}
	denied := t.s.admit(ctx, seen)
	// tooManyWrong is a wrong credential as well: the eleventh in a minute.
	wrong := asksForKey(denied) || errors.As(denied, new(*tooManyWrong))
	if err := socks.Accept(conn, !wrong); err != nil {
		return nil, errors.Join(denied, fmt.Errorf("%w: %w", errClientGone, err))
	}
	if wrong {
		return nil, denied
	}
	request, err := socks.ReadRequest(conn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errClientGone, err)
	}
	if !late() {
		return nil, fmt.Errorf("%w: %w", errClientGone, context.Cause(ctx))
	}
	if err = denied; err == nil {
		early, err = t.dialAhead(life, conn, c.User, request)
	}
	if errors.Is(err, errClientGone) {
		return nil, err
	}
	conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	if err != nil {
		return nil, errors.Join(err, socks.Answer(conn, socksReply(err)))
	}
	if err = socks.Answer(conn, socks.Succeeded); err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		t.target.Close()
		return nil, fmt.Errorf("%w: %w", errClientGone, err)
	}
	return early, nil
}

// dialAhead dials while it reads what the client sends already, and gives up when the
// client leaves.
func (t *tunnelSession) dialAhead(ctx context.Context, conn net.Conn, user string, to socks.Request) ([]byte, error) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	ahead := tunnel.ReadAhead(conn, func() { leave(errClientGone) })
	err := t.dial(ctx, user, net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	early, gone := ahead.Stop()
	if gone == nil {
		return early, err
	}
	if err == nil {
		t.target.Close()
	}
	return nil, fmt.Errorf("%w: %w", errClientGone, gone)
}

// socksReply returns the reply of SOCKS that says an error best.
func socksReply(err error) socks.Reply {
	switch class := public(err).Class; {
	case class == fault.TargetForbidden:
		return socks.Forbidden
	case class == fault.TargetUnreachable && errors.Is(err, syscall.ECONNREFUSED):
		return socks.Refused
	case class == fault.TargetUnreachable, class == fault.TargetTimeout:
		return socks.HostUnreachable
	}
	return socks.Failed
}
