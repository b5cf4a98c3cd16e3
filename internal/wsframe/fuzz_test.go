package wsframe_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// expect works out, from a parser that knows no pipe, what the target gets of
// what a client sends before it goes: frames, then a close frame of ours with
// the code (0: none).
func expect(sent []byte) (crosses []byte, code int) {
	closed, cut := false, false
	v := walk(sent, true, func(op byte, frame []byte, whole bool) {
		if closed || op == OpClose && !whole {
			return // nothing follows a close frame, and half of one is held back
		}
		crosses = append(crosses, frame...)
		closed = op == OpClose
		cut = !whole
	})
	switch {
	case closed || cut:
		return crosses, 0
	case v.broken:
		return crosses, CloseInternal
	default:
		return crosses, CloseGoingAway
	}
}

// FuzzPipe relays what a client sends, cut in three, up to its sudden end.
func FuzzPipe(f *testing.F) {
	addPieces(f)
	f.Fuzz(func(t *testing.T, sent []byte, i, j int) {
		synctest.Test(t, func(t *testing.T) { relayPieces(t, memPair, sent, i, j) })
	})
}

// FuzzPipe_TLSInLoop does the same in a loop, between two sides with TLS.
func FuzzPipe_TLSInLoop(f *testing.F) {
	addPieces(f)
	f.Fuzz(func(t *testing.T, sent []byte, i, j int) { relayPieces(t, loopTLSPair(tcpPair), sent, i, j) })
}

func addPieces(f *testing.F) {
	message := append(frame(false, OpText, []byte("a"), true), frame(true, OpPing, nil, true)...)
	message = append(message, frame(true, OpContinuation, []byte("z"), true)...)
	f.Add(message, 3, 9)
	f.Add(append(message, closing(1000, "bye", true)...), 0, 24)
	f.Add(append(text("whole", true), text("truncated", true)[:9]...), 1, 2)
	f.Add(append(text("whole", true), closing(1000, "truncated", true)[:9]...), 12, 14)
	f.Add(append(text("whole", true), 0x81, 5), 13, 13)
}

func relayPieces(t *testing.T, pair func(testing.TB) (near, far net.Conn), sent []byte, i, j int) {
	if len(sent) > 1<<12 {
		return
	}
	i = min(max(i, 0), len(sent))
	j = min(max(j, i), len(sent))
	crosses, code := expect(sent)

	near1, client := pair(t)
	near2, target := pair(t)
	p := New(Config{Client: near1, Target: near2, Loops: &loops, FromClient: sent[:i], CloseWait: time.Millisecond})
	done := make(chan Result)
	go func() { done <- p.Run() }()
	go io.Copy(io.Discard, client)
	go func() {
		client.Write(sent[i:j]) // may be cut short when the pipe has had enough
		client.Write(sent[j:])
		client.Close()
	}()
	got, err := io.ReadAll(target)
	if err != nil {
		t.Fatal(err)
	}
	target.Close()
	r := <-done
	if !bytes.HasPrefix(got, crosses) {
		t.Fatalf("of % x crossed % x, want % x", sent, got, crosses)
	}
	ours := got[len(crosses):]
	if code == 0 && len(ours) > 0 || code != 0 && (len(ours) < 8 || ours[0] != 0x88) {
		t.Fatalf("of % x crossed % x, then % x, want a close frame with %d", sent, crosses, ours, code)
	}
	if code != 0 {
		if got := int(ours[6]^ours[2])<<8 | int(ours[7]^ours[3]); got != code {
			t.Fatalf("of % x: closed with %d, want %d", sent, got, code)
		}
	}
	if want := plain(crosses, true).bytes; r.FromClient.Bytes != want {
		t.Fatalf("counted %d bytes of %d", r.FromClient.Bytes, want)
	}
}

// FuzzHold gives a Hold what a client sends, cut in three, and expects back
// everything but the pings that were whole, up to a close frame behind data; a close
// frame without data ends it.
func FuzzHold(f *testing.F) {
	ping := frame(true, OpPing, []byte("ping"), true)
	f.Add(append(bytes.Clone(ping), text("kept", true)...), 3, 9)
	f.Add(append(text("kept", true), ping[:7]...), 0, 2)
	f.Add(append(text("kept", true), closing(1000, "", true)...), 0, 2)
	f.Add(append(bytes.Clone(ping), closing(1000, "", true)...), 0, 2)
	f.Add(bytes.Join([][]byte{text("kept", true), closing(1000, "", true), ping, {0xff}}, nil), 9, 30)
	f.Fuzz(func(t *testing.T, sent []byte, i, j int) {
		if len(sent) > 1<<12 {
			return
		}
		i = min(max(i, 0), len(sent))
		j = min(max(j, i), len(sent))
		var want []byte
		data, left, said, seen := false, false, false, 0
		v := walk(sent, true, func(op byte, frame []byte, whole bool) {
			if left || said {
				return
			}
			seen += len(frame)
			data = data || op < OpClose
			if op == OpClose && whole {
				left, said = !data, data
			}
			if op != OpPing || !whole {
				want = append(want, frame...)
			}
		})
		least := len(want) // nothing behind a close frame need be read
		want = append(want, sent[seen:]...)
		if !said {
			least = len(want)
		}
		ends := left || v.broken && !said

		near, client := memPair(t)
		gone := make(chan struct{})
		h := StartHold(near, sent[:i], 0, false, func() { close(gone) })
		go io.Copy(io.Discard, client)
		for _, b := range [][]byte{sent[i:j], sent[j:]} {
			if len(b) > 0 {
				client.SetWriteDeadline(time.Now().Add(time.Second))
				select {
				case <-gone:
				default:
					if ends || said {
						client.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
					}
					client.Write(b)
				}
			}
		}
		if ends {
			<-gone
		}
		kept, err := h.Stop()
		if ends != (err != nil) {
			t.Fatalf("of % x: %v", sent, err)
		}
		if err == nil && (len(kept) < least || !bytes.HasPrefix(want, kept)) {
			t.Fatalf("of % x kept % x, want % x", sent, kept, want)
		}
	})
}
