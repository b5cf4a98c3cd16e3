package faulttest

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"sync"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxFrame is the largest payload that is sent.
const maxFrame = 256 << 10

// noise is what payloads are cut from.
var noise = func() []byte {
	b := make([]byte, 4*maxFrame)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// A script is what one side of a session sends: frame after frame without an
// end, each of which follows from the script and the frame's number alone. So
// whoever receives it knows every byte that must come, and a lost, repeated,
// reordered or damaged one cannot pass for another.
type script struct {
	seed   uint64
	masked bool // it is a client's
}

// A frame of a script. Its payload is a head of its own and then noise.
type frame struct {
	op   byte
	fin  bool
	mask [4]byte // in use if the script is a client's
	head []byte
	tail []byte
}

func (f frame) size() int { return len(f.head) + len(f.tail) }

// edges are the lengths around which the header or a common buffer changes.
var edges = []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 65537, 131072}

// frame returns frame n.
func (s script) frame(n uint64) frame {
	r := rand.New(rand.NewPCG(s.seed, n))
	f := frame{op: opBinary, fin: true}
	binary.BigEndian.PutUint32(f.mask[:], r.Uint32())
	size := int(math.Exp(r.Float64() * math.Log(maxFrame))) // as many small ones as large
	if r.IntN(4) == 0 {
		size = edges[r.IntN(len(edges))]
	}
	switch n % 16 { // among whole messages one in pieces, with a ping inside it
	case 3:
		f.op, size = opPong, size%126
	case 8:
		f.fin = false
	case 9:
		f.op, size = opPing, size%126
	case 10:
		f.op, f.fin = opContinuation, false
	case 11:
		f.op = opContinuation
	}
	at := r.IntN(len(noise) - maxFrame)
	f.tail = noise[at : at+size]
	if size >= numbered { // a number and a checksum, to tell one trouble from another
		f.tail = f.tail[numbered:]
		f.head = binary.BigEndian.AppendUint64(make([]byte, 0, numbered), n)
		f.head = binary.BigEndian.AppendUint32(f.head, crc32.ChecksumIEEE(f.tail))
	}
	return f
}

const numbered = 12 // bytes of number and checksum

// same reports whether b is what the payload has from byte at on.
func (f frame) same(at int, b []byte) bool {
	if at < len(f.head) {
		n := min(len(b), len(f.head)-at)
		if !bytes.Equal(b[:n], f.head[at:at+n]) {
			return false
		}
		if at, b = at+n, b[n:]; len(b) == 0 {
			return true
		}
	}
	at -= len(f.head)
	return at+len(b) <= len(f.tail) && bytes.Equal(b, f.tail[at:at+len(b)])
}

// wire returns the frame as it goes over the wire.
func (f frame) wire(masked bool) []byte {
	b := make([]byte, 0, 14+f.size())
	b = append(b, f.op)
	if f.fin {
		b[0] |= 0x80
	}
	var bit byte
	if masked {
		bit = 0x80
	}
	switch n := f.size(); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	}
	if masked {
		b = append(b, f.mask[:]...)
	}
	at := len(b)
	b = append(append(b, f.head...), f.tail...)
	if masked {
		mask(b[at:], f.mask)
	}
	return b
}

// mask masks or unmasks what begins at a multiple of four bytes of a payload.
func mask(b []byte, key [4]byte) {
	keys := bytes.Repeat(key[:], 256)
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, keys):]
	}
}

var (
	errInside  = errors.New("the connection ended inside a frame") // all before it is as it must be
	errOutside = errors.New("the connection ended between frames")
)

// A reader holds what arrives against the script of the other side.
type reader struct {
	script script
	next   uint64 // the frame that is due
	bytes  int64
	ping   func(payload []byte) // for a ping that is not in the script; nil: there must be none

	br *bufio.Reader
}

// A closing is a close frame that arrived.
type closing struct {
	code   int
	reason string
}

// frame reads one frame. It returns a close frame when that has come, and an
// error for an end of the connection or for anything that is not as it must be.
func (r *reader) frame() (*closing, error) {
	var head [8]byte
	if err := r.fill(head[:2], errOutside); err != nil {
		return nil, err
	}
	op, fin := head[0]&0x0f, head[0]&0x80 != 0
	size, masked := uint64(head[1]&0x7f), head[1]&0x80 != 0
	due := r.script.frame(r.next)
	if head[0]&0x70 != 0 || masked != r.script.masked {
		return nil, fmt.Errorf("frame %d is due, and there is a header %x", r.next, head[:2])
	}
	switch size {
	case 126:
		if err := r.fill(head[:2], errInside); err != nil {
			return nil, err
		}
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		if err := r.fill(head[:8], errInside); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(head[:8])
	}
	var key [4]byte
	if masked {
		if err := r.fill(key[:], errInside); err != nil {
			return nil, err
		}
	}
	same := op == due.op && fin == due.fin && size == uint64(due.size()) && (!masked || key == due.mask)
	if op >= opClose && size < 126 && (op == opClose || !same) {
		return r.control(op, int(size), key, due)
	}
	if !same {
		return nil, r.differs(op, fin, size, due, nil)
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for at := 0; at < due.size(); {
		n, err := io.ReadFull(r.br, buf[:min(bufferSize, due.size()-at)])
		if masked {
			mask(buf[:n], key)
		}
		if !due.same(at, buf[:n]) {
			return nil, r.differs(op, fin, size, due, buf[:n])
		}
		r.bytes += int64(n)
		if at += n; err != nil {
			return nil, errInside
		}
	}
	r.next++
	return nil, nil
}

const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// control reads the payload of a control frame that is not in the script, or
// only looks like the one that is due.
func (r *reader) control(op byte, size int, key [4]byte, due frame) (*closing, error) {
	b := make([]byte, size)
	if err := r.fill(b, errInside); err != nil {
		return nil, err
	}
	if r.script.masked {
		mask(b, key)
	}
	switch {
	case op == opClose && size < 2:
		return &closing{code: 1005}, nil
	case op == opClose:
		return &closing{int(binary.BigEndian.Uint16(b)), string(b[2:])}, nil
	case op == opPing && r.ping != nil:
		r.ping(b)
		return nil, nil
	}
	return nil, r.differs(op, true, uint64(size), due, b)
}

// fill reads all of b. When not one byte comes, it returns the error none.
func (r *reader) fill(b []byte, none error) error {
	switch n, err := io.ReadFull(r.br, b); {
	case err == nil:
		return nil
	case n == 0:
		return none
	}
	return errInside
}

// differs says how a frame is not the one that is due.
func (r *reader) differs(op byte, fin bool, size uint64, due frame, got []byte) error {
	what := "differs"
	if len(got) >= numbered {
		if n := binary.BigEndian.Uint64(got); n != r.next {
			what = fmt.Sprintf("differs: the number there is %d", n)
		}
	}
	return fmt.Errorf("frame %d %s: opcode %d, fin %v, %d bytes; due: opcode %d, fin %v, %d bytes",
		r.next, what, op, fin, size, due.op, due.fin, due.size())
}

// closeFrame is a close frame with code.
func closeFrame(code int) frame {
	return frame{op: opClose, fin: true, tail: binary.BigEndian.AppendUint16(nil, uint16(code))}
}
