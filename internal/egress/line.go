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

// A line is a connection of HTTP/1.1 to a host.
type line struct {
	conn   *http1.Conn
	kept   *keptConn // below TLS
	below  net.Conn  // what the trace of a request is told
	scheme string
	host   string    // as in the URL
	reused bool      // it has had a request before
	since  time.Time // it has been idle; Conns.mu guards it
	gone   func()    // it turns out to be of no use
}

// line returns a connection for a request: an idle one, or a new one, which it always is
// with fresh. The error is errHTTP2 where the target speaks that; if a connection for it
// was made, that is in the line, which is nil otherwise.
func (c *Conns) line(req *http.Request, t *ConnOptions, k *kept, fresh bool) (*line, error) {
	l, err := c.pick(k, req.URL, fresh)
	if l == nil && err == nil {
		l, err = c.connect(req, t, k)
	}
	if err != nil {
		return l, err
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: l.below, Reused: l.reused})
	}
	return l, nil
}

// pick takes an idle connection, the one used last. It returns nil when all are in use.
func (c *Conns) pick(k *kept, to *url.URL, fresh bool) (*line, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.Scheme == "https" && k.http2[to.Host] {
		return nil, errHTTP2
	}
	for i := len(k.idle) - 1; i >= 0 && !fresh; i-- {
		l := k.idle[i]
		if l.host != to.Host || l.scheme != to.Scheme {
			continue
		}
		k.idle = slices.Delete(k.idle, i, i+1)
		if l.kept.uses.Add(1) > 0 { // else it was given up, and is closed
			return l, nil
		}
	}
	return nil, nil
}

// connect connects to a request's target.
func (c *Conns) connect(req *http.Request, t *ConnOptions, k *kept) (*line, error) {
	u := req.URL
	ctx := rules.WithScheme(req.Context(), u.Scheme)
	l := &line{scheme: u.Scheme, host: u.Host}
	var socket net.Conn
	var err error
	switch u.Scheme {
	case "https":
		secure, conn, err := c.dialTLS(ctx, t, k, address(u))
		if err != nil {
			return nil, err
		}
		l.kept, l.below = conn, secure
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			c.noteHTTP2(k, u.Host, true)
			return l, errHTTP2
		}
	default:
		if l.kept, err = c.dial(ctx, t, address(u)); err != nil {
			return nil, err
		}
		l.below, socket = l.kept, l.kept.Conn
	}
	l.kept.uses.Add(1)
	l.kept.used.Store(true)
	handedOver(l.kept)
	l.conn = http1.NewConn(l.below, socket, func() { l.kept.Close() }, func() { c.rest(k, l) })
	switch secure, ok := l.below.(*tls.Conn); {
	case !ok:
		lookBySilence(l.conn, l.kept.Conn)
	case l.kept.glance != nil:
		l.conn.LookBy(func() error { return l.kept.glance.Look(secure) })
	}
	l.gone = func() { c.drop(k, l) }
	return l, nil
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

func (c *Conns) noteHTTP2(k *kept, host string, speaks bool) {
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
func (l *line) roundTrip(req *http.Request, t *ConnOptions) (*http.Response, error) {
	o := http1.Options{Sent: t.Sent}
	if t.Idle != nil {
		o.Came = t.Idle.Touch
	}
	if t.Body != nil {
		body, err := t.Body.attempt(t.Sent)
		if err != nil {
			l.conn.Cut()
			return nil, err
		}
		o.Body = body
	}
	return l.conn.RoundTrip(req, o)
}

// rest keeps a connection for the next request.
func (c *Conns) rest(k *kept, l *line) {
	l.reused = true
	l.conn.Rest(l.gone)
	c.mu.Lock()
	if len(k.idle) >= perHost {
		k.idle = slices.DeleteFunc(k.idle, func(l *line) bool { return l.kept.uses.Load() < 0 }) // given up
	}
	var extra *line
	switch {
	case k.gone || len(k.idle) >= perHost && k.idleTo(l) >= perHost:
		extra = l
	case len(k.idle) >= perKey:
		extra = k.idle[0]
		k.idle = append(slices.Delete(k.idle, 0, 1), l)
	default:
		k.idle = append(k.idle, l)
	}
	if l != extra {
		l.since = time.Now()
		l.kept.uses.Add(-1)
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
func (k *kept) idleTo(l *line) (n int) {
	for _, other := range k.idle {
		if other.host == l.host && other.scheme == l.scheme {
			n++
		}
	}
	return n
}

// drop closes a connection that is of no use any more, if it is idle: what came may have
// been the beginning of an answer.
func (c *Conns) drop(k *kept, l *line) {
	c.mu.Lock()
	i := slices.Index(k.idle, l)
	useless := i >= 0 && l.conn.Look() != nil
	if useless {
		k.idle = slices.Delete(k.idle, i, i+1)
	}
	c.mu.Unlock()
	if useless {
		l.conn.Close()
	}
}

// sweepIdle closes what has been idle for long, and what the target has closed.
func (c *Conns) sweepIdle() {
	c.mu.Lock()
	now := time.Now()
	var ended []*line
	left := 0
	for _, k := range c.kept {
		k.idle = slices.DeleteFunc(k.idle, func(l *line) bool {
			end := now.Sub(l.since) > keptFor || l.conn.Look() != nil
			if end {
				ended = append(ended, l)
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

func closeAll(lines []*line) {
	for _, l := range lines {
		l.conn.Close()
	}
}
