package wsframe_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// compress is what a client does that keeps no context (RFC 7692, section 7.2.1).
func compress(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(p)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// deflated cuts a compressed payload into the frames of one message.
func deflated(op byte, payload []byte, pieces int) (frames [][]byte) {
	for i := range pieces {
		from, to := i*len(payload)/pieces, (i+1)*len(payload)/pieces
		kind := byte(OpContinuation)
		if i == 0 {
			kind = op | 0x40
		}
		frames = append(frames, frame(i == pieces-1, kind, payload[from:to], true))
	}
	return frames
}

// messages reads data messages off raw, which is what a target gets: pings in
// between are listed by themselves, and no frame is compressed.
func messages(t testing.TB, raw []byte) (all []string) {
	t.Helper()
	open := false
	v := walk(raw, true, func(op byte, frame []byte, whole bool) {
		if !whole {
			t.Fatalf("% x ends inside a frame", raw)
		}
		payload := unmasked(frame)
		switch {
		case op == OpPing:
			all = append(all, "ping "+string(payload))
		case op == OpContinuation:
			all[len(all)-1] += string(payload)
		case op == OpClose:
			all = append(all, fmt.Sprintf("close %d", int(payload[0])<<8|int(payload[1])))
		default:
			all = append(all, string(payload))
		}
		if op < OpClose {
			open = frame[0]&0x80 == 0
		}
	})
	if v.broken || open {
		t.Fatalf("what the target got is broken, or ends inside a message: % x", raw[:min(len(raw), 200)])
	}
	return all
}

func unmasked(frame []byte) []byte {
	header := 6
	switch frame[1] &^ 0x80 {
	case 126:
		header += 2
	case 127:
		header += 8
	}
	p := bytes.Clone(frame[header:])
	for i := range p {
		p[i] ^= frame[header-4+i&3]
	}
	return p
}

// relayed gives a pipe to a target without compression what a client sends,
// in pieces of a size, and returns what the target got until its end.
func relayed(t *testing.T, sent []byte, size int) (got []byte, r Result) {
	t.Helper()
	// What waits for CloseWait has it while anything is under way, however slow.
	synctest.Test(t, func(t *testing.T) {
		near1, client := memPair(t)
		near2, target := memPair(t)
		p := New(Config{Client: near1, Target: near2, DeflateClient: true, CloseWait: time.Millisecond})
		done := make(chan Result, 1)
		go func() { done <- p.Run() }()
		go io.Copy(io.Discard, client)
		go func() {
			for piece := range slices.Chunk(sent, size) {
				if _, err := client.Write(piece); err != nil {
					break
				}
			}
			client.Close()
		}()
		var err error
		if got, err = io.ReadAll(target); err != nil {
			t.Fatal(err)
		}
		target.Close()
		r = <-done
	})
	return got, r
}

func TestPipe_TargetDeclinedCompression_InflatesForIt(t *testing.T) {
	long := make([]byte, 300<<10)
	for i := range long {
		long[i] = "farwire relays"[i%14] + byte(rand.IntN(2))
	}
	var sent []byte
	var want []string
	say := func(s string, frames ...[]byte) {
		sent = append(sent, bytes.Join(frames, nil)...)
		want = append(want, s)
	}
	say("plain", text("plain", true))
	say("compressed", deflated(OpText, compress(t, []byte("compressed")), 1)...)
	say("", deflated(OpText, []byte{0}, 1)...)
	say("in three", deflated(OpBinary, compress(t, []byte("in three")), 3)...)
	two := deflated(OpText, compress(t, []byte("with a ping")), 2)
	sent = append(sent, two[0]...)
	say("ping inside", frame(true, OpPing, []byte("inside"), true))
	sent = append(sent, two[1]...)
	want = append(want[:len(want)-1], "with a ping")
	say("Hello", deflated(OpText, []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, 2)...) // RFC 7692, section 7.2.3.4
	say(string(long), deflated(OpText, compress(t, long), 1)...)
	say(string(long), deflated(OpText, compress(t, long), 7)...)
	say("plain again", frame(false, OpText, []byte("plain "), true), frame(true, OpContinuation, []byte("again"), true))
	say("close 1000", closing(1000, "", true))
	for _, size := range []int{1 << 20, 4096, 7, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			got, r := relayed(t, sent, size)
			var heard []string
			for _, m := range messages(t, got) {
				if m == "ping inside" { // it may stand before or inside the message around it
					continue
				}
				heard = append(heard, m)
			}
			if len(heard) != len(want) {
				t.Fatalf("the target got %d messages, want %d: %.200q", len(heard), len(want), heard)
			}
			for i := range want {
				if heard[i] != want[i] {
					t.Errorf("message %d is %.80q, want %.80q", i, heard[i], want[i])
				}
			}
			if r.Cause != CauseClose || r.By != Client {
				t.Errorf("it ended as %+v", r)
			}
		})
	}
}

