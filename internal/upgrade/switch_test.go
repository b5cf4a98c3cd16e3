package upgrade_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/upgrade"
)

// A host is a server's ResponseWriter that hands over one end of a pipe, or an error.
type host struct {
	header http.Header
	notes  []string
	conn   net.Conn
	err    error
}

func (h *host) Header() http.Header         { return h.header }
func (h *host) Write(b []byte) (int, error) { return len(b), nil }
func (h *host) WriteHeader(status int)      { h.notes = append(h.notes, http.StatusText(status)) }
func (h *host) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.notes = append(h.notes, "hijacked")
	if h.err != nil {
		return nil, nil, h.err
	}
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

type (
	lazy        struct{ *host } // keeps the status until it is told to write it
	hijackFails struct {
		wrapper
		err error
	}
	hijackAsserts struct{ wrapper } // that the layer below has a Hijack
	hijackPanics  struct{ wrapper }
	counted       struct{ net.Conn } // what a server has around a connection
)

func (l lazy) WriteHeader(int)        {}
func (l lazy) WriteHeaderNow()        { l.host.WriteHeader(http.StatusSwitchingProtocols) }
func (c counted) TakenOver() net.Conn { return c.Conn }
func (w hijackFails) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, w.err
}
func (w hijackAsserts) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(http.Hijacker).Hijack()
}
func (w hijackPanics) Hijack() (net.Conn, *bufio.ReadWriter, error) { panic("boom") }

// The status leaves first, and then the connection is taken from the outermost layer that
// can hand it over.
func TestSwitch_LayersOfEachKind_HandTheConnectionOver(t *testing.T) {
	for name, wrap := range map[string]func(*host) http.ResponseWriter{
		"none":                func(h *host) http.ResponseWriter { return h },
		"only unwraps":        func(h *host) http.ResponseWriter { return wrapper{h} },
		"keeps the status":    func(h *host) http.ResponseWriter { return wrapper{lazy{h}} },
		"its Hijack fails":    func(h *host) http.ResponseWriter { return hijackFails{wrapper{h}, errors.New("mine does not")} },
		"its Hijack asserts":  func(h *host) http.ResponseWriter { return hijackAsserts{wrapper{wrapper{h}}} },
		"the server wraps it": func(h *host) http.ResponseWriter { h.conn = counted{h.conn}; return h },
		"two that cannot, one": func(h *host) http.ResponseWriter {
			return hijackAsserts{wrapper{hijackFails{wrapper{wrapper{h}}, io.EOF}}}
		},
	} {
		near, far := net.Pipe()
		h := &host{header: http.Header{}, conn: near}
		conn, early, err := upgrade.Switch(wrap(h), "test")
		if err != nil || conn != near || len(early) > 0 {
			t.Errorf("%s: %v, %q, %v", name, conn, early, err)
		}
		if got := strings.Join(h.notes, ", "); got != "Switching Protocols, hijacked" {
			t.Errorf("%s: %s", name, got)
		}
		if h.header.Get("Connection") != "Upgrade" || h.header.Get("Upgrade") != "test" {
			t.Errorf("%s: %v", name, h.header)
		}
		near.Close()
		far.Close()
	}
}

func TestTake_HijackFails_SaysWhose(t *testing.T) {
	broken := errors.New("broken")
	for name, take := range map[string]func(http.ResponseWriter) (net.Conn, []byte, error){
		"Take":   upgrade.Take,
		"Switch": func(w http.ResponseWriter) (net.Conn, []byte, error) { return upgrade.Switch(w, "test") },
		"WebSocket": func(w http.ResponseWriter) (net.Conn, []byte, error) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
			_, err := upgrade.WebSocket(w, r, nil, nil)
			return nil, nil, err
		},
	} {
		h := &host{header: http.Header{}, err: broken}
		_, _, err := take(wrapper{h})
		var hidden *upgrade.HiddenError
		if !errors.As(err, &hidden) || hidden.Middleware != "*upgrade_test.host" || !errors.Is(err, broken) || !strings.Contains(err.Error(), "broken") {
			t.Errorf("%s: %v", name, err)
		}
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("%s: a panic of a layer's own became %v", name, v)
				}
			}()
			take(hijackPanics{wrapper{h}})
		}()
	}
}

// A WebSocket that is refused leaves no connection, and an error.
func TestWebSocket_InvalidHandshake_IsRefused(t *testing.T) {
	for _, missing := range []string{"Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version"} {
		near, far := net.Pipe()
		h := &host{header: http.Header{}, conn: near}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		r.Header.Del(missing)
		if ws, err := upgrade.WebSocket(h, r, nil, nil); ws != nil || err == nil || strings.Contains(strings.Join(h.notes, " "), "hijacked") {
			t.Errorf("without %s: %v, %v, %q", missing, ws, err, h.notes)
		}
		near.Close()
		far.Close()
	}
}

// A noted connection keeps what is written to it.
type noted struct {
	net.Conn
	written strings.Builder
}

func (n *noted) Write(b []byte) (int, error) {
	n.written.Write(b)
	return n.Conn.Write(b)
}

// The WebSocket runs on what the connection was wrapped in, and the names of its headers
// are written as the standard has them.
func TestWebSocket_Wrapped_RunsOnThat(t *testing.T) {
	const message = "\x81\x82\x00\x00\x00\x00hi" // with a mask of zeros
	done := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var early string
		var wrapped *noted
		ws, err := upgrade.WebSocket(w, r, &websocket.AcceptOptions{Subprotocols: []string{"a"}}, func(conn net.Conn, b []byte) net.Conn {
			early, wrapped = string(b), &noted{Conn: conn}
			return wrapped
		})
		if err == nil {
			defer ws.CloseNow()
			var b []byte
			if _, b, err = ws.Read(r.Context()); err == nil {
				err = ws.Write(r.Context(), websocket.MessageText, b)
			}
		}
		if err == nil && (early != message || wrapped.written.String() != "\x81\x02hi") {
			err = fmt.Errorf("early %q, written %q", early, wrapped.written.String())
		}
		done <- err
	}))
	defer srv.Close()
	client, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a\r\n\r\n"+message)
	br := bufio.NewReader(client)
	var head strings.Builder
	for line := ""; line != "\r\n"; head.WriteString(line) {
		if line, err = br.ReadString('\n'); err != nil {
			t.Fatalf("%v behind %q", err, head.String())
		}
	}
	for _, want := range []string{"101 Switching Protocols\r\n", "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "\r\nSec-WebSocket-Protocol: a\r\n"} {
		if !strings.Contains(head.String(), want) {
			t.Errorf("%q is not in %q", want, head.String())
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
