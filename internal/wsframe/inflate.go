package wsframe

import (
	"compress/flate"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"sync"
)

// MaxInflated is the most bytes that a compressed message may become for a
// target that declined compression.
const MaxInflated = 64 << 20

// What an inflater refuses.
var (
	ErrDeflate  = errors.New("compressed data cannot be inflated")   // closes with 1007
	ErrInflated = errors.New("compressed message becomes too large") // closes with 1009

	errUnwritten = errors.New("the destination takes nothing more")
)

// inflater turns the compressed messages of a client into plain ones for a
// target (RFC 7692, section 7.2.2). The client keeps no context from one message
// to the next, so nothing is held between messages.
//
// compress/flate pulls what it reads, while the owner of a flow has bytes when
// they come. A message that lies in the buffer whole is inflated by a call; for
// any other the decompressor runs as a coroutine that stops where its input ends:
//
//	owner ──feed──▶ in ──Read──▶ flate ──▶ out ──frames──▶ target
//	      ◀─yield── (in is empty)
//
// Its methods may be called on nil, which is never active.
type inflater struct {
	f    *flow
	op   byte // of the first frame to write of the message; 0: it was written
	busy bool // inside a compressed message

	key [4]byte // of the frame that is being read
	pos int     // in its payload
	fin bool    // it is the message's last

	in    []byte // payload to inflate
	last  bool   // nothing comes behind it but the tail
	tail  bool   // which has been added
	ended bool   // the deflated data ended by themselves: what follows does not count

	flate io.ReadCloser
	out   *[bufSize]byte // room for a header, then what was inflated
	n     int            // how much was
	sum   int64          // of the message
	err   error

	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()
}

var decompressors = sync.Pool{New: func() any { return flate.NewReader(eof{}) }}

// flateTail is what a message's sender took off its end, and an empty last
// block, so that the decompressor sees an end.
var flateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

func (d *inflater) active() bool { return d != nil && d.busy }

// begin reads the complete header of a data frame that b begins with, the first
// of a compressed message or a later one, and returns its length.
func (d *inflater) begin(b []byte) (header int) {
	if !d.busy {
		*d = inflater{f: d.f, op: b[0] & 0xF, busy: true}
		d.flate = decompressors.Get().(io.ReadCloser)
		d.flate.(flate.Resetter).Reset(d, nil) // fails never (compress/flate)
		d.out = buffers.Get().(*[bufSize]byte)
	}
	header = 6
	switch b[1] &^ maskBit {
	case 126:
		header += 2
	case 127:
		header += 8
	}
	d.key = [4]byte(b[header-4 : header])
	d.pos, d.fin = 0, b[0]&finBit != 0
	return header
}

// close gives back what a message needs. It is not called by the coroutine.
func (d *inflater) close() {
	if !d.active() {
		return
	}
	d.busy = false
	if d.stop != nil {
		d.stop()
	}
	d.flate.(flate.Resetter).Reset(eof{}, nil) // it must not hold on to the session
	decompressors.Put(d.flate)
	buffers.Put(d.out)
	*d = inflater{f: d.f}
}

// passDeflated inflates what b holds of a frame's payload, behind its header,
// and sends that on.
func (f *flow) passDeflated(b []byte, header int) []byte {
	d := f.inflater()
	n, _, _ := f.scan.Next(b, StopEnd) // its header was checked a moment ago
	end := f.scan.Boundary()
	if err := d.feed(b[header:n], end, end && d.fin); err != nil {
		code := CloseInvalid
		if err == ErrInflated {
			code = CloseTooBig
		}
		if err != errUnwritten {
			f.refuse(code, err)
		}
		d.close()
		return b[n:]
	}
	if end && d.fin {
		d.close()
	}
	return b[n:]
}

// feed inflates a piece of payload, which ends a frame, or the message, or not.
func (d *inflater) feed(b []byte, frameEnds, last bool) error {
	d.pos = mask(b, d.key, d.pos)
	d.in, d.last = b, last
	switch {
	case d.ended:
	case d.resume != nil:
		d.resume()
	case last:
		d.run()
	default:
		d.resume, d.stop = iter.Pull(func(yield func(struct{}) bool) {
			d.yield = yield
			d.run()
			d.ended = true
		})
		d.resume()
	}
	switch {
	case d.err != nil:
		return d.err
	case last:
		return d.flush(true)
	case frameEnds && d.n > 0:
		return d.flush(false)
	}
	return nil
}

// run inflates the message until it ends, or something fails.
func (d *inflater) run() {
	for {
		start := d.n
		n, err := d.flate.Read(d.out[maxHeader+start:])
		if start != d.n { // written while the decompressor waited for input
			copy(d.out[maxHeader+d.n:], d.out[maxHeader+start:maxHeader+start+n])
		}
		d.n += n
		d.sum += int64(n)
		switch {
		case d.sum > MaxInflated:
			d.err = ErrInflated
			return
		case err == io.EOF:
			return
		case err != nil:
			d.err = ErrDeflate
			return
		}
		if maxHeader+d.n == len(d.out) {
			if d.err = d.flush(false); d.err != nil {
				return
			}
		}
	}
}

// flush writes what was inflated as one frame.
func (d *inflater) flush(fin bool) error {
	first := d.op
	if fin {
		first |= finBit
	}
	start := maxHeader - 14
	switch n := d.n; {
	case n <= maxControl:
		start = maxHeader - 6
		d.out[start+1] = maskBit | byte(n)
	case n < 1<<16:
		start = maxHeader - 8
		d.out[start+1] = maskBit | 126
		binary.BigEndian.PutUint16(d.out[start+2:], uint16(n))
	default:
		d.out[start+1] = maskBit | 127
		binary.BigEndian.PutUint64(d.out[start+2:], uint64(n))
	}
	d.out[start] = first
	var key [4]byte
	rand.Read(key[:]) // never fails (crypto/rand)
	copy(d.out[maxHeader-4:], key[:])
	end := maxHeader + d.n
	mask(d.out[maxHeader:end], key, 0)
	d.op, d.n = OpContinuation, 0
	if !d.f.send(d.out[start:end], d.f.p.now()) {
		return errUnwritten
	}
	return nil
}

// eof is a reader without bytes.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (eof) ReadByte() (byte, error) { return 0, io.EOF }

// Read gives the decompressor what it asks for.
func (d *inflater) Read(b []byte) (int, error) {
	if !d.more() {
		return 0, io.EOF
	}
	n := copy(b, d.in)
	d.in = d.in[n:]
	return n, nil
}

// ReadByte is Read for one byte. With it the decompressor reads no further than
// it must.
func (d *inflater) ReadByte() (byte, error) {
	if !d.more() {
		return 0, io.EOF
	}
	c := d.in[0]
	d.in = d.in[1:]
	return c, nil
}

// more waits for input.
func (d *inflater) more() bool {
	for len(d.in) == 0 {
		switch {
		case d.last && d.tail:
			return false
		case d.last:
			d.tail, d.in = true, flateTail
		case !d.yield(struct{}{}):
			return false
		}
	}
	return true
}

// mask masks, or unmasks, bytes that begin at pos of a payload (RFC 6455,
// section 5.3). It returns the position behind them.
func mask(b []byte, key [4]byte, pos int) int {
	var k [8]byte
	for i := range k {
		k[i] = key[(pos+i)&3]
	}
	word := binary.LittleEndian.Uint64(k[:])
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^word)
	}
	for j := i; j < len(b); j++ {
		b[j] ^= key[(pos+j)&3]
	}
	return (pos + len(b)) & 3
}
