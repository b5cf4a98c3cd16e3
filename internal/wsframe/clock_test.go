package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// A peer reads what comes, as soon as it comes, and notes when.
type peer struct {
	mu   sync.Mutex
	buf  []byte
	last time.Time // when the last bytes came
	end  time.Time // when the connection ended
}

func collect(conn net.Conn) *peer {
	p := &peer{}
	conn.SetReadDeadline(time.Time{})
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := conn.Read(b)
			p.mu.Lock()
			p.buf = append(p.buf, b[:n]...)
			if n > 0 {
				p.last = time.Now()
			}
			if err != nil {
				p.end = time.Now()
				p.mu.Unlock()
				conn.Close()
				return
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// take returns what has come and forgets it.
func (p *peer) take() []byte {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buf
	p.buf = nil
	return b
}

// wantClose expects b to be one close frame of the gateway's.
func wantClose(t *testing.T, b []byte, masked bool, code int, reason string) {
	t.Helper()
	if len(b) < 4 || b[0] != 0x88 || b[1] >= 0x80 != masked {
		t.Fatalf("got % x, want a close frame", clip(b))
	}
	payload := b[2:]
	if masked {
		for i := range payload[4:] {
			payload[4+i] ^= payload[i%4]
		}
		payload = payload[4:]
	}
	if len(payload) != int(b[1]&127) || int(binary.BigEndian.Uint16(payload)) != code || string(payload[2:]) != reason {
		t.Fatalf("close frame % x %q, want %d %q", payload[:2], payload[2:], code, reason)
	}
}

// timed runs a session in a bubble, over connections in memory.
func timed(t *testing.T, change func(*Config), test func(t *testing.T, s *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, start(t, memPair, change)) })
}

func wantAfter(t *testing.T, from, at time.Time, want time.Duration) {
	t.Helper()
	if got := at.Sub(from); got < want || got > want+20*time.Millisecond {
		t.Fatalf("after %v, want %v", got, want)
	}
}

func idleTen(c *Config) { c.Idle, c.KeepAlive = 10*time.Second, -1 }

func TestIdle_TimeoutPasses_Closes(t *testing.T) {
	timed(t, idleTen, func(t *testing.T, s *session) {
		began := time.Now()
		client, target := collect(s.client), collect(s.target)
		down := text("slowly", false)
		s.write(s.target, down[:3])
		for _, b := range down[3:] {
			time.Sleep(9 * time.Second) // each byte of a data frame counts
			s.write(s.target, []byte{b})
		}
		quiet := time.Now()
		time.Sleep(5 * time.Second) // these do not
		s.write(s.target, frame(true, OpPing, []byte("still here"), false))
		s.write(s.client, text("hello", true))
		time.Sleep(4*time.Second + 999*time.Millisecond)
		if got := client.take(); !bytes.Equal(got, append(down, frame(true, OpPing, []byte("still here"), false)...)) {
			t.Fatalf("% x", got)
		}
		if got := target.take(); !bytes.Equal(got, text("hello", true)) {
			t.Fatalf("% x", got)
		}
		time.Sleep(2 * time.Millisecond)
		wantClose(t, client.take(), false, 1000, "idle timeout")
		wantClose(t, target.take(), true, 1001, "")
		wantAfter(t, quiet, client.last, 10*time.Second)
		if time.Since(began) < 50*time.Second {
			t.Fatal("no time passed")
		}
		s.write(s.client, text("swallowed", true), closing(1000, "", true))
		s.write(s.target, text("swallowed", false), closing(1001, "", false))
		r := s.result(Gateway, CauseIdle, 1000)
		if len(client.take())+len(target.take()) > 0 || r.FromClient.Frames != 1 || r.FromTarget.Frames != 2 {
			t.Fatalf("something crossed behind our close: %+v", r)
		}
	})
}

// Times that could not be added to now are as good as for ever, and leave the
// other clocks alone.
func TestClock_EndlessTimes_NeverEnd(t *testing.T) {
	endless := func(c *Config) { c.Idle, c.Stall, c.KeepAlive = math.MaxInt64, math.MaxInt64, 25*time.Second }
	timed(t, endless, func(t *testing.T, s *session) {
		client := collect(s.client)
		time.Sleep(26 * time.Second)
		if got := client.take(); len(got) < 2 || got[0]&0xF != OpPing {
			t.Fatalf("% x, want a ping", got)
		}
		time.Sleep(21 * time.Second)
		s.result(Client, CauseKeepAlive, 1001)
	})
}

