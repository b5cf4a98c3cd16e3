// Package brokertest is the other end of an AMQP 0-9-1 connection for tests, made
// of nothing but what a consumer asks of it. It shares no code with what it
// tests.
package brokertest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// The methods that a consumer sends, by class and method.
var (
	StartOK      = Method{10, 11}
	TuneOK       = Method{10, 31}
	Open         = Method{10, 40}
	Close        = Method{10, 50}
	ChannelOpen  = Method{20, 10}
	FlowOK       = Method{20, 21}
	QueueDeclare = Method{50, 10}
	QueueBind    = Method{50, 20}
	Qos          = Method{60, 10}
	Consume      = Method{60, 20}
	Ack          = Method{60, 80}
	Heartbeat    = Method{} // as Next returns one

	CloseOK = Method{10, 51} // the broker's answer to Close
)

// A Method is a class and a method of the protocol.
type Method struct{ Class, ID uint16 }

// A Broker answers whatever a consumer asks. Its zero value offers PLAIN and
// AMQPLAIN, and is silent once the queue is consumed. It serves any number of
// connections.
type Broker struct {
	Heartbeat  uint16 // seconds; zero: 60
	Mechanisms string // empty: PLAIN AMQPLAIN

	// Refuse may refuse what a consumer asks with channel.close. Code zero: it
	// does not. Nil: nothing is refused.
	Refuse func(m Method, args []byte) (code uint16, text string)

	// Serve is called once the queue is consumed. Nil: answers go on.
	Serve func(*Conn)

	mu    sync.Mutex
	login string
	asked []Asked
}

// An Asked is one method that a consumer sent, with its arguments.
type Asked struct {
	Method
	Channel uint16
	Args    []byte
}

// A Conn reads frames, and writes them from a goroutine of its own: a real
// broker goes on reading while its client does not read. Reading is for one
// goroutine, writing for any.
type Conn struct {
	net.Conn
	Channel uint16 // of the frame read last
	br      *bufio.Reader
	out     chan []byte
	gone    chan struct{} // closed when nothing more is written
}

// Write leaves the bytes to the goroutine that writes.
func (c *Conn) Write(p []byte) (int, error) {
	select {
	case c.out <- bytes.Clone(p):
		return len(p), nil
	case <-c.gone:
		return 0, net.ErrClosed
	}
}

// End closes the connection behind what was written.
func (c *Conn) End() { c.out <- nil }

// send writes until the connection ends, or until end is closed and nothing is
// left to write.
func (c *Conn) send(end <-chan struct{}) {
	defer close(c.gone)
	for {
		var b []byte
		select {
		case b = <-c.out:
		default:
			select {
			case b = <-c.out:
			case <-end:
				return
			}
		}
		if b == nil {
			c.Conn.Close()
			return
		}
		if _, err := c.Conn.Write(b); err != nil {
			return
		}
	}
}

// Login returns the SASL mechanism and the response that came last.
func (b *Broker) Login() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.login
}

// Asked returns what consumers asked with this method, in order.
func (b *Broker) Asked(m Method) (all []Asked) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.asked {
		if a.Method == m {
			all = append(all, a)
		}
	}
	return all
}

// OneMessage is what a Broker serves that delivers one message to each consumer and
// answers until the consumer leaves.
func OneMessage(routingKey, body string) func(*Conn) {
	return func(c *Conn) {
		c.Deliver(1, routingKey, body)
		for {
			if _, _, err := c.Next(); err != nil {
				return
			}
		}
	}
}

