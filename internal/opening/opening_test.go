package opening_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/opening"
)

const testTimeout = 30 * time.Second

func upgrade(header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/ws", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestCheck_NotAWebSocket_Refused(t *testing.T) {
	post, old, h2, twice := upgrade(), upgrade(), upgrade(), upgrade()
	post.Method = "POST"
	old.Proto, old.ProtoMajor, old.ProtoMinor = "HTTP/1.0", 1, 0
	h2.Proto, h2.ProtoMajor, h2.ProtoMinor = "HTTP/2.0", 2, 0
	twice.Header.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	for name, c := range map[string]struct {
		request *http.Request
		class   fault.Class
	}{
		"a POST":                 {post, fault.MethodNotAllowed},
		"no Upgrade":             {upgrade("Upgrade", ""), fault.UpgradeRequired},
		"another protocol":       {upgrade("Upgrade", "h2c"), fault.UpgradeRequired},
		"no Connection":          {upgrade("Connection", "keep-alive"), fault.UpgradeRequired},
		"HTTP/1.0":               {old, fault.UpgradeRequired},
		"HTTP/2":                 {h2, fault.UpgradeRequired},
		"version 8":              {upgrade("Sec-WebSocket-Version", "8"), fault.UpgradeRequired},
		"no key":                 {upgrade("Sec-WebSocket-Key", ""), fault.BadRequest},
		"a short key":            {upgrade("Sec-WebSocket-Key", "c2hvcnQ="), fault.BadRequest},
		"a key that is not one":  {upgrade("Sec-WebSocket-Key", "%%%"), fault.BadRequest},
		"two keys":               {twice, fault.BadRequest},
		"a body":                 {withBody(5), fault.BadRequest},
		"a body in chunks":       {withBody(-1), fault.BadRequest},
		"nothing to take over":   {upgrade(), fault.Internal}, // a recorder has no Hijack
		"a list of both":         {upgrade("Connection", "keep-alive, Upgrade", "Upgrade", "h2c, websocket"), fault.Internal},
		"in capital letters too": {upgrade("Connection", "UPGRADE", "Upgrade", "WebSocket"), fault.Internal},
	} {
		if err := opening.Check(httptest.NewRecorder(), c.request); err == nil || fault.ClassOf(err) != c.class {
			t.Errorf("%s: %v, class %v, want %v", name, err, fault.ClassOf(err), c.class)
		}
	}
}

// withBody is an upgrade whose body has a length; -1: it comes in chunks.
func withBody(length int64) *http.Request {
	r := upgrade()
	r.ContentLength = length
	return r
}

func TestOffered_Lists_InOrder(t *testing.T) {
	for header, want := range map[string][]string{
		"":             nil,
		" , ":          nil,
		"a":            {"a"},
		"b, a ,B,":     {"b", "a", "B"},
		"chat.v1,\tv2": {"chat.v1", "v2"},
	} {
		if got := opening.Offered(upgrade("Sec-WebSocket-Protocol", header)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// opened serves one WebSocket with serve and returns the client's end of it, behind the
// handshake, with the answer's head.
func opened(t *testing.T, protocol string, serve func(*opening.Client)) (net.Conn, *bufio.Reader, string) {
	t.Helper()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c, err := opening.Accept(w, r, protocol, false)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Conn.Close()
		defer c.Release()
		serve(c)
	}))
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-done
		server.Close()
	})
	conn.SetDeadline(time.Now().Add(testTimeout))
	r := upgrade("Sec-WebSocket-Protocol", "V1, v1")
	var head bytes.Buffer
	if err := r.Write(&head); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(head.Bytes()); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	return conn, br, resp.Header.Get("Sec-WebSocket-Protocol")
}

// frame is a client's frame, masked with zeros.
func frame(first byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{first, 0x80 | byte(n), 0, 0, 0, 0}) + payload
	case n < 1<<16:
		return string([]byte{first, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}) + payload
	default:
		return string([]byte{first, 0x80 | 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0}) + payload
	}
}

const text, binary, ping, closing, more = 0x81, 0x82, 0x89, 0x88, 0x01

func TestClient_Ask_FirstMessageOrRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		sent, message, refused string
		early                  string
		gone                   bool
	}{
		"a message":                {sent: frame(text, `{"a":1}`), message: `{"a":1}`},
		"pings before it":          {sent: frame(ping, "x") + frame(text, "{}"), message: "{}"},
		"fragments":                {sent: frame(more, "{") + frame(ping, "") + frame(0x80, "}"), message: "{}"},
		"bytes behind it":          {sent: frame(text, "{}") + frame(text, "for the target"), message: "{}", early: frame(text, "for the target")},
		"a binary one":             {sent: frame(binary, "{}"), refused: "the first message must be text"},
		"one that is not UTF-8":    {sent: frame(text, "\xff"), refused: "the first message is not UTF-8"},
		"one of 64 KiB":            {sent: frame(text, strings.Repeat(" ", 64<<10)), message: strings.Repeat(" ", 64<<10)},
		"one that is larger":       {sent: frame(text, strings.Repeat(" ", 64<<10+1)), refused: "larger than 65536 bytes"},
		"a close":                  {sent: frame(closing, "\x03\xe8"), gone: true},
		"a frame without its mask": {sent: "\x81\x02{}", refused: "broke the format"},
		"a reserved bit":           {sent: frame(text|0x40, "{}"), refused: "broke the format"},
	} {
		t.Run(name, func(t *testing.T) {
			type answer struct {
				message, early string
				err            error
			}
			asked := make(chan answer, 1)
			conn, br, protocol := opened(t, "v1", func(c *opening.Client) {
				msg, err := c.Ask(context.Background(), "test message")
				if err == nil && c.Failed() != nil {
					err = c.Broken(c.Failed())
				}
				asked <- answer{string(msg), string(c.Early()), err}
			})
			if protocol != "v1" {
				t.Errorf("subprotocol %q", protocol)
			}
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			got := <-asked
			switch {
			case c.gone && errors.Is(got.err, opening.ErrGone):
			case c.refused != "" && got.err != nil && strings.Contains(got.err.Error(), c.refused):
			case c.gone, c.refused != "", got.err != nil, got.message != c.message, !strings.HasPrefix(c.early, got.early):
				t.Errorf("%.40q behind it %q, %v", got.message, got.early, got.err)
			}
			_, _ = io.Copy(io.Discard, br) // to its end; a reset says as much
		})
	}
}

