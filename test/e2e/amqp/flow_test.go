package amqp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// soak multiplies what tests do by FARWIRE_SOAK, as make soak sets it.
func soak(n int) int {
	if by, err := strconv.Atoi(os.Getenv("FARWIRE_SOAK")); err == nil && by > 0 {
		return n * by
	}
	return n
}

// fill publishes n messages and waits until the broker has them.
func (p *publisher) fill(exchange, routingKey string, n int, body []byte) {
	p.t.Helper()
	if err := p.Confirm(false); err != nil {
		p.t.Fatal(err)
	}
	var last *amqp091.DeferredConfirmation
	for range n {
		var err error
		last, err = p.PublishWithDeferredConfirm(exchange, routingKey, false, false, amqp091.Publishing{Body: body})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if ok, err := last.WaitContext(contextFor(p.t, time.Minute)); !ok || err != nil {
		p.t.Fatalf("published: %v, %v", ok, err)
	}
}

func contextFor(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// awaitSteady returns the heap once it has stopped growing.
func awaitSteady(t testing.TB, p *process) int64 {
	t.Helper()
	most := int64(0)
	for still := 0; still < 10; time.Sleep(50 * time.Millisecond) {
		if now := p.heap(t); now > most {
			most, still = now, 0
		} else {
			still++
		}
	}
	return p.heap(t) // most may be a moment in which an event was being written
}

// A reader that stalls stops the broker and costs no more than the budget, for
// bodies of every size, and reads on where it stopped.
func TestStream_ReaderStalls_CostsItsBudget(t *testing.T) {
	for _, c := range []struct {
		size, n int
		most    int64
	}{
		{256, soak(30_000), 2e6},      // 300 000 with FARWIRE_SOAK=10
		{10 << 10, soak(10_000), 2e6}, // 100 000 with FARWIRE_SOAK=10
		{1 << 20, 20, 4 << 20},
		{6 << 20, 5, 4 * 6 << 20},
	} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			g := start(t, "gateway")
			v := vhost()
			p := publish(t, node, v)
			s := openRaw(t, g.url, ask(v, nil))
			s.connected()
			before := g.heap(t)
			body := bytes.Repeat([]byte{'"'}, c.size) // each byte is escaped
			p.fill("amq.topic", "k", c.n, body)
			if grown := awaitSteady(t, g) - before; grown > c.most {
				t.Errorf("%d messages of %d bytes: the heap grew by %d bytes, more than %d", c.n, c.size, grown, c.most)
			} else {
				t.Logf("%d messages of %d bytes: %d bytes", c.n, c.size, grown)
			}
			for i := range min(c.n, 500) {
				if m := s.want("message"); m.id != fmt.Sprint(i+1) || len(m.data["body"].(string)) != c.size {
					t.Fatalf("message %d has id %s and %d bytes", i, m.id, len(m.data["body"].(string)))
				}
			}
		})
	}
}

// What a stalled reader has not been sent comes when it reads on, once and in
// order.
func TestStream_ReaderStalls_LosesNoMessage(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := openRaw(t, srv.URL, ask(v, nil))
	s.connected()
	const n = 3000
	p.fill("amq.topic", "k", n, bytes.Repeat([]byte("x"), 10<<10))
	for i := range n {
		if m := s.want("message"); m.id != fmt.Sprint(i+1) {
			t.Fatalf("message %d has id %s", i, m.id)
		}
	}
}

func TestStream_ReaderStallsTooLong_IsEnded(t *testing.T) {
	_, srv := gateway(t, farwire.Options{AMQP: farwire.AMQPOptions{StallTimeout: 500 * time.Millisecond}})
	v := vhost()
	p := publish(t, node, v)
	s := openRaw(t, srv.URL, ask(v, nil))
	queue := s.connected()
	p.fill("amq.topic", "k", 40, bytes.Repeat([]byte("x"), 256<<10)) // more than sockets hold
	awaitGone(t, node, v, queue)                                     // while nobody reads
	for i := 1; ; i++ {
		e, err := s.next()
		if err != nil {
			t.Fatalf("after %d events: %v", i, err)
		}
		if e.name == "error" {
			if e.data["message"] != "the reader stalled" || e.data["code"] != 1008.0 {
				t.Errorf("%s", e.raw)
			}
			break
		}
		if e.id != fmt.Sprint(i) {
			t.Fatalf("event %d has id %s", i, e.id)
		}
	}
	s.ends()
}

