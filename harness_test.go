package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A world is a gateway with its server, and whatever is dialled through its
// agent. In a synctest bubble it is all in memory, else on loopback.
type world struct {
	t      *testing.T
	gw     *farwire.Gateway
	log    *harness.Log
	ln     net.Listener
	dialIn func() (net.Conn, error)

	// Of a world with one target, which newPathWorld makes.
	server *httptest.Server // the gateway's
	target *httptest.Server
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
	w := newGatewayWorld(t, edit...)
	w.ln, w.dialIn = ln, dial
	gw := w.gw
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

// newGatewayWorld makes a gateway that is not served yet; edit changes its options.
func newGatewayWorld(t *testing.T, edit ...func(*farwire.Options)) *world {
	t.Helper()
	w := &world{t: t, log: new(harness.Log)}
	o := farwire.Options{
		Auth:   mustKeys(t, map[string]string{testKey: "alice", otherKey: "bob"}),
		Agents: direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true}),
		Limits: farwire.Limits{Rate: -1},
		Logger: w.log.Logger(),
	}
	for _, f := range edit {
		f(&o)
	}
	var err error
	if w.gw, err = farwire.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// in returns the world for use by a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

// also serves the same gateway through another handler, on a listener of its own, in
// memory where the world's is.
func (w *world) also(h http.Handler) *world {
	w.t.Helper()
	if _, ok := w.ln.(*memoryListener); ok {
		sub, ln := *w, newMemoryListener()
		sub.ln, sub.dialIn = ln, ln.dial
		sub.serve(h)
		return &sub
	}
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
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
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
	harness.ServeConns(t, ln, func(conn net.Conn) {
		if p := upgradeAt(t, conn); p != nil {
			serve(p)
		}
	})
}

// upgradeAt does a server's half of the handshake; extra headers follow.
func upgradeAt(t testing.TB, conn net.Conn, extra ...string) *peer {
	p := &peer{t: t, conn: conn, br: bufio.NewReader(conn)}
	req, err := http.ReadRequest(p.br)
	if err != nil {
		return nil // a dial without a request: the guard's canaries do that
	}
	p.req = req
	if _, err := io.WriteString(conn, upgradeAnswer(req, extra...)); err != nil {
		return nil // the test has ended meanwhile
	}
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
	return "ws://" + harness.Conns(t, func(conn net.Conn) {
		if head, ok := readRawHead(conn); ok {
			serve(conn, head)
		}
	}).Addr().String() + "/"
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
