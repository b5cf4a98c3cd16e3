// Package opening is a client's side of a WebSocket until something takes it over:
// the handshake, and the one message that says what the client wants.
package opening

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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

// A Client is a client's WebSocket whose first message is read here. Most clients send it
// in one frame, which Ask reads itself; it has coder/websocket read any other. A recorder
// below that keeps what was read, so that no byte that the client sent early is lost in a
// buffer.
type Client struct {
	// Conn is the connection below, for whoever takes it over after Release.
	Conn net.Conn

	request  *http.Request
	protocol string
	deflate  bool   // was agreed on
	early    []byte // what was read and not used, until ws has it

	ws  *websocket.Conn // nil: nothing has needed it
	rec *recorder       // likewise
}

// Accept answers an upgrade that has passed Check, with a subprotocol unless it is empty:
// browsers drop the connection when they offered some and get none. stateless says that
// permessage-deflate is agreed on, as deflate.Stateless.
func Accept(w http.ResponseWriter, r *http.Request, protocol string, stateless bool) (*Client, error) {
	extensions := ""
	if stateless {
		extensions = deflate.Stateless
	}
	conn, early, err := Switch(w, r, protocol, extensions)
	if err != nil {
		return nil, err
	}
	return &Client{Conn: conn, request: r, protocol: protocol, deflate: stateless, early: early}, nil
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
func (c *Client) Release() {
	if c.ws != nil {
		c.ws.CloseNow()
	}
}

// Early returns what the client has sent behind its first message.
func (c *Client) Early() []byte {
	if c.rec != nil {
		return c.rec.seen
	}
	return c.early
}

// Failed says what is wrong with the first message by rules that coder/websocket
// does not hold; nil: nothing.
func (c *Client) Failed() error {
	if c.rec == nil {
		return nil
	}
	return c.rec.failed
}

// Keep leaves the connection to coder/websocket for good, and returns it. Nobody may
// be using it meanwhile. After an error the caller still closes it.
func (c *Client) Keep() (*websocket.Conn, error) {
	if err := c.hand(); err != nil {
		return nil, err
	}
	c.rec.handed, c.rec.seen = true, nil
	return c.ws, nil
}

// FirstOffered returns the subprotocol that a client prefers; empty: it offers none.
func FirstOffered(r *http.Request) string {
	if list := Offered(r); len(list) > 0 {
		return list[0]
	}
	return ""
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

// Ask waits for the client's one JSON message; what says in a refusal what it
// is. The time runs for all of it; neither pings nor a byte now and then extend
// it. The context ends the wait too.
func (c *Client) Ask(ctx context.Context, what string) ([]byte, error) {
	conn := c.Conn
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return nil, ErrGone
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	msg, err := c.plainMessage()
	if err != nil {
		return nil, c.askFailure(ctx, what, err)
	}
	if msg == nil {
		if msg, err = c.otherMessage(ctx, what); err != nil {
			return nil, err
		}
	}
	switch {
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

// otherMessage has coder/websocket read the message.
func (c *Client) otherMessage(ctx context.Context, what string) ([]byte, error) {
	if err := c.hand(); err != nil {
		return nil, err
	}
	c.rec.readFirst(c.deflate)
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
	if c.rec == nil || !c.rec.closed {
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
	closeAfter(conn, func() { io.Copy(io.Discard, conn) })
}

// CloseAfterAnswer is CloseAfterLast for a client whose next byte begins a frame; early is
// what was read of its frames and not used. It waits for no more than the client's close
// frame, behind which nothing comes (RFC 6455, section 5.5.1): many clients then wait for
// the server to close the connection.
func CloseAfterAnswer(conn net.Conn, early []byte) {
	closeAfter(conn, func() {
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(early), conn))
		for skipFrame(r) {
		}
	})
}

func closeAfter(conn net.Conn, wait func()) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(CloseTimeout))
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		wait()
	}
}

// skipFrame reads a client's frame, and reports whether another may follow.
func skipFrame(r *bufio.Reader) bool {
	head, err := r.Peek(2)
	if err != nil {
		return false
	}
	isClose := head[0]&0x0f == wsframe.OpClose
	header, length := 2+4, uint64(head[1]&0x7f) // the mask's four bytes
	switch length {
	case 126:
		header += 2
	case 127:
		header += 8
	}
	if head, err = r.Peek(header); err != nil {
		return false
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		length = binary.BigEndian.Uint64(head[2:])
	}
	_, err = io.CopyN(io.Discard, r, int64(header)+int64(min(length, math.MaxInt32)))
	return err == nil && !isClose
}

// IsWebSocket reports whether a request asks to become a WebSocket.
func IsWebSocket(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header.Values("Upgrade"), "websocket")
}
