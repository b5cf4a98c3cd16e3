package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

func TestPipe_Frames_PassUnchanged(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, nil)
		for _, side := range []struct {
			from, to net.Conn
			masked   bool
		}{{s.client, s.target, true}, {s.target, s.client, false}} {
			var short []byte
			for _, b := range [][]byte{
				text("", side.masked),
				text("hello", side.masked),
				frame(true, OpPing, []byte("ping"), side.masked),
				frame(true, OpPong, []byte("unasked"), side.masked),
				frame(true, OpPong, []byte("8 bytes!"), side.masked),
				frame(false, OpText, []byte("a"), side.masked),
				frame(false, OpContinuation, nil, side.masked),
				frame(true, OpPing, nil, side.masked),
				frame(true, OpContinuation, []byte("z"), side.masked),
				frame(true, OpBinary, bytes.Repeat([]byte("0123456789"), 13), side.masked),
				frame(true, OpBinary, bytes.Repeat([]byte("0123456789"), 30_000), side.masked),
			} {
				s.post(side.from, b)
				s.want(side.to, b)
				if len(b) < 200 {
					short = append(short, b...)
				}
			}
			for i := range short {
				s.post(side.from, short[i:i+1])
			}
			s.want(side.to, short)
		}
		s.closeBoth()
	})
}

func TestPipe_CloseFrame_PassesUnchanged(t *testing.T) {
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
				if r.ReasonLen != max(0, len(payload)-2) || r.FromClient != (Count{1, uint64(len(payload))}) || r.FromTarget != (Count{1, uint64(len("answer") + 2)}) {
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

func TestPipe_BytesReadBefore_ComeFirst(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		up, down := text("from the client", true), text("from the target", false)
		s := start(t, pair, func(c *Config) {
			c.FromClient, c.FromTarget = up[:9], down[:1]
		})
		s.post(s.client, up[9:])
		s.want(s.target, up)
		s.post(s.target, down[1:])
		s.want(s.client, down)
		s.closeBoth()
	})
}

func TestPipe_InvalidFrame_ClosesBothSides(t *testing.T) {
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
func TestPipe_InvalidFrame_IsHeldBack(t *testing.T) {
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

func TestPipe_ConnectionLost_IsReported(t *testing.T) {
	reason := func(c *Config) {
		c.Lost = func(lost Side, cause Cause, err error) (int, string) {
			if cause != CauseLoss || err == nil {
				return CloseInternal, "wrong"
			}
			if lost == Client {
				return CloseGoingAway, "client lost"
			}
			return CloseRestart, "target lost"
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
			s.write(s.target, text("the last message", false), []byte{0x81})
			s.want(s.client, text("the last message", false))
			s.target.Close()
			s.wantClose(s.client, CloseRestart, "target lost")
			s.write(s.client, closing(1012, "", true))
			s.wantEnd(s.client)
			s.result(Target, CauseLoss, CloseRestart)
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

func TestShutdown_Session_ClosesBothSides(t *testing.T) {
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

func TestAbort_Session_IsReset(t *testing.T) {
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

// Orders given before the session runs are carried out when it does.
func TestPipe_EndedBeforeTheStart_EndsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		for _, abort := range []bool{false, true} {
			near1, client := pair(t)
			near2, target := pair(t)
			s := &session{T: t, client: client, target: target, done: make(chan Result, 1)}
			s.pipe = New(Config{Client: near1, Target: near2})
			s.pipe.Shutdown(CloseGoingAway, "draining")
			if abort {
				s.pipe.Abort()
			}
			go func() { s.done <- s.pipe.Run() }()
			if !abort {
				s.wantClose(client, CloseGoingAway, "draining")
				s.wantClose(target, CloseGoingAway, "draining")
				s.write(client, closing(1001, "", true))
				s.write(target, closing(1001, "", false))
			}
			s.wantEnd(client)
			s.wantEnd(target)
			s.result(Gateway, CauseShutdown, CloseGoingAway)
		}
	})
}

// An outdated connection reports a deadline that nobody set, for ever: a dead
// tunnel may. It must not keep its session spinning.
type outdated struct{ net.Conn }

func (outdated) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestPipe_TimeoutOfTheConnection_IsALoss(t *testing.T) {
	s := start(t, memPair, func(c *Config) { c.Target = outdated{c.Target} })
	s.wantClose(s.client, CloseTryAgain, "")
	s.client.Close()
	if r := s.result(Target, CauseLoss, CloseTryAgain); !errors.Is(r.Err, os.ErrDeadlineExceeded) {
		t.Fatal(r.Err)
	}
}

// Much of what an idle session holds is its Pipe. With the allocator's own word
// it fills 896 bytes; one field more costs a seventh more.
func TestPipe_Size_FillsItsClass(t *testing.T) {
	if PipeSize > 896-8 {
		t.Errorf("a Pipe has %d bytes", PipeSize)
	}
}

// A writeFails connection can be read and no more written.
type writeFails struct{ net.Conn }

var errWrite = errors.New("deaf")

func (writeFails) Write([]byte) (int, error) { return 0, errWrite }

// What a target said before it went is heard, even when writing to it fails
// first; and when it says no more, it is lost.
func TestPipe_WriteFails_ReadsTheRestFirst(t *testing.T) {
	deaf := func(c *Config) { c.Target = writeFails{c.Target} }
	t.Run("close", func(t *testing.T) {
		timed(t, deaf, func(t *testing.T, s *session) {
			s.write(s.client, text("nobody hears", true))
			synctest.Wait()
			for range 10 {
				time.Sleep(900 * time.Millisecond)
				s.post(s.target, text("last words", false))
				s.want(s.client, text("last words", false))
			}
			s.post(s.target, closing(4000, "gone", false))
			s.want(s.client, closing(4000, "gone", false))
			s.client.Close()
			s.result(Target, CauseClose, 4000)
		})
	})
	t.Run("silence", func(t *testing.T) {
		timed(t, deaf, func(t *testing.T, s *session) {
			began := time.Now()
			client := collect(s.client)
			s.write(s.client, text("nobody hears", true))
			if r := s.result(Target, CauseLoss, CloseTryAgain); !errors.Is(r.Err, errWrite) {
				t.Fatal(r.Err)
			}
			wantClose(t, client.take(), false, CloseTryAgain, "")
			wantAfter(t, began, client.last, time.Second)
		})
	})
}

// A source that can only block has a big buffer as long as it is busy.
func TestPipe_LargeBuffer_IsReturned(t *testing.T) {
	timed(t, func(c *Config) { c.KeepAlive = -1 }, func(t *testing.T, s *session) {
		wantBuffers := func(want int) {
			t.Helper()
			synctest.Wait()
			if n := s.pipe.BigBuffers(); n != want {
				t.Fatalf("%d big buffers, want %d", n, want)
			}
		}
		bulk, small := frame(true, OpBinary, make([]byte, 10_000), false), text("small", false)
		s.post(s.target, small)
		s.want(s.client, small)
		wantBuffers(0)
		s.post(s.target, bulk)
		s.want(s.client, bulk)
		wantBuffers(1)
		s.post(s.target, small)
		s.want(s.client, small)
		wantBuffers(0) // it has gone small
		s.post(s.target, bulk)
		s.want(s.client, bulk)
		wantBuffers(1)
		time.Sleep(2 * time.Second)
		wantBuffers(0) // it has gone quiet
		s.closeBoth()
	})
}
