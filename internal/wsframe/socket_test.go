//go:build unix

package wsframe_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// buffered is a tcpPair whose kernel buffers are of these sizes: small ones let
// a reader that stops be felt soon. They are set before there is a connection,
// whose window could not shrink in good order later.
func buffered(t testing.TB, receive, send int) (near, far net.Conn) {
	t.Helper()
	small := func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, send))
		}), err)
	}
	ln, err := (&net.ListenConfig{Control: small}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err = (&net.Dialer{Control: small}).Dial("tcp", ln.Addr().String())
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

// buffereds runs a test over such sockets.
func buffereds(t *testing.T, receive, send int, test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	pair := func(t testing.TB) (near, far net.Conn) { return buffered(t, receive, send) }
	t.Run("tcp", func(t *testing.T) { test(t, pair) })
	t.Run("paused", func(t *testing.T) { test(t, pausePair(pair)) })
	t.Run("loop", func(t *testing.T) { test(t, loopPair(pair)) })
	tlss(t, pair, test)
}

// sockets runs a test over sockets that keep what the kernel likes.
func sockets(t *testing.T, test func(t *testing.T, pair func(testing.TB) (near, far net.Conn))) {
	tcps(t, test)
	tlss(t, tcpPair, test)
}

// A reader of sockets that stalls is lost; one that is merely slow is not,
// even though the kernel tells of room only now and then.
func TestStall_Sockets_OnlyStalledAreLost(t *testing.T) {
	buffereds(t, 32<<10, 1<<20, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		t.Parallel()
		const stall = 1500 * time.Millisecond
		const rate = 200_000 // bytes a second: 64 KiB, a segment on loopback, in a quarter of stall
		s := start(t, pair, func(c *Config) { c.Stall = stall })
		down := frame(true, OpBinary, make([]byte, 8<<20), false)
		s.post(s.target, down)
		b, got := make([]byte, 4<<10), 0
		for began := time.Now(); time.Since(began) < 2*stall; {
			if float64(got) > rate*time.Since(began).Seconds() {
				time.Sleep(5 * time.Millisecond) // this is the slowness
				continue
			}
			n, err := s.client.Read(b)
			if got += n; err != nil {
				t.Fatalf("slow reader lost after %v and %d bytes: %v", time.Since(began), got, err)
			}
		}
		s.target.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := s.target.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("slow reader lost: the target was told % x, %v", b[:n], err)
		}
		stopped := time.Now()
		s.wantClose(s.target, CloseGoingAway, "")
		// The kernel takes some more for the reader, and then the clock runs: at most two
		// stalls, and as much again where others have the machine.
		if took := time.Since(stopped); took > 4*stall {
			t.Errorf("stall noticed after %v", took)
		}
		s.target.Close()
		s.result(Client, CauseStall, CloseGoingAway)
	})
}

// A reader that stops stops us from reading, and nobody else.
func TestPipe_ReaderStops_ReadingStops(t *testing.T) {
	buffereds(t, 32<<10, 32<<10, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		chunk := frame(true, OpBinary, make([]byte, 1<<10), false)
		var taken atomic.Int64
		full, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				s.target.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				n, err := s.target.Write(chunk)
				taken.Add(int64(n))
				if err != nil {
					close(full)
					return
				}
			}
		}()
		<-full
		<-done
		if n := taken.Load(); n > 2<<20 {
			t.Errorf("took %d bytes for a client that reads none", n)
		}
		up := text("the other direction", true)
		for range 100 {
			s.post(s.client, up)
			s.want(s.target, up)
		}
		s.pipe.Abort()
		s.result(Gateway, CauseAbort, CloseAbnormal)
	})
}

// A session is over soon after both closes, even if neither side closes its
// connection.
func TestPipe_ConnectionsStayOpen_EndsSoonAfterBothCloses(t *testing.T) {
	s := start(t, tcpPair, nil)
	s.write(s.client, closing(1000, "", true))
	s.want(s.target, closing(1000, "", true))
	s.write(s.target, closing(1000, "", false))
	s.want(s.client, closing(1000, "", false))
	closed := time.Now()
	s.result(Client, CauseClose, 1000)
	if took := time.Since(closed); took > 2*time.Second {
		t.Fatalf("took %v", took)
	}
}

// A close frame of ours arrives although the offender's connection is full of
// bytes that nobody will read.
func TestPipe_UnreadBytes_CloseStillArrives(t *testing.T) {
	sockets(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		for range 10 {
			s := start(t, pair, nil)
			s.post(s.client, []byte{0x83}, make([]byte, 4<<20))
			s.wantClose(s.target, CloseInternal, "client broke the frame format")
			s.target.Close()
			s.wantClose(s.client, CloseProtocol, ErrOpcode.Error())
			if _, err := s.client.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("behind the close frame: %v", err)
			}
			s.client.Close()
			s.result(Client, CauseProtocol, CloseProtocol)
		}
	})
}

// A client may shut its sending side behind its close frame.
func TestPipe_ClientHalfClosed_GetsTheAnswer(t *testing.T) {
	s := start(t, tcpPair, nil)
	s.write(s.client, closing(1000, "", true))
	s.client.(*net.TCPConn).CloseWrite()
	s.want(s.target, closing(1000, "", true))
	time.Sleep(10 * time.Millisecond) // let the end be read before the answer comes
	s.write(s.target, closing(1000, "answer", false))
	s.want(s.client, closing(1000, "answer", false))
	s.wantEnd(s.client)
	s.wantEnd(s.target)
	s.result(Client, CauseClose, 1000)
}

