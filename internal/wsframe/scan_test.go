package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	. "github.com/farwire/farwire/internal/wsframe"
)

// frame builds one frame. A masked one has its payload unmasked by key.
func frame(fin bool, op byte, payload []byte, masked bool) []byte {
	b := []byte{op}
	if fin {
		b[0] |= 0x80
	}
	m := byte(0)
	if masked {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if !masked {
		return append(b, payload...)
	}
	key := [4]byte{0x12, 0x9a, 0x00, 0xff}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func text(s string, masked bool) []byte { return frame(true, OpText, []byte(s), masked) }

func closing(code int, reason string, masked bool) []byte {
	p := binary.BigEndian.AppendUint16(nil, uint16(code))
	return frame(true, OpClose, append(p, reason...), masked)
}

// A verdict is what a parser finds in a stream.
type verdict struct {
	frames, bytes, data uint64
	passed              int // bytes that may leave
	broken              bool
	boundary            bool
}

// plain is the straightforward parser that Scanner is held against: one byte
// after the other, one rule after the other.
func plain(b []byte, masked bool) (v verdict) {
	return walk(b, masked, func(byte, []byte, bool) {})
}

// walk is plain, and shows every frame that has a whole header.
func walk(b []byte, masked bool, each func(op byte, frame []byte, whole bool)) (v verdict) {
	message := false
	for {
		v.boundary = true
		rest := b[v.passed:]
		if len(rest) == 0 {
			return v
		}
		fin, rsv, op := rest[0] >= 0x80, rest[0]>>4&7, rest[0]&0xF
		control := op == 8 || op == 9 || op == 10
		data := op == 0 || op == 1 || op == 2
		v.broken = rsv != 0 || !control && !data || control && !fin ||
			op == 0 && !message || (op == 1 || op == 2) && message
		if v.broken || len(rest) == 1 {
			return v
		}
		length, head := int(rest[1]&127), 2
		if rest[1] >= 0x80 != masked || control && length > 125 || op == 8 && length == 1 {
			v.broken = true
			return v
		}
		if length >= 126 {
			size := 2
			if length == 127 {
				size = 8
			}
			if len(rest) < 2+size {
				return v
			}
			long := uint64(0)
			for _, c := range rest[2 : 2+size] {
				long = long<<8 | uint64(c)
			}
			if size == 2 && long < 126 || size == 8 && (long < 65536 || long > 1<<63-1) {
				v.broken = true
				return v
			}
			head += size
			length = int(long)
		}
		if masked {
			head += 4
		}
		if len(rest) < head {
			return v
		}
		if data {
			message = !fin
		}
		took := len(rest)
		if length <= len(rest)-head {
			took = head + length
		} else {
			v.boundary = false
		}
		each(op, rest[:took], v.boundary)
		v.frames++
		v.bytes += uint64(took - head)
		v.passed += took
		if data {
			v.data += uint64(took)
		}
		if !v.boundary {
			return v
		}
	}
}

// scanned runs a Scanner over pieces, holding back what it wants held back.
func scanned(t *testing.T, masked bool, stops Stops, pieces ...[]byte) (v verdict) {
	var s Scanner
	if masked {
		s = NewScanner(Client, false)
	}
	var held []byte
	for _, piece := range pieces {
		b := append(held, piece...)
		for {
			n, at, err := s.Next(b, stops)
			v.passed += n
			b = b[n:]
			v.broken = err != nil
			if err != nil || at == NeedMore {
				break
			}
		}
		if v.broken {
			break
		}
		if len(b) > 13 {
			t.Fatalf("held back %d bytes", len(b))
		}
		held = bytes.Clone(b)
	}
	v.frames, v.bytes, v.data, v.boundary = s.Frames, s.Bytes, s.Data, s.Boundary()
	return v
}

func checkScan(t *testing.T, b []byte, masked bool) {
	t.Helper()
	want := plain(b, masked)
	for _, stops := range []Stops{0, StopEnd} {
		for cut := 0; cut <= len(b); cut++ {
			if got := scanned(t, masked, stops, b[:cut], b[cut:]); got != want {
				t.Fatalf("masked %v, stops %v, split at %d of % x:\n got %+v\nwant %+v", masked, stops, cut, b, got, want)
			}
		}
		var single [][]byte
		for i := range b {
			single = append(single, b[i:i+1])
		}
		if got := scanned(t, masked, stops, single...); got != want {
			t.Fatalf("masked %v, byte by byte % x:\n got %+v\nwant %+v", masked, b, got, want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, masked := range []bool{false, true} {
		var b []byte
		for _, n := range []int{0, 1, 126} {
			b = append(b, frame(true, OpBinary, make([]byte, n), masked)...)
		}
		b = append(b, frame(false, OpText, []byte("a"), masked)...)
		b = append(b, frame(true, OpPing, []byte("p"), masked)...)
		b = append(b, frame(false, OpContinuation, nil, masked)...)
		b = append(b, frame(true, OpContinuation, []byte("z"), masked)...)
		f.Add(b, masked)
		f.Add(append(b, closing(1000, "bye", masked)...), masked)
	}
	f.Fuzz(func(t *testing.T, b []byte, masked bool) {
		if len(b) > 256 { // every split of it is tried
			return
		}
		checkScan(t, b, masked)
	})
}

func TestScanner_AnySplit_FindsTheSameFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		masked := rng.IntN(2) == 0
		var b []byte
		inMessage := false
		for range 1 + rng.IntN(8) {
			fin := rng.IntN(3) > 0
			payload := make([]byte, []int{0, 3, 20, 125, 126, 140}[rng.IntN(6)])
			switch op := byte(OpContinuation); {
			case rng.IntN(3) == 0:
				b = append(b, frame(true, []byte{OpPing, OpPong}[rng.IntN(2)], payload[:min(125, len(payload))], masked)...)
			default:
				if !inMessage {
					op = byte(OpText + rng.IntN(2))
				}
				b = append(b, frame(fin, op, payload, masked)...)
				inMessage = !fin
			}
		}
		if rng.IntN(2) == 0 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8) // mostly somewhere harmless, sometimes not
		}
		checkScan(t, b, masked)
	}
	checkScan(t, frame(true, OpBinary, make([]byte, 1<<16), true)[:40], true)
}

func TestScanner_InvalidFrame_NamesTheRule(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"reserved bit 1", []byte{0xC1}, ErrReserved},
		{"reserved bit 2", []byte{0xA1}, ErrReserved},
		{"reserved bit 3", []byte{0x91}, ErrReserved},
		{"data opcode 3", []byte{0x83}, ErrOpcode},
		{"data opcode 7", []byte{0x87}, ErrOpcode},
		{"control opcode 11", []byte{0x8B}, ErrOpcode},
		{"control opcode 15", []byte{0x8F}, ErrOpcode},
		{"masked by a server", []byte{0x81, 0x80}, ErrMask},
		{"fragmented ping", []byte{0x09}, ErrControl},
		{"fragmented close", []byte{0x08}, ErrControl},
		{"ping of 126", []byte{0x89, 126}, ErrControl},
		{"close of 127", []byte{0x88, 127}, ErrControl},
		{"close of 1", []byte{0x88, 1}, ErrCloseLength},
		{"16 bits for 125", []byte{0x82, 126, 0, 125}, ErrLength},
		{"64 bits for 65535", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, ErrLength},
		{"bit 63", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0}, ErrLength},
		{"continuation of nothing", []byte{0x80}, ErrContinuation},
		{"text inside a message", []byte{0x01, 0, 0x81}, ErrInterleaved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Scanner
			if _, _, err := s.Next(tt.b, 0); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			whole := frame(true, OpText, []byte("fine"), false)
			s = Scanner{}
			n, _, err := s.Next(append(whole, tt.b...), 0)
			if !errors.Is(err, tt.want) || n < len(whole) {
				t.Errorf("behind a whole frame: %d, %v", n, err)
			}
		})
	}
	c := NewScanner(Client, false)
	if _, _, err := c.Next([]byte{0x81, 0x00}, 0); !errors.Is(err, ErrMask) {
		t.Errorf("unmasked client frame: %v", err)
	}
}

