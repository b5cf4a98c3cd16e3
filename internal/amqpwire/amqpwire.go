// Package amqpwire reads deliveries out of an AMQP 0-9-1 connection on their
// way to a client library.
//
// A client library decodes a message into values, one allocation a field, and
// hands it through two channels; an event stream wants none of that, only the
// bytes of a few fields. And a library takes whatever the broker sends into
// memory before its user learns how large it is. So a [Reader] stands between
// the socket and the library:
//
//	           +---------------- Reader ----------------+
//	socket --> | basic.deliver, content header and body | --> Sink
//	           | every other frame, byte for byte       | --> library
//	           +----------------------------------------+
//
// The library opens, declares and consumes as ever, and sees no message. After
// the broker's basic.consume-ok it sees the end of the connection and goes, with
// its buffers and goroutines; what little is left to say in either direction is
// in control.go. The Sink is asked before a body is kept and may let the whole
// connection wait, which is the back-pressure that AMQP itself can only count in
// messages.
package amqpwire

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// A FormatError is a broker that breaks the frame format.
type FormatError string

func (e FormatError) Error() string { return "broken AMQP frame: " + string(e) }

// A Sink takes deliveries. Its methods are called from the goroutine that
// reads, and may block it.
type Sink interface {
	// Begin is called when a message's header has been read and before any of
	// its body is kept. Without keep the body is read past.
	Begin(*Delivery) (keep bool)

	// Deliver is called when the message is whole. When the body is longer than
	// Inline the sink may keep it; else it is valid only during the call, as
	// is the Delivery always. A body that was not kept is nil.
	Deliver(d *Delivery, body []byte)

	// Pause is called when all that has come is delivered, before waiting for
	// more.
	Pause()
}

const (
	// Inline is the length of the longest body that is lent and not given.
	Inline = 64 << 10

	// MaxFrame is the largest method or header frame that is read, RabbitMQ's
	// default for all frames. Body frames may have any size.
	MaxFrame = 128 << 10

	// A read that gives less than this, or does not fill the buffer that Read
	// was given, says that the connection is idle.
	sparse = 4 << 10

	fullBuffer = 64 << 10

	// A body above Inline has room for so many times what has come of it.
	bodyGrowth = 8

	typeMethod    = 1
	typeHeader    = 2
	typeBody      = 3
	typeHeartbeat = 8
	frameEnd      = 0xCE

	classBasic = 60

	basicConsumeOK = 21
	basicCancel    = 30
	basicReturn    = 50
	basicDeliver   = 60
	basicGetOK     = 71
	basicAck       = 80
)

var buffers = sync.Pool{New: func() any { return new([fullBuffer]byte) }}

// A Reader is what the client library reads. It is for one goroutine.
type Reader struct {
	src  io.Reader
	sink Sink

	full *[fullBuffer]byte // from the pool, while there is traffic
	buf  []byte            // full, or larger for one large header; idle: nil
	r, w int               // what is unread of buf
	last int               // what the last read of src gave

	started bool
	channel uint16 // of the consumer, once handing
	pass    int    // bytes of the frame at r that are the library's
	handing bool   // they are the last, or were
	failed  error

	// The message being read.
	stage  stage
	method []byte // payload of its basic.deliver
	header []byte // payload of its content header
	d      Delivery
	keep   bool
	body   []byte
	left   uint64 // of the body
	frame  int    // of the body frame being read
	inBody bool   // a body frame is being read
	scrap  []byte // for short bodies that came in pieces
}

type stage int

const (
	wantMethod stage = iota
	wantHeader
	wantBody
)

// NewReader returns a Reader of src that gives deliveries to sink.
func NewReader(src io.Reader, sink Sink) *Reader {
	return &Reader{src: src, sink: sink}
}

// Read returns bytes of frames that are not a delivery's, for the client
// library. After those of basic.consume-ok it returns io.EOF, and Next goes on.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.HandedOver() {
		return 0, io.EOF
	}
	return r.read(p, len(p))
}

// HandedOver reports whether the library has been given all that is its own.
func (r *Reader) HandedOver() bool { return r.handing && r.pass == 0 }

// Channel returns the number of the channel that the consumer is on, once
// Handed. A library that had to open a second channel may have chosen any.
func (r *Reader) Channel() uint16 { return r.channel }

// read is Read without an end. It gives at most so many bytes; all of p may
// serve for waiting.
func (r *Reader) read(p []byte, most int) (int, error) {
	for {
		if r.pass > 0 && r.r < r.w {
			n := copy(p[:most], r.buf[r.r:min(r.w, r.r+r.pass)])
			r.r += n
			r.pass -= n
			return n, nil
		}
		progress := false
		if r.failed == nil && r.pass == 0 {
			progress, r.failed = r.step()
		}
		switch {
		case r.failed != nil:
			r.release()
			return 0, r.failed
		case !progress:
			r.failed = r.fill(p)
		}
	}
}

