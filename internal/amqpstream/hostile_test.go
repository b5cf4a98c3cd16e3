package amqpstream_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/fault"
)

// answering consumes from a broker that gives one answer, or none, to each frame that it
// is sent, the protocol header among them.
func answering(answers ...[]byte) error {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		buf := make([]byte, 64<<10)
		for _, a := range answers {
			if _, err := far.Read(buf); err != nil {
				return
			}
			if len(a) == 0 {
				continue
			}
			if _, err := far.Write(a); err != nil {
				return
			}
		}
		io.Copy(io.Discard, far)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := amqpstream.Consume(ctx, near, own(), limits)
	if err == nil {
		c.Close()
	}
	return err
}

func method(channel uint16, class, id byte, args ...[]byte) []byte {
	return brokertest.Frame(1, channel, slices.Concat([]byte{0, class, 0, id}, bytes.Join(args, nil)))
}

func began(properties string) []byte {
	return method(0, 10, 10, []byte{0, 9}, brokertest.LongString(properties), brokertest.LongString("PLAIN"), brokertest.LongString("en_US"))
}

// A broker that does not keep to the protocol while all is set up is at fault, and not
// the gateway.
func TestConsume_InvalidAnswer_IsTheBrokersFault(t *testing.T) {
	nested := ""
	for range 100 {
		nested = "\x00F" + string(brokertest.LongString(nested))
	}
	tune := method(0, 10, 30, []byte{0, 10, 0, 2, 0, 0, 0, 60})
	opened := method(0, 10, 41, brokertest.ShortString(""))
	channel := method(1, 20, 11, brokertest.LongString(""))
	for name, answers := range map[string][][]byte{
		"tables a hundred deep":        {began(nested)},
		"a table that is cut short":    {began("\x05a")},
		"a field of an unknown type":   {began("\x01a?")},
		"an answer to nothing":         {began(""), tune, nil, opened, method(1, 50, 11, brokertest.ShortString("q"), make([]byte, 8))},
		"an answer to something else":  {began(""), tune, nil, opened, channel, method(1, 60, 11)},
		"a method that is not known":   {began(""), tune, nil, opened, method(1, 20, 99)},
		"a method of an unknown class": {began(""), tune, nil, opened, channel, method(1, 77, 1)},
		"a heartbeat with a channel":   {began(""), tune, nil, opened, channel, brokertest.Frame(8, 1, nil)},
	} {
		err := answering(answers...)
		if !fault.Is(err, fault.TargetRefused) || !strings.Contains(err.Error(), "the broker does not keep to AMQP 0-9-1") {
			t.Errorf("%s: %v, class %v", name, err, fault.ClassOf(err))
		}
	}
}

// What the library makes of a close depends on whether it is asking something just then.
func TestConsume_ClosedBetweenQuestions_IsLost(t *testing.T) {
	for range 200 {
		b := &brokertest.Broker{}
		near, far := net.Pipe()
		go b.Talk(closesBehind{far, method(1, 50, 11)[:11]})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		c, err := amqpstream.Consume(ctx, near, own(), limits)
		cancel()
		if err == nil {
			c.Close()
			t.Fatal("it consumes")
		}
		if !fault.Is(err, fault.TargetLost) {
			t.Fatalf("%v, class %v", err, fault.ClassOf(err))
		}
	}
}

// closesBehind writes connection.close behind the frame that begins so, in one piece.
type closesBehind struct {
	net.Conn
	frame []byte
}

func (c closesBehind) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p[7:], c.frame[7:]) {
		p = append(bytes.Clone(p), method(0, 10, 50, brokertest.CloseArgs(320, "CONNECTION_FORCED - node stops"))...)
	}
	return c.Conn.Write(p)
}
