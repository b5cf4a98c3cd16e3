package amqpwire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A Control is a frame, other than a delivery's, that matters to a consumer.
type Control int

// The controls.
const (
	Other         Control = iota // a heartbeat, or an answer that nobody waits for
	Cancelled                    // the broker has cancelled the consumer
	ChannelClosed                // the broker has closed the channel
	Closed                       // the broker closes the connection and waits for AppendCloseOK
	CloseOK                      // the broker has closed it as it was asked to
	FlowOn                       // the broker lets content be sent again, and waits for AppendFlowOK
	FlowOff                      // the broker wants no content, and waits for AppendFlowOK
)

const (
	maxMethod = 4 << 10 // no method in this direction is larger

	classConnection = 10
	classChannel    = 20

	connectionClose   = 50
	connectionCloseOK = 51
	channelFlow       = 20
	channelFlowOK     = 21
	channelClose      = 40
)

// Next waits for the next frame that is not a delivery's, once HandedOver. For
// ChannelClosed and Closed, why says why. The scratch, of at least 8 bytes, is
// where an idle connection waits.
func (r *Reader) Next(scratch []byte) (c Control, why Reason, err error) {
	head, err := r.exactly(scratch, 7)
	if err != nil {
		return Other, why, err
	}
	kind, size := head[0], int(binary.BigEndian.Uint32(head[3:]))
	if kind == typeMethod && size > maxMethod {
		return Other, why, FormatError("too large")
	}
	payload := make([]byte, 0, 64)
	for left := size + 1; left > 0; {
		n, err := r.read(scratch, min(left, len(scratch)))
		if err != nil {
			return Other, why, err
		}
		if kind == typeMethod {
			payload = append(payload, scratch[:n]...)
		}
		left -= n
		if left == 0 && scratch[n-1] != frameEnd {
			return Other, why, FormatError("no end")
		}
	}
	if kind != typeMethod {
		return Other, why, nil
	}
	f := &cursor{p: payload[:size]}
	switch class, method := f.uint16(), f.uint16(); {
	case class == classBasic && method == basicCancel:
		return Cancelled, why, nil
	case class == classConnection && method == connectionCloseOK:
		return CloseOK, why, nil
	case class == classChannel && method == channelFlow:
		c = FlowOff
		if f.byte()&1 != 0 {
			c = FlowOn
		}
		if f.bad {
			return Other, why, FormatError("channel.flow cut short")
		}
		return c, why, nil
	case class == classConnection && method == connectionClose:
		c = Closed
	case class == classChannel && method == channelClose:
		c = ChannelClosed
	default:
		return Other, why, nil
	}
	why = Reason{Code: int(f.uint16()), Text: string(f.short())}
	if f.bad {
		return Other, why, FormatError("close cut short")
	}
	return c, why, nil
}

// exactly reads n bytes of a frame's beginning into scratch.
func (r *Reader) exactly(scratch []byte, n int) ([]byte, error) {
	for have := 0; have < n; {
		m, err := r.read(scratch[have:], n-have)
		if err != nil {
			if err == io.EOF && have > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		have += m
	}
	return scratch[:n], nil
}

// A Reason is why a peer closes: a reply code of the specification and a text.
type Reason struct {
	Code int
	Text string
}

func (r Reason) Error() string { return fmt.Sprintf("%d %s", r.Code, r.Text) }

// AppendHeartbeat appends a heartbeat frame (section 4.2.7).
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, typeHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd)
}

// AppendAck appends basic.ack of all deliveries up to tag.
func AppendAck(dst []byte, channel uint16, tag uint64) []byte {
	dst = appendMethod(dst, channel, 13, classBasic, basicAck)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	const multiple = 1
	return append(dst, multiple, frameEnd)
}

// AppendFlowOK appends channel.flow-ok, the answer to channel.flow.
func AppendFlowOK(dst []byte, channel uint16, on bool) []byte {
	dst = appendMethod(dst, channel, 5, classChannel, channelFlowOK)
	active := byte(0)
	if on {
		active = 1
	}
	return append(dst, active, frameEnd)
}

// AppendClose appends connection.close with the reply code of success.
func AppendClose(dst []byte) []byte {
	const success, text = 200, "closed"
	dst = appendMethod(dst, 0, uint32(11+len(text)), classConnection, connectionClose)
	dst = binary.BigEndian.AppendUint16(dst, success)
	dst = append(dst, byte(len(text)))
	dst = append(dst, text...)
	return append(dst, 0, 0, 0, 0, frameEnd) // no method is to blame
}

// AppendCloseOK appends connection.close-ok.
func AppendCloseOK(dst []byte) []byte {
	return append(appendMethod(dst, 0, 4, classConnection, connectionCloseOK), frameEnd)
}

func appendMethod(dst []byte, channel uint16, size uint32, class, method uint16) []byte {
	dst = append(dst, typeMethod)
	dst = binary.BigEndian.AppendUint16(dst, channel)
	dst = binary.BigEndian.AppendUint32(dst, size)
	dst = binary.BigEndian.AppendUint16(dst, class)
	return binary.BigEndian.AppendUint16(dst, method)
}
