package farwire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// dialProxy reaches addr through the client's proxy, which is itself reached
// through the exit. The hop to the proxy passes the exit's guard; the target's
// name is looked up at the exit and refused there when one of its addresses is
// forbidden. What the proxy itself can reach is its owner's affair.
func (g *Gateway) dialProxy(ctx context.Context, exit agent.Exit, u *url.URL, addr string) (net.Conn, error) {
	addr, err := g.checkBehindProxy(ctx, exit, addr)
	if err != nil {
		return nil, err
	}
	hop := &proxyHop{exit: exit}
	var d proxy.ContextDialer = &connectDialer{u, hop}
	if u.Scheme == "socks5" {
		var auth *proxy.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			auth = &proxy.Auth{User: u.User.Username(), Password: password}
		}
		s, err := proxy.SOCKS5("tcp", dialAddr(u), auth, hop)
		if err != nil {
			return nil, fmt.Errorf("socks5: %w", err)
		}
		d = s.(proxy.ContextDialer) // what the package documents to return
	}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, hop.blame(ctx, err)
	}
	return conn, nil
}

// checkBehindProxy returns the address to give the proxy: the name, because
// many proxies want names, or the address that was checked.
func (g *Gateway) checkBehindProxy(ctx context.Context, exit agent.Exit, addr string) (string, error) {
	if exit.Resolve == nil {
		return addr, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("target address: %w", err)
	}
	addrs, err := exit.Resolve(ctx, host)
	switch {
	case agent.IsFault(err, agent.FaultTarget) && !isTimeout(err):
		// The exit does not know the name; the proxy may.
		return addr, nil
	case err != nil:
		return "", err
	case g.o.Relay.ProxyByAddress && len(addrs) > 0:
		return net.JoinHostPort(addrs[0].String(), port), nil
	}
	return addr, nil
}

// A proxyHop dials the proxy itself through the exit, and remembers how that
// went, because the proxy's client hides it in an error of its own.
type proxyHop struct {
	exit agent.Exit
	err  error
	up   bool
}

func (h *proxyHop) Dial(network, addr string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, addr)
}

func (h *proxyHop) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.exit.DialContext(ctx, network, addr)
	h.err, h.up = err, err == nil
	return c, err
}

// blame turns a proxy client's error into one of ours.
func (h *proxyHop) blame(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !h.up && agent.IsFault(h.err, agent.FaultTarget):
		return fault.Wrap(fault.ProxyFailed, "proxy unreachable: "+fault.Of(h.err).Short(), h.err)
	case !h.up && h.err != nil:
		return h.err
	case fault.Of(err) != nil, isTimeout(err):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.ProxyFailed, "proxy closed the connection", err)
	}
	return fault.Wrap(fault.ProxyFailed, "proxy refused: "+socksReason(err), err)
}

// socksReason is the phrase of RFC 1928, section 6, inside a SOCKS client's
// error, without the addresses around it.
func socksReason(err error) string {
	var op *net.OpError
	for errors.As(err, &op) {
		err = op.Err
	}
	return strings.TrimPrefix(err.Error(), "unknown error ")
}

// A connectDialer asks an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).
type connectDialer struct {
	proxy *url.URL
	hop   *proxyHop
}

func (d *connectDialer) DialContext(ctx context.Context, network, addr string) (_ net.Conn, err error) {
	conn, err := d.hop.DialContext(ctx, network, dialAddr(d.proxy))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	req := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if u := d.proxy.User; u != nil {
		password, _ := u.Password()
		req += "Proxy-Authorization: " + basic(u.Username(), password) + "\r\n"
	}
	if _, err := io.WriteString(conn, req+"\r\n"); err != nil {
		return nil, err
	}
	br := bufio.NewReader(io.LimitReader(conn, maxResponseHeader))
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, fault.New(fault.ProxyFailed, strings.TrimSpace(fmt.Sprintf("proxy answered CONNECT with %d %s",
			resp.StatusCode, http.StatusText(resp.StatusCode))))
	case !stop():
		return nil, context.Cause(ctx)
	case br.Buffered() == 0:
		return conn, nil
	}
	early, err := br.Peek(br.Buffered())
	if err != nil {
		return nil, err
	}
	return &prefixed{Conn: conn, early: bytes.Clone(early)}, nil
}

// A prefixed connection first reads what came with the proxy's answer.
type prefixed struct {
	net.Conn
	early []byte
}

func (c *prefixed) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}

// CloseWrite passes a half-close on, where the connection below knows one.
func (c *prefixed) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
