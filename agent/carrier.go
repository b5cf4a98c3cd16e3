package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/safetext"
)

// How an agent gets its byte stream to the gateway: a plain Upgrade, and when
// something on the way does not let that through, a WebSocket.

const (
	dialTimeout    = 3 * time.Second // short, so that a gateway that has come back is found soon
	carrierTimeout = 6 * time.Second // for each way of asking
	maxHead        = 64 << 10        // of an HTTP answer
)

// carrier connects to the gateway and has the connection upgraded.
func (c *connector) carrier(ctx context.Context) (net.Conn, error) {
	var err error
	if c.secret, err = c.runner.secret(); err != nil {
		return nil, fmt.Errorf("the secret %w", err)
	}
	nc, err := c.try(ctx, c.upgrade)
	var other *otherError
	if err == nil || ctx.Err() != nil || !errors.As(err, &other) {
		return nc, err
	}
	nc, wsErr := c.try(ctx, c.webSocket)
	if wsErr == nil || errors.As(wsErr, new(*refusedError)) {
		return nc, wsErr
	}
	return nil, err
}

// An otherError is an answer that is not the gateway's, or none after the
// connection stood: worth another way of asking.
type otherError struct{ err error }

func (e *otherError) Error() string { return e.err.Error() }
func (e *otherError) Unwrap() error { return e.err }

func (c *connector) try(ctx context.Context, ask func(context.Context, net.Conn) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, carrierTimeout)
	defer cancel()
	nc, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	up, err := ask(ctx, nc)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return up, nil
}

// connect opens the TCP connection, and TLS on it for https. What another
// gateway has named is dialled behind the agent's own guard.
func (c *connector) connect(ctx context.Context) (net.Conn, error) {
	r, u := c.runner, c.gateway.url
	ap := netip.AddrPortFrom(c.addr, portOf(u))
	tcp, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var nc net.Conn
	var err error
	if c.gateway.peer {
		nc, err = r.dialer.connect(tcp, r.dialer.guard(), u.Hostname(), ap)
	} else {
		nc, err = new(net.Dialer).DialContext(tcp, "tcp", ap.String())
	}
	if err != nil || u.Scheme != "https" {
		return nc, err
	}
	cfg := r.o.TLS.Clone()
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg.ServerName, cfg.NextProtos = u.Hostname(), []string{"http/1.1"}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

func (c *connector) header() http.Header {
	return http.Header{
		"Authorization": {"Bearer " + c.secret},
		"User-Agent":    {strings.TrimSuffix("farwire-agent/"+safetext.ASCII(c.runner.o.Version, 64), "/")},
	}
}

func (c *connector) upgrade(ctx context.Context, nc net.Conn) (net.Conn, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.gateway.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = c.header()
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgradeName)
	if err := req.Write(nc); err != nil {
		return nil, &otherError{err}
	}
	head := &io.LimitedReader{R: nc, N: maxHead}
	br := bufio.NewReader(head)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return nil, &otherError{fmt.Errorf("reading the gateway's answer: %w", err)}
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || !hasToken(resp.Header, "Upgrade", upgradeName) {
		resp.Body.Close()
		return nil, noUpgrade(resp)
	}
	ahead, err := br.Peek(br.Buffered())
	if err != nil {
		return nil, err
	}
	return withEarly(nc, bytes.Clone(ahead)), nil
}

func (c *connector) webSocket(ctx context.Context, nc net.Conn) (net.Conn, error) {
	once := make(chan net.Conn, 1)
	once <- nc
	dial := func(context.Context, string, string) (net.Conn, error) {
		select {
		case nc := <-once:
			return nc, nil
		default:
			return nil, errors.New("one request only")
		}
	}
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead}
	defer transport.CloseIdleConnections()
	ws, resp, err := websocket.Dial(ctx, c.gateway.url.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:   c.header(),
		Subprotocols: []string{upgradeName},
	})
	switch {
	case err != nil && resp != nil:
		return nil, noUpgrade(resp)
	case err != nil:
		return nil, err
	case ws.Subprotocol() != upgradeName:
		ws.CloseNow()
		return nil, errors.New("the gateway's answer lacks the subprotocol " + upgradeName)
	}
	return newWSConn(ws), nil
}

// noUpgrade is the error of an answer that is not an upgrade. By the header it is
// known whether the gateway gave it.
func noUpgrade(resp *http.Response) error {
	reason := resp.Header.Get(refusedHeader)
	switch {
	case reason == "" || resp.StatusCode == http.StatusUpgradeRequired:
		return &otherError{fmt.Errorf("the answer is HTTP %d, not an upgrade", resp.StatusCode)}
	case resp.StatusCode == http.StatusServiceUnavailable:
		return &refusedError{codeShutdown, readable(reason)}
	}
	return &refusedError{codeIdentity, readable(reason)}
}
