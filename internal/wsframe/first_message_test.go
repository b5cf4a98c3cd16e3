package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	. "github.com/farwire/farwire/internal/wsframe"
)

// takeAll gives a FirstMessage the bytes in pieces.
func takeAll(m *FirstMessage, raw []byte, piece int) (behind []byte, err error) {
	for len(raw) > 0 {
		n := min(piece, len(raw))
		rest, err := m.Take(raw[:n])
		if err != nil {
			return nil, err
		}
		behind = append(behind, rest...)
		raw = raw[n:]
	}
	return behind, nil
}

func TestFirstMessage_InPieces_KeepsWhatLiesBehind(t *testing.T) {
	first := frame(false, OpText, []byte("{"), true)
	first = append(frame(true, OpPing, nil, true), first...)
	first = append(first, frame(true, OpPong, []byte("p"), true)...)
	first = append(first, frame(true, OpContinuation, bytes.Repeat([]byte("}"), 300), true)...)
	next := append(text("next", true), 0x81)
	for piece := 1; piece <= len(first)+len(next); piece++ {
		m := NewFirstMessage(false, 301)
		behind, err := takeAll(m, append(bytes.Clone(first), next...), piece)
		if err != nil || !m.Done() || !bytes.Equal(behind, next) {
			t.Fatalf("in pieces of %d: %q, %v", piece, behind, err)
		}
	}
	for cut := range first {
		m := NewFirstMessage(false, 301)
		if behind, err := m.Take(first[:cut]); err != nil || len(behind) > 0 || m.Done() {
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
		if _, err := takeAll(NewFirstMessage(false, 1<<16), raw, 7); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: %v, want ErrTooLong", name, err)
		}
	}
	m := NewFirstMessage(false, 1<<16)
	if _, err := takeAll(m, append(announce(1<<16), make([]byte, 1<<16)...), 1000); err != nil || !m.Done() {
		t.Errorf("as long as it may be: %v", err)
	}
	// What follows the message may be of any length.
	if behind, err := m.Take(announce(1 << 40)); err != nil || len(behind) != 14 {
		t.Errorf("behind it: %q, %v", behind, err)
	}
}

func TestFirstMessage_InvalidFrame_IsReported(t *testing.T) {
	if _, err := NewFirstMessage(false, 100).Take(text("bare", false)); !errors.Is(err, ErrMask) {
		t.Errorf("unmasked: %v", err)
	}
	if _, err := NewFirstMessage(false, 100).Take(frame(true, OpContinuation, nil, true)); !errors.Is(err, ErrContinuation) {
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
		behind, err := whole.Take(raw)
		cut := NewFirstMessage(false, 100)
		got, other := takeAll(cut, raw, max(1, piece))
		if !errors.Is(other, err) || whole.Done() != cut.Done() || err == nil && !bytes.Equal(got, behind) {
			t.Fatalf("whole: %q %v %v; in pieces: %q %v %v", behind, whole.Done(), err, got, cut.Done(), other)
		}
		if err == nil && len(behind) > 0 && !bytes.HasSuffix(raw, behind) {
			t.Fatalf("%q lies behind the message in %q", behind, raw)
		}
	})
}
