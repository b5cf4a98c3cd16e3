package amqp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// A perConsumerBroker stands before a broker and does to basic.qos what RabbitMQ
// does from 4.3 on: a prefetch for the whole channel becomes one for each new
// consumer. It passes no acknowledgement on before a number of messages has come.
type perConsumerBroker struct {
	net.Listener
	qos, global    atomic.Int64
	unacknowledged atomic.Int64 // the most at one time
}

func newPerConsumerBroker(t testing.TB, held int64) *perConsumerBroker {
	t.Helper()
	b := &perConsumerBroker{}
	b.Listener = harness.Conns(t, func(client net.Conn) {
		broker, err := net.Dial("tcp", node.Addr())
		if err != nil {
			return
		}
		defer broker.Close()
		var acknowledged atomic.Int64
		full := make(chan struct{})
		go func() {
			defer client.Close()
			delivered := int64(0)
			copyFrames(client, broker, func(method uint32, _ []byte) {
				if method != 60<<16|60 { // basic.deliver
					return
				}
				delivered++
				b.unacknowledged.Store(max(b.unacknowledged.Load(), delivered-acknowledged.Load()))
				if delivered == held {
					close(full)
				}
			})
		}()
		if _, err := io.CopyN(broker, client, 8); err != nil { // the protocol's header
			return
		}
		copyFrames(broker, client, func(method uint32, arguments []byte) {
			switch method {
			case 60<<16 | 10: // basic.qos
				b.qos.Add(1)
				if arguments[6] != 0 {
					b.global.Add(1)
					arguments[6] = 0
				}
			case 60<<16 | 80: // basic.ack
				select {
				case <-full:
				case <-t.Context().Done():
				}
				acknowledged.Store(int64(binary.BigEndian.Uint64(arguments)))
			}
		})
	})
	return b
}

// copyFrames shows the method of each frame that has one, before it passes it on.
func copyFrames(to io.Writer, from io.Reader, show func(method uint32, arguments []byte)) {
	for {
		frame := make([]byte, 7, 64)
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame[3:])+1)...)
		if _, err := io.ReadFull(from, frame[7:]); err != nil {
			return
		}
		if frame[0] == 1 {
			show(binary.BigEndian.Uint32(frame[7:]), frame[11:])
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// With a broker that has a prefetch for each consumer alone, as many messages are on
// their way to a stream as it asks for, and no more. How fast that makes it compared to
// a plain consumer is for test/amqpbench.
func TestPrefetch_BrokerOfToday_HoldsForTheConsumer(t *testing.T) {
	const n, prefetch = 500, 100
	b := newPerConsumerBroker(t, prefetch)
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	if _, err := p.QueueDeclare("ours", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	p.fill("", "ours", n, bytes.Repeat([]byte("x"), 200))
	request := ask(v, fields{"port": port(b), "queue": "ours", "prefetch": prefetch})
	delete(request, "exchange")
	s := open(t, srv.URL, request)
	s.connected()
	for i := range n {
		if m := s.want("message"); m.id != fmt.Sprint(i+1) {
			t.Fatalf("message %d has id %s", i+1, m.id)
		}
	}
	s.cancel()
	if most := b.unacknowledged.Load(); most != prefetch {
		t.Errorf("%d messages were not acknowledged at one time, want %d", most, prefetch)
	}
	if b.qos.Load() == 0 || b.global.Load() != 0 {
		t.Errorf("%d of %d prefetches were for the whole channel", b.global.Load(), b.qos.Load())
	}
}

// Large bodies, a small prefetch's worth of them far above the budget, and a
// reader that takes little: the broker's connection is not read on.
func TestPrefetch_LargeBodiesSlowReader_CostTheBudget(t *testing.T) {
	g := start(t, "gateway")
	v, n := vhost(), 60
	p := publish(t, node, v)
	s := openRaw(t, g.url, ask(v, fields{"prefetch": 5000}))
	s.connected()
	before := g.heap(t)
	p.fill("amq.topic", "k", n, bytes.Repeat([]byte("x"), 1<<20))
	most := int64(0)
	for i := range n {
		if grown := g.heap(t) - before; grown > most {
			most = grown
		}
		// A piece at a time, as a slow line gives it.
		for taken := 0; taken < 800<<10; taken += 100 << 10 {
			if _, err := s.r.Peek(1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if m := s.want("message"); m.id != fmt.Sprint(i+1) {
			t.Fatalf("message %d has id %s", i, m.id)
		}
	}
	// One body that waits, one that is written.
	if most > 6<<20 {
		t.Errorf("the heap grew by %d bytes", most)
	}
	t.Logf("the heap grew by at most %d bytes, %d messages of 1 MiB", most, n)
}
