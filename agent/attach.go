package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/upgrade"
)

// A refusedBody is the JSON body of an answer that is not a 101.
type refusedBody struct {
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// poolFull is the reason of a refusal whose code its status alone does not say.
const poolFull = "gateway has as many agents as it takes"

// refusedCode returns the stable code of a refusal.
func refusedCode(status int, detail string) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "key_invalid"
	case http.StatusTooManyRequests:
		return "rate_limited"
	case http.StatusServiceUnavailable:
		if detail == poolFull {
			return "limit_reached"
		}
		return "draining"
	case http.StatusInternalServerError:
		return "internal"
	}
	return "bad_request"
}

// ServeHTTP is where agents attach. It answers once the connection has been
// taken over; the link then lives until Shutdown or its own end. Refusals are
// JSON, `{"detail": "…", "code": "…"}`, with the reason in the header Farwire-Refused too.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Farwire-From", "gateway")
	refuse := func(status int, detail string) { refuseAttach(w, status, detail) }
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(http.StatusMethodNotAllowed, "agents attach with GET")
		return
	}
	if r.ContentLength != 0 { // net/http would read it before the 101, for as long as it does not come
		refuse(http.StatusBadRequest, "a request to attach has no body")
		return
	}
	if hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", peerUpgrade) {
		p.servePeer(w, r)
		return
	}
	if p.local {
		refuse(http.StatusForbidden, "this gateway takes no agents")
		return
	}
	token := tokenOf(r)
	who, ok := p.authenticate(token)
	if !ok && token != "" && p.tooManyWrong(w, r, "agent") {
		refuse(http.StatusTooManyRequests, attempts.TooMany)
		return
	}
	if !ok {
		refuse(http.StatusUnauthorized, "agent secret or token missing or wrong")
		return
	}
	upgrade.KeyShown(r.Context())()
	if detail := p.enter(); detail != "" {
		w.Header().Set("Retry-After", "1")
		refuse(http.StatusServiceUnavailable, detail)
		return
	}
	linked := false
	defer func() {
		if !linked {
			p.leave()
		}
	}()
	from := p.clientAddr(r)
	conn := p.takeCarrier(w, r, from)
	if conn == nil {
		return
	}
	linked = true
	go func() {
		defer p.leave()
		p.carry(conn, who, from)
	}()
}

func refuseAttach(w http.ResponseWriter, status int, detail string) {
	w.Header().Set(refusedHeader, detail)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The agent has the reason from the header; nobody is left to be told
	// that the body did not reach it.
	_ = json.NewEncoder(w).Encode(refusedBody{detail, refusedCode(status, detail)})
}

// takeCarrier takes over the connection that a link will run on, or answers why it cannot
// and returns nil.
func (p *Pool) takeCarrier(w http.ResponseWriter, r *http.Request, from netip.Addr) (conn net.Conn) {
	var err error
	switch {
	case hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", upgradeName):
		conn, err = switchProtocols(w)
	case hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket") &&
		hasToken(r.Header, "Sec-WebSocket-Protocol", upgradeName):
		conn, err = acceptWebSocket(w, r)
	default:
		if r.ProtoMajor == 1 { // HTTP/2 forbids both (RFC 9113, section 8.2.2)
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", upgradeName)
		}
		refuseAttach(w, http.StatusUpgradeRequired, "agents attach with Upgrade: "+upgradeName+", or a WebSocket of that subprotocol")
		return nil
	}
	if err == nil {
		return conn
	}
	p.warnHost(from, "agent cannot attach", err, "remote", from)
	if errors.As(err, new(*upgrade.HiddenError)) {
		refuseAttach(w, http.StatusInternalServerError, "the connection cannot be taken over: a middleware around this handler hides http.Hijacker")
	}
	return nil
}

// carry runs a link until it ends. Its goroutine is one of which net/http knows nothing.
func (p *Pool) carry(conn net.Conn, who identity, from netip.Addr) {
	defer func() {
		if v := recover(); v != nil {
			conn.Close()
			p.log.Error("agent link panicked", "remote", from, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	if err := p.attach(conn, who, from); errors.Is(err, errDuplicate) {
		p.log.Debug("agent did not attach", "remote", from, "err", err) // it finds its way
	} else if err != nil {
		p.warn(from, "agent did not attach", "remote", from, "err", err)
	}
}

// warn writes a line that whoever has a valid secret can cause as often as it likes: of one
// address at most one a second is at Warn.
func (p *Pool) warn(from netip.Addr, msg string, args ...any) {
	level := slog.LevelDebug
	if p.failed.Note(from, time.Now()).Warn {
		level = slog.LevelWarn
	}
	p.log.Log(context.Background(), level, msg, args...)
}

// warnHost writes that a connection could not be taken over. What the host has around the
// handler is always at Warn: nobody finds that mistake if the log does not say it.
func (p *Pool) warnHost(from netip.Addr, msg string, err error, args ...any) {
	args = append(args, "err", err)
	if errors.As(err, new(*upgrade.HiddenError)) {
		p.log.Warn(msg, args...)
		return
	}
	p.warn(from, msg, args...)
}

// tooManyWrong counts credentials of a request that are wrong, and whose they were meant
// to be. It reports whether too many came from there, and says then when to come back.
func (p *Pool) tooManyWrong(w http.ResponseWriter, r *http.Request, whose string) bool {
	v := p.wrong.Refused(r.Context(), p.log, p.clientAddr(r), "of", whose)
	if v.TooMany {
		v.SetHeaders(w.Header())
	}
	return v.TooMany
}

// enter counts a connection in, or says why not.
func (p *Pool) enter() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.draining, p.cluster != nil && p.cluster.leaving.Load():
		return "gateway is shutting down"
	case p.attached >= p.maxLinks:
		return poolFull
	}
	p.attached++
	p.wg.Add(1)
	return ""
}

func (p *Pool) leave() {
	p.mu.Lock()
	p.attached--
	p.mu.Unlock()
	p.wg.Done()
}

// switchProtocols answers the plain Upgrade.
func switchProtocols(w http.ResponseWriter) (net.Conn, error) {
	nc, early, err := upgrade.Switch(w, upgradeName)
	if err != nil {
		return nil, err
	}
	return withEarly(nc, early), nil
}

// withEarly is a connection of which some bytes have been read.
func withEarly(nc net.Conn, early []byte) net.Conn {
	if len(early) == 0 {
		return nc
	}
	return &readAhead{nc, io.MultiReader(bytes.NewReader(early), nc)}
}

type readAhead struct {
	net.Conn
	r io.Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.r.Read(p) }

func acceptWebSocket(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	ws, err := upgrade.WebSocket(w, r, &websocket.AcceptOptions{Subprotocols: []string{upgradeName}}, nil)
	if err != nil {
		return nil, err
	}
	return newWSConn(ws), nil
}

// A wsConn carries a tunnel in binary messages.
type wsConn struct {
	net.Conn
	ws *websocket.Conn
}

func newWSConn(ws *websocket.Conn) net.Conn {
	return &wsConn{websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws}
}

// Close does not wait for the other side: the multiplexer has said all.
func (c *wsConn) Close() error {
	err := c.ws.CloseNow()
	c.Conn.Close()
	return err
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// connectionAddr is the address of a request's connection; the zero Addr when it
// has none.
func connectionAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