// Closes that cross one another both arrive, and nothing of ours beside them.
func TestPipe_BothSidesClose_EachGetsTheOthers(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		s.post(s.client, closing(4001, "client", true))
		s.post(s.target, closing(4002, "target", false))
		s.want(s.client, closing(4002, "target", false))
		s.want(s.target, closing(4001, "client", true))
		s.pipe.Shutdown(CloseGoingAway, "too late")
		s.wantEnd(s.client)
		s.wantEnd(s.target)
		if r := <-s.done; r.Cause != CauseClose {
			t.Fatalf("%+v", r)
		}
	})
}

// A session that is closing already is left to close.
func TestShutdown_AlreadyClosing_ChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		s.write(s.client, closing(1000, "bye", true))
		s.want(s.target, closing(1000, "bye", true))
		s.pipe.Shutdown(CloseGoingAway, "draining")
		s.write(s.target, closing(1000, "answer", false))
		s.want(s.client, closing(1000, "answer", false))
		s.wantEnd(s.client)
		s.wantEnd(s.target)
		s.result(Client, CauseClose, 1000)
	})
}

func TestPipe_Reset_IsALoss(t *testing.T) {
	s := start(t, tcpPair, nil)
	s.write(s.client, text("x", true))
	s.want(s.target, text("x", true))
	s.client.(*net.TCPConn).SetLinger(0)
	s.client.Close()
	s.wantClose(s.target, CloseGoingAway, "")
	s.target.Close()
	s.result(Client, CauseLoss, CloseGoingAway)
}

// A panicking connection stands for any defect: it ends its own session alone.
type panicking struct {
	net.Conn
	armed atomic.Bool
}

func (c *panicking) Write(b []byte) (int, error) {
	if c.armed.Load() {
		panic("defect")
	}
	return c.Conn.Write(b)
}

func TestPipe_Panic_EndsTheSession(t *testing.T) {
	for _, side := range []Side{Client, Target} {
		t.Run(side.String(), func(t *testing.T) {
			told := make(chan any, 1)
			s := start(t, tcpPair, func(c *Config) {
				c.OnPanic = func(v any, stack []byte) {
					if !strings.Contains(string(stack), "panicking") {
						v = "no stack"
					}
					told <- v
				}
				conn := &c.Client
				if side == Target {
					conn = &c.Target
				}
				bad := &panicking{Conn: *conn}
				bad.armed.Store(true)
				*conn = bad
			})
			if side == Client {
				s.write(s.target, text("x", false))
			} else {
				s.write(s.client, text("x", true))
			}
			if v := <-told; v != "defect" {
				t.Error(v)
			}
			s.wantEnd(s.client)
			s.wantEnd(s.target)
			s.result(Gateway, CausePanic, CloseAbnormal)
		})
	}
}

// A panic of what the host has given ends its own session alone, in a loop too.
func TestPipe_LostPanics_EndsTheSessionAlone(t *testing.T) {
	tcps(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		beside := start(t, pair, nil)
		told := make(chan any, 1)
		s := start(t, pair, func(c *Config) {
			c.Lost = func(Side, Cause, error) (int, string) { panic("defect") }
			c.OnPanic = func(v any, _ []byte) { told <- v }
		})
		s.client.Close()
		if v := <-told; v != "defect" {
			t.Error(v)
		}
		s.wantEnd(s.target)
		s.result(Gateway, CausePanic, CloseAbnormal)
		beside.closeBoth()
	})
}

// goroutines counts those of the package under test.
func goroutines() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "wsframe.(*flow).run(")
}

func TestPipe_Session_HasAtMostTwoGoroutines(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, func(c *Config) { c.Idle = time.Hour })
		s.post(s.client, text("x", true))
		s.want(s.target, text("x", true))
		s.post(s.target, text("y", false))
		s.want(s.client, text("y", false))
		want := 2
		if strings.HasSuffix(t.Name(), "/loop") && runtime.GOOS == "linux" {
			want = 0
		}
		if strings.HasSuffix(t.Name(), "/paused") && runtime.GOOS == "linux" {
			want = 0 // soon
			for began := time.Now(); goroutines() != want && time.Since(began) < testTimeout; {
				time.Sleep(time.Millisecond)
			}
		}
		if n := goroutines(); n > want { // fewer when the machine is so busy that the connections have paused
			t.Errorf("%d goroutines, want at most %d", n, want)
		}
		if up, down := s.pipe.Counts(); up.Frames > 1 || down.Frames > 1 {
			t.Errorf("%+v %+v", up, down)
		}
		s.closeBoth()
	})
}

func TestPipe_Messages_AllocateNothing(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (near, far net.Conn){"tcp": tcpPair, "pipe": memPair} {
		t.Run(name, func(t *testing.T) {
			s := start(t, pair, func(c *Config) { c.Idle = time.Hour })
			up, b := text("a message", true), make([]byte, 100)
			exchange := func() {
				if _, err := s.client.Write(up); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(s.target, b[:len(up)]); err != nil {
					t.Fatal(err)
				}
			}
			exchange()
			if n := testing.AllocsPerRun(500, exchange); n >= 1 {
				t.Errorf("%v allocations a message", n)
			}
			s.closeBoth()
		})
	}
}
