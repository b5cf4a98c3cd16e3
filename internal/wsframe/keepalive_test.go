package wsframe_test

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

func TestKeepAlive_PeerAnswers_IsKept(t *testing.T) {
	timed(t, nil, func(t *testing.T, s *session) {
		target := collect(s.target)
		seen := map[string]bool{}
		for range 3 {
			time.Sleep(25*time.Second - time.Millisecond)
			s.silent(s.client)
			payload := s.wantFrame(s.client, OpPing)
			if len(payload) == 0 || seen[string(payload)] {
				t.Fatalf("payload % x", payload)
			}
			seen[string(payload)] = true
			time.Sleep(10 * time.Second)
			pong := frame(true, OpPong, payload, true)
			for i := range pong {
				s.write(s.client, pong[i:i+1])
			}
			// What was written to the client counts, what it wrote does not.
			s.write(s.client, text("up", true), frame(true, OpPong, payload, true))
			if got, want := target.take(), append(text("up", true), pong...); !bytes.Equal(got, want) {
				t.Fatalf("target got % x, want % x", got, want)
			}
			s.write(s.target, text("down", false))
			s.want(s.client, text("down", false))
		}
		s.write(s.client, closing(1000, "", true))
		synctest.Wait() // until it is the one that came first
		s.write(s.target, closing(1000, "", false))
		s.want(s.client, closing(1000, "", false))
		r := s.result(Client, CauseClose, 1000)
		if r.FromClient.Frames != 7 || r.FromTarget.Frames != 4 {
			t.Fatalf("our own frames were counted: %+v", r)
		}
	})
}

// silent expects nothing to come just now.
func (s *session) silent(conn net.Conn) {
	s.Helper()
	synctest.Wait()
	conn.SetReadDeadline(time.Now().Add(time.Microsecond))
	b := make([]byte, 1)
	if n, err := conn.Read(b); n != 0 || err == nil {
		s.Fatalf("came % x", b)
	}
	conn.SetReadDeadline(time.Time{})
}

// A pong that is like ours up to any byte is somebody else's and crosses.
func TestKeepAlive_ClientsOwnPong_Passes(t *testing.T) {
	for wrong := range 8 {
		timed(t, nil, func(t *testing.T, s *session) {
			target := collect(s.target)
			time.Sleep(26 * time.Second)
			payload := s.wantFrame(s.client, OpPing)
			other := bytes.Clone(payload)
			other[wrong] ^= 1
			var want []byte
			for _, p := range [][]byte{other, payload[:7], append(bytes.Clone(payload), 0), nil} {
				b := frame(true, OpPong, p, true)
				want = append(want, b...)
				for i := range b {
					s.write(s.client, b[i:i+1])
				}
			}
			s.write(s.client, frame(true, OpPong, payload, true), text("x", true))
			want = append(want, text("x", true)...)
			if got := target.take(); !bytes.Equal(got, want) {
				t.Fatalf("got % x, want % x", got, want)
			}
			s.pipe.Abort()
			s.result(Gateway, CauseAbort, CloseAbnormal)
		})
	}
}

func TestKeepAlive_PingUnanswered_Closes(t *testing.T) {
	timed(t, nil, func(t *testing.T, s *session) {
		began := time.Now()
		client, target := collect(s.client), collect(s.target)
		r := s.resultWithin(time.Minute, Client, CauseKeepAlive, CloseGoingAway)
		if !errors.Is(r.Err, ErrNoPong) {
			t.Fatal(r.Err)
		}
		wantClose(t, target.take(), true, CloseGoingAway, "")
		wantAfter(t, began, target.last, 45*time.Second)
		if b := client.take(); len(b) != 10 || b[0] != 0x89 {
			t.Fatalf("% x", b)
		}
	})
}

