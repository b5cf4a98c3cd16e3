package farwire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// A target is a WebSocket that a client asked for, checked and ready to be
// dialled.
type target struct {
	url          *url.URL // ws or wss, without user and fragment, the host in ASCII
	host         string   // of the request line's Host header
	header       []member // in the order sent, Host and Cookie taken out
	cookie       string   // the whole Cookie header; empty: none
	subprotocols []string
	proxy        *url.URL // nil: none
}

// A dialled is a target whose handshake is done.
type dialled struct {
	conn        net.Conn
	buffered    []byte // what came with the 101
	subprotocol string
}

// parseTargetURL checks the url that a client sent.
func parseTargetURL(s string) (*url.URL, *url.Userinfo, error) {
	if s == "" {
		return nil, nil, fault.Invalidf("url is missing")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		// The parser's own text repeats the whole URL, credentials included.
		return nil, nil, fault.Invalidf("url cannot be parsed")
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, nil, fault.Invalidf("url must begin with ws:// or wss://")
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, nil, fault.Invalidf("url must not have a fragment (RFC 6455, section 3)")
	}
	if err := checkHostPort(u); err != nil {
		return nil, nil, fault.Invalidf("url: %v", err)
	}
	user := u.User
	u.User = nil
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, user, nil
}

// escapeQuery escapes what net/url leaves as it is in a query and a request
// line cannot hold: a space would end the target. Browsers do the same.
func escapeQuery(q string) string {
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// checkHostPort makes the URL's host ASCII and its port one that can be dialled.
func checkHostPort(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return errors.New("host is missing")
	}
	if port != "" {
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return errors.New("port is out of range")
		}
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	if addr, err := netip.ParseAddr(host); err == nil {
		if strings.ContainsFunc(addr.Zone(), notInName) {
			return errors.New("host is not valid")
		}
		return nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names with an underscore are no host names and yet in use.
		ascii = host
	}
	if strings.ContainsFunc(ascii, notInName) {
		return errors.New("host is not valid")
	}
	if ascii != host {
		u.Host = ascii
		if port != "" {
			u.Host = net.JoinHostPort(ascii, port)
		}
	}
	return nil
}

// notInName reports whether a character can stand in no host name, and in no
// zone of an address.
func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
}

// parseProxyURL checks the proxy that a client sent.
func parseProxyURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fault.Invalidf("proxy cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "socks5":
		return nil, fault.Invalidf("proxy must begin with http:// or socks5://")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.Invalidf("proxy must be a scheme, credentials, host and port alone")
	}
	if err := checkHostPort(u); err != nil {
		return nil, fault.Invalidf("proxy: %v", err)
	}
	return u, nil
}

// setHeader checks the headers and cookies that a client sent. What could
// inject, or belongs to the handshake or the hop, is refused and not repaired.
func (t *target) setHeader(header, cookies []member, user *url.Userinfo) error {
	for _, h := range header {
		name := strings.ToLower(h.name)
		switch {
		case !httpguts.ValidHeaderFieldName(h.name):
			return fault.Invalidf("headers: %q is not a header name", clip(h.name))
		case !httpguts.ValidHeaderFieldValue(h.value):
			return fault.Invalidf("headers: the value of %s has a character that a header cannot hold", h.name)
		case ofTheHop(name):
			return fault.Invalidf("headers: %s belongs to the handshake and cannot be set", h.name)
		case name == "host" && t.host != "":
			return fault.Invalidf("headers: Host is given twice")
		case name == "host" && (h.value == "" || !httpguts.ValidHostHeader(h.value)):
			return fault.Invalidf("headers: Host is not valid")
		case name == "host":
			t.host = h.value
		case name == "cookie":
			t.addCookie(h.value)
		default:
			if name == "authorization" {
				user = nil
			}
			t.header = append(t.header, h)
		}
	}
	for _, c := range cookies {
		if (&http.Cookie{Name: c.name, Value: c.value}).Valid() != nil {
			return fault.Invalidf("cookies: %q or its value has a character that a cookie cannot hold", clip(c.name))
		}
		t.addCookie(c.name + "=" + c.value)
	}
	if user != nil {
		password, _ := user.Password()
		t.header = append(t.header, member{"Authorization", basic(user.Username(), password)})
	}
	if t.host == "" {
		t.host = t.url.Host
	}
	return nil
}

