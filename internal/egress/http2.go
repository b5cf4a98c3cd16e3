package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/farwire/farwire/internal/http1"
	"github.com/farwire/farwire/internal/rules"
)

var (
	errHTTP2 = errors.New("the target speaks HTTP/2")
	errHTTP1 = errors.New("the target speaks HTTP/1.1")
)

// A dialing is what net/http needs for a connection of HTTP/2.
type dialing struct {
	t    *ConnOptions
	made atomic.Pointer[tls.Conn] // that it gets; nil: it has to be made
}

type dialingKey struct{}

// roundTrip2 sends a request over HTTP/2, as net/http does. A persistConn has a connection that
// was made for it. The error is errHTTP1 when the target does not speak HTTP/2 any more.
func (c *Conns) roundTrip2(req *http.Request, t *ConnOptions, k *keyPool, pc *persistConn) (*http.Response, error) {
	d := &dialing{t: t}
	if pc != nil {
		handedOver(pc.raw)
		d.made.Store(pc.below.(*tls.Conn))
		defer func() {
			if unused := d.made.Swap(nil); unused != nil {
				unused.Close() // another one had room
			}
		}()
	}
	var conn net.Conn
	var using *use
	ctx := rules.WithScheme(context.WithValue(req.Context(), dialingKey{}, d), req.URL.Scheme)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.Sent.Store(false) },
		WroteHeaders: func() {
			if !using.isGone() {
				t.Sent.Store(true)
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			using.end()
			conn, using = i.Conn, useOf(i.Conn)
		},
	})
	req = req.WithContext(ctx)
	through := c.http2Transport(k)
	resp, err := t.roundTrip2(through, req)
	for err != nil && !t.Sent.Load() && t.Body.Unsent() && using.isGone() {
		// The connection was given up here; net/http repeats what is idempotent alone.
		using = nil
		resp, err = t.roundTrip2(through, req)
	}
	switch {
	case errors.Is(err, errHTTP1):
		c.noteHTTP2(k, req.URL.Host, false)
		return nil, err
	case err != nil:
		using.end()
		return nil, c.classify(ctx, keptOf(conn), err)
	case resp.Body == http.NoBody:
		using.end()
	case using != nil:
		resp.Body = &usingBody{resp.Body, using}
	}
	return resp, nil
}

// roundTrip2 sends the request with its body from the beginning.
func (t *ConnOptions) roundTrip2(through http.RoundTripper, req *http.Request) (*http.Response, error) {
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

// http2Transport returns what has the connections of HTTP/2 that belong to a key.
func (c *Conns) http2Transport(k *keyPool) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.http2Transport == nil {
		k.http2Transport = &http.Transport{
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    perHost,
			MaxIdleConns:           perKey,
			IdleConnTimeout:        keptFor,
			MaxResponseHeaderBytes: http1.MaxHead,
			// A target that never says 100 gets the body after a while (RFC 9110,
			// section 10.1.1).
			ExpectContinueTimeout: http1.ContinueWait,
			DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				return c.dial2(ctx, k, addr)
			},
		}
	}
	return k.http2Transport
}

// dial2 returns a connection of HTTP/2, which net/http must see to be a *tls.Conn. It goes
// on dialling for a request that has gone, until the deadline.
func (c *Conns) dial2(ctx context.Context, k *keyPool, addr string) (net.Conn, error) {
	d := ctx.Value(dialingKey{}).(*dialing)
	if made := d.made.Swap(nil); made != nil {
		return made, nil
	}
	secure, conn, err := c.dialTLS(ctx, d.t, k, addr)
	if err != nil {
		return nil, err
	}
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		conn.Close()
		return nil, errHTTP1
	}
	handedOver(conn)
	return secure, nil
}