// A client in the middle of a long message can not answer; each byte of it
// shows that it lives.
func TestKeepAlive_PongBehindALongMessage_IsKept(t *testing.T) {
	timed(t, nil, func(t *testing.T, s *session) {
		target := collect(s.target)
		up := frame(true, OpBinary, make([]byte, 100), true)
		s.write(s.client, up[:1])
		time.Sleep(26 * time.Second)
		payload := s.wantFrame(s.client, OpPing)
		client := collect(s.client)
		for _, b := range up[1:] {
			time.Sleep(5 * time.Second)
			s.write(s.client, []byte{b})
		}
		// It was pinged now and then meanwhile, and answers it all at last.
		for pings := client.take(); len(pings) > 0; pings = pings[10:] {
			s.write(s.client, frame(true, OpPong, pings[2:10], true))
		}
		s.write(s.client, frame(true, OpPong, payload, true))
		if got := target.take(); !bytes.Equal(got, up) {
			t.Fatalf("% x", got)
		}
		s.pipe.Abort()
		s.result(Gateway, CauseAbort, CloseAbnormal)
	})
}

// While a slow target keeps us from reading the client, its pong may be behind
// what we have not read.
func TestKeepAlive_TargetSlow_WaitStandsStill(t *testing.T) {
	timed(t, func(c *Config) { c.Stall = time.Hour }, func(t *testing.T, s *session) {
		s.post(s.client, text("the target does not read", true), text("so this waits", true))
		time.Sleep(26 * time.Second)
		payload := s.wantFrame(s.client, OpPing)
		s.post(s.client, frame(true, OpPong, payload, true))
		time.Sleep(10 * time.Minute)
		s.want(s.target, text("the target does not read", true), text("so this waits", true))
		s.silent(s.target)
		payload = s.wantFrame(s.client, OpPing) // the silence was long
		s.write(s.client, frame(true, OpPong, payload, true))
		s.closeBoth()
	})
}

// When the target takes bytes again the client has as long as ever to answer.
func TestKeepAlive_TargetTakesBytesAgain_WaitGoesOn(t *testing.T) {
	timed(t, nil, func(t *testing.T, s *session) {
		time.Sleep(20 * time.Second)
		s.post(s.client, text("the target does not read", true))
		time.Sleep(6 * time.Second)
		payload := s.wantFrame(s.client, OpPing)
		time.Sleep(22 * time.Second)
		s.want(s.target, text("the target does not read", true))
		time.Sleep(19 * time.Second)
		s.write(s.client, frame(true, OpPong, payload, true))
		s.closeBoth()
	})
}

func TestKeepAlive_Off_SendsNoPing(t *testing.T) {
	timed(t, func(c *Config) { c.KeepAlive = -1 }, func(t *testing.T, s *session) {
		time.Sleep(24 * time.Hour)
		s.silent(s.client)
		s.closeBoth()
	})
}

// A ping of ours waits for the frame to end, and inside a fragmented message
// it need wait no longer.
func TestPing_InsideAFrame_WaitsForItsEnd(t *testing.T) {
	timed(t, nil, func(t *testing.T, s *session) {
		collect(s.target)
		down := frame(false, OpText, []byte("fragment"), false)
		s.write(s.target, down[:4])
		s.want(s.client, down[:4])
		time.Sleep(40 * time.Second)
		s.silent(s.client)
		s.post(s.target, down[4:])
		s.want(s.client, down[4:])
		s.silent(s.client) // there was no silence just before
		time.Sleep(25 * time.Second)
		payload := s.wantFrame(s.client, OpPing)
		s.write(s.client, frame(true, OpPong, payload, true))
		s.post(s.target, frame(true, OpContinuation, []byte("!"), false))
		s.want(s.client, frame(true, OpContinuation, []byte("!"), false))
		s.pipe.Abort()
		s.result(Gateway, CauseAbort, CloseAbnormal)
	})
}

// A noHalfClose wraps a connection that cannot be half-closed, and says so.
type noHalfClose struct{ net.Conn }

func (noHalfClose) CloseWrite() error { return errors.ErrUnsupported }

// What cannot be half-closed is closed behind the close frames, without a wait.
func TestPipe_NoHalfClose_EndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := start(t, func(t testing.TB) (near, far net.Conn) {
			near, far = memPair(t)
			return noHalfClose{near}, far
		}, nil)
		mine, answer := closing(1000, "", true), closing(1000, "", false)
		s.post(s.client, mine)
		s.want(s.target, mine)
		s.write(s.target, answer)
		s.want(s.client, answer)
		s.wantEnd(s.client)
		s.wantEnd(s.target)
		s.result(Client, CauseClose, 1000)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("they end after %v", waited)
		}
	})
}