func TestPipe_CompressedOnBothSides_CrossesUnread(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		s := start(t, pair, func(c *Config) { c.DeflateClient, c.DeflateTarget = true, true })
		up := frame(true, OpText|0x40, []byte("not even deflated"), true)
		down := append(frame(false, OpBinary|0x40, []byte{1}, false), frame(true, OpContinuation, []byte{2}, false)...)
		s.write(s.client, up)
		s.want(s.target, up)
		s.write(s.target, down)
		s.want(s.client, down)
		s.write(s.client, frame(false, OpText|0x40, nil, true))
		s.want(s.target, frame(false, OpText|0x40, nil, true))
		s.write(s.client, frame(true, OpContinuation|0x40, nil, true))
		s.wantClose(s.client, CloseProtocol, ErrReserved.Error())
	})
}

func TestPipe_CompressedFromATargetThatDeclined_Closes1002(t *testing.T) {
	s := start(t, tcpPair, func(c *Config) { c.DeflateClient = true })
	s.write(s.target, frame(true, OpText|0x40, []byte("x"), false))
	s.wantClose(s.target, CloseProtocol, ErrReserved.Error())
	s.wantClose(s.client, CloseInternal, "target broke the frame format")
}

func TestPipe_CannotBeInflated_Closes1007(t *testing.T) {
	for name, payload := range map[string][]byte{
		"invalid block": {0xff, 0xff}, "empty": {}, "reference before the start": {0x02, 0x41, 0x00}, "cut": compress(t, make([]byte, 100))[:2],
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tcpPair, func(c *Config) { c.DeflateClient = true })
			s.write(s.client, deflated(OpText, payload, 1)[0])
			s.wantClose(s.client, CloseInvalid, ErrDeflate.Error())
			s.wantClose(s.target, CloseInternal, "client broke the frame format")
			s.client.Close()
			s.target.Close()
			s.result(Client, CauseProtocol, CloseInvalid)
		})
	}
}

func TestPipe_DecompressionBomb_Closes1009(t *testing.T) {
	bomb := compress(t, make([]byte, MaxInflated+1))
	for _, pieces := range []int{1, 9} {
		s := start(t, tcpPair, func(c *Config) { c.DeflateClient, c.CloseWait = true, time.Second })
		got := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, s.target) // until the pipe ends it
			s.target.Close()
			got <- n
		}()
		for _, f := range deflated(OpBinary, bomb, pieces) {
			s.client.Write(f) // the pipe may have had enough
		}
		s.wantClose(s.client, CloseTooBig, ErrInflated.Error())
		s.client.Close()
		if n := <-got; n > MaxInflated+1<<20 {
			t.Errorf("the target got %d bytes of the bomb", n)
		}
		s.result(Client, CauseProtocol, CloseTooBig)
	}
}

// A session that ends inside a compressed message leaves no coroutine behind,
// which TestMain looks for.
func TestPipe_EndsInsideACompressedMessage_CutsIt(t *testing.T) {
	for name, end := range map[string]func(*session){
		"client lost": func(s *session) { s.client.Close() },
		"aborted":     func(s *session) { s.pipe.Abort() },
		"drained": func(s *session) {
			s.pipe.Shutdown(CloseGoingAway, "draining")
			s.wantClose(s.client, CloseGoingAway, "draining")
			s.client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tcpPair, func(c *Config) { c.DeflateClient, c.CloseWait = true, time.Second })
			noise := make([]byte, 300<<10)
			for i := range noise {
				noise[i] = byte(rand.Uint32())
			}
			s.write(s.client, deflated(OpText, compress(t, noise), 3)[0])
			head := make([]byte, 2)
			if _, err := io.ReadFull(s.target, head); err != nil || head[0] != OpText {
				t.Fatalf("the target got % x, %v, want the beginning of a message", head, err)
			}
			go func() { io.Copy(io.Discard, s.target); s.target.Close() }()
			end(s)
			<-s.done
		})
	}
}

// FuzzInflate relays what a client says is compressed, cut into frames, to a
// target that declined. What the target gets is what compress/flate makes of it
// in one piece, or the client is told 1007.
func FuzzInflate(f *testing.F) {
	f.Add(compress(f, []byte("hello hello hello")), 1, 3)
	f.Add(compress(f, bytes.Repeat([]byte("0123456789"), 10000)), 3, 100)
	f.Add([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, 2, 1)
	f.Add([]byte{0xff}, 1, 1)
	f.Fuzz(func(t *testing.T, payload []byte, pieces, size int) {
		if len(payload) > 1<<12 {
			return
		}
		pieces, size = min(max(pieces, 1), 8), min(max(size, 1), 1<<16)
		r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff})))
		want, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if len(want) == 1<<20 {
			return
		}
		sent := bytes.Join(deflated(OpText, payload, pieces), nil)
		got, result := relayed(t, append(sent, closing(1000, "", true)...), size)
		if err != nil {
			if result.Code != CloseInvalid {
				t.Fatalf("% x: ended with %d, want 1007 (%v)", payload, result.Code, err)
			}
			return
		}
		if all := messages(t, got); len(all) != 2 || all[0] != string(want) || all[1] != "close 1000" {
			t.Fatalf("% x became %.200q, want %.200q", payload, all, want)
		}
	})
}
