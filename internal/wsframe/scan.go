package wsframe

import (
	"encoding/binary"
	"errors"
)

// The opcodes of RFC 6455, section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

const (
	finBit  = 0x80
	rsv1Bit = 0x40 // RFC 7692: the message is compressed
	maskBit = 0x80

	// maxHeader is the longest header: two bytes, eight of length, four of key.
	maxHeader = 14
	// maxControl is the longest payload of a control frame (section 5.5).
	maxControl = 125
)

// What a Scanner refuses, each a breach of RFC 6455 by the peer that sent it.
var (
	ErrReserved     = errors.New("reserved bit set")                           // section 5.2, RFC 7692, section 6
	ErrOpcode       = errors.New("unknown opcode")                             // section 5.2
	ErrMask         = errors.New("frame masked by the wrong side")             // section 5.1
	ErrControl      = errors.New("control frame fragmented or too long")       // section 5.5
	ErrLength       = errors.New("length not minimal or too large")            // section 5.2
	ErrContinuation = errors.New("continuation without a message")             // section 5.4
	ErrInterleaved  = errors.New("new message inside an unfinished one")       // section 5.4
	ErrCloseLength  = errors.New("close frame with one byte of a status code") // section 5.5.1
)

// Broken reports whether err is, or wraps, an error of a Scanner.
func Broken(err error) bool {
	for _, breach := range []error{ErrReserved, ErrOpcode, ErrMask, ErrControl, ErrLength, ErrContinuation, ErrInterleaved, ErrCloseLength} {
		if errors.Is(err, breach) {
			return true
		}
	}
	return false
}

// Scanner reads the frame headers of one direction of a WebSocket connection
// where they lie, in a stream of bytes cut anywhere. It copies, unmasks and
// allocates nothing. The zero value expects unmasked frames, those of a server;
// see NewScanner. It is not safe for concurrent use.
type Scanner struct {
	Frames uint64 // frames begun, control frames included
	Bytes  uint64 // of their payloads, stepped over
	Data   uint64 // of text, binary and continuation frames, headers included

	left    uint64 // payload bytes of the current frame that are still to come
	mask    byte   // maskBit when frames must be masked, else 0
	rsv1    byte   // rsv1Bit where permessage-deflate was agreed on, else 0
	control bool   // the current frame is a control frame
	message bool   // a data message was begun and its last frame has not come yet
}

// NewScanner returns a Scanner for what a side sends: every frame masked when it
// is the client, none when it is the target. deflate says whether
// permessage-deflate was agreed on with it.
func NewScanner(from Side, deflate bool) Scanner {
	var s Scanner
	if from == Client {
		s.mask = maskBit
	}
	if deflate {
		s.rsv1 = rsv1Bit
	}
	return s
}

// Boundary reports whether the bytes stepped over so far end where a frame
// ends. A control frame may follow there, even inside a fragmented message.
func (s *Scanner) Boundary() bool { return s.left == 0 }

// InMessage reports whether a data message was begun and is not complete.
func (s *Scanner) InMessage() bool { return s.message || s.left > 0 && !s.control }

// Stops says where Next stops: before a frame with the opcode o when bit 1<<o
// is set, and behind every frame with StopEnd.
type Stops uint16

// The stops that the pipe and the hold ask for.
const (
	StopClose Stops = 1 << OpClose
	StopPing  Stops = 1 << OpPing
	StopPong  Stops = 1 << OpPong
	StopEnd   Stops = 1 << 15

	stopData     Stops = 1<<OpContinuation | 1<<OpText | 1<<OpBinary
	stopDeflated Stops = 1 << 14 // before a frame with RSV1
)

// StopReason says why Next stopped.
type StopReason uint8

// The reasons.
const (
	NeedMore    StopReason = iota // what is left is less than a header
	BeforeFrame                   // before a frame of an opcode asked for, its header complete
	AfterFrame                    // behind a frame
)

