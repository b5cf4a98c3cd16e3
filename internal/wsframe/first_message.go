package wsframe

import (
	"errors"
	"math"
)

// A FirstMessage follows the bytes of a client to the end of its first data
// message, as they arrive, and keeps none of them but an incomplete header. It is
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

// Take steps over b and returns what lies behind the message. It tells of a frame
// that is broken, and of a message that is too long, by the header that shows it.
func (m *FirstMessage) Take(b []byte) (behind []byte, err error) {
	for len(b) > 0 && !m.done {
		if !m.scan.Boundary() {
			n, _, err := m.scan.Next(b, StopEnd)
			if err != nil {
				return nil, err
			}
			b = b[n:]
			m.done = m.scan.Boundary() && m.ends()
			continue
		}
		had := len(m.head)
		m.head = append(m.head, b[:min(maxHeader-had, len(b))]...)
		length, size, err := m.scan.header(m.head)
		switch {
		case err != nil:
			return nil, err
		case size == 0:
			return nil, nil
		case m.head[0]&0x8 == 0:
			if m.announced += length; m.announced > m.limit {
				return nil, ErrTooLong
			}
		}
		if _, _, err := m.scan.Next(m.head[:size], StopEnd); err != nil {
			return nil, err
		}
		b, m.head = b[size-had:], m.head[:0]
		m.done = m.scan.Boundary() && m.ends()
	}
	return b, nil
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
