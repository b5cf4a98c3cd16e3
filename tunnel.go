package farwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/lazyctx"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/tunnel"
	"github.com/farwire/farwire/internal/upgrade"
	"github.com/farwire/farwire/internal/upstream"
)

// OpenOptions say what [Gateway.Open] connects to, and through which exit.
type OpenOptions struct {
	Addr string // host:port, the host a name or an address

	// Principal is whose session it is, with the limits and rules that hold for it.
	// The zero value stands for the caller that the context names (WithPrincipal).
	Principal Principal

	Countries []string      // one of these countries; empty: any
	Agents    []string      // one of these slugs; empty: any
	Session   string        // a sticky session (agent.Query.Session); empty: none
	Timeout   time.Duration // for the dial; zero: 20 seconds. A negative one is refused
}

// Open connects to a target through an exit, as a session of the host's own: it
// is of [KindTunnel], counts for the limits of its principal, is held to its
// rules and to Options.Allow, is listed by [Gateway.Sessions], and has one line
// in the log. It lasts until the caller closes the connection. A drain lets it
// go on until the context of [Gateway.Shutdown] ends; then, and when it is
// ended by [Gateway.EndSession], the connection is closed and its methods
// return the reason.
//
// The context bounds the dial and not the connection. Open fits a
// [net/http.Transport], for a client whose requests leave through an exit:
//
//	http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
//		return gw.Open(ctx, farwire.OpenOptions{Addr: addr, Principal: alice, Countries: []string{"DE"}})
//	}}
//
// A refusal (by a limit, a rule, the guard, a drain, or because an option is not valid or no
// agent fits) wraps a [*Refusal], whose Code is that of [ErrorClasses] unless the host has
// given one, and so does the error of a connection that was ended. A failed dial wraps an
// [*agent.DialError]. The connection is safe for concurrent use, and has CloseWrite where
// the exit's has.
func (g *Gateway) Open(ctx context.Context, o OpenOptions) (net.Conn, error) {
	s, err := g.enter(ctx, KindTunnel)
	if err != nil {
		g.noteRefused(ctx, KindTunnel, netip.Addr{}, err)
		return nil, fmt.Errorf("farwire: Open: %w", typedError{err})
	}
	t := &tunnelSession{g: g, s: s, addr: o.Addr}
	if err := t.open(ctx, o); err != nil {
		by := endedBy(err)
		if ctx.Err() != nil {
			by = EndedByClient
		}
		s.end(t.result(by, 0, err))
		return nil, fmt.Errorf("farwire: Open: %w", typedError{err})
	}
	s.reached(t.exit.ID, t.addr)
	conn := tunnel.NewConn(t.target, lostTarget, func(how tunnel.Result) {
		by := EndedBy(how.By.String())
		if how.By == tunnel.Target {
			by = endedBy(how.Err)
		}
		r := t.result(by, 0, how.Err)
		r.BytesToTarget, r.BytesToClient = how.ToTarget, how.ToClient
		s.end(r)
	})
	s.carry(tunnelCarrier{typedCut{conn}})
	return conn, nil
}

// A typedError tells a host which of our own refusals an error is.
type typedError struct{ error }

func (e typedError) Unwrap() error { return e.error }

// As fills in a *Refusal, unless the error has one of the host's or is of the dial.
func (e typedError) As(target any) bool {
	to, ok := target.(**Refusal)
	known := fault.Of(e.error)
	if !ok || known == nil || known.Class == fault.Internal || endedBy(e.error) != EndedByGateway || errors.As(e.error, new(*Refusal)) {
		return false
	}
	p := public(e.error)
	*to = &Refusal{Status: p.Status, CloseCode: p.Close, Code: p.Code, Message: p.Text, RetryAfter: p.RetryAfter}
	return true
}

// typedCut has the methods of a connection that is cut return a typedError.
type typedCut struct{ *tunnel.Conn }

func (c typedCut) Cut(cause error) { c.Conn.Cut(typedError{cause}) }

// lostTarget words an error of the target's connection: the target was lost, unless the
// error says that the exit was.
func lostTarget(err error) error {
	if endedBy(err) == EndedByGateway { // a plain error
		return fault.Wrap(fault.TargetLost, "target lost", err)
	}
	return err
}

// A tunnelSession is one session of KindTunnel: of Open, or a CONNECT over HTTP or SOCKS.
type tunnelSession struct {
	g       *Gateway
	s       *session
	options pathform.Options
	addr    string // of the target; empty: not known yet
	exit    agent.Exit
	target  net.Conn
}