// Talk answers on one connection until it ends, and closes it.
func (b *Broker) Talk(c net.Conn) {
	conn := &Conn{Conn: c, br: bufio.NewReader(c), out: make(chan []byte, 1<<10), gone: make(chan struct{})}
	end := make(chan struct{})
	go conn.send(end)
	defer func() {
		close(end)
		<-conn.gone
		c.Close()
	}()
	if _, err := io.ReadFull(conn.br, make([]byte, 8)); err != nil {
		return
	}
	mechanisms, heartbeat := b.Mechanisms, b.Heartbeat
	if mechanisms == "" {
		mechanisms = "PLAIN AMQPLAIN"
	}
	if heartbeat == 0 {
		heartbeat = 60
	}
	conn.Method(0, Method{10, 10}, []byte{0, 9, 0, 0, 0, 0}, LongString(mechanisms), LongString("en_US"))
	for {
		m, args, err := conn.Next()
		if err != nil {
			return
		}
		ch := conn.Channel
		b.mu.Lock()
		b.asked = append(b.asked, Asked{m, ch, args})
		b.mu.Unlock()
		if b.Refuse != nil {
			if code, text := b.Refuse(m, args); code != 0 {
				conn.Method(ch, Method{20, 40}, CloseArgs(code, text))
				continue
			}
		}
		switch m {
		case StartOK:
			properties := binary.BigEndian.Uint32(args)
			b.mu.Lock()
			b.login = string(args[4+properties:])
			b.mu.Unlock()
			conn.Method(0, Method{10, 30}, []byte{0, 10, 0, 2, 0, 0}, binary.BigEndian.AppendUint16(nil, heartbeat))
		case Open:
			conn.Method(0, Method{10, 41}, ShortString(""))
		case ChannelOpen:
			conn.Method(ch, Method{20, 11}, LongString(""))
		case QueueDeclare:
			name := args[2 : 3+args[2]]
			if len(name) == 1 {
				name = ShortString("amq.gen-1")
			}
			conn.Method(ch, Method{50, 11}, name, make([]byte, 8))
		case QueueBind:
			conn.Method(ch, Method{50, 21})
		case Qos:
			conn.Method(ch, Method{60, 11})
		case Consume:
			conn.Method(ch, Method{60, 21}, ShortString("farwire"))
			if b.Serve != nil {
				b.Serve(conn)
			}
		case Close:
			conn.Method(0, CloseOK)
			return
		}
	}
}

// maxFrame bounds the frames that are read: what TLS says to a broker without it looks
// like one of up to 4 GiB.
const maxFrame = 1 << 20

// Next reads one frame; a heartbeat is the zero Method.
func (c *Conn) Next() (m Method, args []byte, err error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(c.br, head); err != nil {
		return m, nil, err
	}
	size := binary.BigEndian.Uint32(head[3:])
	if size > maxFrame {
		return m, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	payload := make([]byte, size+1)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return m, nil, err
	}
	if head[0] == 8 {
		return Heartbeat, nil, nil
	}
	// Written only when it changes: a test may deliver from another goroutine.
	if ch := binary.BigEndian.Uint16(head[1:]); ch != c.Channel {
		c.Channel = ch
	}
	m = Method{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])}
	return m, bytes.Clone(payload[4 : len(payload)-1]), nil
}

// Frame writes a frame of any type. A client that is gone ends the next read.
func (c *Conn) Frame(kind byte, channel uint16, payload []byte) {
	c.Write(Frame(kind, channel, payload))
}

// Method writes a method frame.
func (c *Conn) Method(channel uint16, m Method, args ...[]byte) {
	b := binary.BigEndian.AppendUint16(nil, m.Class)
	b = binary.BigEndian.AppendUint16(b, m.ID)
	c.Frame(1, channel, append(b, bytes.Join(args, nil)...))
}

// Deliver writes a message without properties, on the channel of the last frame
// that was read.
func (c *Conn) Deliver(tag uint64, routingKey, body string) {
	c.DeliverWith(tag, routingKey, body, 0)
}

// DeliverWith writes a message with properties, encoded as the flags say.
func (c *Conn) DeliverWith(tag uint64, routingKey, body string, flags uint16, properties ...byte) {
	ch := max(c.Channel, 1)
	c.Method(ch, Method{60, 60}, ShortString("farwire"), binary.BigEndian.AppendUint64(nil, tag), []byte{0}, ShortString("ex"), ShortString(routingKey))
	head := []byte{0, 60, 0, 0}
	head = binary.BigEndian.AppendUint64(head, uint64(len(body)))
	head = binary.BigEndian.AppendUint16(head, flags)
	c.Frame(2, ch, append(head, properties...))
	if body != "" {
		c.Frame(3, ch, []byte(body))
	}
}

// Frame is a frame of any type.
func Frame(kind byte, channel uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), 0xCE)
}

// CloseArgs is the arguments of connection.close and channel.close.
func CloseArgs(code uint16, text string) []byte {
	return append(append(binary.BigEndian.AppendUint16(nil, code), ShortString(text)...), 0, 0, 0, 0)
}

// ShortString is a string with a length of one byte.
func ShortString(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// LongString is a string with a length of four bytes.
func LongString(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

// Holds reports whether the arguments of a method hold a text.
func (a Asked) Holds(text string) bool { return strings.Contains(string(a.Args), text) }

func (a Asked) String() string {
	return fmt.Sprintf("%d.%d on channel %d: %q", a.Class, a.ID, a.Channel, a.Args)
}