func TestIdle_NothingSent_CountsFromTheStart(t *testing.T) {
	timed(t, idleTen, func(t *testing.T, s *session) {
		began := time.Now()
		client, target := collect(s.client), collect(s.target)
		s.result(Gateway, CauseIdle, 1000)
		wantClose(t, client.take(), false, 1000, "idle timeout")
		wantClose(t, target.take(), true, 1001, "")
		wantAfter(t, began, client.last, 10*time.Second)
		wantAfter(t, began, client.end, 15*time.Second) // CloseWait for the answer
	})
}

// While a slow client keeps us from reading the target the time stands still.
func TestIdle_PeerReadsSlowly_StandsStill(t *testing.T) {
	timed(t, idleTen, func(t *testing.T, s *session) {
		target := collect(s.target)
		s.write(s.target, text("first", false))
		time.Sleep(25 * time.Second) // the client takes nothing
		s.want(s.client, text("first", false))
		resumed := time.Now()
		client := collect(s.client)
		s.result(Gateway, CauseIdle, 1000)
		wantClose(t, client.take(), false, 1000, "idle timeout")
		wantClose(t, target.take(), true, 1001, "")
		wantAfter(t, resumed, client.last, 10*time.Second)
	})
	timed(t, idleTen, func(t *testing.T, s *session) { // it stands still, it does not start again
		collect(s.target)
		s.want(s.client, nil)
		time.Sleep(6 * time.Second)
		s.write(s.target, frame(true, OpPing, nil, false))
		time.Sleep(20 * time.Second)
		s.want(s.client, frame(true, OpPing, nil, false))
		resumed := time.Now()
		client := collect(s.client)
		s.result(Gateway, CauseIdle, 1000)
		wantClose(t, client.take(), false, 1000, "idle timeout")
		wantAfter(t, resumed, client.last, 4*time.Second)
	})
}

// Inside a frame there is no place for our close frame. It waits for the frame
// to end, but not for ever.
func TestIdle_InsideAFrame_WaitsForItsEnd(t *testing.T) {
	down := text("unfinished", false)
	for name, finish := range map[string]bool{"finished": true, "unfinished": false} {
		t.Run(name, func(t *testing.T) {
			timed(t, idleTen, func(t *testing.T, s *session) {
				began := time.Now()
				client, target := collect(s.client), collect(s.target)
				s.write(s.target, down[:5])
				time.Sleep(11 * time.Second)
				wantClose(t, target.take(), true, 1001, "")
				if finish {
					s.write(s.target, down[5:], text("more", false))
					if got := client.take(); !bytes.HasPrefix(got, down) {
						t.Fatalf("% x", got)
					} else {
						wantClose(t, got[len(down):], false, 1000, "idle timeout")
					}
				}
				s.result(Gateway, CauseIdle, 1000)
				if !finish {
					if got := client.take(); !bytes.Equal(got, down[:5]) {
						t.Fatalf("% x", got)
					}
					wantAfter(t, began, client.end, 15*time.Second)
				}
			})
		})
	}
}

func TestStall_ReaderTakesNothing_IsLost(t *testing.T) {
	t.Run("target", func(t *testing.T) {
		timed(t, nil, func(t *testing.T, s *session) {
			began := time.Now()
			client := collect(s.client)
			s.post(s.client, text("x", true))
			r := s.resultWithin(time.Minute, Target, CauseStall, CloseTryAgain)
			if !errors.Is(r.Err, ErrStalled) {
				t.Fatal(r.Err)
			}
			b := client.take()
			if len(b) < 10 || b[0] != 0x89 {
				t.Fatalf("% x", b)
			}
			wantClose(t, b[10:], false, CloseTryAgain, "") // behind the keepalive's ping
			wantAfter(t, began, client.last, 30*time.Second)
		})
	})
	t.Run("client", func(t *testing.T) {
		timed(t, nil, func(t *testing.T, s *session) {
			began := time.Now()
			target := collect(s.target)
			s.post(s.target, text("x", false))
			s.resultWithin(time.Minute, Client, CauseStall, CloseGoingAway)
			wantClose(t, target.take(), true, CloseGoingAway, "")
			wantAfter(t, began, target.last, 30*time.Second)
		})
	})
	t.Run("client while the target is inside a frame of the other", func(t *testing.T) {
		timed(t, nil, func(t *testing.T, s *session) {
			target := collect(s.target)
			up := text("unfinished", true)
			s.write(s.client, up[:9])
			s.post(s.target, text("x", false))
			s.resultWithin(time.Minute, Client, CauseStall, CloseAbnormal)
			if got := target.take(); !bytes.Equal(got, up[:9]) {
				t.Fatalf("% x", got)
			}
		})
	})
}