func TestScanner_StopFlags_StopBeforeTheFrame(t *testing.T) {
	var b []byte
	b = append(b, text("one", false)...)
	b = append(b, frame(true, OpPing, []byte("x"), false)...)
	b = append(b, closing(1000, "", false)...)
	var s Scanner
	n, at, err := s.Next(b, StopPing|StopClose)
	if n != 5 || at != BeforeFrame || err != nil {
		t.Fatalf("before the ping: %d %v %v", n, at, err)
	}
	m, at, err := s.Next(b[n:], StopClose)
	if m != 3 || at != BeforeFrame || err != nil {
		t.Fatalf("before the close: %d %v %v", m, at, err)
	}
	if s.Frames != 2 || s.InMessage() {
		t.Fatalf("%+v", s)
	}
}

func TestScanner_Frames_AllocateNothing(t *testing.T) {
	b := bytes.Repeat(frame(true, OpText, make([]byte, 16), true), 100)
	s := NewScanner(Client, false)
	if n := testing.AllocsPerRun(100, func() { s.Next(b, StopClose|StopPong) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// BenchmarkScanner is to be read beside its plain scans, which hop from header to
// header over the same bytes and judge nothing.
func BenchmarkScanner(b *testing.B) {
	for _, size := range []int{16, 120, 1000, 65536} {
		buf := bytes.Repeat(frame(true, OpBinary, make([]byte, size), true), max(1, 65536/(size+6)))
		name := map[int]string{16: "16", 120: "120", 1000: "1000", 65536: "65536"}[size]
		b.Run(name+"/scan", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			s := NewScanner(Client, false)
			for b.Loop() {
				if n, _, err := s.Next(buf, StopClose|StopPong); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
		b.Run(name+"/scan", func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if n := scan(buf); n != len(buf) {
					b.Fatal(n)
				}
			}
		})
	}
}

func scan(b []byte) (n int) {
	for n < len(b) {
		switch l := int(b[n+1] & 127); l {
		case 126:
			n += 8 + int(binary.BigEndian.Uint16(b[n+2:]))
		case 127:
			n += 14 + int(binary.BigEndian.Uint64(b[n+2:]))
		default:
			n += 6 + l
		}
	}
	return n
}