// Next steps over the frames in b, which begins where the bytes stepped over
// before ended. b[:n] is whole: headers checked, payload of any length. With
// NeedMore b[n:] is an incomplete header of fewer than 14 bytes; hold it back
// and pass it again in front of what comes next. An error means that the frame
// at b[n:] is broken. Next may be called again after BeforeFrame with the opcode
// taken out of stops, which steps over that frame like any other.
func (s *Scanner) Next(b []byte, stops Stops) (n int, at StopReason, err error) {
	size := 2 // of the shortest header
	if s.mask != 0 {
		size = 6
	}
	if s.left > 0 {
		k := len(b)
		if uint64(k) > s.left {
			k = int(s.left)
		}
		s.advance(k)
		if s.left > 0 {
			return k, NeedMore, nil
		}
		n = k
		if stops&StopEnd != 0 {
			return n, AfterFrame, nil
		}
	}
	for {
		if stops&StopEnd == 0 && !s.message {
			n += s.run(b[n:], size, stops)
		}
		head := b[n:]
		length, header, err := s.header(head)
		if err != nil {
			return n, NeedMore, err
		}
		if header == 0 {
			return n, NeedMore, nil
		}
		op := head[0] & 0xF
		if stops>>op&1 != 0 || stops&stopDeflated != 0 && head[0]&rsv1Bit != 0 {
			return n, BeforeFrame, nil
		}

		s.Frames++
		s.control = op&8 != 0
		if !s.control {
			s.message = head[0]&finBit == 0
		}
		s.left = length
		k := header
		if !s.control {
			s.Data += uint64(header)
		}
		if rest := len(head) - header; uint64(rest) < length {
			s.advance(rest)
			return n + k + rest, NeedMore, nil
		}
		s.advance(int(length))
		n += k + int(length)
		if stops&StopEnd != 0 {
			return n, AfterFrame, nil
		}
	}
}

// run steps over the frames that nearly all traffic consists of: messages of
// one frame, shorter than 64 KiB, wholly in b. It leaves the rest to Next.
func (s *Scanner) run(b []byte, size int, stops Stops) (n int) {
	mask, rsv1, frames, longer := s.mask, s.rsv1, uint64(0), uint64(0)
	if stops&stopDeflated != 0 {
		rsv1 = 0
	}
	for len(b)-n >= 4 {
		first, length := b[n]&^rsv1-(finBit|OpText), int(b[n+1]^mask)
		end := n + size + length
		if length == 126 {
			if length = int(binary.BigEndian.Uint16(b[n+2:])); length < 126 {
				break
			}
			end = n + size + 2 + length
			longer++
		} else if length > 126 {
			break
		}
		if first > OpBinary-OpText || end > len(b) {
			if length > 125 {
				longer--
			}
			break
		}
		n = end
		frames++
	}
	s.Frames += frames
	s.Bytes += uint64(n) - frames*uint64(size) - 2*longer
	s.Data += uint64(n)
	return n
}

// header checks the header that b begins with and returns the length of the
// payload and its own. An own length of 0 means that b ends inside the header.
// A breach is told by the first bytes that show it.
func (s *Scanner) header(b []byte) (length uint64, size int, err error) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	fin, op := b[0]&finBit != 0, b[0]&0xF
	switch {
	case b[0]&0x70 != 0 && (b[0]&0x70 != s.rsv1 || op != OpText && op != OpBinary):
		return 0, 0, ErrReserved
	case op > OpPong || op > OpBinary && op < OpClose:
		return 0, 0, ErrOpcode
	case op >= OpClose && !fin:
		return 0, 0, ErrControl
	case op == OpContinuation && !s.message:
		return 0, 0, ErrContinuation
	case op != OpContinuation && op < OpClose && s.message:
		return 0, 0, ErrInterleaved
	}
	if len(b) < 2 {
		return 0, 0, nil
	}
	if b[1]&maskBit != s.mask {
		return 0, 0, ErrMask
	}
	length, size = uint64(b[1]&^maskBit), 2
	switch {
	case op >= OpClose && length > maxControl:
		return 0, 0, ErrControl
	case op == OpClose && length == 1:
		return 0, 0, ErrCloseLength
	case length == 126:
		if size += 2; len(b) < size {
			return 0, 0, nil
		}
		if length = uint64(binary.BigEndian.Uint16(b[2:])); length < 126 {
			return 0, 0, ErrLength
		}
	case length == 127:
		if size += 8; len(b) < size {
			return 0, 0, nil
		}
		if length = binary.BigEndian.Uint64(b[2:]); length < 1<<16 || length >= 1<<63 {
			return 0, 0, ErrLength
		}
	}
	if s.mask != 0 {
		size += 4
	}
	if len(b) < size {
		return 0, 0, nil
	}
	return length, size, nil
}

// advance counts k bytes of the current frame's payload.
func (s *Scanner) advance(k int) {
	s.left -= uint64(k)
	s.Bytes += uint64(k)
	if !s.control {
		s.Data += uint64(k)
	}
}