// open admits the principal that o or ctx names, and dials for it.
func (t *tunnelSession) open(ctx context.Context, o OpenOptions) error {
	host, port, err := net.SplitHostPort(o.Addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" {
		return fault.Invalidf("the address %q must be host:port", fault.Clip(o.Addr))
	}
	if o.Session != "" && !agent.ValidSession(o.Session) {
		return fault.Invalidf("the session must be 1 to 64 letters, digits, dots, underscores and hyphens")
	}
	if o.Timeout < 0 {
		return fault.Invalidf("OpenOptions.Timeout is %v, must not be negative", o.Timeout)
	}
	ctx, done := t.s.within(ctx)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(o.Timeout, dialTimeout), errTimeout)
	defer cancel()
	seen := requestAuth{bucket: BucketHTTP}
	if p, ok := PrincipalFrom(ctx); ok {
		seen.named = &p
	}
	if o.Principal.Subject != "" {
		seen.named = &o.Principal
	}
	if seen.named == nil {
		return fault.New(fault.KeyMissing, "no principal: set OpenOptions.Principal, or name the caller with WithPrincipal")
	}
	if err := t.s.admit(ctx, seen); err != nil {
		return err
	}
	return t.reach(ctx, agent.Query{Host: host, Session: o.Session, Countries: o.Countries, Slugs: o.Agents})
}

// serveConnect serves a CONNECT (RFC 9110, section 9.3.6; RFC 9113, section 8.5).
func (g *Gateway) serveConnect(w http.ResponseWriter, r *http.Request) {
	s, err := g.enter(r.Context(), KindTunnel)
	if err != nil {
		g.noteRefused(r.Context(), KindTunnel, g.o.ClientAddr(r), err)
		g.failConnect(w, r, err)
		return
	}
	defer s.abandonOnPanic()
	t := &tunnelSession{g: g, s: s}
	if err := t.connect(w, r); err != nil {
		if t.exit.ID != "" {
			w.Header().Set("X-Farwire-Node", t.exit.ID)
		}
		by, code := endedBy(err), public(err).Status
		if r.Context().Err() != nil {
			by, code, err = EndedByClient, 0, errClientGone
		}
		g.failConnect(w, r, err)
		s.end(t.result(by, code, err))
		return
	}
	if r.ProtoMajor >= 2 {
		t.overStream(w, r)
	} else {
		t.overConn(w)
	}
}

// failConnect answers a CONNECT with an error. What a client that did not wait has sent
// behind its head is meant for the target: it must not be read as a request. Only a 407 may
// be followed by one.
func (g *Gateway) failConnect(w http.ResponseWriter, r *http.Request, err error) {
	if r.ProtoMajor < 2 && !asksForKey(err) {
		w.Header().Set("Connection", "close")
	}
	g.failProxy(w, forClient(r, err))
}

// asksForKey reports whether an error is answered with a demand for valid credentials.
func asksForKey(err error) bool {
	return fault.Is(err, fault.KeyMissing) || fault.Is(err, fault.KeyInvalid)
}

// connect admits the caller and dials.
func (t *tunnelSession) connect(w http.ResponseWriter, r *http.Request) error {
	ctx, done := t.s.within(r.Context())
	defer done()
	granting := lazyctx.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer granting.Cancel()
	if err := t.s.admit(granting, t.g.readProxyAuth(r)); err != nil {
		return err
	}
	if r.Header.Get(":protocol") != "" {
		return fault.Invalidf("an extended CONNECT is not served")
	}
	if r.ProtoMajor < 2 {
		if err := upgrade.Check(w); err != nil {
			return fault.Wrap(fault.Internal, "the connection cannot be taken over: a middleware around this handler hides http.Hijacker", err)
		}
	}
	if r.URL.User != nil {
		return fault.Invalidf("the target must be host:port, without a user name")
	}
	user, _ := pathform.ProxyUser(r)
	return t.dial(ctx, user, r.Host)
}

// dial connects to a target, host:port, as the user name asks.
func (t *tunnelSession) dial(ctx context.Context, user, target string) (err error) {
	if t.options, err = pathform.UserOptions(user); err != nil {
		return err
	}
	u := &url.URL{Host: target}
	if u.Port() == "" || u.Host == "" {
		return fault.Invalidf("the target %q must be host:port", fault.Clip(target))
	}
	if err := upstream.CheckHost(u); err != nil {
		return fault.Invalidf("the target %q: %v", fault.Clip(target), err)
	}
	t.addr = net.JoinHostPort(u.Hostname(), u.Port())
	query := agent.Query{Host: u.Hostname(), Session: t.options.Session}
	if err := egress.ParseFilter(&query, t.options.Geo, t.options.Agent); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(t.options.Timeout, dialTimeout), errTimeout)
	defer cancel()
	return t.reach(ctx, query)
}

