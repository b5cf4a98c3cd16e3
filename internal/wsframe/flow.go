package wsframe

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/farwire/farwire/internal/netio"
)

// bufSize is where the cost of a byte stops falling: a quarter of it costs
// twice the CPU, four times as much gains nothing.
const bufSize = 64 << 10

// smallSize is what a flow reads into while a source that offers no readiness
// (TLS, say) is quiet, and busySize while it is busy: a record of TLS is no longer.
const (
	smallSize = 1 << 10
	busySize  = 16 << 10
)

var (
	buffers      = sync.Pool{New: func() any { return new([bufSize]byte) }}
	busyBuffers  = sync.Pool{New: func() any { return new([busySize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([smallSize]byte) }}
)

// mode is the state of a flow; see the picture at the head of pipe.go.
type mode uint8

const (
	relaying mode = iota
	listening
	draining
	over
)

// An order is left in flow.orders by a goroutine that wants something of its owner.
type order = uint32

const (
	orderClose   order = 1 << iota // write the close frame in flow.closeFrame when a frame ends
	orderPing                      // write a ping of ours when a frame ends
	orderNoWrite                   // the destination is gone: write nothing more
	orderLost                      // the source is gone, for the reason in flow.loss
	orderGiveUp                    // the source has left a close frame unanswered
	orderReadOut                   // writing to the source failed: read what it sent before
	orderQuiet                     // the source has gone quiet: give back what is held for it
	orderCut                       // stop at once
)

// flow is one direction of a session. Its owner is the goroutine in run; all
// fields are the owner's except the atomics and what Pipe.mu guards.
type flow struct {
	p        *Pipe
	other    *flow
	src, dst net.Conn
	from, to Side
	mode     mode
	scan     Scanner
	held     []byte // read but not checked yet; not stepped over by scan

	todo      order // orders that wait for a boundary
	readUntil int64 // with orderReadOut: when reading the source ends

	wait *waiting // of a goroutine; nil: a loop is the owner
	rest *rest    // of a loop: what dst did not take yet; nil: it has taken everything

	blockedAt int64 // when dst began to take nothing; 0: it takes what it gets

	orders  atomic.Uint32
	stalled atomic.Bool // the clock gave dst up
	grown   atomic.Bool // waiting.busy is in use
	frames  atomic.Uint64
	bytes   atomic.Uint64
	readAt  atomic.Int64 // when bytes were last read
	dataAt  atomic.Int64 // when bytes of a data frame were, less the time that dst kept us from reading
	wroteAt atomic.Int64 // when bytes were last written
	blocked atomic.Int64 // since when dst has taken no byte of those that wait; 0: none wait
	sampled int64        // Pipe.mu: blocked when the clock last looked
	queue   int32        // Pipe.mu: what the kernel held for dst then
	cause   Cause        // Pipe.mu: for orderLost and orderReadOut
	loss    error        // Pipe.mu: likewise

	closeFrame *closeFrame // Pipe.mu: for orderClose
}

// closeFrame is the content of a close frame of ours.
type closeFrame struct {
	code   int
	reason string
}

func (f *flow) init(p *Pipe, from Side, src, dst net.Conn, other *flow) {
	f.p, f.other, f.src, f.dst = p, other, src, dst
	f.from, f.to = from, Client+Target-from
}

// waiting is what a flow has whose owner is a goroutine, which waits for the
// source and for the destination. While the source is quiet there is no goroutine.
type waiting struct {
	pause  netio.Pause // anybody may end it
	pauses atomic.Bool // the goroutine begins it once the source is quiet

	waits   bool            // src is a waiter
	wakes   int32           // reads in a row that timed out for no order
	began   bool            // what came early has crossed
	quiet   bool            // the last read timed out because the source has been quiet for long
	in      syscall.RawConn // src, when it can tell that it is readable
	out     syscall.RawConn // dst, likewise
	inFunc  func(uintptr) bool
	outFunc func(uintptr) bool
	ioErr   error // what ended the last call of either
	outBuf  []byte

	big   *[bufSize]byte   // from buffers: for a src that can tell
	small *[smallSize]byte // for one that can not
	busy  *[busySize]byte  // for one that can not and is busy
	inLen int32            // what was read last
	chunk int32            // how much a dst that can not tell is given at once
}

// startWaiting has a goroutine own the flow, which is yet to be started.
func (f *flow) startWaiting() {
	w := &waiting{chunk: maxChunk / 2}
	w.pause.Resume = f.resume
	w.pauses.Store(true)
	if w.in = netio.Raw(f.src); w.in != nil {
		w.inFunc = f.readable
	} else {
		_, w.waits = f.src.(waiter)
	}
	if w.out = netio.Raw(f.dst); w.out != nil {
		w.outFunc = f.writable
	}
	f.wait = w
}

// resume is the goroutine of a flow whose pause has ended.
func (f *flow) resume() {
	f.wait.pauses.Store(true)
	f.p.watch(f.p.cfg.quiet)
	f.own()
}

// run owns the flow until it is over, or until the source is quiet: then it returns
// true, and the flow has no owner until the pause ends.
func (f *flow) run() (paused bool) {
	defer f.p.recoverPanic()
	if !f.wait.began {
		f.wait.began = true
		f.begin()
	}
	for f.followOrders(); f.mode != over; f.followOrders() {
		b, err := f.read()
		if len(b) > 0 {
			f.take(b)
		}
		if err != nil {
			f.readFailed(err)
		}
		if f.wait.quiet && f.pauseNow() {
			return true
		}
	}
	f.release()
	f.inflater().close()
	return false
}

// begin passes on what came early, and does not keep it for as long as the session
// lasts.
func (f *flow) begin() {
	first := f.held
	f.held = nil
	if len(first) > 0 {
		f.take(first)
	}
}

// inflater returns what inflates for a target that declined compression; nil:
// bytes cross as they are.
func (f *flow) inflater() *inflater {
	if f.from == Client {
		return f.p.inflate
	}
	return nil
}

// boundary reports whether the bytes written so far end where a frame ends.
func (f *flow) boundary() bool {
	return f.scan.Boundary() || f.inflater().active() && !f.scan.control
}

// followOrders carries out what was ordered, as far as it can be now.
func (f *flow) followOrders() {
	orders := f.orders.Swap(0)
	if orders == 0 || f.mode == over {
		return
	}
	if orders&orderCut != 0 {
		f.mode = over
		return
	}
	if orders&orderQuiet != 0 {
		f.shrink()
	}
	if orders&orderReadOut != 0 && f.mode == relaying {
		f.readUntil = f.p.now() + int64(linger)
	}
	f.todo |= orders & (orderClose | orderPing)
	if orders&orderNoWrite != 0 {
		f.advance(listening)
	}
	f.writeDue() // first: a close frame that was ordered goes before that of a loss
	switch {
	case orders&orderLost != 0:
		f.lose(f.readLoss())
	case orders&orderGiveUp != 0:
		f.giveUp()
	}
}

// writeDue writes the frames of ours that are due, if they can be written here.
func (f *flow) writeDue() {
	if f.mode != relaying || !f.boundary() {
		return
	}
	todo := f.todo
	f.todo = 0
	switch {
	case todo&orderClose != 0:
		f.writeClose(f.orderedClose())
	case todo&orderPing != 0:
		f.keepAlive()
	}
}

// take accounts for bytes just read, passes them on and keeps the rest.
func (f *flow) take(b []byte) {
	if f.wait != nil {
		f.wait.wakes = 0
	}
	f.readAt.Store(f.p.now())
	if f.from == Client {
		f.p.ping.seen()
	}
	rest := f.pass(b)
	f.held = append(f.held[:0], rest...)
	f.bytes.Store(f.scan.Bytes)
	f.frames.Store(f.scan.Frames) // last: see count
}

// pass sends on what it can check of b and returns the rest, the beginning of
// a frame. In every mode but relaying it sends nothing.
func (f *flow) pass(b []byte) []byte {
	d := f.inflater()
	for f.mode <= listening {
		if d != nil && len(b) == 0 {
			return nil
		}
		if f.orders.Load() != 0 || f.todo != 0 {
			f.todo |= f.orders.And(^(orderClose | orderPing)) & (orderClose | orderPing)
			f.writeDue()
		}
		stops := StopClose
		if f.from == Client && f.p.ping.awaited() {
			stops |= StopPong
		}
		if f.todo != 0 {
			stops |= StopEnd
		}
		if d.active() {
			if f.mode != relaying {
				d.close()
			} else if !f.scan.Boundary() && !f.scan.control {
				b = f.passDeflated(b, 0)
				continue
			} else {
				stops |= StopEnd | stopData
			}
		} else if d != nil && f.mode == relaying {
			stops |= stopDeflated
		}
		frames, bytes, data := f.scan.Frames, f.scan.Bytes, f.scan.Data
		n, at, err := f.scan.Next(b, stops)
		if f.mode == listening {
			f.scan.Frames, f.scan.Bytes, f.scan.Data = frames, bytes, data
		} else if n > 0 {
			if f.scan.Data > data {
				f.dataAt.Store(f.readAt.Load())
			}
			f.send(b[:n], f.readAt.Load())
		}
		b = b[n:]
		switch {
		case err != nil:
			f.refuse(CloseProtocol, err)
			return nil
		case at == NeedMore:
			return b
		case at == BeforeFrame && b[0]&0x8 == 0:
			b = f.passDeflated(b, d.begin(b))
		case at == BeforeFrame:
			size := controlFrame(b)
			if b[0]&0xF == OpClose {
				if len(b) < size {
					return b
				}
				f.takeClose(b[:size])
				return nil
			}
			switch whole, ours := f.p.ping.match(b); {
			case ours && !whole:
				return b
			case ours:
				b = b[size:]
			default:
				b = f.passOne(b)
			}
		}
	}
	return nil
}

// passOne sends on the control frame that b begins with, which is no stop.
func (f *flow) passOne(b []byte) []byte {
	frames, bytes := f.scan.Frames, f.scan.Bytes
	n, _, _ := f.scan.Next(b, StopEnd) // its header was checked a moment ago
	if f.mode == listening {
		f.scan.Frames, f.scan.Bytes = frames, bytes
	} else {
		f.send(b[:n], f.readAt.Load())
	}
	return b[n:]
}

// count may be called at any time: the bytes of each frame that it counts are counted too.
func (f *flow) count() Count {
	frames := f.frames.Load()
	return Count{frames, f.bytes.Load()}
}
