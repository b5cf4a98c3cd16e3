package farwire_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each side sends close frames of every kind.
func TestRelay_CloseFrame_ReachesTheOtherSide(t *testing.T) {
	w := newWorld(t)
	payloads := [][]byte{nil, closePayload(1000, ""), closePayload(1001, "bye"), closePayload(3000, "ü"), closePayload(4999, strings.Repeat("r", 123)),
		closePayload(1012, "\xff is not UTF-8"), closePayload(999, "not even a code")}
	for _, payload := range payloads {
		closing := frame{op: opClose, fin: true, payload: payload}
		t.Run("client "+closing.String()[:min(30, len(closing.String()))], func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Add(1)
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer wg.Done()
				p.want(closing)
				p.frame(opClose, true, closePayload(4000, "answer"))
				p.wantEnd()
			}), "")
			p.frame(opClose, true, payload)
			p.wantClose(4000, "answer")
			p.wantEnd()
			wg.Wait()
		})
		t.Run("target "+closing.String()[:min(30, len(closing.String()))], func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Add(1)
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer wg.Done()
				p.frame(opClose, true, payload)
				p.wantClose(4001, "answer")
				p.wantEnd()
			}), "")
			p.want(closing)
			p.close(4001, "answer")
			p.wantEnd()
			wg.Wait()
		})
	}
}

// TestRelay_ConnectionLost_ClosesTheOther ends connections without a close frame, where a frame ends and
// inside one.
func TestRelay_ConnectionLost_ClosesTheOther(t *testing.T) {
	w := newWorld(t)
	half := func(p *peer) []byte { b := p.encode(opBinary, true, make([]byte, 100)); return b[:50] }
	t.Run("target at a boundary", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.text("last"); p.conn.Close() }), "")
		p.wantText("last")
		p.wantClose(1013, "target lost")
		p.close(1013, "")
		p.wantEnd()
	})
	t.Run("target between fragments", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.frame(opText, false, []byte("a")); p.conn.Close() }), "")
		p.want(frame{op: opText, fin: false, payload: []byte("a")})
		p.wantClose(1013, "target lost")
	})
	t.Run("target inside a frame", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.raw(half(p)); p.conn.Close() }), "")
		if f, err := p.nextWithin(testTimeout); err == nil {
			t.Errorf("got %v of a truncated frame", f)
		}
	})
	t.Run("client at a boundary", func(t *testing.T) {
		done := make(chan struct{})
		p := w.in(t).connected(newTarget(t, func(p *peer) {
			defer close(done)
			p.want(frame{op: opText, fin: true, payload: []byte("last")})
			p.wantClose(1001, "client lost")
			p.close(1001, "")
			p.wantEnd()
		}), "")
		p.text("last")
		p.conn.Close()
		<-done
	})
	t.Run("client inside a frame", func(t *testing.T) {
		done := make(chan struct{})
		p := w.in(t).connected(newTarget(t, func(p *peer) {
			defer close(done)
			if f, err := p.nextWithin(testTimeout); err == nil {
				t.Errorf("got %v of a truncated frame", f)
			}
		}), "")
		p.raw(half(p))
		p.conn.Close()
		<-done
	})
}

