package amqpstream

import (
	"sync"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/sse"
)

// A Buffer stands between the goroutine that reads the broker and the one that
// writes to the client, and holds events for no more bytes than its budget.
type Buffer struct {
	half  int    // bytes of events in one batch
	limit uint64 // bytes of the largest body that is sent

	mu      sync.Mutex
	filling Batch
	stream  bool // deliveries have offsets
	closed  bool // deliveries are thrown away
	asleep  bool // the writer waits for ready
	waiting bool // the reader waits for room

	ready chan struct{} // there is a batch
	room  chan struct{} // the filling batch is empty, or the Buffer closed
}

// A Batch is a run of events, of which the last may be a large one.
type Batch struct {
	Count int64 // of messages
	Bytes int64 // of bodies sent

	events []byte
	large  *largeBody
	tag    uint64 // of the last delivery
}

// A largeBody is rendered only as it is written, so that it is never in memory
// twice. The batch's events end where it begins.
type largeBody struct {
	body []byte
	text bool
	rest []byte
}

func newBuffer(l Limits) *Buffer {
	return &Buffer{
		half:  l.Budget / 2,
		limit: uint64(l.Body),
		ready: make(chan struct{}, 1),
		room:  make(chan struct{}, 1),
	}
}

// setStream says whether the queue is a stream, whose deliveries have offsets.
func (b *Buffer) setStream(is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stream = is
}

// Begin waits for room and says whether the body is wanted.
func (b *Buffer) Begin(d *amqpwire.Delivery) (keep bool) {
	keep = d.Size <= b.limit
	size := 0
	if keep {
		size = int(d.Size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.closed && b.filling.Count > 0 && (b.filling.large != nil || len(b.filling.events)+size > b.half) {
		b.waiting = true
		b.announce()
		b.mu.Unlock()
		<-b.room
		b.mu.Lock()
	}
	return keep && !b.closed
}

// Deliver makes an event of a message.
func (b *Buffer) Deliver(d *amqpwire.Delivery, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	f := &b.filling
	f.tag = d.Tag
	f.Count++
	f.Bytes += int64(len(body))
	text := utf8.Valid(body)
	f.events = append(f.events, "event: message\ndata: {\"body\": \""...)
	if len(body) > amqpwire.Inline {
		f.large = &largeBody{body, text, appendRest(nil, d, body, text, b.stream)}
		return
	}
	if text {
		f.events = sse.AppendText(f.events, body)
	} else {
		f.events = sse.AppendBase64(f.events, body)
	}
	f.events = appendRest(f.events, d, body, text, b.stream)
}

// Pause wakes the writer once for all that one read of the network gave.
func (b *Buffer) Pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filling.Count > 0 {
		b.announce()
	}
}

func (b *Buffer) announce() {
	if b.asleep {
		b.asleep = false
		b.ready <- struct{}{} // has room: asleep is set once for each receive
	}
}

// Ready receives a value when there is a batch that Take said was not there.
func (b *Buffer) Ready() <-chan struct{} { return b.ready }

// Take swaps the filling batch for an empty one, which uses the memory of spare.
// When there is nothing, the next batch is announced on Ready.
func (b *Buffer) Take(spare *Batch) (Batch, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.filling
	if full.Count == 0 {
		if !b.asleep {
			b.asleep = true
			select {
			case <-b.ready: // of a batch that was taken unasked
			default:
			}
		}
		return Batch{}, false
	}
	b.filling = Batch{events: spare.events[:0]}
	b.letIn()
	return full, true
}

// Close lets deliveries pass from now on, unread. What is held can be taken.
func (b *Buffer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.letIn()
}

func (b *Buffer) letIn() {
	if b.waiting {
		b.waiting = false
		b.room <- struct{}{} // has room: waiting is set once for each receive
	}
}

// Waiting returns how many bytes of events, and of large bodies, are held for
// the next batch.
func (b *Buffer) Waiting() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.filling.events)
	if b.filling.large != nil {
		n += len(b.filling.large.body)
	}
	return int64(n)
}

// Shrink gives back what an idle stream does not need.
func (b *Buffer) Shrink() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filling.Count == 0 {
		b.filling.events = nil
	}
}

// Small reports whether the batch is far from filling a packet of the budget, so
// that waiting for more would be worth while.
func (b *Batch) Small() bool { return b.large == nil && len(b.events) < 32<<10 }

// Write sends a batch and flushes it.
func (b *Batch) Write(s *sse.Stream) error {
	if err := s.Write(b.events); err != nil {
		return err
	}
	if b.large != nil {
		if err := b.large.write(s); err != nil {
			return err
		}
	}
	return s.Flush()
}

// write renders the body piece by piece.
func (l *largeBody) write(s *sse.Stream) error {
	const piece = 48 << 10 // a multiple of 3, so that base64 needs no padding
	var out []byte
	for body := l.body; len(body) > 0; {
		part := body[:min(len(body), piece)]
		if out = out[:0]; l.text {
			part = safetext.Cut(body, piece)
			out = sse.AppendText(out, part)
		} else {
			out = sse.AppendBase64(out, part)
		}
		if err := s.Write(out); err != nil {
			return err
		}
		body = body[len(part):]
	}
	return s.Write(l.rest)
}
