package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/upstream"
)

// Conns keeps connections to targets, and their TLS sessions, for those who may
// use them again: requests with the same key. Keys that nobody used for a while
// are forgotten with all that belongs to them, and so are the oldest when there
// are many. The zero value is valid; it is safe for concurrent use. Close ends
// what is idle.
type Conns struct {
	RootCAs *x509.CertPool // nil: the system's; must not be changed once in use

	mu    sync.Mutex
	pools map[poolKey]*keyPool
	sweep *time.Timer // runs while connections are idle

	openConns
}

// A poolKey is who may share connections, and the key of their exit.
type poolKey struct{ key, exit string }

// A keyPool is what belongs to one key. Conns.mu guards it.
type keyPool struct {
	by             poolKey
	idle           []*persistConn  // that waited longest first
	http2          map[string]bool // hosts that have agreed on HTTP/2
	tickets        tls.ClientSessionCache
	http2Transport *http.Transport // for HTTP/2; nil: nobody has needed it
	used           time.Time
	running        int  // requests whose answer has not begun
	gone           bool // it is forgotten
}

const (
	maxKept   = 1024
	keptFor   = 90 * time.Second
	perHost   = 32   // idle connections of a key to one host
	perKey    = 256  // idle connections of a key
	maxHosts  = 1024 // of a key, of which it is known that they speak HTTP/2
	sweepEach = 5 * time.Second
)

// ConnOptions say how one request reaches its target.
type ConnOptions struct {
	Key      string     // who may share the connections of an exit with it
	Exit     agent.Exit // through which new ones are opened
	Deadline time.Time  // for the dial, TLS included; the answer may take any time
	Timeout  error      // the error when it passes

	Body *Body // of the request, in place of its Body; nil: it has none

	// Sent becomes true before the target can have the whole head of the request, and
	// false when it is sent anew on another connection. Nil: nobody asks.
	Sent *atomic.Bool

	// Idle is touched by whatever comes over HTTP/1.1: a part of a head, of an answer
	// before the one that counts, and of what is between two chunks. Nil: there is no limit.
	Idle *IdleClock
}

// RoundTrip sends a request and returns when its answer begins, over HTTP/2 where target
// and TLS agree on it. It follows no redirect, adds no header and decodes nothing.
func (c *Conns) RoundTrip(req *http.Request, t ConnOptions) (*http.Response, error) {
	if t.Sent == nil {
		t.Sent = new(atomic.Bool)
	}
	k := c.take(poolKey{t.Key, t.Exit.Key()})
	defer c.give(k)
	for again := false; ; again = true {
		pc, err := c.persistConn(req, &t, k, again)
		switch {
		case errors.Is(err, errHTTP2):
			resp, err := c.roundTrip2(req, &t, k, pc)
			if !errors.Is(err, errHTTP1) {
				return resp, err
			}
			continue
		case err != nil:
			return nil, c.classify(req.Context(), nil, err)
		}
		resp, err := pc.roundTrip(req, &t)
		if err == nil {
			return resp, nil
		}
		// Of a connection that was kept the target may have known nothing any more.
		stale := pc.reused && (!t.Sent.Load() || !pc.conn.Answered() && Repeatable(req)) && t.Body.Unsent()
		if !stale || req.Context().Err() != nil {
			return nil, c.classify(req.Context(), pc.raw, err)
		}
		t.Sent.Store(false)
	}
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

// classify says whose fault a failed round trip was; conn is nil when there was no
// connection.
func (c *Conns) classify(ctx context.Context, conn *keptConn, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.Of(err) != nil:
		return err
	case conn == nil:
		return fault.Wrap(fault.TargetUnreachable, "target unreachable", err)
	}
	if lost := conn.lost.Load(); lost != nil {
		return lost
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, new(*net.OpError)) {
		return fault.Wrap(fault.TargetLost, "target closed the connection without an answer", err)
	}
	return fault.Wrap(fault.TargetRefused, "target did not answer in HTTP", err)
}

// Close forgets all keys and ends what is idle.
func (c *Conns) Close() {
	c.mu.Lock()
	var ended []*persistConn
	for _, k := range c.pools {
		ended = append(ended, c.forget(k)...)
	}
	if c.sweep != nil {
		c.sweep.Stop()
	}
	c.mu.Unlock()
	closeAll(ended)
}

// take returns what belongs to a key and an exit.
func (c *Conns) take(by poolKey) *keyPool {
	now := time.Now()
	c.mu.Lock()
	k := c.pools[by]
	var ended []*persistConn
	if k == nil {
		ended = c.makePlace(now)
		k = &keyPool{by: by, tickets: tls.NewLRUClientSessionCache(32)}
		if c.pools == nil {
			c.pools = make(map[poolKey]*keyPool)
		}
		c.pools[by] = k
	}
	k.used = now
	k.running++
	c.mu.Unlock()
	closeAll(ended)
	return k
}

func (c *Conns) give(k *keyPool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.used = time.Now()
	k.running--
}

// makePlace makes room for one more key, and returns what is to be closed; the caller
// holds c.mu.
func (c *Conns) makePlace(now time.Time) (ended []*persistConn) {
	var oldest *keyPool
	for _, k := range c.pools {
		switch {
		case k.running > 0:
		case now.Sub(k.used) > keptFor:
			ended = append(ended, c.forget(k)...)
		case oldest == nil || k.used.Before(oldest.used):
			oldest = k
		}
	}
	if len(c.pools) >= maxKept && oldest != nil {
		ended = append(ended, c.forget(oldest)...)
	}
	return ended
}

// forget lets the answers that still run come to their end, and returns what is to be
// closed; the caller holds c.mu.
func (c *Conns) forget(k *keyPool) (ended []*persistConn) {
	delete(c.pools, k.by)
	ended, k.idle, k.gone = k.idle, nil, true
	if k.http2Transport != nil {
		k.http2Transport.CloseIdleConnections()
	}
	return ended
}

// dial connects through the exit of the request that needs the connection: that
// of an earlier one may be attached anew meanwhile. The connection is not kept when its
// exit drains, which would have to wait for it.
func (c *Conns) dial(ctx context.Context, t *ConnOptions, addr string) (*keptConn, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, t.Deadline, t.Timeout)
	defer cancel()
	conn, err := t.Exit.DialContext(ctx, "tcp", addr)
	switch {
	case err == nil:
		w := &keptConn{exitLossConn: exitLossConn{conn, new(atomic.Pointer[agent.DialError])}, conns: &c.openConns, exit: t.Exit.Key()}
		c.openConns.add(w)
		if exit, ok := conn.(agent.DrainTeller); ok {
			w.stop = exit.OnDrain(w.retire)
		}
		return w, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// dialTLS connects, and agrees with the target on the version of HTTP.
func (c *Conns) dialTLS(ctx context.Context, t *ConnOptions, k *keyPool, addr string) (*tls.Conn, *keptConn, error) {
	conn, err := c.dial(ctx, t, addr)
	if err != nil {
		return nil, nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, t.Deadline, t.Timeout)
	defer cancel()
	conn.glance = netio.NewGlance(conn.Conn)
	secure, err := upstream.TLS{Tickets: k.tickets}.Handshake(ctx, conn, c.RootCAs, host, "h2", "http/1.1")
	if err == nil {
		return secure, conn, nil
	}
	conn.Close()
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	return nil, nil, err
}
