package faulttest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// read holds a transcript against a script and returns how it ended.
func read(s script, wire []byte) (frames uint64, closed *closing, pings int, err error) {
	r := reader{script: s, br: bufio.NewReader(bytes.NewReader(wire)), ping: func([]byte) { pings++ }}
	for closed == nil && err == nil {
		closed, err = r.frame()
	}
	return r.next, closed, pings, err
}

// What has been told from what must come are the faults that a run looks for.
func TestReader_WrongFrame_IsAFault(t *testing.T) {
	const n = 64
	for _, s := range []script{{seed: 7}, {seed: 8, masked: true}} {
		var frames [][]byte
		for i := range uint64(n) {
			frames = append(frames, s.frame(i).wire(s.masked))
		}
		bye := closeFrame(1011).wire(s.masked)
		all := func(edit func([][]byte) [][]byte) []byte { return slices.Concat(edit(slices.Clone(frames))...) }
		whole := func(f [][]byte) [][]byte { return f }

		if k, closed, _, err := read(s, append(all(whole), bye...)); k != n || closed == nil || closed.code != 1011 || err != nil {
			t.Errorf("all frames and a close frame: %d frames, %+v, %v", k, closed, err)
		}
		if k, _, _, err := read(s, all(whole)); k != n || !errors.Is(err, errOutside) {
			t.Errorf("all frames: %d frames, %v", k, err)
		}
		for cut := 1; cut < len(frames[0]); cut += 1 + len(frames[0])/100 {
			if k, _, _, err := read(s, frames[0][:cut]); k != 0 || !errors.Is(err, errInside) {
				t.Errorf("%d bytes of a frame: %d frames, %v", cut, k, err)
			}
		}
		ping := frame{op: opPing, fin: true, tail: []byte("are you there")}.wire(s.masked)
		if k, _, pings, err := read(s, append(ping, all(whole)...)); k != n || pings != 1 || !errors.Is(err, errOutside) {
			t.Errorf("a ping of the gateway's: %d frames, %d pings, %v", k, pings, err)
		}

		large := slices.IndexFunc(frames, func(f []byte) bool { return len(f) > 10000 })
		for name, edit := range map[string]func([][]byte) [][]byte{
			"lost":      func(f [][]byte) [][]byte { return slices.Delete(f, 20, 21) },
			"repeated":  func(f [][]byte) [][]byte { return slices.Insert(f, 20, f[19]) },
			"reordered": func(f [][]byte) [][]byte { f[20], f[21] = f[21], f[20]; return f },
			"damaged": func(f [][]byte) [][]byte {
				f[large] = slices.Clone(f[large])
				f[large][9000] ^= 1
				return f
			},
			"a byte short": func(f [][]byte) [][]byte { f[large] = f[large][:len(f[large])-1]; return f },
			"a byte long":  func(f [][]byte) [][]byte { f[large] = append(slices.Clone(f[large]), 0); return f },
			"a close frame inside another": func(f [][]byte) [][]byte {
				f[large] = append(slices.Clone(f[large][:5000]), bye...)
				return f[:large+1]
			},
		} {
			k, closed, _, err := read(s, all(edit))
			if err == nil || closed != nil || errors.Is(err, errInside) || errors.Is(err, errOutside) || k == n {
				t.Errorf("masked %v, %s: %d frames, %+v, %v", s.masked, name, k, closed, err)
			}
		}
	}
}

// Frames carry their number and a checksum, for whoever looks at a transcript.
func TestFrames_InATranscript_CarryTheirNumber(t *testing.T) {
	s := script{seed: 9}
	sizes := map[int]bool{}
	for n := range uint64(2000) {
		f := s.frame(n)
		sizes[f.size()] = true
		if f.size() >= numbered && binary.BigEndian.Uint64(f.head) != n {
			t.Fatalf("frame %d has the number %x", n, f.head)
		}
	}
	for _, e := range edges {
		if !sizes[e] {
			t.Errorf("there is no frame of %d bytes", e)
		}
	}
	_, _, _, err := read(s, s.frame(1).wire(false))
	if err == nil || !strings.Contains(err.Error(), "frame 0") {
		t.Errorf("frame 1 instead of 0: %v", err)
	}
}
