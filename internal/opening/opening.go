// Package opening is a client's side of a WebSocket until something takes it over:
// the handshake, and the one message that says what the client wants.
package opening

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upgrade"
	"github.com/farwire/farwire/internal/wsframe"
)

const (
	// Timeout is how long a client has to say what it wants, in all.
	Timeout = 10 * time.Second
	// Limit is the largest first message, in bytes.
	Limit = 64 << 10
	// CloseTimeout is after what a peer is given up that does not answer a close
	// frame.
	CloseTimeout = 5 * time.Second
)

var (
	// ErrGone says that the client left, and has to be told nothing.
	ErrGone = errors.New("the client left")
	// ErrBrokenFrame says that the client broke the frame format, and was told.
	ErrBrokenFrame = fault.New(fault.BadFrame, "a frame broke the format")
)

// Check refuses what cannot become a WebSocket, before anything is done
// for it (RFC 6455, section 4.2.1).
func Check(w http.ResponseWriter, r *http.Request) error {
	asked := httpguts.HeaderValuesContainsToken(r.Header.Values("Upgrade"), "websocket") &&
		httpguts.HeaderValuesContainsToken(r.Header.Values("Connection"), "upgrade")
	switch {
	case r.Method != http.MethodGet:
		return &fault.Error{Class: fault.MethodNotAllowed, Text: "the method must be " + http.MethodGet, Allow: http.MethodGet}
	case !asked, !r.ProtoAtLeast(1, 1), r.ProtoMajor != 1:
		return upgradeRequired(r, "this is a WebSocket endpoint: connect with a WebSocket client over HTTP/1.1")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return upgradeRequired(r, "Sec-WebSocket-Version must be 13")
	case !validNonce(r.Header["Sec-Websocket-Key"]):
		return fault.Invalidf("Sec-WebSocket-Key must be 16 bytes in base64, once")
	case r.ContentLength != 0: // net/http would read it before the 101, for as long as it does not come
		return fault.Invalidf("a request that becomes a WebSocket has no body")
	}
	if err := upgrade.Check(w); err != nil {
		// The host's mistake and not the caller's, but nobody finds it if
		// nobody says it. The log has the type as well.
		return fault.Wrap(fault.Internal, "the connection cannot become a WebSocket: a middleware around this handler"+
			" hides http.Hijacker (http.TimeoutHandler does); mount the handler outside of it, or give its ResponseWriter"+
			" an Unwrap method", err)
	}
	return nil
}

func upgradeRequired(r *http.Request, text string) error {
	err := fault.New(fault.UpgradeRequired, text)
	if r.ProtoMajor == 1 {
		err.Upgrade = "websocket"
	}
	return err
}

func validNonce(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	nonce, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(nonce) == 16
}

// A Client is a client's WebSocket in our hands. Until the pipe takes over, a
// recorder below coder/websocket keeps what was read, so that no byte that the
// client sent early is lost in a buffer.
type Client struct {
	// Conn is the connection below, for whoever takes it over after Release.
	Conn net.Conn

	ws      *websocket.Conn
	rec     *recorder
	deflate bool // was agreed on
}

// Accept answers the upgrade, with a subprotocol unless it is empty: browsers drop the
// connection when they offered some and get none. stateless says that permessage-deflate
// is agreed on, as deflate.Stateless.
func Accept(w http.ResponseWriter, r *http.Request, protocol string, stateless bool) (*Client, error) {
	opts := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	if protocol != "" {
		opts.Subprotocols = []string{protocol}
		// Subprotocols differ by case. coder/websocket, which ignores it, would
		// answer with another that was offered earlier.
		r = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		r.Header.Set("Sec-WebSocket-Protocol", protocol)
	}
	if stateless {
		// Of this offer the library makes this answer.
		r = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		r.Header.Set("Sec-WebSocket-Extensions", deflate.Stateless)
		opts.CompressionMode = websocket.CompressionContextTakeover
	}
	var rec *recorder
	ws, err := upgrade.WebSocket(w, r, opts, func(conn net.Conn, early []byte) net.Conn {
		rec = &recorder{Conn: conn, seen: early}
		return rec
	})
	if err != nil {
		return nil, err
	}
	return &Client{rec.Conn, ws, rec, stateless}, nil
}

// Switch answers an upgrade that has passed Check, with a subprotocol and extensions unless
// they are empty, where the client's messages are another's to read. early is what the
// client has sent behind its handshake.
func Switch(w http.ResponseWriter, r *http.Request, protocol, extensions string) (conn net.Conn, early []byte, err error) {
	h := w.Header() // with names as RFC 6455 writes them
	h["Sec-WebSocket-Accept"] = []string{upgrade.AcceptKey(r.Header.Get("Sec-Websocket-Key"))}
	if protocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{protocol}
	}
	if extensions != "" {
		h["Sec-WebSocket-Extensions"] = []string{extensions}
	}
	return upgrade.Switch(w, "websocket")
}

// Release has coder/websocket let go of its buffers, while the connection stays
// with the recorder. It must be called unless the recorder is handed over: one
// of its Conns that is merely forgotten is never collected, because it refers
// to itself and has a finalizer.
func (c *Client) Release() { c.ws.CloseNow() }

// Early returns what the client has sent behind its first message.
func (c *Client) Early() []byte { return c.rec.seen }

// Failed says what is wrong with the first message by rules that coder/websocket
// does not hold; nil: nothing.
func (c *Client) Failed() error { return c.rec.failed }

// Keep leaves the connection to coder/websocket for good, and returns it. Nobody may
// be using it meanwhile.
func (c *Client) Keep() *websocket.Conn {
	c.rec.handed, c.rec.seen = true, nil
	return c.ws
}

