package opening

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/upgrade"
	"github.com/farwire/farwire/internal/wsframe"
)

// hand gives the connection, whose upgrade is answered, to coder/websocket, with a
// recorder below it.
func (c *Client) hand() error {
	if c.ws != nil {
		return nil
	}
	opts := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	r := c.request.WithContext(c.request.Context())
	r.Header = r.Header.Clone()
	if c.protocol != "" {
		// Subprotocols differ by case. coder/websocket, which ignores it, would
		// take another that was offered earlier.
		opts.Subprotocols = []string{c.protocol}
		r.Header.Set("Sec-WebSocket-Protocol", c.protocol)
	}
	if c.deflate {
		// The library answers this offer with the same parameters.
		r.Header.Set("Sec-WebSocket-Extensions", deflate.Stateless)
		opts.CompressionMode = websocket.CompressionContextTakeover
	}
	ws, err := upgrade.WebSocket(&answered{conn: c.Conn, early: c.early}, r, opts, func(conn net.Conn, early []byte) net.Conn {
		c.rec = &recorder{Conn: conn, seen: early}
		return c.rec
	})
	if err != nil {
		return err
	}
	c.ws, c.early = ws, nil
	return nil
}

// answered is the ResponseWriter of an upgrade that was answered already.
type answered struct {
	header http.Header
	conn   net.Conn
	early  []byte
}

func (a *answered) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}

func (*answered) WriteHeader(int)             {}
func (*answered) Write(b []byte) (int, error) { return 0, http.ErrHijacked }

// Hijack returns what was read as what a reader has buffered, as net/http does.
func (a *answered) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	br := bufio.NewReader(bytes.NewReader(a.early))
	if len(a.early) > br.Size() {
		br = bufio.NewReaderSize(bytes.NewReader(a.early), len(a.early))
	}
	if _, err := br.Peek(len(a.early)); err != nil {
		return nil, nil, err
	}
	return a.conn, bufio.NewReadWriter(br, bufio.NewWriter(a.conn)), nil
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
	c.record(bytes.Clone(c.take())) // coder/websocket has these bytes
}

func (c *recorder) take() []byte {
	b := c.seen
	c.seen = nil
	return b
}

// record keeps what was read. It returns, in the place of b, what coder/websocket is to read:
// of the frames before the end of the first message those that it needs.
func (c *recorder) record(b []byte) []byte {
	if c.first == nil || c.first.Done() {
		c.seen = append(c.seen, b...)
		return b
	}
	if c.failed != nil {
		return b
	}
	c.came += len(b)
	kept, behind, err := c.first.Take(b)
	c.failed = err
	c.seen = append(c.seen, behind...)
	return append(kept, behind...)
}

// Fragments and pings make a message longer on the wire than it is. A client that sends
// more than this is given up.
const maxRecorded = 2 * Limit

var errTooMuch = errors.New("too much before the first message")

func (c *recorder) Read(b []byte) (int, error) {
	if c.handed {
		return c.Conn.Read(b)
	}
	for {
		switch {
		case errors.Is(c.failed, wsframe.ErrTooLong):
			return 0, c.failed
		case max(len(c.seen), c.came) >= maxRecorded:
			return 0, errTooMuch
		}
		n, err := c.Conn.Read(b)
		kept := c.record(b[:n])
		switch {
		case errors.Is(c.failed, wsframe.ErrTooLong):
			return 0, c.failed
		case err != nil, len(kept) > 0, len(b) == 0:
			return len(kept), err
		}
	}
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
