package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// patient ends with the test, or when it has waited too long.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	t.Cleanup(cancel)
	return ctx
}

// target serves WebSockets on loopback and returns its ws URL. It chooses the
// subprotocol "chat" where that is offered.
func target(t *testing.T, serve func(context.Context, *websocket.Conn, *http.Request)) string {
	t.Helper()
	return "ws" + strings.TrimPrefix(startTarget(t, nil, serve).URL, "http") + "/stream"
}

// secureTarget is target with TLS.
func secureTarget(t *testing.T, c *harness.Certificate, serve func(context.Context, *websocket.Conn, *http.Request)) string {
	t.Helper()
	return "ws" + strings.TrimPrefix(startTarget(t, c, serve).URL, "http") + "/stream"
}

func startTarget(t *testing.T, c *harness.Certificate, serve func(context.Context, *websocket.Conn, *http.Request)) *httptest.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil // a client is told the answer's headers; these are the same at each run
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"chat"}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			return // Accept has answered what is not an upgrade
		}
		defer conn.CloseNow()
		conn.SetReadLimit(16 << 20)
		serve(ctx, conn, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	if c == nil {
		server.Start()
	} else {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{c.TLS}}
		server.StartTLS()
	}
	return server
}

// An ask is a connect message.
type ask map[string]any

// connect opens a session through the gateway and reads its first answer.
func connect(t *testing.T, gateway string, a ask) (*websocket.Conn, map[string]any) {
	t.Helper()
	ctx := patient(t)
	c := dial(t, gateway, nil)
	message, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, message); err != nil {
		t.Fatal(err)
	}
	_, first, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("no answer to the connect message: %v", err)
	}
	var answer map[string]any
	if err := json.Unmarshal(first, &answer); err != nil {
		t.Fatalf("the answer %q: %v", first, err)
	}
	return c, answer
}

// session is connect that must succeed.
func session(t *testing.T, gateway string, a ask) *websocket.Conn {
	t.Helper()
	c, answer := connect(t, gateway, a)
	if answer["type"] != "connected" {
		t.Fatalf("not connected: %v", answer)
	}
	return c
}

func dial(t *testing.T, gateway string, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(patient(t), gateway, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(16 << 20)
	return c
}

// exchange sends a message and wants it back.
func exchange(t *testing.T, c *websocket.Conn, message string) {
	t.Helper()
	ctx := patient(t)
	if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != message {
		t.Fatalf("read %q, %v, want %q", got, err, message)
	}
}

// closed reads until the close frame.
func closed(t *testing.T, c *websocket.Conn) websocket.CloseError {
	t.Helper()
	ctx := patient(t)
	for {
		_, _, err := c.Read(ctx)
		if err == nil {
			continue
		}
		var ce websocket.CloseError
		if !errors.As(err, &ce) {
			t.Fatalf("no close frame: %v", err)
		}
		return ce
	}
}

// A rawClient speaks frames, for what no library does.
type rawClient struct {
	net.Conn
	br *bufio.Reader
}

func rawDial(t *testing.T, addr, path string) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(harness.Timeout))
	var nonce [16]byte
	rand.Read(nonce[:])
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, addr, base64.StdEncoding.EncodeToString(nonce[:]))
	c := &rawClient{conn, bufio.NewReader(conn)}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	return c
}

// frame is a masked frame of the client's, whose payload is short.
func frame(op byte, payload string) []byte {
	return append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...) // a mask of zero is one
}

func (c *rawClient) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// next reads a frame of the server's.
func (c *rawClient) next(t *testing.T) (op byte, payload []byte) {
	t.Helper()
	var h [2]byte
	if _, err := io.ReadFull(c.br, h[:]); err != nil {
		t.Fatalf("no frame: %v", err)
	}
	n := int(h[1])
	if n == 126 {
		var long [2]byte
		if _, err := io.ReadFull(c.br, long[:]); err != nil {
			t.Fatal(err)
		}
		n = int(binary.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		t.Fatal(err)
	}
	return h[0] & 0x0f, payload
}