// A reader that is slow is not lost, on whatever connection.
func TestStall_ReaderSlow_IsKept(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (near, far net.Conn){
		"pipe": memPair,
		"tls":  func(t testing.TB) (near, far net.Conn) { return tlsOver(t, memPair) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, pair, func(c *Config) { c.KeepAlive = -1 })
				down := frame(true, OpBinary, make([]byte, 200_000), false)
				s.post(s.target, down)
				var got []byte
				b := make([]byte, 800) // 800 bytes a second: a chunk takes 20 s
				s.client.SetReadDeadline(time.Time{})
				for len(got) < len(down) {
					time.Sleep(time.Second)
					if len(got) > len(down)/2 {
						b = b[:250] // such a chunk would take more than 60 s
					}
					n, err := s.client.Read(b[:min(len(b), len(down)-len(got))])
					if err != nil {
						t.Fatalf("after %d bytes: %v", len(got), err)
					}
					got = append(got, b[:n]...)
				}
				if !bytes.Equal(got, down) {
					t.Fatal("bytes were lost")
				}
				s.closeBoth()
			})
		})
	}
}

// A missing answer is waited for, but not for ever, and then it is a loss.
func TestClose_AnswerMissing_IsALoss(t *testing.T) {
	t.Run("of the target", func(t *testing.T) {
		timed(t, nil, func(t *testing.T, s *session) {
			client, target := collect(s.client), collect(s.target)
			began := time.Now()
			s.write(s.client, closing(1000, "bye", true))
			s.result(Client, CauseClose, 1000)
			if got := target.take(); !bytes.Equal(got, closing(1000, "bye", true)) {
				t.Fatalf("% x", got)
			}
			wantClose(t, client.take(), false, CloseTryAgain, "")
			wantAfter(t, began, client.last, 5*time.Second)
		})
	})
	t.Run("of the client", func(t *testing.T) {
		timed(t, nil, func(t *testing.T, s *session) {
			client, target := collect(s.client), collect(s.target)
			began := time.Now()
			s.write(s.target, closing(1000, "bye", false))
			s.result(Target, CauseClose, 1000)
			if got := client.take(); !bytes.Equal(got, closing(1000, "bye", false)) {
				t.Fatalf("% x", got)
			}
			wantClose(t, target.take(), true, CloseGoingAway, "")
			wantAfter(t, began, target.last, 5*time.Second)
			wantAfter(t, began, client.end, 5*time.Second)
		})
	})
}

// Draining waits for a frame to end as long as it is let.
func TestShutdown_InsideAFrame_Waits(t *testing.T) {
	timed(t, func(c *Config) { c.KeepAlive = -1 }, func(t *testing.T, s *session) {
		client, target := collect(s.client), collect(s.target)
		down := text("slow", false)
		s.write(s.target, down[:3])
		synctest.Wait()
		s.pipe.Shutdown(CloseGoingAway, "draining")
		wantClose(t, target.take(), true, CloseGoingAway, "draining")
		time.Sleep(time.Hour)
		s.write(s.target, down[3:])
		got := client.take()
		if !bytes.HasPrefix(got, down) {
			t.Fatalf("% x", got)
		}
		wantClose(t, got[len(down):], false, CloseGoingAway, "draining")
		s.result(Gateway, CauseShutdown, CloseGoingAway)
	})
}

// A session that is ended for good does not wait for a frame that never ends.
func TestEnd_InsideAFrame_HasCloseWait(t *testing.T) {
	down, up := text("endless", false), text("endless", true)
	for name, begin := range map[string]func(s *session){
		"client": func(s *session) { s.write(s.client, up[:8]) },
		"target": func(s *session) { s.write(s.target, down[:5]) },
		"both":   func(s *session) { s.write(s.client, up[:8]); s.write(s.target, down[:5]) },
		"already drained": func(s *session) {
			s.write(s.client, up[:8])
			synctest.Wait()
			s.pipe.Shutdown(CloseRestart, "draining")
		},
	} {
		t.Run(name, func(t *testing.T) {
			timed(t, func(c *Config) { c.KeepAlive = -1 }, func(t *testing.T, s *session) {
				client, target := collect(s.client), collect(s.target)
				begin(s)
				synctest.Wait()
				s.pipe.End(1008, "ended")
				code := 1008
				if name == "already drained" {
					code = CloseRestart
				}
				s.result(Gateway, CauseShutdown, code)
				if got := client.take(); name == "client" {
					wantClose(t, got, false, 1008, "ended")
				} else if name != "already drained" && !bytes.Equal(got, down[:5]) {
					t.Errorf("the client gets % x", got)
				}
				if got := target.take(); name == "target" {
					wantClose(t, got, true, CloseGoingAway, "ended")
				} else if !bytes.Equal(got, up[:8]) {
					t.Errorf("the target gets % x", got)
				}
			})
		})
	}
}
