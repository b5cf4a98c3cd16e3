package amqpstream_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/sse"
)

var limits = amqpstream.Limits{Budget: 1 << 20, Body: 16 << 20}

func own() *amqpstream.Subscription {
	return &amqpstream.Subscription{VirtualHost: "/", Username: "u", Password: "p", Prefetch: 500, Name: "scrape_de1_1",
		Bindings: []amqpstream.Binding{{Exchange: "ex", RoutingKey: "#"}}, QueueLimit: 1000}
}

// consume begins to consume from b over a pipe.
func consume(t testing.TB, b *brokertest.Broker, sub *amqpstream.Subscription) (*amqpstream.Consumer, error) {
	t.Helper()
	near, far := net.Pipe()
	go b.Talk(far)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := amqpstream.Consume(ctx, near, sub, limits)
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

func mustConsume(t testing.TB, b *brokertest.Broker, sub *amqpstream.Subscription) *amqpstream.Consumer {
	t.Helper()
	c, err := consume(t, b, sub)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// events takes batches until the text of n events has come.
func events(t testing.TB, c *amqpstream.Consumer, n int) string {
	t.Helper()
	rec := httptest.NewRecorder()
	s, err := sse.Open(rec, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for seen := int64(0); seen < int64(n); {
		b, ok := c.Take(&amqpstream.Batch{})
		if !ok {
			select {
			case <-c.Ready():
			case <-c.Ended():
				t.Fatalf("ended after %d of %d events: %v", seen, n, c.Err())
			case <-time.After(20 * time.Second):
				t.Fatalf("%d of %d events", seen, n)
			}
			continue
		}
		if err := b.Write(s); err != nil {
			t.Fatal(err)
		}
		seen += b.Count
		c.Acknowledge(&b)
	}
	_, text, _ := strings.Cut(rec.Body.String(), "\n\n") // behind the comment
	return text
}

func TestConsume_OwnQueue_IsDeclaredBoundAndConsumed(t *testing.T) {
	b := &brokertest.Broker{}
	sub := own()
	sub.Bindings = append(sub.Bindings, amqpstream.Binding{Exchange: "headers", RoutingKey: "k",
		Arguments: map[string]any{"x-match": "all", "n": int64(5), "f": 1.5, "void": nil, "nested": map[string]any{"list": []any{true, "s"}}}})
	c := mustConsume(t, b, sub)
	if c.Queue() != "scrape_de1_1" {
		t.Errorf("queue %q", c.Queue())
	}
	declare := b.Asked(brokertest.QueueDeclare)
	// Not durable, exclusive, auto-delete, with an expiry and a length.
	if len(declare) != 1 || !declare[0].Holds("\x0cscrape_de1_1\x0c") || !declare[0].Holds("x-expires") || !declare[0].Holds("x-max-length") {
		t.Errorf("declared %v", declare)
	}
	bind := b.Asked(brokertest.QueueBind)
	if len(bind) != 2 || !bind[0].Holds("\x02ex\x01#") || !bind[1].Holds("\x07headers\x01k") {
		t.Fatalf("bound %v", bind)
	}
	for _, field := range []string{"\x07x-matchS\x00\x00\x00\x03all", "\x01nl\x00\x00\x00\x00\x00\x00\x00\x05", "\x01fd\x3f\xf8", "\x04voidV", "\x06nestedF", "\x04listA\x00\x00\x00\x08t\x01S\x00\x00\x00\x01s"} {
		if !bind[1].Holds(field) {
			t.Errorf("the arguments %q have no %q", bind[1].Args, field)
		}
	}
	if qos := b.Asked(brokertest.Qos); len(qos) != 1 || string(qos[0].Args) != "\x00\x00\x00\x00\x01\xf4\x00" {
		t.Errorf("qos %v: want a prefetch of 500 for each consumer", qos)
	}
	if got := b.Asked(brokertest.Consume); len(got) != 1 || !got[0].Holds("\x07farwire\x04") {
		t.Errorf("consumed %v: want exclusive, with acknowledgements", got)
	}
}

// A queue without a limit is declared with none: one of zero would drop every message.
func TestConsume_NoQueueLimit_IsNotSent(t *testing.T) {
	for limit, sent := range map[int]bool{-1: false, 0: false, 1: true} {
		b, sub := &brokertest.Broker{}, own()
		sub.QueueLimit = limit
		mustConsume(t, b, sub)
		if declare := b.Asked(brokertest.QueueDeclare); len(declare) != 1 || declare[0].Holds("x-max-length") != sent {
			t.Errorf("a limit of %d: declared %v", limit, declare)
		}
	}
}

// Managed feeds let a user have only queues that the broker names.
func TestConsume_NameRefused_BrokerNamesTheQueue(t *testing.T) {
	refuseNamed := func(m brokertest.Method, args []byte) (uint16, string) {
		if m == brokertest.QueueDeclare && args[2] > 0 {
			return 403, "ACCESS_REFUSED - access to queue 'scrape_de1_1' in vhost '/' refused for user 'u'"
		}
		return 0, ""
	}
	b := &brokertest.Broker{Refuse: refuseNamed, Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", "x") }}
	c := mustConsume(t, b, own())
	if c.Queue() != "amq.gen-1" {
		t.Errorf("queue %q", c.Queue())
	}
	declares := b.Asked(brokertest.QueueDeclare)
	if len(declares) != 2 || !declares[1].Holds("\x00\x00\x00\x0c") || !declares[1].Holds("x-expires") || !declares[1].Holds("x-max-length") {
		t.Errorf("declared %v: want the same flags and arguments", declares)
	}
	if bind := b.Asked(brokertest.QueueBind); len(bind) != 1 || !bind[0].Holds("amq.gen-1") {
		t.Errorf("bound %v", bind)
	}
	if got := events(t, c, 1); !strings.Contains(got, `"body": "x"`) {
		t.Errorf("%s", got)
	}

	// Refused both: the first refusal says more.
	b = &brokertest.Broker{Refuse: func(m brokertest.Method, args []byte) (uint16, string) {
		code, text := refuseNamed(m, args)
		if m == brokertest.QueueDeclare && code == 0 {
			return 403, "ACCESS_REFUSED - access to queue 'amq.gen-1'"
		}
		return code, text
	}}
	if _, err := consume(t, b, own()); !fault.Is(err, fault.TargetRefused) || !strings.HasPrefix(err.Error(), "no permission: access to queue 'scrape_de1_1'") {
		t.Errorf("%v", err)
	}
	// A prefix that is the broker's own stands for no such policy.
	b = &brokertest.Broker{Refuse: refuseNamed}
	sub := own()
	sub.Name = "amq._de1_1"
	if _, err := consume(t, b, sub); !fault.Is(err, fault.TargetRefused) || len(b.Asked(brokertest.QueueDeclare)) != 1 {
		t.Errorf("%v", err)
	}
}

func existing() *amqpstream.Subscription {
	return &amqpstream.Subscription{VirtualHost: "/", Username: "u", Password: "p", Prefetch: 7, Name: "scrape_de1_1", Queue: "feed"}
}

// notStream refuses an offset, as RabbitMQ does for queues of other types.
func notStream(m brokertest.Method, args []byte) (uint16, string) {
	if m == brokertest.Consume && strings.Contains(string(args), "x-stream-offset") {
		return 406, "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'feed' in vhost '/' of queue type rabbit_quorum_queue"
	}
	return 0, ""
}

func TestConsume_ExistingQueue_IsOnlyConsumed(t *testing.T) {
	for name, refuse := range map[string]func(brokertest.Method, []byte) (uint16, string){"stream": nil, "another type": notStream} {
		b := &brokertest.Broker{Refuse: refuse, Serve: func(c *brokertest.Conn) {
			c.DeliverWith(1, "k", "x", 1<<13, offsetHeader(41)...)
		}}
		after := int64(40)
		sub := existing()
		sub.After = &after
		c := mustConsume(t, b, sub)
		for _, m := range []brokertest.Method{brokertest.QueueDeclare, brokertest.QueueBind} {
			if got := b.Asked(m); len(got) != 0 {
				t.Errorf("%s: asked %v", name, got)
			}
		}
		consumes := b.Asked(brokertest.Consume)
		last := consumes[len(consumes)-1]
		if last.Args[2+1+4+1+7] != 0 {
			t.Errorf("%s: flags %x: want neither exclusive nor without acknowledgements", name, last.Args[15])
		}
		want, id := 1, "id: 41\n"
		if refuse != nil {
			want, id = 2, "id: 1\n"
		}
		if got := events(t, c, 1); len(consumes) != want || !consumes[0].Holds("x-stream-offsetl\x00\x00\x00\x00\x00\x00\x00\x29") || !strings.Contains(got, "}\n"+id) {
			t.Errorf("%s: consumed %v, got %s", name, consumes, got)
		}
	}
	sub := existing()
	sub.Offset = "first"
	if _, err := consume(t, &brokertest.Broker{Refuse: notStream}, sub); !fault.Is(err, fault.TargetRefused) || err.Error() != `queue "feed" is not a stream, so it takes no offset` {
		t.Errorf("%v", err)
	}
}

func offsetHeader(offset uint64) []byte {
	table := append(brokertest.ShortString("x-stream-offset"), 'l')
	return brokertest.LongString(string(binary.BigEndian.AppendUint64(table, offset)))
}

func TestConsume_EachOffset_IsSentToTheBroker(t *testing.T) {
	for _, c := range []struct {
		offset any
		after  *int64
		want   string
	}{
		{nil, nil, "S\x00\x00\x00\x04next"}, {"first", nil, "S\x00\x00\x00\x05first"}, {"last", nil, "S\x00\x00\x00\x04last"},
		{int64(258), nil, "l\x00\x00\x00\x00\x00\x00\x01\x02"}, {time.Unix(1700000000, 0), nil, "T\x00\x00\x00\x00\x65\x53\xf1\x00"},
		{nil, new(int64), "l\x00\x00\x00\x00\x00\x00\x00\x01"}, {"first", new(int64), "l\x00\x00\x00\x00\x00\x00\x00\x01"},
	} {
		b := &brokertest.Broker{}
		sub := existing()
		sub.Offset, sub.After = c.offset, c.after
		mustConsume(t, b, sub)
		if got := b.Asked(brokertest.Consume); len(got) != 1 || !got[0].Holds("x-stream-offset"+c.want) {
			t.Errorf("%v: consumed %v", c.offset, got)
		}
	}
}

// Every property, in the order of the contract, and the id behind the data.
func TestDeliver_EveryProperty_IsInTheEvent(t *testing.T) {
	props := []byte{}
	for _, p := range [][]byte{brokertest.ShortString("application/json"), brokertest.ShortString("gzip"),
		brokertest.LongString("\x0bMessageTypeI\x00\x00\x00\x03"), {2, 5}, brokertest.ShortString("corr"), brokertest.ShortString("r"), brokertest.ShortString("60000"),
		brokertest.ShortString("mid"), binary.BigEndian.AppendUint64(nil, 1700000000), brokertest.ShortString("odds_change"), brokertest.ShortString("admin"), brokertest.ShortString("feed")} {
		props = append(props, p...)
	}
	b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
		c.DeliverWith(9, "k", "\x1f\x8b", 0xfff8, props...)
		c.DeliverWith(10, "k", "\u0085", 0x1800, 0, 0)
	}}
	want := `event: message
data: {"body": "H4s=", "routing_key": "k", "exchange": "ex", "delivery_tag": 9, "content_type": "application/json", "body_encoding": "base64", ` +
		`"headers": {"MessageType": 3}, "message_id": "mid", "correlation_id": "corr", "timestamp": 1700000000, "type": "odds_change", ` +
		`"content_encoding": "gzip", "app_id": "feed", "user_id": "admin", "priority": 5, "reply_to": "r", "expiration": "60000", "delivery_mode": 2}
id: 9

event: message
data: {"body": "\u0085", "routing_key": "k", "exchange": "ex", "delivery_tag": 10, "content_type": "", "priority": 0, "delivery_mode": 0}
id: 10

`
	if got := events(t, mustConsume(t, b, own()), 2); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Odd but legal sequences behind basic.consume-ok.
func TestConsumer_OddSequences_AreRead(t *testing.T) {
	b := &brokertest.Broker{}
	b.Serve = func(c *brokertest.Conn) {
		c.Frame(8, 0, nil)
		c.Deliver(1, "k", "")
		c.Frame(3, c.Channel, nil) // a body frame of no bytes
		c.Method(c.Channel, brokertest.Method{Class: 20, ID: 20}, []byte{0})
		c.Method(0, brokertest.Method{Class: 10, ID: 60}, brokertest.ShortString("low on memory")) // connection.blocked
		c.Deliver(2, "k", "two")
		c.Method(c.Channel, brokertest.Method{Class: 20, ID: 20}, []byte{1})
		c.Method(0, brokertest.Method{Class: 10, ID: 61})
		c.Frame(8, 1, nil)
		c.Deliver(3, "k", "three")
	}
	c := mustConsume(t, b, own())
	got := events(t, c, 3)
	for _, body := range []string{`"body": ""`, `"body": "two"`, `"body": "three"`} {
		if !strings.Contains(got, body) {
			t.Errorf("%s: %s", body, got)
		}
	}
	c.Close()
	flow := b.Asked(brokertest.FlowOK)
	if len(flow) != 2 || flow[0].Args[0] != 0 || flow[1].Args[0] != 1 || flow[0].Channel != 1 {
		t.Errorf("channel.flow was answered with %v", flow)
	}
	if acks := b.Asked(brokertest.Ack); len(acks) == 0 || acks[len(acks)-1].Args[7] != 3 || len(b.Asked(brokertest.Close)) != 1 {
		t.Errorf("acknowledged %v, closed %d times", acks, len(b.Asked(brokertest.Close)))
	}
}

// The client library has one connection and stops at its end: it never opens
// another by itself, and what it has opened stays with the consumer.
func TestConsume_Library_StopsAtTheEndOfItsStream(t *testing.T) {
	b := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.End() }}
	c := mustConsume(t, b, own())
	<-c.Ended()
	if !fault.Is(c.Err(), fault.TargetLost) {
		t.Errorf("%v", c.Err())
	}
	if n := len(b.Asked(brokertest.StartOK)); n != 1 {
		t.Errorf("%d logins", n)
	}
	c.Close() // TestMain finds a goroutine that stays
}

func TestConsume_ContextEnds_ConnectionIsClosed(t *testing.T) {
	near, far := net.Pipe()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			if _, err := far.Read(make([]byte, 100)); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := fmt.Errorf("enough")
	time.AfterFunc(time.Millisecond, func() { cancel(cause) })
	if _, err := amqpstream.Consume(ctx, near, own(), limits); err != cause {
		t.Errorf("%v", err)
	}
	<-gone
}

// A full Buffer stops the reading, and nothing else does.
func TestBuffer_Full_ReadingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, size = 40, 60_000
		b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			for tag := range n {
				c.Deliver(uint64(tag+1), "k", strings.Repeat("x", size))
			}
		}}
		c := mustConsume(t, b, own())
		synctest.Wait() // until the reader takes no more
		if got, most := c.Waiting(), int64(limits.Budget/2); got > most || got < most-2*size {
			t.Errorf("%d bytes wait, want almost %d", got, most)
		}
		if got := events(t, c, n); strings.Count(got, "\n\n") != n {
			t.Errorf("%d events", strings.Count(got, "\n\n"))
		}
		if got := c.Waiting(); got != 0 {
			t.Errorf("%d bytes wait in the end", got)
		}
		c.Close()
	})
}