func TestClient_Ask_ContextEnds_ItsCause(t *testing.T) {
	cause := errors.New("the gateway drains")
	ctx, cancel := context.WithCancelCause(context.Background())
	asked := make(chan error, 1)
	opened(t, "", func(c *opening.Client) {
		_, err := c.Ask(ctx, "test message")
		asked <- err
	})
	cancel(cause)
	if err := <-asked; !errors.Is(err, cause) {
		t.Error(err)
	}
}

// message reads a message of the server's.
func message(t *testing.T, br *bufio.Reader) string {
	t.Helper()
	var all []byte
	for {
		var head [2]byte
		if _, err := io.ReadFull(br, head[:]); err != nil {
			t.Fatal(err)
		}
		n := uint64(head[1])
		if extra := map[uint64]int{126: 2, 127: 8}[n]; extra > 0 {
			var length [8]byte
			if _, err := io.ReadFull(br, length[8-extra:]); err != nil {
				t.Fatal(err)
			}
			n = binary8(length)
		}
		part := make([]byte, n)
		if _, err := io.ReadFull(br, part); err != nil {
			t.Fatal(err)
		}
		if all = append(all, part...); head[0]&0x80 != 0 {
			return string(all)
		}
	}
}

func binary8(b [8]byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func kept(t *testing.T, c *opening.Client) *websocket.Conn {
	ws, err := c.Keep()
	if err != nil {
		t.Error(err)
	}
	return ws
}

// A socket that is only watched sends messages, answers pings, and tells when its client
// has left.
func TestSocket_Messages_UntilTheClientLeaves(t *testing.T) {
	left := make(chan error, 1)
	long := strings.Repeat("<long>", 20_000)
	conn, br, _ := opened(t, "", func(c *opening.Client) {
		ctx, leave := context.WithCancelCause(context.Background())
		watching := true // guarded by Wait
		s := opening.Watch(kept(t, c), opening.Times{KeepAlive: testTimeout, Pong: testTimeout, Stall: testTimeout}, func(err error) {
			leave(err)
			time.Sleep(10 * time.Millisecond) // whoever does not wait for it is earlier
			watching = false
		})
		if err := s.Send(map[string]string{"text": "<b>"}); err != nil {
			t.Error(err)
		}
		s.Busy()
		if err := s.Send(long); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		s.Cut()
		if s.Wait(); watching {
			t.Error("the client is still watched")
		}
		left <- context.Cause(ctx)
	})
	if got := message(t, br); got != `{"text":"<b>"}` {
		t.Errorf("the first message is %q", got)
	}
	if got := message(t, br); got != `"`+long+`"` {
		t.Errorf("the second message has %d bytes: %.60q", len(got), got)
	}
	if _, err := io.WriteString(conn, frame(text, strings.Repeat("dropped", 1<<17))+frame(closing, "\x0f\xa1")); err != nil { // 4001
		t.Fatal(err)
	}
	var leaving *opening.ClosedError
	if err := <-left; !errors.As(err, &leaving) || leaving.Code != 4001 || !errors.Is(err, opening.ErrGone) {
		t.Errorf("left with %v", err)
	}
}

// The names stand as in RFC 6455, whose example the key is.
func TestSwitch_AnyAnswer_IsThatOfTheRFC(t *testing.T) {
	for _, c := range []struct{ protocol, extensions, want string }{
		{"", "", ""},
		{"chat", "", "Sec-WebSocket-Protocol: chat\r\n"},
		{"", "permessage-deflate", "Sec-WebSocket-Extensions: permessage-deflate\r\n"},
		{"chat", "x; y=1", "Sec-WebSocket-Extensions: x; y=1\r\nSec-WebSocket-Protocol: chat\r\n"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil // net/http sends none then
			conn, early, err := opening.Switch(w, r, c.protocol, c.extensions)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Write(early)
			conn.Close()
		}))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(testTimeout))
		// What comes behind the handshake in the same packet is not lost.
		var ask bytes.Buffer
		upgrade().Write(&ask)
		ask.WriteString("early")
		conn.Write(ask.Bytes())
		b, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		server.Close()
		want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
			c.want + "Upgrade: websocket\r\n\r\nearly"
		if string(b) != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
}