// A slow reader is no stalled one.
func TestStream_SlowReader_GetsEveryMessage(t *testing.T) {
	_, srv := gateway(t, farwire.Options{AMQP: farwire.AMQPOptions{StallTimeout: 30 * time.Second}})
	v := vhost()
	p := publish(t, node, v)
	s := openRaw(t, srv.URL, ask(v, nil))
	s.connected()
	const n = 300
	p.fill("amq.topic", "k", n, bytes.Repeat([]byte("x"), 64<<10))
	for i := range n {
		if m := s.want("message"); m.id != fmt.Sprint(i+1) {
			t.Fatalf("message %d has id %s", i, m.id)
		}
		if i%10 == 0 {
			time.Sleep(20 * time.Millisecond) // a slow reader is what is tested
		}
	}
}

func TestDrain_StreamOpen_EventSaysSo(t *testing.T) {
	gw, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	queue := s.connected()
	p.send("amq.topic", "k", amqp091.Publishing{Body: []byte("x")})
	s.want("message")
	silent := harness.Conns(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	early := open(t, srv.URL, ask(v, fields{"port": port(silent)}))
	if err := gw.Shutdown(contextFor(t, time.Minute)); err != nil {
		t.Error(err)
	}
	for _, s := range []*stream{s, early} {
		if e := s.want("error"); e.data["message"] != "the gateway is draining" || e.data["code"] != 1001.0 {
			t.Errorf("%s", e.raw)
		}
		s.ends()
	}
	awaitGone(t, node, v, queue)
}

// A drain that may not wait cuts a stream whose reader has stalled.
func TestDrain_StalledStream_IsEnded(t *testing.T) {
	gw, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := openRaw(t, srv.URL, ask(v, nil))
	queue := s.connected()
	p.send("amq.topic", "k", amqp091.Publishing{Body: bytes.Repeat([]byte("x"), 16<<20)}) // more than sockets hold
	for line := ""; line != "event: message\n"; {
		var err error
		if line, err = s.r.ReadString('\n'); err != nil || strings.HasPrefix(line, "event: ") && line != "event: message\n" {
			t.Fatalf("%q, %v", line, err) // what is no event says that the stream is there
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := gw.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("Shutdown took %v", d)
	}
	awaitGone(t, node, v, queue)
}

// A broker that freezes, and one that is killed, end the stream with an error.
func TestBroker_FreezesOrDies_StreamEnds(t *testing.T) {
	own, err := rabbitmq.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	_, srv := gateway(t, farwire.Options{})
	body := ask("/", fields{"port": own.Port, "heartbeat": 1})
	s := open(t, srv.URL, body)
	s.connected()
	idle := open(t, srv.URL, body)
	idle.connected()
	begin := time.Now()
	if err := own.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*stream{s, idle} {
		if e := s.want("error"); e.data["message"] != "agent error: the broker stopped answering" || e.data["code"] != 1011.0 {
			t.Errorf("%s", e.raw)
		}
		s.ends()
	}
	if d := time.Since(begin); d > 30*time.Second { // by heartbeats, as the message says
		t.Errorf("noticed after %v", d)
	}
	if err := own.Thaw(); err != nil {
		t.Fatal(err)
	}
	s = open(t, srv.URL, body)
	s.connected()
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	// Noticed by the end of the connection, which comes before a heartbeat is missed.
	e := s.want("error")
	if m := e.data["message"].(string); m != "agent error: the broker closed the connection" && m != "agent error: connection to the broker lost" || e.data["code"] != 1011.0 {
		t.Errorf("%s", e.raw)
	}
	s.ends()
}

// What the broker's operator does ends the stream, too.
func TestStream_QueueDeleted_Ends(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	queue := s.connected()
	// Only the owner of an exclusive queue may delete it, but a virtual host
	// goes with all that is in it.
	if _, err := p.QueueDelete(queue, false, false, false); err == nil || !strings.Contains(err.Error(), "RESOURCE_LOCKED") {
		t.Errorf("another connection deletes the queue: %v", err)
	}
	out, err := node.Ctl(contextFor(t, time.Minute), "close_all_connections", "--vhost", v, "for a test")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if e := s.want("error"); e.data["message"] != "agent error: the broker is shutting down or its operator closed the connection" {
		t.Errorf("%s", e.raw)
	}
	s.ends()
}