// addCookie joins cookies into one header (RFC 6265, section 5.4).
func (t *target) addCookie(c string) {
	if t.cookie != "" && c != "" {
		t.cookie += "; "
	}
	t.cookie += c
}

// ofTheHop reports whether a header, in lower case, belongs to the handshake
// or to this hop alone.
func ofTheHop(name string) bool {
	switch name {
	case "connection", "upgrade", "transfer-encoding", "content-length", "te", "trailer", "keep-alive":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-") || strings.HasPrefix(name, "proxy-")
}

func (t *target) setSubprotocols(list []string) error {
	for i, p := range list {
		if !httpguts.ValidHeaderFieldName(p) {
			return fault.Invalidf("subprotocols: %q is not a subprotocol name", clip(p))
		}
		if slices.Contains(list[:i], p) {
			return fault.Invalidf("subprotocols: %q is given twice", clip(p))
		}
	}
	t.subprotocols = list
	return nil
}

// dialAddr returns the host and port to dial.
func dialAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443", "http": "80", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// dialWebSocket connects to the target through the exit and shakes hands. The context
// bounds all of it; the connection outlives it.
func (g *Gateway) dialWebSocket(ctx context.Context, exit agent.Exit, t *target) (_ *dialled, err error) {
	conn, err := g.dialTCP(ctx, exit, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if t.url.Scheme != "wss" {
		return shakeHands(ctx, exit, conn, t)
	}
	secured, err := g.startTLS(ctx, conn, t.url.Hostname())
	if err != nil {
		if exit.Report != nil {
			exit.Report(t.url.Hostname(), err)
		}
		return nil, err
	}
	return shakeHands(ctx, exit, secured, t)
}

func (g *Gateway) dialTCP(ctx context.Context, exit agent.Exit, t *target) (net.Conn, error) {
	if t.proxy == nil {
		return exit.DialContext(ctx, "tcp", dialAddr(t.url))
	}
	return g.dialProxy(ctx, exit, t.proxy, dialAddr(t.url))
}

// startTLS verifies the server's name against the roots of Options. It closes
// nothing.
func (g *Gateway) startTLS(ctx context.Context, conn net.Conn, name string) (*tls.Conn, error) {
	c, err := g.handshakeTLS(ctx, conn, name, "http/1.1")
	if err != nil {
		return nil, tlsFailure(err)
	}
	return c, nil
}

func (g *Gateway) handshakeTLS(ctx context.Context, conn net.Conn, name string, protos ...string) (*tls.Conn, error) {
	c := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: g.o.RootCAs, NextProtos: protos})
	return c, c.HandshakeContext(ctx)
}

// tlsFailure says in a caller's words why a TLS handshake failed.
func tlsFailure(err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		notTLS   tls.RecordHeaderError
		alert    tls.AlertError
		netError net.Error
	)
	text := ""
	switch {
	case fault.Of(err) != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &unknown):
		text = "certificate signed by an unknown authority"
	case errors.As(err, &name):
		text = "certificate is not valid for this host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		text = "certificate has expired or is not yet valid"
	case errors.As(err, &invalid):
		text = "certificate is not valid"
	case errors.As(err, &notTLS):
		text = "no TLS on this port"
	case errors.As(err, &alert):
		text = "handshake refused"
	case errors.As(err, &netError) && netError.Timeout():
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "connection closed during the handshake"
	default:
		text = "handshake failed"
	}
	return fault.Wrap(fault.TLSFailed, "TLS: "+text, err)
}