// Offered returns the subprotocols that a client offers, in its order.
func Offered(r *http.Request) []string {
	var list []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	}
	return list
}

// A recorder keeps what is read, and lets nobody but its owner close: a
// coder/websocket Conn closes its connection when it is collected.
type recorder struct {
	net.Conn
	seen   []byte                // what lies behind the first message; without one, all
	first  *wsframe.FirstMessage // nil: none is read
	came   int                   // bytes, up to the end of the first message
	failed error                 // what is wrong with the first message
	closed bool                  // a close frame was written
	handed bool                  // to coder/websocket, which keeps the connection
}

// readFirst keeps no more of the first message than coder/websocket does, and
// fails where a frame announces more than that may have.
func (c *recorder) readFirst(deflate bool) {
	c.first = wsframe.NewFirstMessage(deflate, Limit)
	c.record(c.take())
}

func (c *recorder) take() []byte {
	b := c.seen
	c.seen = nil
	return b
}

// record keeps what was read.
func (c *recorder) record(b []byte) {
	if c.first != nil && !c.first.Done() {
		if c.failed != nil {
			return
		}
		c.came += len(b)
		if b, c.failed = c.first.Take(b); c.failed != nil {
			return
		}
	}
	c.seen = append(c.seen, b...)
}

// Fragments and pings make a message longer on the wire than it is. Beyond this a
// client is not about to say something.
const maxRecorded = 2 * Limit

var errTooMuch = errors.New("too much before the first message")

func (c *recorder) Read(b []byte) (int, error) {
	if c.handed {
		return c.Conn.Read(b)
	}
	switch {
	case errors.Is(c.failed, wsframe.ErrTooLong):
		return 0, c.failed
	case max(len(c.seen), c.came) >= maxRecorded:
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b)
	c.record(b[:n])
	if errors.Is(c.failed, wsframe.ErrTooLong) {
		return 0, c.failed
	}
	return n, err
}

// Write notes whether coder/websocket, which writes a frame at a time, has
// answered a breach of the protocol itself. It does so for some and not for
// others; the reason is in our words in any case.
func (c *recorder) Write(b []byte) (int, error) {
	if len(b) == 0 || b[0]&0x0f != wsframe.OpClose {
		return c.Conn.Write(b)
	}
	c.closed = true
	if len(b) >= 4 && int(b[2])<<8|int(b[3]) == wsframe.CloseProtocol {
		_, err := c.Conn.Write(wsframe.AppendClose(nil, wsframe.CloseProtocol, ErrBrokenFrame.Text))
		return len(b), err
	}
	return c.Conn.Write(b)
}

func (c *recorder) Close() error {
	if c.handed {
		return c.Conn.Close()
	}
	return nil
}

// Ask waits for the client's one JSON message; what says in a refusal what it
// is. The time runs for all of it; neither pings nor a byte now and then extend
// it. The context ends the wait too.
func (c *Client) Ask(ctx context.Context, what string) ([]byte, error) {
	c.rec.readFirst(c.deflate)
	conn := c.Conn
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return nil, ErrGone
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	c.ws.SetReadLimit(-1) // ours closes with 1008, as every refusal does
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return nil, c.askFailure(ctx, what, err)
	}
	if kind != websocket.MessageText {
		return nil, fault.Invalidf("the first message must be text")
	}
	msg, err := io.ReadAll(io.LimitReader(r, Limit+1))
	switch {
	case err != nil:
		return nil, c.askFailure(ctx, what, err)
	case len(msg) > Limit:
		return nil, fault.Invalidf("the first message is larger than %d bytes", Limit)
	case !utf8.Valid(msg):
		return nil, fault.Invalidf("the first message is not UTF-8")
	case !stop():
		return nil, context.Cause(ctx)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, ErrGone
	}
	return msg, nil
}

func (c *Client) askFailure(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, wsframe.ErrTooLong):
		return fault.Invalidf("the first message is larger than %d bytes", Limit)
	case errors.Is(err, errTooMuch):
		return fault.Invalidf("too much before the %s", what)
	case fault.IsTimeout(err):
		return fault.Invalidf("no %s within %d seconds", what, int(Timeout/time.Second))
	case websocket.CloseStatus(err) >= 0, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return ErrGone
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return ErrGone
	}
	return c.Broken(err)
}

// Broken tells the client that it broke the frame format, unless it was told.
func (c *Client) Broken(err error) error {
	if !c.rec.closed {
		WriteClose(c.Conn, nil, wsframe.CloseProtocol, ErrBrokenFrame.Text)
	}
	return fmt.Errorf("%w: %w", ErrBrokenFrame, err)
}

// WriteClose writes a last message, if there is one, and a close frame. A
// client that cannot be written to has gone, and needs neither.
func WriteClose(conn net.Conn, last any, code int, reason string) {
	var b []byte
	if last != nil {
		text, err := json.Marshal(last)
		if err != nil {
			panic("opening: a message of our own cannot be marshalled: " + err.Error())
		}
		b = wsframe.AppendText(b, text)
	}
	conn.SetWriteDeadline(time.Now().Add(CloseTimeout))
	conn.Write(wsframe.AppendClose(b, code, reason))
}

// CloseAfterLast closes a connection after the last message was written: first the
// half for writing, and the rest when the client has closed its half or a timeout
// has passed. A close while the client's bytes still arrive would reset the
// connection, and the client could lose that message.
func CloseAfterLast(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(CloseTimeout))
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, conn)
	}
}

// IsWebSocket reports whether a request asks to become a WebSocket.
func IsWebSocket(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header.Values("Upgrade"), "websocket")
}
