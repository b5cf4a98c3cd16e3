package wsframe_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/netio"
	. "github.com/farwire/farwire/internal/wsframe"
)

// testTimeout is how long a test waits for what is to come, next to busy processes
// too.
const testTimeout = time.Minute

// A session is a running Pipe with the far ends of its sides in our hands.
type session struct {
	*testing.T
	client, target net.Conn // what the client and the target see
	pipe           *Pipe
	done           chan Result
	posts          map[net.Conn]chan []byte
}

// start runs a Pipe between two pairs of connections.
func start(t *testing.T, pair func(testing.TB) (near, far net.Conn), change func(*Config)) *session {
	t.Helper()
	cfg := Config{}
	s := &session{T: t, done: make(chan Result, 1), posts: map[net.Conn]chan []byte{}}
	cfg.Client, s.client = pair(t)
	cfg.Target, s.target = pair(t)
	if cfg.Client.LocalAddr().Network() == "tcp" {
		cfg.KeepAlive = -1 // of real time a busy machine may need more than its 25 s
	}
	if inLoop(cfg.Client) && inLoop(cfg.Target) {
		cfg.Loops = &loops
	}
	if change != nil {
		change(&cfg)
	}
	s.pipe = New(cfg)
	if pausesSoon(cfg.Client) {
		s.pipe.PauseSoon()
	}
	go func() { s.done <- s.pipe.Run() }()
	return s
}

// each runs a test over every kind of connection.
func each(t *testing.T, test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	tcps(t, test)
	tlss(t, tcpPair, test)
	plain, secured := loopPair(tcpPair), loopTLSPair(tcpPair)
	t.Run("tls target/loop", func(t *testing.T) { test(t, inTurns(plain, secured)) })
	t.Run("tls client/loop", func(t *testing.T) { test(t, inTurns(secured, plain)) })
	t.Run("pipe", func(t *testing.T) { test(t, memPair) })
	t.Run("waiter", func(t *testing.T) { test(t, waiterPair) })
	t.Run("counted", func(t *testing.T) { test(t, countedPair) })
}

// tcps runs a test over sockets, which two goroutines carry, the same when there are
// goroutines only while something happens, and then a loop.
func tcps(t *testing.T, test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	t.Run("tcp", func(t *testing.T) { test(t, tcpPair) })
	t.Run("paused", func(t *testing.T) { test(t, pausePair(tcpPair)) })
	t.Run("loop", func(t *testing.T) { test(t, loopPair(tcpPair)) })
}

// tlss runs a test over TLS, which is carried likewise.
func tlss(t *testing.T, pair func(testing.TB) (near, far net.Conn), test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	t.Run("tls", func(t *testing.T) {
		test(t, func(t testing.TB) (near, far net.Conn) { return tlsOver(t, pair) })
	})
	t.Run("tls/paused", func(t *testing.T) {
		test(t, func(t testing.TB) (near, far net.Conn) { return tlsOver(t, pausePair(pair)) })
	})
	t.Run("tls/loop", func(t *testing.T) { test(t, loopTLSPair(pair)) })
}

// loopTLSPair makes pairs for the loop of TLS over pairs of sockets.
func loopTLSPair(pair func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	return func(t testing.TB) (near, far net.Conn) { return tlsOver(t, forTLS(loopPair(pair))) }
}

// forTLS makes pairs whose near end can join a loop with the TLS over it.
func forTLS(pair func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	return func(t testing.TB) (near, far net.Conn) {
		near, far = pair(t)
		return netio.ForTLS(near), far
	}
}

// inTurns makes pairs for clients of one kind and for targets of another.
func inTurns(client, target func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	var made atomic.Int32
	return func(t testing.TB) (near, far net.Conn) {
		if made.Add(1)%2 == 1 {
			return client(t)
		}
		return target(t)
	}
}

// loops carry the sessions whose connections are both loopSockets.
var loops netio.Loops

type loopSocket struct{ countedConn }

// inLoop reports whether a connection is for the loop: one of loopPair, or TLS of
// loopTLSPair over one.
func inLoop(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		s, ok := t.NetConn().(interface{ Socket() *net.TCPConn })
		return ok && s.Socket() != nil
	}
	_, ok := c.(*loopSocket)
	return ok
}

// A pauseSocket is for which no goroutine waits for long.
type pauseSocket struct{ countedConn }

// pausesSoon reports whether a connection is a pauseSocket or TLS over one.
func pausesSoon(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_, ok := c.(*pauseSocket)
	return ok
}

// pausePair makes pauseSockets of pairs of sockets.
func pausePair(pair func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	return func(t testing.TB) (near, far net.Conn) {
		near, far = pair(t)
		return &pauseSocket{countedConn{near.(*net.TCPConn)}}, far
	}
}

// loopPair makes pairs for the loop of pairs of sockets.
func loopPair(pair func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	return func(t testing.TB) (near, far net.Conn) {
		near, far = pair(t)
		return &loopSocket{countedConn{near.(*net.TCPConn)}}, far
	}
}

// A countedConn does something of its own when it ends, and for the rest is the
// socket inside.
type countedConn struct{ *net.TCPConn }

func (c *countedConn) Socket() *net.TCPConn { return c.TCPConn }

func countedPair(t testing.TB) (near, far net.Conn) {
	near, far = tcpPair(t)
	return &countedConn{near.(*net.TCPConn)}, far
}

