package upstream

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
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/safetext"
)

// ParseProxy checks the proxy that a client sent. It returns nil for an empty string.
// socks5h is socks5: the proxy is given the target's name in any case.
func ParseProxy(s string) (*url.URL, error) {
	s = strings.Trim(s, blanks)
	if s == "" {
		return nil, nil
	}
	bare := !strings.Contains(s, "://")
	if bare {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		// The parser's own text repeats the whole URL, credentials included.
		return nil, fault.Invalidf("proxy cannot be parsed; a password's own /, #, ? and @ must be percent-encoded (%%2F, %%23, %%3F, %%40)")
	}
	switch u.Scheme {
	case "http", "https", "socks5":
	case "socks5h":
		u.Scheme = "socks5"
	default:
		return nil, fault.Invalidf("proxy must begin with http:// or socks5:// (or https://, socks5h://), or be host:port")
	}
	switch {
	case bare && u.Port() == "":
		return nil, fault.Invalidf("proxy must begin with http:// or socks5:// (or https://, socks5h://), or be host:port")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.Invalidf("proxy must be a scheme, credentials, host and port alone")
	}
	if err := CheckHost(u); err != nil {
		return nil, fault.Invalidf("proxy: %v", err)
	}
	return u, nil
}

// ProxyAddr returns the host and port of a proxy to dial.
func ProxyAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dialProxy reaches addr through the client's proxy, which is itself reached
// through the exit. The hop to the proxy passes the exit's guard; the target's
// name is looked up at the exit and refused there when one of its addresses is
// forbidden. What the proxy itself can reach is its owner's affair.
func (d *Dialer) dialProxy(ctx context.Context, exit agent.Exit, u *url.URL, addr string) (net.Conn, error) {
	addr, err := d.checkBehindProxy(ctx, exit, addr)
	if err != nil {
		return nil, err
	}
	hop := &proxyHop{d: d, exit: exit, proxy: u}
	var through proxy.ContextDialer = &connectDialer{u, hop}
	if u.Scheme == "socks5" {
		var auth *proxy.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			auth = &proxy.Auth{User: u.User.Username(), Password: password}
		}
		s, err := proxy.SOCKS5("tcp", ProxyAddr(u), auth, hop)
		if err != nil {
			return nil, fmt.Errorf("socks5: %w", err)
		}
		through = s.(proxy.ContextDialer) // what the package documents to return
	}
	conn, err := through.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, hop.classify(ctx, err)
	}
	return conn, nil
}

// checkBehindProxy returns the address to give the proxy: the name, because
// many proxies want names, or the address that was checked.
func (d *Dialer) checkBehindProxy(ctx context.Context, exit agent.Exit, addr string) (string, error) {
	if exit.Resolve == nil {
		return addr, nil
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("target address: %w", err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", fmt.Errorf("target address: %w", err)
	}
	addrs, err := exit.Resolve(rules.WithPort(ctx, uint16(port)), host)
	var dial *agent.DialError
	switch {
	case errors.As(err, &dial) && dial.Fault == agent.FaultTarget && !dial.Timeout():
		// The exit does not know the name; the proxy may.
		return addr, nil
	case err != nil:
		return "", err
	case d.ProxyByAddress && len(addrs) > 0:
		return net.JoinHostPort(addrs[0].String(), service), nil
	}
	return addr, nil
}

// A proxyHop dials the proxy itself through the exit, and remembers how that
// went, because the proxy's client hides it in an error of its own.
type proxyHop struct {
	d     *Dialer
	exit  agent.Exit
	proxy *url.URL
	err   error
	up    bool
}

func (h *proxyHop) Dial(network, addr string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, addr)
}

func (h *proxyHop) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.exit.DialContext(rules.WithScheme(ctx, h.proxy.Scheme), network, addr)
	h.err, h.up = err, err == nil
	if err != nil || h.proxy.Scheme != "https" {
		return c, err
	}
	secured, err := TLS{}.Handshake(ctx, c, h.d.RootCAs, h.proxy.Hostname(), "http/1.1")
	if err != nil {
		c.Close()
		return nil, err
	}
	return secured, nil
}

// classify turns a proxy client's error into one that says whose fault it was.
func (h *proxyHop) classify(ctx context.Context, err error) error {
	failed := func(text string) error { return fault.Wrap(fault.ProxyFailed, text, err) }
	var dial *agent.DialError
	known := fault.Of(err)
	switch {
	case ctx.Err() != nil && !fault.IsTimeout(context.Cause(ctx)):
		return context.Cause(ctx)
	case !h.up && errors.As(h.err, &dial) && dial.Fault == agent.FaultTarget:
		return fault.Wrap(fault.ProxyFailed, "proxy unreachable: "+dial.Error(), h.err)
	case !h.up && h.err != nil && ctx.Err() == nil:
		return h.err
	case errors.As(err, &dial) && dial.Fault != agent.FaultTarget:
		return err
	case known != nil && known.Class == fault.TLSFailed:
		return failed("proxy: " + known.Text)
	case known != nil:
		return err
	case ctx.Err() != nil, fault.IsTimeout(err):
		return failed("proxy did not answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failed("proxy closed the connection")
	case h.proxy.Scheme == "socks5":
		return failed("proxy refused: " + socksReason(err))
	}
	return fault.Wrap(fault.ProxyFailed, "proxy did not answer in HTTP/1.1", safetext.WithoutRepeats(err))
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
	conn, err := d.hop.DialContext(ctx, network, ProxyAddr(d.proxy))
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
	head := &io.LimitedReader{R: conn, N: maxHead}
	br := bufio.NewReader(head)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil && head.N == 0:
		return nil, fault.Newf(fault.ProxyFailed, "proxy answered CONNECT with a head of more than %d bytes", maxHead)
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, fault.New(fault.ProxyFailed, "proxy answered CONNECT with "+statusText(resp.StatusCode))
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
	if w, ok := c.Conn.(agent.HalfCloser); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
