package farwire

import (
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/sse"
)

// A flow stands between the goroutine that reads the broker and the one that
// writes to the client, and holds events for no more bytes than its budget.
//
//	broker --> filling batch ~~swap~~> batch being written --> client
//	   ^            |                            |
//	   +-- waits while it is full                +-- flushed, then acknowledged
//
// While one batch is written the next one fills, so events are flushed and
// acknowledged by the batch, and the slower the client the larger the batches.
type flow struct {
	half  int    // bytes of events in one batch
	limit uint64 // bytes of the largest body that is sent

	mu      sync.Mutex
	filling batch
	closed  bool // deliveries are thrown away
	asleep  bool // the writer waits for wake
	waiting bool // the reader waits for room

	wake chan struct{} // there is a batch
	room chan struct{} // the filling batch is empty, or the flow closed
}

// A batch is a run of events, of which the last may be a large one.
type batch struct {
	events  []byte
	large   *largeBody
	tag     uint64 // of the last delivery
	count   int64
	bytes   int64  // of bodies sent
	largest uint64 // body, sent or not
}

// A largeBody is rendered only as it is written, so that it is never in memory
// twice. The batch's events end where it begins.
type largeBody struct {
	body []byte
	text bool
	rest []byte
}

func newFlow(o AMQPOptions) *flow {
	return &flow{
		half:  o.Budget / 2,
		limit: uint64(o.BodyLimit),
		wake:  make(chan struct{}, 1),
		room:  make(chan struct{}, 1),
	}
}

// Begin waits for room and says whether the body is wanted.
func (f *flow) Begin(d *amqpwire.Delivery) (keep bool) {
	keep = d.Size <= f.limit
	size := 0
	if keep {
		size = int(d.Size)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.closed && f.filling.count > 0 && (f.filling.large != nil || len(f.filling.events)+size > f.half) {
		f.waiting = true
		f.rouse()
		f.mu.Unlock()
		<-f.room
		f.mu.Lock()
	}
	return keep && !f.closed
}

// Deliver makes an event of a message.
func (f *flow) Deliver(d *amqpwire.Delivery, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	b := &f.filling
	b.tag = d.Tag
	b.count++
	b.bytes += int64(len(body))
	b.largest = max(b.largest, d.Size)
	b.events = append(b.events, "event: message\nid: "...)
	b.events = strconv.AppendUint(b.events, d.Tag, 10)
	b.events = append(b.events, "\ndata: {\"body\": \""...)
	text := utf8.Valid(body)
	if len(body) > amqpwire.Inline {
		b.large = &largeBody{body, text, appendRest(nil, d, body, text)}
		return
	}
	if text {
		b.events = sse.AppendText(b.events, body)
	} else {
		b.events = sse.AppendBase64(b.events, body)
	}
	b.events = appendRest(b.events, d, body, text)
}

// appendRest appends what follows the body of a message event.
func appendRest(dst []byte, d *amqpwire.Delivery, body []byte, text bool) []byte {
	dst = append(dst, `", "routing_key": `...)
	dst = sse.AppendString(dst, d.RoutingKey)
	dst = append(dst, `, "exchange": `...)
	dst = sse.AppendString(dst, d.Exchange)
	dst = append(dst, `, "delivery_tag": `...)
	dst = strconv.AppendUint(dst, d.Tag, 10)
	dst = append(dst, `, "content_type": `...)
	dst = sse.AppendString(dst, d.ContentType)
	if !text {
		dst = append(dst, `, "body_encoding": "base64"`...)
	}
	if body == nil {
		dst = append(dst, `, "body_omitted": true, "body_size": `...)
		dst = strconv.AppendUint(dst, d.Size, 10)
	}
	if d.Redelivered {
		dst = append(dst, `, "redelivered": true`...)
	}
	if d.HasHeaders {
		dst = append(dst, `, "headers": `...)
		if with, ok := amqpwire.AppendTable(dst, d.Headers); ok {
			dst = with
		} else {
			dst = append(dst, `null, "headers_unreadable": true`...)
		}
	}
	if len(d.MessageID) > 0 {
		dst = append(dst, `, "message_id": `...)
		dst = sse.AppendString(dst, d.MessageID)
	}
	if len(d.CorrelationID) > 0 {
		dst = append(dst, `, "correlation_id": `...)
		dst = sse.AppendString(dst, d.CorrelationID)
	}
	if d.HasTimestamp {
		dst = append(dst, `, "timestamp": `...)
		dst = strconv.AppendUint(dst, d.Timestamp, 10)
	}
	if len(d.Type) > 0 {
		dst = append(dst, `, "type": `...)
		dst = sse.AppendString(dst, d.Type)
	}
	return append(dst, "}\n\n"...)
}

// Pause wakes the writer once for all that one read of the network gave.
func (f *flow) Pause() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filling.count > 0 {
		f.rouse()
	}
}

func (f *flow) rouse() {
	if f.asleep {
		f.asleep = false
		f.wake <- struct{}{} // has room: asleep is set once for each receive
	}
}

// take swaps the filling batch for an empty one, whose buffer is spare. When
// there is nothing, the next batch is announced on wake.
func (f *flow) take(spare []byte) (batch, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.filling
	if b.count == 0 {
		if !f.asleep {
			f.asleep = true
			select {
			case <-f.wake: // of a batch that was taken unasked
			default:
			}
		}
		return batch{}, false
	}
	f.filling = batch{events: spare[:0]}
	f.letIn()
	return b, true
}

// close lets deliveries pass from now on, unread. What is held can be taken.
func (f *flow) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.letIn()
}

func (f *flow) letIn() {
	if f.waiting {
		f.waiting = false
		f.room <- struct{}{} // has room: waiting is set once for each receive
	}
}

// waits returns how many bytes of events, and of large bodies, are held for
// the next batch.
func (f *flow) waits() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.filling.events)
	if f.filling.large != nil {
		n += len(f.filling.large.body)
	}
	return int64(n)
}

// shrink gives back what an idle stream does not need.
func (f *flow) shrink() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filling.count == 0 {
		f.filling.events = nil
	}
}

// write sends a batch and flushes it.
func (b *batch) write(s *sse.Stream) error {
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
		n := min(len(body), piece)
		if l.text && n < len(body) {
			for !utf8.RuneStart(body[n]) {
				n--
			}
		}
		if out = out[:0]; l.text {
			out = sse.AppendText(out, body[:n])
		} else {
			out = sse.AppendBase64(out, body[:n])
		}
		if err := s.Write(out); err != nil {
			return err
		}
		body = body[n:]
	}
	return s.Write(l.rest)
}

// A prefetch follows the sizes of bodies, because the broker counts messages
// and the budget counts bytes.
type prefetch struct {
	budget  int
	now     int
	largest uint64 // recently
}

const (
	firstPrefetch = 32
	mostPrefetch  = 1000
)

// follow returns the prefetch that fits after a batch, and whether it is worth
// telling the broker.
func (p *prefetch) follow(largest uint64) (int, bool) {
	// What was large long ago counts less and less.
	p.largest = max(largest, p.largest-p.largest/8, 1)
	fits := int(min(max(uint64(p.budget)/p.largest, 1), mostPrefetch))
	if fits == p.now || fits > p.now*3/4 && fits < 2*p.now && fits < mostPrefetch {
		return p.now, false
	}
	p.now = fits
	return fits, true
}