// reach connects to t.addr through an exit that fits.
func (t *tunnelSession) reach(ctx context.Context, q agent.Query) (err error) {
	q.Subject = t.s.Subject
	t.exit, err = t.s.reach(ctx, q, func(ctx context.Context, e agent.Exit) (err error) {
		t.target, err = e.DialContext(ctx, "tcp", t.addr)
		return err
	})
	return err
}

func (t *tunnelSession) result(by EndedBy, code int, err error) SessionResult {
	return SessionResult{Agent: t.exit.ID, Target: t.addr, EndedBy: by, Code: code, Err: err}
}

// overConn runs the tunnel on the client's connection, taken from net/http.
func (t *tunnelSession) overConn(w http.ResponseWriter) {
	conn, early, err := upgrade.Take(w)
	if err == nil {
		t.s.conn = conn
		node := ""
		if httpguts.ValidHeaderFieldValue(t.exit.ID) {
			node = "X-Farwire-Node: " + t.exit.ID + "\r\n"
		}
		conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 Connection established\r\nX-Farwire-From: gateway\r\n%s\r\n", node)
	}
	if err != nil {
		t.lost(conn)
		return
	}
	conn.SetDeadline(time.Time{})
	t.start(conn, early, http.StatusOK)
}

// overStream runs the tunnel on a stream of HTTP/2: the request's body and the
// answer's. The handler stays for as long.
func (t *tunnelSession) overStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Farwire-From", "gateway")
	w.Header().Set("X-Farwire-Node", t.exit.ID)
	w.WriteHeader(http.StatusOK)
	c, err := tunnel.NewStream(w, r)
	if err != nil {
		t.lost(nil)
		return
	}
	defer c.Leave()
	t.finish(t.carry(c, nil).Run(), http.StatusOK)
}

// lost ends a tunnel whose client went before it was answered.
func (t *tunnelSession) lost(client net.Conn) {
	t.target.Close()
	if client != nil {
		client.Close()
	}
	t.s.end(t.result(EndedByClient, 0, errClientGone))
}

// maxShutWindow is how long a peer of a tunnel may keep its TCP window at zero. A download
// that a person pauses must not end it sooner.
const maxShutWindow = 10 * time.Minute

// start runs the tunnel; it returns at once unless the host wants its middleware
// to see the whole session.
func (t *tunnelSession) start(client net.Conn, early []byte, code int) {
	tun := t.carry(client, early)
	if t.g.o.Relay.HoldHandler {
		t.finish(tun.Run(), code)
		return
	}
	go func() { t.finish(tun.Run(), code) }()
}

// carry makes the tunnel, which is what carries the session from now on.
func (t *tunnelSession) carry(client tunnel.Side, early []byte) *tunnel.Tunnel {
	if conn, ok := client.(net.Conn); ok {
		netio.WatchLater(conn, maxShutWindow)
	}
	tun := tunnel.New(tunnel.Config{Client: client, Target: t.target, FromClient: early, Idle: t.options.Idle, IdleCause: errIdle})
	t.s.conn = nil
	t.s.reached(t.exit.ID, t.addr)
	t.s.carry(tunnelCarrier{tun})
	return tun
}

// finish ends the session of a tunnel that has ended.
func (t *tunnelSession) finish(how tunnel.Result, code int) {
	r := t.result(EndedBy(how.By.String()), code, how.Err)
	if how.By == tunnel.Target && how.Err != nil {
		if r.EndedBy = endedBy(how.Err); r.EndedBy != EndedByAgent {
			r.EndedBy, r.Err = EndedByTarget, fault.Wrap(fault.TargetLost, "target lost", how.Err)
		}
	}
	r.BytesToTarget, r.BytesToClient = how.ToTarget, how.ToClient
	t.s.end(r)
}

// A tunnelCarrier runs a session whose bytes nobody looks into.
type tunnelCarrier struct {
	tunnel interface {
		Cut(cause error)
		Counts() (toTarget, toClient int64)
	}
}

// Shutdown cuts the tunnel, unless the gateway drains: then it may go on for as
// long as the drain waits.
func (c tunnelCarrier) Shutdown(cause error) {
	if !errors.Is(cause, errDraining) {
		c.tunnel.Cut(cause)
	}
}

func (c tunnelCarrier) Abort() { c.tunnel.Cut(errDraining) }

func (c tunnelCarrier) Counters() Counters {
	toTarget, toClient := c.tunnel.Counts()
	return Counters{BytesToTarget: toTarget, BytesToClient: toClient}
}
