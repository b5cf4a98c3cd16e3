package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/upstream"
)

// Conns keeps connections to targets, and their TLS sessions, for those who may
// use them again: requests with the same key. Keys that nobody used for a while
// are forgotten with all that belongs to them, and so are the oldest when there
// are many. The zero value is valid; it is safe for concurrent use. Close ends
// what is idle.
type Conns struct {
	RootCAs *x509.CertPool // nil: the system's; must not be changed once in use

	mu   sync.Mutex
	kept map[string]*kept

	openConns
}

// kept is what belongs to one key.
type kept struct {
	exit      string // the key of the exit that its connections go through
	transport *http.Transport
	used      time.Time
	running   int // requests whose answer has not begun
}

const (
	maxKept     = 1024
	keptFor     = 90 * time.Second
	perHost     = 32  // idle connections of a key to one host
	perKey      = 256 // idle connections of a key
	maxHeadSize = 256 << 10
)

// ConnOptions say how one request reaches its target.
type ConnOptions struct {
	Key      string     // who may share the connections of an exit with it
	Exit     agent.Exit // through which new ones are opened
	Deadline time.Time  // for the dial, TLS included; the answer may take any time
	Timeout  error      // the error when it passes

	Body *Body // of the request, in place of its Body; nil: it has none

	// Sent becomes true before the target can have the whole head of the request, and
	// false when net/http sends it anew on another connection. Nil: nobody asks.
	Sent *atomic.Bool

	// Idle is touched by whatever comes over HTTP/1.1: a part of a head, of an answer
	// before the one that counts, and of what is between two chunks. Nil: there is no limit.
	Idle *IdleClock
}

type connOptionsKey struct{}

// RoundTrip sends a request and returns when its answer begins. It follows no
// redirect, adds no header and decodes nothing.
func (c *Conns) RoundTrip(req *http.Request, t ConnOptions) (*http.Response, error) {
	var conn net.Conn
	var reused bool
	var using *use
	if t.Sent == nil {
		t.Sent = new(atomic.Bool)
	}
	ctx := rules.WithScheme(context.WithValue(req.Context(), connOptionsKey{}, &t), req.URL.Scheme)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.Sent.Store(false) },
		WroteHeaders: func() { // of HTTP/1.1 they are in a buffer, and the connection knows
			if _, ok := conn.(*exclusiveConn); !ok && !using.isGone() {
				t.Sent.Store(true)
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			using.end()
			conn, reused, using = i.Conn, i.Reused, useOf(i.Conn)
			if turn, ok := conn.(*exclusiveConn); ok && using.isGone() {
				turn.ask(req.Context(), false, nil, nil)
			} else if ok {
				turn.ask(req.Context(), reused, t.Sent, t.Idle)
			}
		},
	})
	k := c.take(t.Key, t.Exit.Key())
	defer c.give(k)
	req = req.WithContext(ctx)
	resp, err := t.roundTrip(k.transport, req)
	for err != nil && !t.Sent.Load() && t.Body.Unsent() && (using.isGone() || reused && closedBefore(err)) {
		// The connection was kept, and given up here or closed by the target; net/http
		// repeats what is idempotent alone, whether something was sent or not.
		using, reused = nil, false
		resp, err = t.roundTrip(k.transport, req)
	}
	if err == nil {
		if turn, ok := conn.(*exclusiveConn); ok && resp.Close && resp.Header["Connection"] == nil {
			if fields := turn.connectionFields(); fields != nil {
				resp.Header["Connection"] = fields
			}
		}
		if turn, ok := conn.(*exclusiveConn); ok && resp.Body != http.NoBody && len(resp.TransferEncoding) > 0 {
			resp.Body = &chunkedBody{ReadCloser: resp.Body, conn: turn}
		}
		if resp.Body == http.NoBody {
			using.end()
		} else if using != nil {
			resp.Body = &usingBody{resp.Body, using}
		}
		return resp, nil
	}
	using.end()
	return nil, c.classify(ctx, conn, err)
}

// roundTrip sends the request with its body from the beginning.
func (t *ConnOptions) roundTrip(through http.RoundTripper, req *http.Request) (*http.Response, error) {
	if t.Body != nil {
		body, err := t.Body.attempt(t.Sent)
		if err != nil {
			return nil, err
		}
		req = req.WithContext(req.Context())
		req.Body, req.GetBody = body, func() (io.ReadCloser, error) { return t.Body.attempt(t.Sent) }
	}
	return through.RoundTrip(req)
}

// Repeatable reports whether a target that may have the request already can be sent it
// again (RFC 9110, section 9.2.2).
func Repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header["Idempotency-Key"] != nil || req.Header["X-Idempotency-Key"] != nil
}

