package farwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/tunnel"
	"github.com/farwire/farwire/internal/upgrade"
	"github.com/farwire/farwire/internal/upstream"
)

// A tunneled session is a CONNECT on its way.
type tunneled struct {
	g       *Gateway
	s       *session
	options pathform.Options
	addr    string // of the target; empty: not known yet
	exit    agent.Exit
	target  net.Conn
}

// serveConnect serves a CONNECT (RFC 9110, section 9.3.6; RFC 9113, section 8.5).
func (g *Gateway) serveConnect(w http.ResponseWriter, r *http.Request) {
	s, err := g.enter(r.Context(), KindTunnel)
	if err != nil {
		g.refused(r.Context(), KindTunnel.String(), g.o.ClientAddr(r), err)
		g.failProxy(w, err)
		return
	}
	defer s.abandonOnPanic()
	t := &tunneled{g: g, s: s}
	if err := t.connect(w, r); err != nil {
		if t.exit.ID != "" {
			w.Header().Set("X-Farwire-Node", t.exit.ID)
		}
		by := endedBy(err)
		if r.Context().Err() != nil {
			by, err = "client", errClientGone
		}
		g.failProxy(w, err)
		s.end(t.result(by, public(err).Status, err))
		return
	}
	if r.ProtoMajor >= 2 {
		t.overStream(w, r)
	} else {
		t.overConn(w)
	}
}

// connect admits the caller and dials.
func (t *tunneled) connect(w http.ResponseWriter, r *http.Request) error {
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	life := t.s.ctx
	defer context.AfterFunc(life, func() { stop(context.Cause(life)) })()
	granting, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
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
	user, _ := proxyUser(r)
	return t.dial(ctx, user, r.Host)
}

// dial connects to a target, host:port, as the user name asks.
func (t *tunneled) dial(ctx context.Context, user, target string) (err error) {
	if t.options, err = proxyOptions(user); err != nil {
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
	query := agent.Query{Subject: t.s.Subject, Host: u.Hostname(), Session: t.options.Session}
	if err := egress.ParseFilter(&query, t.options.Geo, t.options.Agent); err != nil {
		return err
	}
	timeout := t.options.Timeout
	if timeout == 0 {
		timeout = dialTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	t.exit, err = t.g.reach(ctx, t.s, query, func(ctx context.Context, e agent.Exit) (err error) {
		t.target, err = e.DialContext(ctx, "tcp", t.addr)
		return err
	})
	return err
}

func (t *tunneled) result(by string, code int, err error) SessionResult {
	return SessionResult{Node: t.exit.ID, Target: t.addr, EndedBy: by, Code: code, Err: err}
}

// overConn runs the tunnel on the client's connection, taken from net/http.
func (t *tunneled) overConn(w http.ResponseWriter) {
	conn, early, err := upgrade.Take(w)
	if err == nil {
		t.s.conn = conn
		node := ""
		if httpguts.ValidHeaderFieldValue(t.exit.ID) {
			node = "X-Farwire-Node: " + t.exit.ID + "\r\n"
		}
		conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 Connection established\r\n%s\r\n", node)
	}
	if err != nil {
		t.lost(conn)
		return
	}
	conn.SetDeadline(time.Time{})
	netio.WatchPeer(conn, tunnelOwes)
	t.start(conn, early, http.StatusOK)
}

// lost ends a tunnel whose client went before it was answered.
func (t *tunneled) lost(client net.Conn) {
	t.target.Close()
	if client != nil {
		client.Close()
	}
	t.s.end(t.result("client", 0, errClientGone))
}

// tunnelOwes is how long a peer of a tunnel may keep its window shut. A download
// that a person pauses is no reason to end it sooner.
const tunnelOwes = 10 * time.Minute

// start runs the tunnel; it returns at once unless the host wants its middleware
// to see the whole session.
func (t *tunneled) start(client net.Conn, early []byte, code int) {
	tun := t.carry(client, early)
	if t.g.o.Relay.HoldHandler {
		t.finish(tun.Run(), code)
		return
	}
	go func() { t.finish(tun.Run(), code) }()
}

// carry makes the tunnel, which is what carries the session from now on.
func (t *tunneled) carry(client tunnel.Side, early []byte) *tunnel.Tunnel {
	tun := tunnel.New(tunnel.Config{Client: client, Target: t.target, FromClient: early, Idle: t.options.Idle, IdleCause: errIdle})
	t.s.conn = nil
	t.s.reached(t.exit.ID, t.addr)
	t.s.carry(tunnelCarrier{tun})
	return tun
}

// finish ends the session of a tunnel that has ended.
func (t *tunneled) finish(how tunnel.Result, code int) {
	r := t.result(how.By.String(), code, how.Err)
	if how.By == tunnel.Target && how.Err != nil {
		if r.EndedBy = endedBy(how.Err); r.EndedBy != "agent" {
			r.EndedBy, r.Err = "target", fault.Wrap(fault.TargetLost, "target lost", how.Err)
		}
	}
	r.BytesToTarget, r.BytesToClient = how.ToTarget, how.ToClient
	t.s.end(r)
}

// A tunnelCarrier runs a session whose bytes nobody looks into.
type tunnelCarrier struct{ tunnel *tunnel.Tunnel }

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

// overStream runs the tunnel on a stream of HTTP/2: the request's body and the
// answer's. The handler stays for as long.
func (t *tunneled) overStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Farwire-Node", t.exit.ID)
	w.WriteHeader(http.StatusOK)
	c := &streamSide{r: r, w: w, rc: http.NewResponseController(w)}
	if err := c.rc.Flush(); err != nil {
		t.lost(nil)
		return
	}
	defer c.leave()
	t.finish(t.carry(c, nil).Run(), http.StatusOK)
}

// A streamSide is the client's side of a tunnel over HTTP/2. It cannot be
// half-closed: net/http ends the answer when the handler returns.
type streamSide struct {
	r  *http.Request
	w  http.ResponseWriter
	rc *http.ResponseController

	mu   sync.Mutex
	gone bool // the handler has returned: the writer is nobody's
}

func (c *streamSide) Read(b []byte) (int, error) { return c.r.Body.Read(b) }

func (c *streamSide) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err == nil {
		err = c.rc.Flush()
	}
	return n, err
}

// Close has Read return; the stream ends when the handler does.
func (c *streamSide) Close() error { return c.while(c.rc.SetReadDeadline) }

// Abort resets the stream.
func (c *streamSide) Abort() {
	_ = c.while(c.rc.SetWriteDeadline) // a stream that is reset already needs no more
}

// while sets a deadline that has passed, as long as the handler runs.
func (c *streamSide) while(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	return set(time.Unix(1, 0))
}

func (c *streamSide) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
}