const (
	// More header than this is no handshake.
	maxResponseHeader = 64 << 10
	maxInformational  = 5
)

// shakeHands does the client's half of RFC 6455, section 4.1, without offering
// an extension, and keeps what came behind the 101.
func shakeHands(ctx context.Context, exit agent.Exit, conn net.Conn, t *target) (*dialled, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	if _, err := conn.Write(t.request(key)); err != nil {
		return nil, handshakeLoss(ctx, err)
	}
	br := bufio.NewReader(io.LimitReader(conn, maxResponseHeader))
	resp, err := readResponse(br)
	if err != nil {
		return nil, handshakeLoss(ctx, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		switch resp.StatusCode {
		case http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
			if exit.Report != nil {
				exit.Report(t.url.Hostname(), fmt.Errorf("upgrade answered with %d", resp.StatusCode))
			}
		}
		return nil, fault.New(fault.TargetRefused, strings.TrimSpace(fmt.Sprintf("target answered the upgrade with %d %s",
			resp.StatusCode, http.StatusText(resp.StatusCode))))
	}
	if err := checkAnswer(resp.Header, key, t.subprotocols); err != nil {
		return nil, err
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	rest, err := br.Peek(br.Buffered())
	if err != nil {
		return nil, err
	}
	if exit.Report != nil {
		exit.Report(t.url.Hostname(), nil)
	}
	return &dialled{conn, bytes.Clone(rest), resp.Header.Get("Sec-WebSocket-Protocol")}, nil
}

// request is the upgrade request: the client's headers as they were given,
// which net/http would rename and reorder.
func (t *target) request(key string) []byte {
	var b bytes.Buffer
	line := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	b.WriteString("GET " + t.url.RequestURI() + " HTTP/1.1\r\n")
	line("Host", t.host)
	line("Upgrade", "websocket")
	line("Connection", "Upgrade")
	line("Sec-WebSocket-Key", key)
	line("Sec-WebSocket-Version", "13")
	if len(t.subprotocols) > 0 {
		line("Sec-WebSocket-Protocol", strings.Join(t.subprotocols, ", "))
	}
	for _, h := range t.header {
		line(h.name, h.value)
	}
	if t.cookie != "" {
		line("Cookie", t.cookie)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// readResponse skips the few interim answers that a server may send first.
func readResponse(br *bufio.Reader) (*http.Response, error) {
	for range maxInformational {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, fault.New(fault.TargetRefused, "target answered the upgrade with nothing but interim answers")
}

// handshakeLoss says what a failed read or write during the handshake was.
func handshakeLoss(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.Of(err) != nil, isTimeout(err):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.TargetLost, "target closed the connection during the upgrade", err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fault.Wrap(fault.TargetLost, "connection lost during the upgrade", err)
	}
	return fault.Wrap(fault.TargetRefused, "target did not answer the upgrade in HTTP/1.1", err)
}

// checkAnswer is the list of RFC 6455, section 4.1, items 2 to 6.
func checkAnswer(h http.Header, key string, offered []string) error {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	protocols := h.Values("Sec-WebSocket-Protocol")
	switch {
	case !httpguts.HeaderValuesContainsToken(h.Values("Upgrade"), "websocket"):
		return fault.New(fault.TargetRefused, "target answered the upgrade without Upgrade: websocket")
	case !httpguts.HeaderValuesContainsToken(h.Values("Connection"), "upgrade"):
		return fault.New(fault.TargetRefused, "target answered the upgrade without Connection: Upgrade")
	case h.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return fault.New(fault.TargetRefused, "target answered the upgrade with a wrong Sec-WebSocket-Accept")
	case h.Get("Sec-WebSocket-Extensions") != "":
		return fault.New(fault.TargetRefused, "target chose an extension that was not offered")
	case len(protocols) > 1, len(protocols) == 1 && !slices.Contains(offered, protocols[0]):
		return fault.New(fault.TargetRefused, "target chose a subprotocol that was not offered")
	}
	return nil
}