// A waiterConn tells when there is something to read, as a tunnel does.
type waiterConn struct {
	*net.TCPConn
	buf   [4096]byte
	ahead []byte
	err   error
}

func (c *waiterConn) WaitRead() {
	if len(c.ahead) == 0 && c.err == nil {
		var n int
		n, c.err = c.TCPConn.Read(c.buf[:])
		c.ahead = c.buf[:n]
	}
}

func (c *waiterConn) Read(b []byte) (n int, err error) {
	c.WaitRead()
	if len(c.ahead) > 0 {
		n = copy(b, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	err, c.err = c.err, nil
	return 0, err
}

func waiterPair(t testing.TB) (near, far net.Conn) {
	near, far = tcpPair(t)
	return &waiterConn{TCPConn: near.(*net.TCPConn)}, far
}

func memPair(t testing.TB) (near, far net.Conn) {
	near, far = net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

var tlsConfig = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

func tlsOver(t testing.TB, pair func(testing.TB) (near, far net.Conn)) (near, far net.Conn) {
	t.Helper()
	n, f := pair(t)
	server := tls.Server(n, tlsConfig())
	client := tls.Client(f, &tls.Config{InsecureSkipVerify: true}) // the pair is our own
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// write sends bytes as a peer, without waiting for them to be taken.
func (s *session) write(conn net.Conn, pieces ...[]byte) {
	s.Helper()
	b := bytes.Join(pieces, nil)
	if len(b) == 0 {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(testTimeout))
	defer conn.SetWriteDeadline(time.Time{})
	if _, err := conn.Write(b); err != nil {
		s.Errorf("write: %v", err)
	}
}

// post sends bytes behind those posted before, without waiting for it.
func (s *session) post(conn net.Conn, pieces ...[]byte) {
	if s.posts[conn] == nil {
		posts, done := make(chan []byte, 1000), make(chan struct{})
		s.posts[conn] = posts
		go func() {
			defer close(done)
			for b := range posts {
				conn.Write(b) // who expects these bytes misses them when it fails
			}
		}()
		s.Cleanup(func() { close(posts); conn.Close(); <-done })
	}
	s.posts[conn] <- bytes.Join(pieces, nil)
}

// want reads as a peer and expects exactly these bytes next.
func (s *session) want(conn net.Conn, pieces ...[]byte) {
	s.Helper()
	want := bytes.Join(pieces, nil)
	got := make([]byte, len(want))
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	if n, err := io.ReadFull(conn, got); err != nil {
		s.Fatalf("read % x of % x: %v", got[:n], clip(want), err)
	}
	if !bytes.Equal(got, want) {
		s.Fatalf("read % x, want % x", clip(got), clip(want))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// wantEnd expects the connection to end now, with not one byte more, and ends
// it from this side too.
func (s *session) wantEnd(conn net.Conn) {
	s.Helper()
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	b, err := io.ReadAll(conn)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		s.Fatal("connection does not end")
	}
	if len(b) > 0 {
		s.Fatalf("at the end came % x", clip(b))
	}
	conn.Close()
}

// wantFrame reads one short frame of the gateway's own.
func (s *session) wantFrame(conn net.Conn, op byte) (payload []byte) {
	s.Helper()
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		s.Fatalf("read a frame of opcode %d: %v", op, err)
	}
	if head[0] != 0x80|op {
		s.Fatalf("got frame % x, want opcode %d", head, op)
	}
	masked := head[1] >= 0x80
	if masked != (conn == s.target) {
		s.Fatalf("frame % x masked for the wrong side", head)
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(conn, key[:]); err != nil {
			s.Fatal(err)
		}
	}
	payload = make([]byte, head[1]&127)
	if _, err := io.ReadFull(conn, payload); err != nil {
		s.Fatal(err)
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return payload
}

// wantClose expects a close frame of the gateway's own.
func (s *session) wantClose(conn net.Conn, code int, reason string) {
	s.Helper()
	p := s.wantFrame(conn, OpClose)
	if len(p) < 2 || int(binary.BigEndian.Uint16(p)) != code || string(p[2:]) != reason {
		s.Fatalf("closed with % x %q, want %d %q", p[:min(2, len(p))], p[min(2, len(p)):], code, reason)
	}
}

func (s *session) result(by Side, cause Cause, code int) Result {
	s.Helper()
	return s.resultWithin(20*time.Second, by, cause, code)
}

func (s *session) resultWithin(limit time.Duration, by Side, cause Cause, code int) Result {
	s.Helper()
	select {
	case r := <-s.done:
		if r.By != by || r.Cause != cause || r.Code != code {
			s.Fatalf("ended by %v, %v, %d (%v), want %v, %v, %d", r.By, r.Cause, r.Code, r.Err, by, cause, code)
		}
		return r
	case <-time.After(limit):
		s.Fatal("session does not end")
		panic("unreachable")
	}
}

// closeBoth has both sides close, the client first.
func (s *session) closeBoth() {
	s.Helper()
	s.write(s.client, closing(1000, "bye", true))
	s.want(s.target, closing(1000, "bye", true))
	s.write(s.target, closing(1000, "", false))
	s.want(s.client, closing(1000, "", false))
	s.wantEnd(s.client)
	s.wantEnd(s.target)
	s.result(Client, CauseClose, 1000)
}