// TestRelay_InvalidFrame_ClosesBothSides has each side break the format in turn.
func TestRelay_InvalidFrame_ClosesBothSides(t *testing.T) {
	w := newWorld(t)
	masked := func(b ...byte) []byte { b[1] |= 0x80; return append(b, 1, 2, 3, 4) }
	long := func(first byte, size uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{first, 127}, size)
	}
	for _, tt := range []struct {
		name           string
		client, target []byte
	}{
		{"reserved opcode", masked(0x83, 0), []byte{0x83, 0}},
		{"reserved control opcode", masked(0x8b, 0), []byte{0x8b, 0}},
		{"reserved bit", masked(0xc1, 0), []byte{0xc1, 0}},
		{"wrong mask", []byte{0x81, 0}, masked(0x81, 0)},
		{"fragmented control", masked(0x09, 0), []byte{0x09, 0}},
		{"long control", masked(0x89, 126, 0, 126), []byte{0x89, 126, 0, 126}},
		{"16 bits not needed", masked(0x82, 126, 0, 125), []byte{0x82, 126, 0, 125}},
		{"64 bits not needed", masked(long(0x82, 65535)...), long(0x82, 65535)},
		{"length with its top bit", masked(long(0x82, 1<<63)...), long(0x82, 1<<63)},
		{"continuation of nothing", masked(0x80, 0), []byte{0x80, 0}},
	} {
		t.Run(tt.name+" by the client", func(t *testing.T) {
			done := make(chan struct{})
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer close(done)
				p.wantTextBytes("fine")
				p.wantClose(1011, "client broke the frame format")
				p.frame(opClose, true, closePayload(1011, ""))
				p.wantEnd()
			}), "")
			p.raw(append(p.encode(opText, true, []byte("fine")), tt.client...))
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
				t.Errorf("got %v, want close 1002", f)
			}
			<-done
		})
		t.Run(tt.name+" by the target", func(t *testing.T) {
			done := make(chan struct{})
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer close(done)
				p.raw(append(p.encode(opText, true, []byte("fine")), tt.target...))
				if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
					t.Errorf("got %v, want close 1002", f)
				}
			}), "")
			p.wantText("fine")
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1011 {
				t.Errorf("got %v, want close 1011", f)
			}
			<-done
		})
	}
	t.Run("before connected", func(t *testing.T) {
		for _, b := range [][]byte{{0x81, 0}, masked(0x83, 0), masked(0x81, 126, 0, 5)} {
			p := w.in(t).open("/ws")
			p.raw(append(b, make([]byte, 16)...))
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
				t.Errorf("% x: got %v, want close 1002", b, f)
			}
		}
	})
}

func (p *peer) wantTextBytes(s string) {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(s)})
}

// TestRelay_ClientLeavesWhileDialling_Ends covers the time between the message and the answer.
func TestRelay_ClientLeavesWhileDialling_Ends(t *testing.T) {
	w := newWorld(t)
	answer := make(chan struct{})
	slow := newRawTarget(t, func(conn net.Conn, head string) {
		<-answer
		answerUpgrade(conn, head)
		p := &peer{t: t, conn: conn, br: newReader(conn)}
		p.want(frame{op: opPong, fin: true, payload: []byte("kept")})
		echo(p)
	})
	arrived, ended := make(chan struct{}), make(chan struct{})
	silent := newRawTarget(t, func(conn net.Conn, _ string) {
		close(arrived)
		io.Copy(io.Discard, conn)
		close(ended)
	})
	t.Run("pings are answered and the rest is kept", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(slow, "")
		p.frame(opPing, true, []byte("are you there"))
		p.frame(opPong, true, []byte("kept"))
		p.want(frame{op: opPong, fin: true, payload: []byte("are you there")})
		answer <- struct{}{}
		p.wantConnected()
		p.text("x")
		p.wantText("x")
	})
	t.Run("what a client says before it closes is kept, with the close", func(t *testing.T) {
		last := newRawTarget(t, func(conn net.Conn, head string) {
			<-answer
			answerUpgrade(conn, head)
			p := &peer{t: t, conn: conn, br: newReader(conn)}
			p.wantTextBytes("all of it")
			echo(p)
		})
		p := w.in(t).open("/ws")
		p.ask(last, "")
		p.text("all of it")
		p.close(1000, "said")
		answer <- struct{}{}
		p.wantConnected()
		p.wantClose(1000, "said")
	})
	t.Run("a client that leaves is noticed", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(silent, "")
		p.frame(opPing, true, nil)
		p.want(frame{op: opPong, fin: true})
		<-arrived
		p.conn.Close()
		select {
		case <-ended:
		case <-time.After(testTimeout):
			t.Error("the target's connection outlived the client")
		}
	})
}
