package egress

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/http1"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/rules"
)

// A persistConn is a connection of HTTP/1.1 to a host, for one request after another.
type persistConn struct {
	conn   *http1.Conn
	raw    *keptConn // below TLS
	below  net.Conn  // below HTTP: raw, or TLS over it
	scheme string
	host   string    // as in the URL
	reused bool      // it has had a request before
	since  time.Time // it has been idle; Conns.mu guards it
	gone   func()    // it turns out to be of no use
}

// persistConn returns a connection for a request: an idle one, or with fresh always a new
// one. The error is errHTTP2 where the target speaks that; if a connection for it was made,
// it is in the persistConn, which is nil otherwise.
func (c *Conns) persistConn(req *http.Request, t *ConnOptions, k *keyPool, fresh bool) (*persistConn, error) {
	pc, err := c.pick(k, req.URL, fresh)
	if pc == nil && err == nil {
		pc, err = c.connect(req, t, k)
	}
	if err != nil {
		return pc, err
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: pc.below, Reused: pc.reused})
	}
	return pc, nil
}

// pick takes an idle connection, the one used last. It returns nil when all are in use.
func (c *Conns) pick(k *keyPool, to *url.URL, fresh bool) (*persistConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.Scheme == "https" && k.http2[to.Host] {
		return nil, errHTTP2
	}
	for i := len(k.idle) - 1; i >= 0 && !fresh; i-- {
		pc := k.idle[i]
		if pc.host != to.Host || pc.scheme != to.Scheme {
			continue
		}
		k.idle = slices.Delete(k.idle, i, i+1)
		if pc.raw.uses.Add(1) > 0 { // else it was given up, and is closed
			return pc, nil
		}
	}
	return nil, nil
}

// connect connects to a request's target.
func (c *Conns) connect(req *http.Request, t *ConnOptions, k *keyPool) (*persistConn, error) {
	u := req.URL
	ctx := rules.WithScheme(req.Context(), u.Scheme)
	pc := &persistConn{scheme: u.Scheme, host: u.Host}
	var socket net.Conn
	var err error
	switch u.Scheme {
	case "https":
		secure, conn, err := c.dialTLS(ctx, t, k, address(u))
		if err != nil {
			return nil, err
		}
		pc.raw, pc.below = conn, secure
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			c.noteHTTP2(k, u.Host, true)
			return pc, errHTTP2
		}
	default:
		if pc.raw, err = c.dial(ctx, t, address(u)); err != nil {
			return nil, err
		}
		pc.below, socket = pc.raw, pc.raw.Conn
	}
	pc.raw.uses.Add(1)
	pc.raw.used.Store(true)
	handedOver(pc.raw)
	pc.conn = http1.NewConn(pc.below, socket, func() { pc.raw.Close() }, func() { c.rest(k, pc) })
	switch secure, ok := pc.below.(*tls.Conn); {
	case !ok:
		lookBySilence(pc.conn, pc.raw.Conn)
	case pc.raw.glance != nil:
		pc.conn.LookBy(func() error { return pc.raw.glance.Look(secure) })
	}
	pc.gone = func() { c.drop(k, pc) }
	return pc, nil
}

// lookBySilence has an idle connection looked at that tells of silence.
func lookBySilence(c *http1.Conn, below net.Conn) {
	if s, ok := below.(netio.Silencer); ok {
		c.LookBy(func() error {
			if s.Silent() {
				return nil
			}
			return netio.ErrReady
		})
	}
}

// address returns the host and port of a URL.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (c *Conns) noteHTTP2(k *keyPool, host string, speaks bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !speaks:
		delete(k.http2, host)
		return
	case k.http2 == nil, len(k.http2) >= maxHosts: // it is found out anew
		k.http2 = make(map[string]bool)
	}
	k.http2[host] = true
}

// roundTrip sends a request over the connection.
func (pc *persistConn) roundTrip(req *http.Request, t *ConnOptions) (*http.Response, error) {
	o := http1.Options{Sent: t.Sent}
	if t.Idle != nil {
		o.Came = t.Idle.Touch
	}
	if t.Body != nil {
		body, err := t.Body.attempt(t.Sent)
		if err != nil {
			pc.conn.Cut()
			return nil, err
		}
		o.Body = body
	}
	return pc.conn.RoundTrip(req, o)
}

// rest keeps a connection for the next request.
func (c *Conns) rest(k *keyPool, pc *persistConn) {
	pc.reused = true
	pc.conn.Rest(pc.gone)
	c.mu.Lock()
	if len(k.idle) >= perHost {
		k.idle = slices.DeleteFunc(k.idle, func(pc *persistConn) bool { return pc.raw.uses.Load() < 0 }) // given up
	}
	var extra *persistConn
	switch {
	case k.gone || len(k.idle) >= perHost && k.idleTo(pc) >= perHost:
		extra = pc
	case len(k.idle) >= perKey:
		extra = k.idle[0]
		k.idle = append(slices.Delete(k.idle, 0, 1), pc)
	default:
		k.idle = append(k.idle, pc)
	}
	if pc != extra {
		pc.since = time.Now()
		pc.raw.uses.Add(-1)
	}
	if c.sweep == nil {
		c.sweep = time.AfterFunc(sweepEach, c.sweepIdle)
	}
	c.mu.Unlock()
	if extra != nil {
		extra.conn.Close()
	}
}

// idleTo counts the idle connections to the same host; the caller holds Conns.mu.
func (k *keyPool) idleTo(pc *persistConn) (n int) {
	for _, other := range k.idle {
		if other.host == pc.host && other.scheme == pc.scheme {
			n++
		}
	}
	return n
}

// drop closes a connection that is of no use any more, if it is idle: what came may have
// been the beginning of an answer.
func (c *Conns) drop(k *keyPool, pc *persistConn) {
	c.mu.Lock()
	i := slices.Index(k.idle, pc)
	useless := i >= 0 && pc.conn.Look() != nil
	if useless {
		k.idle = slices.Delete(k.idle, i, i+1)
	}
	c.mu.Unlock()
	if useless {
		pc.conn.Close()
	}
}

// sweepIdle closes what has been idle for long, and what the target has closed.
func (c *Conns) sweepIdle() {
	c.mu.Lock()
	now := time.Now()
	var ended []*persistConn
	left := 0
	for _, k := range c.pools {
		k.idle = slices.DeleteFunc(k.idle, func(pc *persistConn) bool {
			end := now.Sub(pc.since) > keptFor || pc.conn.Look() != nil
			if end {
				ended = append(ended, pc)
			}
			return end
		})
		left += len(k.idle)
	}
	if left > 0 {
		c.sweep.Reset(sweepEach)
	} else {
		c.sweep = nil
	}
	c.mu.Unlock()
	closeAll(ended)
}

func closeAll(conns []*persistConn) {
	for _, pc := range conns {
		pc.conn.Close()
	}
}
