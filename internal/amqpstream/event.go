package amqpstream

import (
	"strconv"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/sse"
)

// offsetArgument is what a stream queue is consumed with, and the header that
// each of its deliveries has.
const offsetArgument = "x-stream-offset"

// AppendConnected appends the event that begins a stream.
func AppendConnected(dst []byte, node, queue string) []byte {
	dst = append(dst, "event: connected\ndata: {\"node_id\": "...)
	dst = sse.AppendString(dst, node)
	dst = append(dst, `, "queue_name": `...)
	dst = sse.AppendString(dst, queue)
	return append(dst, "}\n\n"...)
}

// appendRest appends what follows the body of a message event: its other fields
// and its id, which comes last because some clients take an id for read as soon
// as they have seen it.
func appendRest(dst []byte, d *amqpwire.Delivery, body []byte, text, stream bool) []byte {
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
	dst = appendProperties(dst, d)
	dst = append(dst, "}\nid: "...)
	dst = appendID(dst, d, stream)
	return append(dst, "\n\n"...)
}

// appendID appends the offset of a message of a stream queue, so that a client
// can go on behind it, and the delivery tag of another.
func appendID(dst []byte, d *amqpwire.Delivery, stream bool) []byte {
	if stream && d.HasHeaders {
		if offset, ok := amqpwire.Long(d.Headers, offsetArgument); ok && offset >= 0 {
			return strconv.AppendInt(dst, offset, 10)
		}
	}
	return strconv.AppendUint(dst, d.Tag, 10)
}

// appendProperties appends the properties that the message has.
func appendProperties(dst []byte, d *amqpwire.Delivery) []byte {
	if d.HasHeaders {
		dst = append(dst, `, "headers": `...)
		if with, ok := amqpwire.AppendTable(dst, d.Headers); ok {
			dst = with
		} else {
			dst = append(dst, `null, "headers_unreadable": true`...)
		}
	}
	dst = appendText(dst, `, "message_id": `, d.MessageID)
	dst = appendText(dst, `, "correlation_id": `, d.CorrelationID)
	dst = appendNumber(dst, `, "timestamp": `, d.Timestamp, d.HasTimestamp)
	dst = appendText(dst, `, "type": `, d.Type)
	dst = appendText(dst, `, "content_encoding": `, d.ContentEncoding)
	dst = appendText(dst, `, "app_id": `, d.AppID)
	dst = appendText(dst, `, "user_id": `, d.UserID)
	dst = appendNumber(dst, `, "priority": `, uint64(d.Priority), d.HasPriority)
	dst = appendText(dst, `, "reply_to": `, d.ReplyTo)
	dst = appendText(dst, `, "expiration": `, d.Expiration)
	return appendNumber(dst, `, "delivery_mode": `, uint64(d.DeliveryMode), d.HasDeliveryMode)
}

func appendText(dst []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	return sse.AppendString(append(dst, name...), value)
}

func appendNumber(dst []byte, name string, value uint64, has bool) []byte {
	if !has {
		return dst
	}
	return strconv.AppendUint(append(dst, name...), value, 10)
}
