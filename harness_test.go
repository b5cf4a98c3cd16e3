package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

const (
	testKey   = "key-of-alice-0123456789"
	otherKey  = "key-of-bob-9876543210"
	patience  = 30 * time.Second
	testAgent = "farwire-de1"
)

// A world is a gateway with its server, and whatever is dialled through its
// agent. In a synctest bubble it is all in memory, else on loopback.
type world struct {
	t      *testing.T
	gw     *farwire.Gateway
	log    *logBuffer
	ln     net.Listener
	dialIn func() (net.Conn, error)
}

// newWorld starts a gateway on loopback; edit changes its options.
func newWorld(t *testing.T, edit ...func(*farwire.Options)) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveWorld(t, ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }, edit...)
}

// newBubble starts a gateway in memory, for use inside synctest.Test. Every
// target is answered by the function.
func newBubble(t *testing.T, target func(net.Conn), edit ...func(*farwire.Options)) *world {
	t.Helper()
	ln := newMemoryListener()
	exit := agent.Exit{ID: testAgent, Slug: "de1", Country: "DE",
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go target(far)
			return near, nil
		}}
	edit = append([]func(*farwire.Options){func(o *farwire.Options) { o.Agents = exit }}, edit...)
	return serveWorld(t, ln, ln.dial, edit...)
}

func serveWorld(t *testing.T, ln net.Listener, dial func() (net.Conn, error), edit ...func(*farwire.Options)) *world {
	t.Helper()
	w := &world{t: t, ln: ln, dialIn: dial, log: new(logBuffer)}
	o := farwire.Options{
		Auth:   mustKeys(t, map[string]string{testKey: "alice", otherKey: "bob"}),
		Agents: direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true}),
		Limits: farwire.Limits{Rate: -1},
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range edit {
		f(&o)
	}
	gw, err := farwire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.gw = gw
	mux := http.NewServeMux()
	mux.Handle("GET /ws", gw.Relay())
	mux.Handle("GET /ws/", gw.Relay())
	mux.Handle("POST /amqp", gw.AMQP())
	mux.Handle("GET /ws/crawl", gw.Crawl())
	mux.Handle("POST /auth/token", gw.Token())
	mux.Handle("GET /network", gw.Network())
	mux.Handle("GET /usage", gw.Usage())
	mux.Handle("GET /healthz", gw.Health())
	w.serve(mux)
	w.drain()
	return w
}

// in returns the world for use by a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

// also serves the same gateway through another handler, on a listener of its own.
func (w *world) also(h http.Handler) *world {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	sub := *w
	sub.ln, sub.dialIn = ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }
	sub.serve(h)
	return &sub
}

// serve runs the handler on the world's listener until the test ends.
func (w *world) serve(h http.Handler) {
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(w.log, nil), slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(w.ln)
	}()
	w.t.Cleanup(func() {
		srv.Close()
		<-done
	})
}

// drain ends all sessions when the test ends.
func (w *world) drain() {
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.gw.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("shutdown: %v", err)
		}
	})
}

func mustKeys(t testing.TB, keys map[string]string) farwire.Authenticator {
	t.Helper()
	a, err := farwire.APIKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func direct(t testing.TB, o agent.DirectOptions) agent.Exit {
	t.Helper()
	e, err := agent.Direct(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A peer is one end of a raw WebSocket: it says exactly what it is told to.
type peer struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
	mask bool // a client masks what it sends
	resp *http.Response
	req  *http.Request // at a target: the upgrade request
}

// open dials the gateway and upgrades at path; lines are further headers.
func (w *world) open(path string, lines ...string) *peer {
	w.t.Helper()
	p := w.try(path, lines...)
	if p.resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(p.resp.Body)
		w.t.Fatalf("upgrade of %s: %s: %s", path, p.resp.Status, body)
	}
	return p
}

// try is open for upgrades that may be refused.
func (w *world) try(path string, lines ...string) *peer {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	var nonce [16]byte
	rand.Read(nonce[:])
	req := "GET " + path + " HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.StdEncoding.EncodeToString(nonce[:]) + "\r\n"
	for _, l := range lines {
		req += l + "\r\n"
	}
	p := &peer{t: w.t, conn: conn, br: bufio.NewReader(conn), mask: true}
	p.raw([]byte(req + "\r\n"))
	p.resp, err = http.ReadResponse(p.br, nil)
	if err != nil {
		w.t.Fatalf("upgrade of %s: %v", path, err)
	}
	return p
}

// ask sends a connect message made of pairs: key, value, key, value.
func (p *peer) ask(targetURL string, more string) {
	p.t.Helper()
	msg := fmt.Sprintf(`{"apiKey":%q,"url":%q`, testKey, targetURL)
	if more != "" {
		msg += "," + more
	}
	p.frame(opText, true, []byte(msg+"}"))
}

// connected asks for a target and expects to be told that it is there.
func (w *world) connected(targetURL, more string) *peer {
	w.t.Helper()
	p := w.open("/ws")
	p.ask(targetURL, more)
	p.wantConnected()
	return p
}

func (p *peer) wantConnected() {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(`{"type":"connected","status":101,"node_id":"` + testAgent + `"}`)})
}

