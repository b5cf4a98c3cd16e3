package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// EchoHost is a target that every agent answers itself, on port 80:
// ws://echo.farwire.alt and http://echo.farwire.alt try the path through an
// agent without a network behind it, a second program or an exception in the
// guard. Names under .alt are never looked up in the DNS (RFC 9476).
const EchoHost = "echo.farwire.alt"

func isEcho(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), EchoHost)
}

// echoDial opens a connection to the echo. Nothing listens for it: the
// connection is in memory, and a goroutine serves it until it is closed.
func echoDial(ctx context.Context, port uint16) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if port != 80 {
		return nil, causeRefused
	}
	up, upServer := net.Pipe()
	down, downServer := net.Pipe()
	once := &singleConnListener{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	once.conn <- &pipeConn{in: upServer, out: downServer, closed: once.end}
	server := &http.Server{
		Handler: http.HandlerFunc(echo), ReadHeaderTimeout: handshakeTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: maxHead,
		ErrorLog: nil, // what goes wrong is the client's affair
	}
	go func() {
		// It ends with the connection, and its error says only that.
		_ = server.Serve(once)
	}()
	return &pipeConn{in: down, out: up, closed: func() {}}, nil
}

// echo sends a WebSocket's messages back until the client closes, and of any
// other request what arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	if !hasToken(r.Header, "Upgrade", "websocket") {
		echoHTTP(w, r)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: offeredProtocols(r)})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1) // messages are passed on in pieces
	for {
		kind, message, err := conn.Reader(r.Context())
		if err != nil {
			return // closed, and the close is answered
		}
		back, err := conn.Writer(r.Context(), kind)
		if err != nil {
			return
		}
		if _, err := io.Copy(back, message); err != nil {
			return
		}
		if err := back.Close(); err != nil {
			return
		}
	}
}

func offeredProtocols(r *http.Request) (list []string) {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(p))
		}
	}
	return list
}

// echoHTTP answers with the request's body and type, or, where it has no body,
// with what it was, as JSON. X-Echo-Method and X-Echo-Path say it in any case.
func echoHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Echo-Method", r.Method)
	h.Set("X-Echo-Path", r.URL.RequestURI())
	h.Set("Cache-Control", "no-store")
	if r.ContentLength == 0 {
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // a client that has gone needs no answer
			"method": r.Method, "host": r.Host, "path": r.URL.RequestURI(), "headers": r.Header,
		})
		return
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		http.Error(w, "cannot read and write at once", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, r.Body) // likewise
}

// pipeConn is one end of a connection in memory, a pipe for each direction so
// that one can end before the other.
type pipeConn struct {
	in, out net.Conn
	closed  func()
}

func (c *pipeConn) Read(b []byte) (int, error)         { return c.in.Read(b) }
func (c *pipeConn) Write(b []byte) (int, error)        { return c.out.Write(b) }
func (c *pipeConn) CloseWrite() error                  { return c.out.Close() }
func (c *pipeConn) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *pipeConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
func (c *pipeConn) LocalAddr() net.Addr                { return echoAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr               { return echoAddr{} }

func (c *pipeConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *pipeConn) Close() error {
	c.closed()
	return errors.Join(c.out.Close(), c.in.Close())
}

type echoAddr struct{}

func (echoAddr) Network() string { return "tcp" }
func (echoAddr) String() string  { return EchoHost + ":80" }

// A singleConnListener hands a server one connection and ends with it.
type singleConnListener struct {
	conn chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *singleConnListener) end() { l.once.Do(func() { close(l.done) }) }

func (l *singleConnListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	default:
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *singleConnListener) Close() error   { l.end(); return nil }
func (l *singleConnListener) Addr() net.Addr { return echoAddr{} }
