package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	. "github.com/farwire/farwire/internal/wsframe"
)

// takeAll gives a FirstMessage the bytes in pieces.
func takeAll(m *FirstMessage, raw []byte, piece int) (kept, behind []byte, err error) {
	for len(raw) > 0 {
		n := min(piece, len(raw))
		part, rest, err := m.Take(bytes.Clone(raw[:n]))
		kept, behind = append(kept, part...), append(behind, rest...)
		if err != nil {
			return kept, nil, err
		}
		raw = raw[n:]
	}
	return kept, behind, nil
}

// saidIn returns the payload of the data frames in raw, all of them masked and short, and
// the payloads of its pings.
func saidIn(raw []byte) (said []byte, pings []string) {
	for len(raw) >= 6 {
		head, length := 2, int(raw[1]&0x7f)
		if length == 126 {
			head, length = 4, int(binary.BigEndian.Uint16(raw[2:]))
		}
		if len(raw) < head+4+length {
			break
		}
		payload := bytes.Clone(raw[head+4 : head+4+length])
		for i := range payload {
			payload[i] ^= raw[head+i&3]
		}
		switch op := raw[0] & 0xf; {
		case op == OpPing:
			pings = append(pings, string(payload))
		case op < OpClose:
			said = append(said, payload...)
		}
		raw = raw[head+4+length:]
	}
	return said, pings
}

// Of what says nothing to the reader of the message only the last ping of a piece is left,
// and a frame that a piece has not whole.
func TestFirstMessage_IdleFrames_LeaveTheLastPing(t *testing.T) {
	var raw []byte
	raw = append(raw, frame(true, OpPing, []byte("1"), true)...)
	raw = append(raw, frame(false, OpText, nil, true)...)
	for range 100 {
		raw = append(raw, frame(true, OpPong, []byte("pong"), true)...)
		raw = append(raw, frame(true, OpPing, []byte("2"), true)...)
		raw = append(raw, frame(false, OpContinuation, nil, true)...)
	}
	raw = append(raw, frame(false, OpContinuation, []byte("some"), true)...)
	raw = append(raw, frame(true, OpPing, []byte("last"), true)...)
	raw = append(raw, frame(true, OpContinuation, bytes.Repeat([]byte("thing"), 40), true)...)
	said, _ := saidIn(raw)
	raw = append(raw, frame(true, OpPing, []byte("behind"), true)...)
	for _, piece := range []int{1, 2, 5, 6, 7, 20, 100, len(raw)} {
		m := NewFirstMessage(false, 1000)
		kept, behind, err := takeAll(m, raw, piece)
		if err != nil || !m.Done() || !bytes.Equal(behind, frame(true, OpPing, []byte("behind"), true)) {
			t.Fatalf("in pieces of %d: %q, %v", piece, behind, err)
		}
		got, pings := saidIn(kept)
		if !bytes.Equal(got, said) {
			t.Errorf("in pieces of %d: %q is left of the message", piece, got)
		}
		if len(pings) == 0 || pings[len(pings)-1] != "last" || piece >= 20 && len(kept) > len(said)+30+len(raw)/piece*40 {
			t.Errorf("in pieces of %d: %d bytes are left, and the pings %q", piece, len(kept), pings)
		}
	}
	kept, _, _ := NewFirstMessage(false, 1000).Take(bytes.Clone(raw))
	if _, pings := saidIn(kept); len(pings) != 1 || bytes.Contains(kept, frame(true, OpPong, []byte("pong"), true)) {
		t.Errorf("left is %q", kept)
	}
}

