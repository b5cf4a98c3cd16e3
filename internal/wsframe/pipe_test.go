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
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// A session is a running Pipe with the far ends of its legs in our hands.
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
	if change != nil {
		change(&cfg)
	}
	s.pipe = New(cfg)
	go func() { s.done <- s.pipe.Run() }()
	return s
}

// each runs a test over every kind of connection.
func each(t *testing.T, test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	t.Run("tcp", func(t *testing.T) { test(t, tcpPair) })
	t.Run("tls", func(t *testing.T) { test(t, tlsPair) })
	t.Run("pipe", func(t *testing.T) { test(t, memPair) })
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

func tlsPair(t testing.TB) (near, far net.Conn) {
	return tlsOver(t, tcpPair)
}

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
	conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
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
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
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
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
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
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
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

// farewell has both sides close as friends do, the client first.
func (s *session) farewell() {
	s.Helper()
	s.write(s.client, closing(1000, "bye", true))
	s.want(s.target, closing(1000, "bye", true))
	s.write(s.target, closing(1000, "", false))
	s.want(s.client, closing(1000, "", false))
	s.wantEnd(s.client)
	s.wantEnd(s.target)
	s.result(Client, CauseClose, 1000)
}

func TestFramesCrossAsTheyAre(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		for _, leg := range []struct {
			from, to net.Conn
			masked   bool
		}{{s.client, s.target, true}, {s.target, s.client, false}} {
			var short []byte
			for _, b := range [][]byte{
				text("", leg.masked),
				text("hello", leg.masked),
				frame(true, OpPing, []byte("ping"), leg.masked),
				frame(true, OpPong, []byte("unasked"), leg.masked),
				frame(true, OpPong, []byte("8 bytes!"), leg.masked),
				frame(false, OpText, []byte("a"), leg.masked),
				frame(false, OpContinuation, nil, leg.masked),
				frame(true, OpPing, nil, leg.masked),
				frame(true, OpContinuation, []byte("z"), leg.masked),
				frame(true, OpBinary, bytes.Repeat([]byte("0123456789"), 13), leg.masked),
				frame(true, OpBinary, bytes.Repeat([]byte("0123456789"), 30_000), leg.masked),
			} {
				s.post(leg.from, b)
				s.want(leg.to, b)
				if len(b) < 200 {
					short = append(short, b...)
				}
			}
			for i := range short {
				s.post(leg.from, short[i:i+1])
			}
			s.want(leg.to, short)
		}
		s.farewell()
	})
}

func TestCloseCrossesByteForByte(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		for name, payload := range map[string][]byte{
			"empty":  nil,
			"code":   {0x0F, 0xA0},
			"reason": append([]byte{0x10, 0xE1}, strings.Repeat("x", 123)...),
		} {
			code := CloseNoStatus
			if payload != nil {
				code = int(binary.BigEndian.Uint16(payload))
			}
			t.Run(name+"/client", func(t *testing.T) {
				s := start(t, pair, nil)
				mine, answer := frame(true, OpClose, payload, true), closing(3333, "answer", false)
				s.post(s.client, mine, []byte("garbage behind a close is nobody's"))
				s.want(s.target, mine)
				s.write(s.target, answer)
				s.want(s.client, answer)
				s.wantEnd(s.client)
				s.wantEnd(s.target)
				r := s.result(Client, CauseClose, code)
				if r.ReasonLen != max(0, len(payload)-2) || r.FromClient != (Count{1, uint64(len(mine))}) || r.FromTarget != (Count{1, uint64(len(answer))}) {
					t.Errorf("%+v", r)
				}
			})
			t.Run(name+"/target", func(t *testing.T) {
				s := start(t, pair, nil)
				mine, answer := frame(true, OpClose, payload, false), closing(3333, "answer", true)
				s.write(s.target, mine)
				s.want(s.client, mine)
				s.write(s.client, answer)
				s.want(s.target, answer)
				s.wantEnd(s.client)
				s.wantEnd(s.target)
				s.result(Target, CauseClose, code)
			})
		}
	})
}

func TestBytesReadBeforeComeFirst(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		up, down := text("from the client", true), text("from the target", false)
		s := start(t, pair, func(c *Config) {
			c.FromClient, c.FromTarget = up[:9], down[:1]
		})
		s.post(s.client, up[9:])
		s.want(s.target, up)
		s.post(s.target, down[1:])
		s.want(s.client, down)
		s.farewell()
	})
}