// step handles the frame, or the piece of a body, at the front of the buffer.
// Without progress it needs more bytes.
func (r *Reader) step() (progress bool, err error) {
	have := r.buf[r.r:r.w]
	if r.inBody {
		return r.stepBody(have)
	}
	if !r.started {
		if err := checkProtocolHeader(have); err != nil {
			return false, err
		}
	}
	if len(have) < 7 || !r.started && have[0] != typeMethod {
		return false, nil
	}
	r.started = true
	kind, channel := have[0], binary.BigEndian.Uint16(have[1:])
	size := int64(binary.BigEndian.Uint32(have[3:]))
	switch kind {
	case typeHeartbeat:
		return r.passOn(size)
	case typeMethod:
		return r.stepMethod(have, channel, size)
	case typeHeader:
		return r.stepHeader(have, size)
	case typeBody:
		switch {
		case r.stage != wantBody && size == 0 && r.stage == wantMethod:
			return r.skipEmpty(have)
		case r.stage != wantBody:
			return false, FormatError("a body without a header")
		case uint64(size) > r.left:
			return false, FormatError("a body longer than its header says")
		}
		r.r += 7
		r.frame, r.inBody = int(size), true
		return true, nil
	}
	return false, FormatError(fmt.Sprintf("type %d", kind))
}

// skipEmpty passes over a body frame of no bytes behind a message that was whole
// without it: some brokers send one behind a message of no bytes.
func (r *Reader) skipEmpty(have []byte) (bool, error) {
	payload, err := whole(have, 0)
	if payload == nil {
		return false, err
	}
	r.r += 8
	return true, nil
}

func (r *Reader) passOn(size int64) (bool, error) {
	if size > MaxFrame {
		return false, FormatError("too large")
	}
	r.pass = int(size) + 8
	return true, nil
}

// stepMethod keeps a basic.deliver and passes on every other method.
func (r *Reader) stepMethod(have []byte, channel uint16, size int64) (bool, error) {
	if size < 4 || channel == 0 {
		return r.passOn(size)
	}
	if len(have) < 11 {
		return false, nil
	}
	if binary.BigEndian.Uint16(have[7:]) != classBasic {
		return r.passOn(size)
	}
	switch binary.BigEndian.Uint16(have[9:]) {
	case basicDeliver:
	case basicReturn, basicGetOK:
		return false, FormatError("content that was not asked for")
	case basicConsumeOK:
		r.handing, r.channel = true, channel
		return r.passOn(size)
	default:
		return r.passOn(size)
	}
	payload, err := whole(have, size)
	if payload == nil {
		return false, err
	}
	if r.stage != wantMethod {
		return false, FormatError("a delivery inside another")
	}
	r.method = append(r.method[:0], payload...)
	if err := r.d.readMethod(r.method); err != nil {
		return false, err
	}
	r.stage = wantHeader
	r.r += int(size) + 8
	return true, nil
}

func (r *Reader) stepHeader(have []byte, size int64) (bool, error) {
	payload, err := whole(have, size)
	if payload == nil {
		return false, err
	}
	if r.stage != wantHeader {
		return false, FormatError("a header without a delivery")
	}
	r.header = append(r.header[:0], payload...)
	if err := r.d.readHeader(r.header); err != nil {
		return false, err
	}
	r.r += int(size) + 8
	r.stage = wantBody
	r.left = r.d.Size
	r.keep = r.sink.Begin(&r.d)
	if r.left == 0 {
		r.deliver(nil)
	}
	return true, nil
}

// stepBody reads what is there of a body frame. A body that lies in the buffer
// as one piece is lent to the sink where it lies; one that the sink may keep is not.
func (r *Reader) stepBody(have []byte) (bool, error) {
	if r.frame == 0 {
		if len(have) == 0 {
			return false, nil
		}
		if have[0] != frameEnd {
			return false, FormatError("no end")
		}
		r.r++
		r.inBody = false
		if r.left == 0 {
			r.deliver(r.body)
		}
		return true, nil
	}
	if len(have) == 0 {
		return false, nil
	}
	piece := have[:min(r.frame, len(have))]
	if r.keep && r.body == nil && len(piece) <= Inline && uint64(len(piece)) == r.left && len(have) > len(piece) {
		if have[len(piece)] != frameEnd {
			return false, FormatError("no end")
		}
		r.r += len(piece) + 1
		r.left, r.frame, r.inBody = 0, 0, false
		r.deliver(piece)
		return true, nil
	}
	if r.keep {
		r.collect(piece)
	}
	r.r += len(piece)
	r.left -= uint64(len(piece))
	r.frame -= len(piece)
	return true, nil
}

// collect keeps a piece of a body. What a header announces costs nothing: memory grows
// with what has come of the body.
func (r *Reader) collect(piece []byte) {
	if r.body == nil && r.d.Size <= Inline {
		if uint64(cap(r.scrap)) < r.d.Size {
			r.scrap = make([]byte, 0, r.d.Size)
		}
		r.body = r.scrap[:0]
	}
	if need := uint64(len(r.body) + len(piece)); need > uint64(cap(r.body)) {
		r.body = append(make([]byte, 0, min(r.d.Size, bodyGrowth*need)), r.body...)
	}
	r.body = append(r.body, piece...)
}

func (r *Reader) deliver(body []byte) {
	if body == nil && r.keep {
		body = []byte{}
	}
	r.sink.Deliver(&r.d, body)
	r.body = nil
	r.stage = wantMethod
	if cap(r.header) > sparse {
		r.header = nil
	}
}

// whole returns the frame's payload once all of the frame has come.
func whole(have []byte, size int64) ([]byte, error) {
	if size > MaxFrame {
		return nil, FormatError("too large")
	}
	if int64(len(have)) < size+8 {
		return nil, nil
	}
	if have[size+7] != frameEnd {
		return nil, FormatError("no end")
	}
	return have[7 : size+7], nil
}
