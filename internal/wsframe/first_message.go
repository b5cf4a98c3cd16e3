package wsframe

import (
	"errors"
	"math"
	"slices"
)

// A FirstMessage follows the bytes of a client to the end of its first data
// message, as they arrive, and holds none of them but an incomplete header. It is
// not safe for concurrent use.
type FirstMessage struct {
	scan      Scanner
	head      []byte // of a frame, incomplete
	announced uint64
	limit     uint64
	done      bool
}

// ErrTooLong is what Take says of a message that announces more than it may have.
var ErrTooLong = errors.New("the message announces more than it may have")

// NewFirstMessage returns a FirstMessage of at most so many bytes of payload,
// announced by all its frames together. deflate says whether permessage-deflate was
// agreed on.
func NewFirstMessage(deflate bool, limit int) *FirstMessage {
	return &FirstMessage{scan: NewScanner(Client, deflate), head: make([]byte, 0, maxHeader), limit: uint64(limit)}
}

// Done reports whether the message has ended.
func (m *FirstMessage) Done() bool { return m.done }

// Take steps over b, in whose place it leaves kept, and returns what lies behind the
// message. It tells of a frame that is broken, and of a message that is too long, by the
// header that shows it; kept then ends with all that came from there on.
//
// kept is what came of the message without frames that say nothing to its reader, if b has
// them whole: pongs, every ping but the last (RFC 6455, section 5.5.3), and fragments without a
// byte. They cost who sends them six bytes, and the reader as much as a long one.
func (m *FirstMessage) Take(b []byte) (kept, behind []byte, err error) {
	kept = b[:0]
	var ping, pingLen int // where kept has one
	for len(b) > 0 && !m.done {
		if !m.scan.Boundary() {
			n, _, err := m.scan.Next(b, StopEnd)
			if err != nil {
				return append(kept, b...), nil, err
			}
			kept, b = append(kept, b[:n]...), b[n:]
			m.done = m.scan.Boundary() && m.ends()
			continue
		}
		had := len(m.head)
		m.head = append(m.head, b[:min(maxHeader-had, len(b))]...)
		length, size, err := m.scan.header(m.head)
		switch {
		case err != nil:
			return append(kept, b...), nil, err
		case size == 0:
			return append(kept, b...), nil, nil
		case m.head[0]&0x8 == 0:
			if m.announced += length; m.announced > m.limit {
				return append(kept, b...), nil, ErrTooLong
			}
		}
		frame := m.head[:size]
		idle := had == 0 && isIdle(m.head[0], length) && len(b) >= size+int(length)
		if idle {
			frame = b[:size+int(length)]
		}
		if _, _, err := m.scan.Next(frame, StopEnd); err != nil {
			return append(kept, b...), nil, err
		}
		n := len(frame) - had
		switch {
		case !idle:
			kept = append(kept, b[:n]...)
		case b[0]&0xF == OpPing:
			kept = append(slices.Delete(kept, ping, ping+pingLen), b[:n]...)
			ping, pingLen = len(kept)-n, n
		}
		b, m.head = b[n:], m.head[:0]
		m.done = m.scan.Boundary() && m.ends()
	}
	return kept, b, nil
}

// isIdle reports a frame that says nothing to who reads the message, by its first byte and
// the length of its payload.
func isIdle(first byte, length uint64) bool {
	switch first & 0xF {
	case OpPing, OpPong:
		return true
	case OpContinuation:
		return first&finBit == 0 && length == 0
	}
	return false
}

// ends reports whether the frame that has just ended is the last of a message.
func (m *FirstMessage) ends() bool { return !m.scan.control && !m.scan.message }

// PlainText reads the client's frame with which b begins. It is plain if it is text, a whole
// message, not compressed, and valid by the rules of the format. size is the length of the
// frame with its header, 0 until the header is complete. payload is an unmasked copy, nil
// until all of it is in b.
func PlainText(b []byte) (payload []byte, size int, plain bool) {
	s := NewScanner(Client, false)
	length, header, err := s.header(b)
	switch {
	case err != nil, len(b) > 0 && b[0] != finBit|OpText, length > math.MaxInt32:
		return nil, 0, false
	case header == 0:
		return nil, 0, true
	}
	if size = header + int(length); len(b) < size {
		return nil, size, true
	}
	payload = append(make([]byte, 0, length), b[header:size]...)
	mask(payload, [4]byte(b[header-4:header]), 0)
	return payload, size, true
}