const (
	opCont   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

type frame struct {
	op      byte
	fin     bool
	masked  bool
	payload []byte // unmasked
}

func (f frame) String() string {
	name := map[byte]string{opCont: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}[f.op]
	if !f.fin {
		name += " (more follows)"
	}
	switch {
	case f.op == opClose && len(f.payload) >= 2:
		return fmt.Sprintf("%s %d %q", name, binary.BigEndian.Uint16(f.payload), f.payload[2:])
	case len(f.payload) > 200:
		return fmt.Sprintf("%s of %d bytes", name, len(f.payload))
	}
	if f.op == opText && utf8.Valid(f.payload) && !strings.ContainsFunc(string(f.payload), unicode.IsControl) {
		return name + " " + string(f.payload)
	}
	return fmt.Sprintf("%s %q", name, f.payload)
}

func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// encode makes the bytes of a frame.
func (p *peer) encode(op byte, fin bool, payload []byte) []byte {
	b := []byte{op}
	if fin {
		b[0] |= 0x80
	}
	var m byte
	if p.mask {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if !p.mask {
		return append(b, payload...)
	}
	var key [4]byte
	rand.Read(key[:])
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func (p *peer) frame(op byte, fin bool, payload []byte) {
	p.t.Helper()
	p.raw(p.encode(op, fin, payload))
}

func (p *peer) text(s string) { p.t.Helper(); p.frame(opText, true, []byte(s)) }

func (p *peer) close(code int, reason string) {
	p.t.Helper()
	p.frame(opClose, true, closePayload(code, reason))
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.conn.Write(b); err != nil {
		p.t.Errorf("write: %v", err)
	}
}

// next reads one frame, at most for d.
func (p *peer) nextWithin(d time.Duration) (frame, error) {
	p.conn.SetReadDeadline(time.Now().Add(d))
	var h [2]byte
	if _, err := io.ReadFull(p.br, h[:]); err != nil {
		return frame{}, err
	}
	f := frame{op: h[0] & 0x0f, fin: h[0]&0x80 != 0, masked: h[1]&0x80 != 0}
	if h[0]&0x70 != 0 {
		return frame{}, fmt.Errorf("reserved bits in %x", h)
	}
	n := uint64(h[1] & 0x7f)
	var ext [8]byte
	switch n {
	case 126:
		if _, err := io.ReadFull(p.br, ext[6:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	case 127:
		if _, err := io.ReadFull(p.br, ext[:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	}
	var key [4]byte
	if f.masked {
		if _, err := io.ReadFull(p.br, key[:]); err != nil {
			return frame{}, err
		}
	}
	f.payload = make([]byte, n)
	if _, err := io.ReadFull(p.br, f.payload); err != nil {
		return frame{}, err
	}
	if f.masked {
		for i := range f.payload {
			f.payload[i] ^= key[i%4]
		}
	}
	return f, nil
}

func (p *peer) next() frame {
	p.t.Helper()
	f, err := p.nextWithin(patience)
	if err != nil {
		p.t.Fatalf("reading a frame: %v", err)
	}
	if f.masked == p.mask {
		p.t.Errorf("frame %v: masked is %v", f, f.masked)
	}
	return f
}

// want reads a frame and compares it.
func (p *peer) want(w frame) {
	p.t.Helper()
	f := p.next()
	if f.op != w.op || f.fin != w.fin || !bytes.Equal(f.payload, w.payload) {
		p.t.Fatalf("got %v, want %v", f, w)
	}
}

func (p *peer) wantText(s string) {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(s)})
}

func (p *peer) wantClose(code int, reason string) {
	p.t.Helper()
	p.want(frame{op: opClose, fin: true, payload: closePayload(code, reason)})
}

// wantError reads an error message with the text inside, and the close after it.
func (p *peer) wantError(code int, text string) {
	p.t.Helper()
	f := p.next()
	if f.op != opText || !strings.HasPrefix(string(f.payload), `{"type":"error","message":"`) || !strings.Contains(string(f.payload), text) {
		p.t.Fatalf("got %v, want an error message with %q", f, text)
	}
	c := p.next()
	if c.op != opClose || len(c.payload) < 2 || int(binary.BigEndian.Uint16(c.payload)) != code {
		p.t.Fatalf("got %v, want close %d", c, code)
	}
}

// wantEnd expects the end of the connection, without another byte.
func (p *peer) wantEnd() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(2 * patience))
	b, err := io.ReadAll(p.br)
	if len(b) > 0 {
		p.t.Errorf("got %d bytes more: %q", len(b), b[:min(len(b), 60)])
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Errorf("the connection was not ended")
	}
	p.conn.Close()
}

// newTarget starts a WebSocket server on loopback whose connections the
// function serves, and returns its URL. The test waits for all of them.
func newTarget(t *testing.T, serve func(*peer)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveTarget(t, ln, serve)
	return "ws://" + ln.Addr().String() + "/"
}

func serveTarget(t *testing.T, ln net.Listener, serve func(*peer)) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			wg.Go(func() {
				defer conn.Close()
				if p := upgradeAt(t, conn); p != nil {
					serve(p)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
}

// upgradeAt does a server's half of the handshake; extra headers follow.
func upgradeAt(t testing.TB, conn net.Conn, extra ...string) *peer {
	p := &peer{t: t, conn: conn, br: bufio.NewReader(conn)}
	req, err := http.ReadRequest(p.br)
	if err != nil {
		return nil // a dial without a request: the guard's canaries do that
	}
	p.req = req
	p.raw([]byte(upgradeAnswer(req, extra...)))
	return p
}

func upgradeAnswer(req *http.Request, extra ...string) string {
	s := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptKey(req.Header.Get("Sec-WebSocket-Key")) + "\r\n"
	for _, e := range extra {
		s += e + "\r\n"
	}
	return s + "\r\n"
}

// echo sends every frame back as it came, and a close as its own answer.
func echo(p *peer) {
	for {
		f, err := p.nextWithin(time.Hour)
		if err != nil {
			return
		}
		if f.op == opPing {
			f.op = opPong
		}
		// The test may have ended meanwhile.
		if _, err := p.conn.Write(p.encode(f.op, f.fin, f.payload)); err != nil || f.op == opClose {
			return
		}
	}
}

// logBuffer is a log that a test may read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// memoryListener accepts one end of pipes whose other end dial returns.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error { l.once.Do(func() { close(l.done) }); return nil }
func (l *memoryListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:80"))
}

func (l *memoryListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func escape(s string) string { return url.QueryEscape(s) }

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }

// newRawTarget starts a server that hands over each connection with the head
// of its first request as it was written.
func newRawTarget(t *testing.T, serve func(conn net.Conn, head string)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			wg.Go(func() {
				defer conn.Close()
				if head, ok := readRawHead(conn); ok {
					serve(conn, head)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "ws://" + ln.Addr().String() + "/"
}

// readRawHead reads a request's head byte by byte, so that nothing behind it
// is taken.
func readRawHead(r io.Reader) (string, bool) {
	var b []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", false
		}
		b = append(b, one[0])
	}
	return string(b[:len(b)-2]), true
}

func readHead(t *testing.T, r io.Reader) string {
	t.Helper()
	head, ok := readRawHead(r)
	if !ok {
		t.Fatal("no head")
	}
	return head
}

func upgradeAnswerTo(head string, extra ...string) string {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n")))
	if err != nil {
		return "HTTP/1.1 400 Bad Request\r\n\r\n"
	}
	return upgradeAnswer(req, extra...)
}

func answerUpgrade(conn net.Conn, head string, extra ...string) {
	io.WriteString(conn, upgradeAnswerTo(head, extra...))
}
