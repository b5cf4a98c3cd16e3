package amqpwire

import "encoding/binary"

// A Delivery is a message as the broker sent it, without its body. Its slices
// are parts of the frames and hold whatever the publisher put there.
type Delivery struct {
	Tag         uint64
	Redelivered bool
	Exchange    []byte
	RoutingKey  []byte
	Size        uint64 // of the body

	// The properties. Those of text are empty when the message has none.
	ContentType     []byte
	ContentEncoding []byte
	Headers         []byte // the content of the field table; see AppendTable
	HasHeaders      bool
	DeliveryMode    uint8
	HasDeliveryMode bool
	Priority        uint8
	HasPriority     bool
	CorrelationID   []byte
	ReplyTo         []byte
	Expiration      []byte
	MessageID       []byte
	Timestamp       uint64 // seconds
	HasTimestamp    bool
	Type            []byte
	UserID          []byte
	AppID           []byte
}

// readMethod reads the payload of basic.deliver: consumer tag, delivery tag,
// redelivered, exchange, routing key.
func (d *Delivery) readMethod(p []byte) error {
	f := &cursor{p: p[4:]}
	f.short()
	*d = Delivery{
		Tag:         f.uint64(),
		Redelivered: f.byte()&1 != 0,
		Exchange:    f.short(),
		RoutingKey:  f.short(),
	}
	if f.bad {
		return FormatError("basic.deliver cut short")
	}
	return nil
}

// Property flags of class basic, in the order of the fields.
const (
	hasContentType = 1 << (15 - iota)
	hasContentEncoding
	hasHeaders
	hasDeliveryMode
	hasPriority
	hasCorrelationID
	hasReplyTo
	hasExpiration
	hasMessageID
	hasTimestamp
	hasType
	hasUserID
	hasAppID
)

// readHeader reads a content header: class, weight, body size, flags and the
// properties that the flags announce.
func (d *Delivery) readHeader(p []byte) error {
	f := &cursor{p: p}
	class := f.uint16()
	f.uint16() // weight, unused
	d.Size = f.uint64()
	flags := f.uint16()
	if f.bad || class != classBasic {
		return FormatError("content header")
	}
	for more := flags; more&1 != 0 && !f.bad; { // flag words of properties to come
		more = f.uint16()
	}
	text := func(flag uint16, into *[]byte) {
		if flags&flag != 0 {
			*into = f.short()
		}
	}
	text(hasContentType, &d.ContentType)
	text(hasContentEncoding, &d.ContentEncoding)
	if d.HasHeaders = flags&hasHeaders != 0; d.HasHeaders {
		d.Headers = f.long()
	}
	if d.HasDeliveryMode = flags&hasDeliveryMode != 0; d.HasDeliveryMode {
		d.DeliveryMode = f.byte()
	}
	if d.HasPriority = flags&hasPriority != 0; d.HasPriority {
		d.Priority = f.byte()
	}
	text(hasCorrelationID, &d.CorrelationID)
	text(hasReplyTo, &d.ReplyTo)
	text(hasExpiration, &d.Expiration)
	text(hasMessageID, &d.MessageID)
	if d.HasTimestamp = flags&hasTimestamp != 0; d.HasTimestamp {
		d.Timestamp = f.uint64()
	}
	text(hasType, &d.Type)
	text(hasUserID, &d.UserID)
	text(hasAppID, &d.AppID)
	if f.bad {
		return FormatError("content header cut short")
	}
	return nil
}

// A cursor reads the fields of a payload. Past its end it gives zeroes and is
// bad from then on.
type cursor struct {
	p   []byte
	bad bool
}

var zeroes [8]byte

func (f *cursor) take(n int) []byte {
	if n > len(f.p) {
		f.bad = true
		f.p = nil
		return zeroes[:min(n, len(zeroes))]
	}
	b := f.p[:n]
	f.p = f.p[n:]
	return b
}

func (f *cursor) byte() byte     { return f.take(1)[0] }
func (f *cursor) uint16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *cursor) uint32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *cursor) uint64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }
func (f *cursor) short() []byte  { return f.text(int(f.byte())) }
func (f *cursor) long() []byte   { return f.text(int(f.uint32())) }

func (f *cursor) text(n int) []byte {
	if n < 0 || n > len(f.p) {
		f.bad, f.p = true, nil
		return nil
	}
	return f.take(n)
}
