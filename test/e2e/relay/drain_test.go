package relay

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// SIGTERM says 1001 to both sides where a frame ends, refuses what is new with
// 503 as long as an old session lives, and ends with status 0.
func TestDrain_SIGTERM_Closes1001(t *testing.T) {
	g := harness.Serve(t, "--allow-private")
	type end struct {
		message string
		err     error
	}
	targets, begun := make(chan end, 2), make(chan struct{}, 1)
	to := target(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		var e end
		for e.err == nil {
			var message io.Reader
			if _, message, e.err = c.Reader(ctx); e.err == nil {
				begun <- struct{}{}
				var b []byte
				b, e.err = io.ReadAll(message)
				e.message += string(b)
			}
		}
		targets <- e
	})

	quiet := session(t, g.WS("/ws"), ask{"apiKey": g.Key, "url": to})

	// This client is in the middle of a frame when the signal comes.
	busy := rawDial(t, g.Addr, "/ws")
	busy.send(t, frame(opText, fmt.Sprintf(`{"apiKey":%q,"url":%q}`, g.Key, to)))
	if op, first := busy.next(t); op != opText {
		t.Fatalf("the answer is %d %q", op, first)
	}
	whole := frame(opText, "a whole frame")
	busy.send(t, whole[:10])
	<-begun

	g.Signal(harness.Terminate)
	if ce := closed(t, quiet); ce.Code != websocket.StatusGoingAway {
		t.Errorf("the quiet client was closed with %d %q, want 1001", ce.Code, ce.Reason)
	}
	if e := <-targets; e.message != "" || websocket.CloseStatus(e.err) != websocket.StatusGoingAway {
		t.Errorf("its target read %q, %v, want a close with 1001", e.message, e.err)
	}
	if op, payload := busy.next(t); op != opClose || binary.BigEndian.Uint16(payload) != 1001 {
		t.Errorf("the busy client got %d %q, want a close frame with 1001", op, payload)
	}

	// The busy session lives until its frame has ended.
	for _, path := range []string{"/healthz", "/usage?api_key=" + g.Key} {
		resp, err := http.Get(g.HTTP(path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if path == "/healthz" && (resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "") {
			t.Errorf("GET %s while draining: %s, Retry-After %q; want 503 with a time", path, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	_, resp, err := websocket.Dial(patient(t), g.WS("/ws"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a new session while draining: %v, %v; want 503 with Retry-After", resp, err)
	}

	busy.send(t, append(whole[10:], frame(opClose, "\x03\xe9")...)) // and the answer to its close frame
	if e := <-targets; e.message != "a whole frame" || websocket.CloseStatus(e.err) != websocket.StatusGoingAway {
		t.Errorf("the busy target read %q, %v, want the frame and a close with 1001", e.message, e.err)
	}
	if status := g.Status(); status != 0 {
		t.Errorf("status %d: %s", status, g.Stderr)
	}
}

// Frames' opcodes.
const (
	opText  = 1
	opClose = 8
)

// neverCloses opens a session with a client that has begun a frame and goes no
// further, so that the gateway cannot end it politely.
func neverCloses(t *testing.T, g *harness.Gateway) *rawClient {
	t.Helper()
	begun := make(chan struct{})
	to := target(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		_, message, err := c.Reader(ctx)
		if err != nil {
			t.Errorf("the target read %v", err)
			return
		}
		close(begun)
		io.Copy(io.Discard, message) // until it is cut off
	})
	c := rawDial(t, g.Addr, "/ws")
	c.send(t, frame(opText, fmt.Sprintf(`{"apiKey":%q,"url":%q}`, g.Key, to)))
	if op, first := c.next(t); op != opText {
		t.Fatalf("the answer is %d %q", op, first)
	}
	c.send(t, frame(opText, "never ends")[:9])
	<-begun
	return c
}

// What has not ended within the drain timeout is cut, and the status says so.
func TestDrain_TimeoutPasses_Cuts(t *testing.T) {
	const timeout = 4 * time.Second
	g := harness.Serve(t, "--allow-private", "--drain-timeout", timeout.String())
	c := neverCloses(t, g)
	began := time.Now()
	g.Signal(harness.Terminate)
	if status := g.Status(); status != 1 {
		t.Errorf("status %d, want 1: %s", status, g.Stderr)
	}
	if took := time.Since(began); took > 2*timeout {
		t.Errorf("it took %v, with a drain timeout of %v", took, timeout)
	}
	if op, _ := c.next(t); op != opClose {
		t.Errorf("the client got %d, want a close frame before the cut", op)
	}
	if rest, err := io.ReadAll(c.br); len(rest) > 0 {
		t.Errorf("behind the close frame came %q, %v", rest, err)
	}
}

// Connections on which nothing was asked hold nobody up.
func TestDrain_ConnectionWithoutARequest_IsNotAwaited(t *testing.T) {
	g := harness.Serve(t, "--drain-timeout", "2s")
	silent, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	slow, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /healthz HT"); err != nil {
		t.Fatal(err)
	}
	// Connections are accepted in turn: once a later one is served, so are these.
	resp, err := http.Get(g.HTTP("/healthz"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	g.Stop() // checks the status
}

// A second signal does not wait.
func TestDrain_SecondSignal_EndsAtOnce(t *testing.T) {
	g := harness.Serve(t, "--allow-private", "--drain-timeout", "10m")
	neverCloses(t, g)
	g.Signal(harness.Terminate)
	g.Await(g.Stderr, "draining; a second signal stops at once")
	g.SignalUntilEnd(harness.Terminate)
	if status := g.Status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
}