func TestBrokenFrame(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		t.Run("client", func(t *testing.T) {
			s := start(t, pair, nil)
			s.write(s.client, text("good", true), []byte{0x81, 0x01, 'x'})
			s.want(s.target, text("good", true))
			s.wantClose(s.target, CloseInternal, "client broke the frame format")
			s.wantClose(s.client, CloseProtocol, ErrMask.Error())
			s.write(s.target, closing(1011, "", false))
			s.wantEnd(s.target)
			s.wantEnd(s.client)
			if r := s.result(Client, CauseProtocol, CloseProtocol); !errors.Is(r.Err, ErrMask) {
				t.Error(r.Err)
			}
		})
		t.Run("target", func(t *testing.T) {
			s := start(t, pair, nil)
			s.write(s.target, frame(false, OpText, []byte("a"), false), []byte{0x81})
			s.want(s.client, frame(false, OpText, []byte("a"), false))
			s.wantClose(s.client, CloseInternal, "target broke the frame format")
			s.wantClose(s.target, CloseProtocol, ErrInterleaved.Error())
			s.write(s.client, closing(1011, "", true))
			s.wantEnd(s.client)
			s.wantEnd(s.target)
			s.result(Target, CauseProtocol, CloseProtocol)
		})
	})
}

// No byte of a broken frame leaves, not even those that were fine so far.
func TestBrokenFrameIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, memPair, nil)
		bad := []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}
		for i := range bad {
			s.write(s.target, bad[i:i+1])
			synctest.Wait()
		}
		s.wantClose(s.client, CloseInternal, "target broke the frame format")
		s.wantClose(s.target, CloseProtocol, ErrLength.Error())
		s.write(s.client, closing(1011, "", true))
		s.result(Target, CauseProtocol, CloseProtocol)
	})
}

func TestLoss(t *testing.T) {
	reason := func(c *Config) {
		c.Reason = func(lost Side, cause Cause, err error) string {
			if cause != CauseLoss || err == nil {
				return "wrong"
			}
			return lost.String() + " lost"
		}
	}
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		t.Run("client at a boundary", func(t *testing.T) {
			s := start(t, pair, reason)
			half := frame(false, OpText, []byte("a"), true)
			s.write(s.client, half, frame(true, OpPing, []byte("held back"), true)[:5])
			s.want(s.target, half)
			s.client.Close()
			s.wantClose(s.target, CloseGoingAway, "client lost")
			s.write(s.target, closing(1001, "", false))
			s.wantEnd(s.target)
			s.result(Client, CauseLoss, CloseGoingAway)
		})
		t.Run("client inside a frame", func(t *testing.T) {
			s := start(t, pair, reason)
			half := text("truncated", true)[:8]
			s.write(s.client, half)
			s.want(s.target, half)
			s.client.Close()
			s.wantEnd(s.target)
			s.target.Close()
			s.result(Client, CauseLoss, CloseAbnormal)
		})
		t.Run("target at a boundary", func(t *testing.T) {
			s := start(t, pair, reason)
			s.write(s.target, text("last words", false), []byte{0x81})
			s.want(s.client, text("last words", false))
			s.target.Close()
			s.wantClose(s.client, CloseInternal, "target lost")
			s.write(s.client, closing(1011, "", true))
			s.wantEnd(s.client)
			s.result(Target, CauseLoss, CloseInternal)
		})
		t.Run("target inside a frame", func(t *testing.T) {
			s := start(t, pair, reason)
			half := text("truncated", false)[:8]
			s.write(s.target, half)
			s.want(s.client, half)
			s.target.Close()
			s.wantEnd(s.client)
			s.client.Close()
			s.result(Target, CauseLoss, CloseAbnormal)
		})
	})
}

func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		down, up := text("target's frame", false), text("client's frame", true)
		s.write(s.target, down[:7])
		s.want(s.client, down[:7])
		s.write(s.client, up[:9])
		s.want(s.target, up[:9])
		s.pipe.Shutdown(CloseGoingAway, "draining")
		s.post(s.target, down[7:], text("too late", false), closing(1001, "answer", false))
		s.want(s.client, down[7:])
		s.wantClose(s.client, CloseGoingAway, "draining")
		s.post(s.client, up[9:], text("too late", true), closing(1001, "answer", true))
		s.want(s.target, up[9:])
		s.wantClose(s.target, CloseGoingAway, "draining")
		s.wantEnd(s.client)
		s.wantEnd(s.target)
		s.result(Gateway, CauseShutdown, CloseGoingAway)
	})
}

func TestAbort(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		half := text("unfinished", false)[:5]
		s.write(s.target, half)
		s.want(s.client, half)
		s.pipe.Shutdown(CloseGoingAway, "draining")
		s.wantClose(s.target, CloseGoingAway, "draining")
		s.pipe.Abort()
		s.wantEnd(s.client)
		s.wantEnd(s.target)
		s.result(Gateway, CauseShutdown, CloseGoingAway)
	})
}