func TestFirstMessage_InPieces_KeepsWhatLiesBehind(t *testing.T) {
	first := frame(false, OpText, []byte("{"), true)
	first = append(frame(true, OpPing, nil, true), first...)
	first = append(first, frame(true, OpPong, []byte("p"), true)...)
	first = append(first, frame(true, OpContinuation, bytes.Repeat([]byte("}"), 300), true)...)
	next := append(text("next", true), 0x81)
	for piece := 1; piece <= len(first)+len(next); piece++ {
		m := NewFirstMessage(false, 301)
		_, behind, err := takeAll(m, append(bytes.Clone(first), next...), piece)
		if err != nil || !m.Done() || !bytes.Equal(behind, next) {
			t.Fatalf("in pieces of %d: %q, %v", piece, behind, err)
		}
	}
	for cut := range first {
		m := NewFirstMessage(false, 301)
		if _, behind, err := m.Take(bytes.Clone(first[:cut])); err != nil || len(behind) > 0 || m.Done() {
			t.Fatalf("%d bytes of it: %q, %v", cut, behind, err)
		}
	}
}

// A message that is too long is told by the header that announces it.
func TestFirstMessage_TooLong_RefusedWhenAnnounced(t *testing.T) {
	announce := func(length uint64) []byte {
		b := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, length)
		return append(b, 1, 2, 3, 4)
	}
	for name, raw := range map[string][]byte{
		"one frame":      announce(1<<16 + 1),
		"a huge one":     announce(1<<63 - 1),
		"in two":         append(frame(false, OpText, make([]byte, 1<<15), true), binary.BigEndian.AppendUint16([]byte{0x80, 0x80 | 126}, 1<<15+1)...),
		"pings in front": append(frame(true, OpPing, make([]byte, 125), true), announce(1<<17)...),
	} {
		raw = append(raw, 0, 0, 0, 0)
		if _, _, err := takeAll(NewFirstMessage(false, 1<<16), raw, 7); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: %v, want ErrTooLong", name, err)
		}
	}
	m := NewFirstMessage(false, 1<<16)
	if _, _, err := takeAll(m, append(announce(1<<16), make([]byte, 1<<16)...), 1000); err != nil || !m.Done() {
		t.Errorf("as long as it may be: %v", err)
	}
	// What follows the message may be of any length.
	if _, behind, err := m.Take(announce(1 << 40)); err != nil || len(behind) != 14 {
		t.Errorf("behind it: %q, %v", behind, err)
	}
}

func TestFirstMessage_InvalidFrame_IsReported(t *testing.T) {
	if _, _, err := NewFirstMessage(false, 100).Take(text("bare", false)); !errors.Is(err, ErrMask) {
		t.Errorf("unmasked: %v", err)
	}
	if _, _, err := NewFirstMessage(false, 100).Take(frame(true, OpContinuation, nil, true)); !errors.Is(err, ErrContinuation) {
		t.Errorf("a continuation of nothing: %v", err)
	}
}

// FuzzFirstMessage holds it to the same outcome however the bytes are cut.
func FuzzFirstMessage(f *testing.F) {
	f.Add(append(text("a", true), text("b", true)...), 1)
	f.Add(append(frame(false, OpText, []byte("a"), true), frame(true, OpContinuation, nil, true)...), 3)
	f.Add(frame(true, OpText, make([]byte, 200), true), 5)
	f.Fuzz(func(t *testing.T, raw []byte, piece int) {
		whole := NewFirstMessage(false, 100)
		kept, behind, err := whole.Take(bytes.Clone(raw))
		cut := NewFirstMessage(false, 100)
		parts, got, other := takeAll(cut, raw, max(1, piece))
		if !errors.Is(other, err) || whole.Done() != cut.Done() || err == nil && !bytes.Equal(got, behind) {
			t.Fatalf("whole: %q %v %v; in pieces: %q %v %v", behind, whole.Done(), err, got, cut.Done(), other)
		}
		if err != nil {
			return
		}
		said, _ := saidIn(raw[:len(raw)-len(behind)])
		for _, kept := range [][]byte{kept, parts} {
			if left, _ := saidIn(kept); !bytes.Equal(left, said) {
				t.Fatalf("%q is left of %q", left, said)
			}
		}
		if len(behind) > 0 && !bytes.HasSuffix(raw, behind) {
			t.Fatalf("%q lies behind the message in %q", behind, raw)
		}
	})
}
