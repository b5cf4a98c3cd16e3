package farwire_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// A fakeBroker is the other end of an AMQP connection, made of nothing but what
// a consumer asks of it.
type fakeBroker struct {
	heartbeat  uint16 // seconds; zero: 60
	mechanisms string // empty: PLAIN AMQPLAIN

	// serve is called once the queue is consumed.
	serve func(*brokerConn)

	mu    sync.Mutex
	login string // mechanism and response
}

// A brokerConn writes and reads frames.
type brokerConn struct {
	net.Conn
	br *bufio.Reader
}

func (b *fakeBroker) talk(c net.Conn) {
	defer c.Close()
	conn := &brokerConn{c, bufio.NewReader(c)}
	if _, err := io.ReadFull(conn.br, make([]byte, 8)); err != nil {
		return
	}
	mechanisms, heartbeat := b.mechanisms, b.heartbeat
	if mechanisms == "" {
		mechanisms = "PLAIN AMQPLAIN"
	}
	if heartbeat == 0 {
		heartbeat = 60
	}
	conn.method(0, 10, 10, []byte{0, 9, 0, 0, 0, 0}, longstr(mechanisms), longstr("en_US"))
	for {
		class, method, args, err := conn.next()
		if err != nil {
			return
		}
		switch [2]uint16{class, method} {
		case [2]uint16{10, 11}: // start-ok
			properties := binary.BigEndian.Uint32(args)
			b.mu.Lock()
			b.login = string(args[4+properties:])
			b.mu.Unlock()
			conn.method(0, 10, 30, []byte{0, 10, 0, 2, 0, 0}, binary.BigEndian.AppendUint16(nil, heartbeat))
		case [2]uint16{10, 40}:
			conn.method(0, 10, 41, shortstr(""))
		case [2]uint16{20, 10}:
			conn.method(1, 20, 11, longstr(""))
		case [2]uint16{50, 10}:
			conn.method(1, 50, 11, args[2:3+args[2]], make([]byte, 8))
		case [2]uint16{50, 20}:
			conn.method(1, 50, 21)
		case [2]uint16{60, 10}:
			conn.method(1, 60, 11)
		case [2]uint16{60, 20}:
			conn.method(1, 60, 21, shortstr("farwire"))
			if b.serve != nil {
				b.serve(conn)
			}
		case [2]uint16{10, 50}:
			conn.method(0, 10, 51)
			return
		}
	}
}

// next reads one frame; a heartbeat is class and method 0.
func (c *brokerConn) next() (class, method uint16, args []byte, err error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(c.br, head); err != nil {
		return 0, 0, nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return 0, 0, nil, err
	}
	if head[0] == 8 {
		return 0, 0, nil, nil
	}
	return binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]), payload[4:], nil
}

func (c *brokerConn) frame(kind byte, channel uint16, payload []byte) {
	b := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	c.Write(append(append(b, payload...), 0xCE)) // a client that is gone ends the next read
}

func (c *brokerConn) method(channel, class, method uint16, args ...[]byte) {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, method)
	for _, a := range args {
		b = append(b, a...)
	}
	c.frame(1, channel, b)
}

// deliver sends a message.
func (c *brokerConn) deliver(tag uint64, routingKey, body string) {
	c.method(1, 60, 60, shortstr("farwire"), binary.BigEndian.AppendUint64(nil, tag), []byte{0}, shortstr("ex"), shortstr(routingKey))
	head := []byte{0, 60, 0, 0}
	head = binary.BigEndian.AppendUint64(head, uint64(len(body)))
	c.frame(2, 1, append(head, 0, 0))
	if body != "" {
		c.frame(3, 1, []byte(body))
	}
}

func shortstr(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func longstr(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}
