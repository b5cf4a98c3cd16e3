package amqp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

func TestEvents_Shape_IsTheContracts(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	for name, want := range map[string]string{"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Content-Type": "text/event-stream; charset=utf-8"} {
		if got := s.resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	hello := s.want("connected")
	if !regexp.MustCompile(`^\{"node_id": "farwire-de1", "queue_name": "scrape_de1_[0-9a-f]{16,}"\}$`).MatchString(hello.raw) {
		t.Errorf("connected: %s", hello.raw)
	}
	p.send("amq.topic", "19454.match.123", amqp091.Publishing{ContentType: "application/json", Body: []byte(`{"odds": 1.95}`)})
	m := s.want("message")
	want := `{"body": "{\"odds\": 1.95}", "routing_key": "19454.match.123", "exchange": "amq.topic", "delivery_tag": 1, "content_type": "application/json"}`
	if m.raw != want || m.id != "1" {
		t.Errorf("message: id %s\n got %s\nwant %s", m.id, m.raw, want)
	}
	p.send("amq.topic", "", amqp091.Publishing{})
	if m := s.want("message"); m.raw != `{"body": "", "routing_key": "", "exchange": "amq.topic", "delivery_tag": 2, "content_type": ""}` {
		t.Errorf("an empty message: %s", m.raw)
	}
}

// The defaults of the request: port, virtual host, routing key and prefix.
func TestStream_FieldsLeftOut_HaveDefaults(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	p := publish(t, node, "/")
	body := fields{"apiKey": key, "host": "127.0.0.1", "port": node.Port, "username": rabbitmq.Admin, "password": rabbitmq.AdminSecret, "exchange": "amq.topic", "geo": nil}
	s := open(t, srv.URL, body)
	if q := s.connected(); !strings.HasPrefix(q, "scrape_de1_") {
		t.Errorf("queue %s", q)
	}
	p.send("amq.topic", "any.key.at.all", amqp091.Publishing{Body: []byte("x")})
	if m := s.want("message"); m.data["body"] != "x" || m.data["routing_key"] != "any.key.at.all" {
		t.Errorf("message %s", m.raw)
	}
}

func TestStream_BodyOfAnyBytes_Arrives(t *testing.T) {
	_, srv := gateway(t, farwire.Options{AMQP: farwire.AMQPOptions{BodyLimit: 3 << 20}})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	s.connected()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	text := func(n int, s string) []byte { return []byte(strings.Repeat(s, n/len(s)+1)[:n]) }
	bodies := [][]byte{
		{}, []byte("a"), []byte("\n"), []byte("\r\n\r\ndata: x\n\n"), []byte("\u2028\u2029\u0085\ufeff"), []byte(`"\/`),
		every, every[:128], []byte("\xff"), []byte("☃"), []byte("☃")[:2], {0},
		text(64<<10-1, "x"), text(64<<10, "\x00"), text(64<<10+1, "y"), text(131_064, "z"), text(131_065, "☃"[:3]),
		text(1<<20, "ünïcödé ☃ \u2028\n\"\\"), bytes.Repeat(every, 1<<12), bytes.Repeat(every, 1<<10)[:100_001],
		text(3<<20, "at the limit "),
	}
	go func() {
		for i, b := range bodies {
			p.Publish("amq.topic", fmt.Sprint(i), false, false, amqp091.Publishing{Body: b})
		}
	}()
	for i, want := range bodies {
		m := s.want("message")
		got := []byte(m.data["body"].(string))
		if strings.ContainsAny(m.raw, "\r\u0085\u2028\u2029") {
			t.Errorf("body %d: a line end in the event", i)
		}
		if m.data["body_encoding"] == "base64" {
			var err error
			if got, err = base64.StdEncoding.DecodeString(string(got)); err != nil {
				t.Errorf("body %d: %v", i, err)
			}
			if utf8.Valid(want) {
				t.Errorf("body %d is text and came as base64", i)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("body %d: %d bytes %.40q, want %d bytes %.40q", i, len(got), got, len(want), want)
		}
		if m.id != fmt.Sprint(i+1) {
			t.Errorf("body %d has id %s", i, m.id)
		}
	}
}

func TestStream_BodyAboveTheLimit_IsAnnounced(t *testing.T) {
	_, srv := gateway(t, farwire.Options{AMQP: farwire.AMQPOptions{BodyLimit: 1000}})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	s.connected()
	for i, n := range []int{1000, 1001, 5 << 20, 0} {
		p.send("amq.topic", "k", amqp091.Publishing{Body: make([]byte, n), MessageId: fmt.Sprint("m", i)})
	}
	want := []string{
		``,
		`{"body": "", "routing_key": "k", "exchange": "amq.topic", "delivery_tag": 2, "content_type": "", "body_omitted": true, "body_size": 1001, "message_id": "m1"}`,
		`{"body": "", "routing_key": "k", "exchange": "amq.topic", "delivery_tag": 3, "content_type": "", "body_omitted": true, "body_size": 5242880, "message_id": "m2"}`,
		`{"body": "", "routing_key": "k", "exchange": "amq.topic", "delivery_tag": 4, "content_type": "", "message_id": "m3"}`,
	}
	for i, w := range want {
		m := s.want("message")
		if w != "" && m.raw != w {
			t.Errorf("message %d\n got %s\nwant %s", i, m.raw, w)
		}
		if i == 0 && len(m.data["body"].(string)) != 1000 {
			t.Errorf("a body at the limit: %s", m.raw)
		}
	}
}

func TestStream_EveryPropertyAndHeader_Arrives(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	s.connected()
	p.send("amq.topic", "k", amqp091.Publishing{
		ContentType: "text/plain", ContentEncoding: "x", DeliveryMode: 2, Priority: 3, CorrelationId: "corr \"1\"", ReplyTo: "r",
		Expiration: "60000", MessageId: "id\n2", Timestamp: time.Unix(1700000000, 0), Type: "kind", AppId: "app", Body: []byte("b"),
		Headers: amqp091.Table{
			"bool": true, "byte": byte(200), "int8": int8(-3), "int16": int16(-300), "int": 7, "int32": int32(-70000), "int64": int64(math.MaxInt64),
			"uint16": uint16(65535), "uint32": uint32(4294967295), "float32": float32(1.5), "float64": 0.1,
			"decimal": amqp091.Decimal{Scale: 2, Value: 12345}, "string": "s\u2028☃\n", "raw": "\xff", "bytes": []byte{0, 1, 2}, "nil": nil,
			"time": time.Unix(1600000000, 0), "table": amqp091.Table{"in": amqp091.Table{"deep": true}}, "array": []any{int32(1), "two", nil, []any{}},
			"": "empty name",
		},
	})
	m := s.want("message")
	dec := json.NewDecoder(strings.NewReader(m.raw))
	dec.UseNumber()
	var got map[string]any
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	n := func(s string) json.Number { return json.Number(s) }
	want := map[string]any{
		"body": "b", "routing_key": "k", "exchange": "amq.topic", "delivery_tag": n("1"), "content_type": "text/plain",
		"message_id": "id\n2", "correlation_id": "corr \"1\"", "timestamp": n("1700000000"), "type": "kind",
		"content_encoding": "x", "delivery_mode": n("2"), "priority": n("3"), "reply_to": "r", "expiration": "60000", "app_id": "app",
		"headers": map[string]any{
			"bool": true, "byte": n("200"), "int8": n("-3"), "int16": n("-300"), "int": n("7"), "int32": n("-70000"), "int64": n("9223372036854775807"),
			"uint16": n("65535"), "uint32": n("4294967295"), "float32": n("1.5"), "float64": n("0.1"),
			"decimal": n("123.45"), "string": "s\u2028☃\n", "raw": map[string]any{"base64": "/w=="}, "bytes": map[string]any{"base64": "AAEC"}, "nil": nil,
			"time": n("1600000000"), "table": map[string]any{"in": map[string]any{"deep": true}}, "array": []any{n("1"), "two", nil, []any{}},
			"": "empty name",
		},
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s:\n got %#v\nwant %#v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("fields of %s", m.raw)
	}
}

func TestStream_EveryTypeOfExchange_Works(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	for _, c := range []struct{ exchange, bind, hit, miss string }{
		{"amq.topic", "*.match.#", "a.match.b.c", "a.other"},
		{"amq.direct", "exact", "exact", "exac"},
		{"amq.fanout", "ignored", "anything", ""},
		{"amq.headers", "", "anything", ""},
	} {
		s := open(t, srv.URL, ask(v, fields{"exchange": c.exchange, "routing_key": c.bind, "queue_prefix": "p.A-9_"}))
		if q := s.connected(); !strings.HasPrefix(q, "p.A-9__de1_") {
			t.Errorf("queue %s", q)
		}
		if c.miss != "" {
			p.send(c.exchange, c.miss, amqp091.Publishing{Body: []byte("miss")})
		}
		p.send(c.exchange, c.hit, amqp091.Publishing{Body: []byte("hit")})
		if m := s.want("message"); m.data["body"] != "hit" || m.data["exchange"] != c.exchange {
			t.Errorf("%s: %s", c.exchange, m.raw)
		}
		s.cancel()
	}
	// Without an exchange the queue is reached by its name.
	s := open(t, srv.URL, ask(v, fields{"exchange": ""}))
	queue := s.connected()
	p.send("amq.topic", "x", amqp091.Publishing{Body: []byte("miss")})
	p.send("", queue, amqp091.Publishing{Body: []byte("hit")})
	if m := s.want("message"); m.data["body"] != "hit" || m.data["exchange"] != "" || m.data["routing_key"] != queue {
		t.Errorf("by name: %s", m.raw)
	}
}

func TestStream_OddVirtualHostsAndPasswords_Work(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	for _, v := range rabbitmq.Vhosts {
		s := open(t, srv.URL, ask(v, fields{"username": rabbitmq.Odd, "password": rabbitmq.OddSecret}))
		queue := s.connected()
		s.cancel()
		awaitGone(t, node, v, queue)
	}
}

func TestStream_OverTLS_Works(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		s := open(t, srv.URL, ask(v, fields{"host": host, "port": node.TLSPort, "ssl": true}))
		s.connected()
		p.send("amq.topic", "k", amqp091.Publishing{Body: bytes.Repeat([]byte("tls "), 100_000)})
		if m := s.want("message"); len(m.data["body"].(string)) != 400_000 {
			t.Errorf("%d bytes", len(m.data["body"].(string)))
		}
		s.cancel()
	}
}

// A message that was given back by another consumer says so.
func TestStream_MessageGivenBack_IsRedelivered(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, fields{"exchange": ""}))
	queue := s.connected()
	// The queue is exclusive: only a dead letter of ours can come back, which
	// is a new delivery. So what is not redelivered must not say that it is.
	p.send("", queue, amqp091.Publishing{Body: []byte("x")})
	if m := s.want("message"); m.data["redelivered"] != nil {
		t.Errorf("%s", m.raw)
	}
}

func TestStream_ManyMessages_ArriveInOrder(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
	queue := s.connected()
	const n = 20_000
	go func() {
		for i := range n {
			p.Publish("amq.topic", "k", false, false, amqp091.Publishing{Body: []byte(fmt.Sprint(i, strings.Repeat("x", i%700)))})
		}
	}()
	for i := range n {
		m := s.want("message")
		if want := fmt.Sprint(i, strings.Repeat("x", i%700)); m.data["body"] != want || m.id != fmt.Sprint(i+1) {
			t.Fatalf("message %d: %s", i, m.raw)
		}
	}
	// All were acknowledged: nothing is left to the next.
	s.cancel()
	awaitGone(t, node, v, queue)
}