// classify says whose fault a failed round trip was.
func (c *Conns) classify(ctx context.Context, conn net.Conn, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.Of(err) != nil:
		return err
	}
	if kept := keptOf(conn); kept != nil {
		if lost := kept.lost.Load(); lost != nil {
			return lost
		}
	}
	switch {
	case conn == nil:
		return fault.Wrap(fault.TargetUnreachable, "target unreachable", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, new(*net.OpError)), closedBefore(err):
		return fault.Wrap(fault.TargetLost, "target closed the connection without an answer", err)
	}
	return fault.Wrap(fault.TargetRefused, "target did not answer in HTTP", err)
}

// closedBefore reports whether the target has closed the connection before the request
// was sent. Package net/http has no name for that.
func closedBefore(err error) bool {
	return strings.HasSuffix(err.Error(), "server closed idle connection")
}

// Close forgets all keys and ends what is idle.
func (c *Conns) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, k := range c.kept {
		k.transport.CloseIdleConnections()
		delete(c.kept, key)
	}
}

// take returns what belongs to a key and an exit.
func (c *Conns) take(key, exit string) *kept {
	key += "\x00" + exit
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[key]
	if k == nil {
		c.sweep(now)
		k = &kept{exit: exit, transport: c.transport()}
		if c.kept == nil {
			c.kept = make(map[string]*kept)
		}
		c.kept[key] = k
	}
	k.used = now
	k.running++
	return k
}

func (c *Conns) give(k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.used = time.Now()
	k.running--
}

// sweep makes room for one more; the caller holds c.mu.
func (c *Conns) sweep(now time.Time) {
	var oldest string
	for key, k := range c.kept {
		switch {
		case k.running > 0:
		case now.Sub(k.used) > keptFor:
			c.forget(key)
		case oldest == "" || k.used.Before(c.kept[oldest].used):
			oldest = key
		}
	}
	if len(c.kept) >= maxKept && oldest != "" {
		c.forget(oldest)
	}
}

// forget lets the answers that still run come to their end.
func (c *Conns) forget(key string) {
	c.kept[key].transport.CloseIdleConnections()
	delete(c.kept, key)
}

func (c *Conns) transport() *http.Transport {
	tickets := tls.NewLRUClientSessionCache(32)
	t := &http.Transport{
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    perHost,
		MaxIdleConns:           perKey,
		IdleConnTimeout:        keptFor,
		MaxResponseHeaderBytes: maxHeadSize,
		// A target that never says 100 gets the body after a while (RFC 9110,
		// section 10.1.1).
		ExpectContinueTimeout: time.Second,
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := c.dial(ctx, t, network, addr)
		if err != nil {
			return nil, err
		}
		return handedOver(&exclusiveConn{Conn: conn}), nil
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return c.dialTLS(ctx, t, network, addr, tickets)
	}
	return t
}

// dial connects through the exit of the request that needs the connection: that
// of an earlier one may be attached anew meanwhile. net/http goes on dialling
// for a request that has gone, until the deadline. The connection is not kept when its
// exit drains, which would have to wait for it.
func (c *Conns) dial(ctx context.Context, keeps *http.Transport, network, addr string) (net.Conn, error) {
	t := ctx.Value(connOptionsKey{}).(*ConnOptions)
	ctx, cancel := context.WithDeadlineCause(ctx, t.Deadline, t.Timeout)
	defer cancel()
	conn, err := t.Exit.DialContext(ctx, network, addr)
	switch {
	case err == nil:
		w := &keptConn{exitLossConn: exitLossConn{conn, new(atomic.Pointer[agent.DialError])}, conns: &c.openConns, exit: t.Exit.Key()}
		c.openConns.add(w)
		if exit, ok := conn.(agent.DrainTeller); ok {
			w.stop = exit.OnDrain(func() { w.retire(keeps) })
		}
		return w, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

func (c *Conns) dialTLS(ctx context.Context, keeps *http.Transport, network, addr string, tickets tls.ClientSessionCache) (net.Conn, error) {
	t := ctx.Value(connOptionsKey{}).(*ConnOptions)
	conn, err := c.dial(ctx, keeps, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, t.Deadline, t.Timeout)
	defer cancel()
	secure, err := upstream.TLS{Tickets: tickets}.Handshake(ctx, conn, c.RootCAs, host, "h2", "http/1.1")
	switch {
	case err != nil:
	case secure.ConnectionState().NegotiatedProtocol == "h2":
		return handedOver(secure), nil // which net/http must see to be a *tls.Conn
	default:
		return handedOver(&exclusiveConn{Conn: secure}), nil
	}
	conn.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, err
}
