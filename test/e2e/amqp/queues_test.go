package amqp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// as is the body of a request of a feed's user.
func as(f rabbitmq.Feed, changes fields) fields {
	b := ask(f.Vhost, fields{"username": f.User, "password": f.Secret})
	delete(b, "exchange")
	for k, v := range changes {
		b[k] = v
	}
	return b
}

// A user who may have only queues that the broker names gets one, whatever its
// connection is, and it goes with the stream.
func TestQueue_OnlyGeneratedNames_BrokerNamesIt(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	p := publish(t, node, rabbitmq.Generated.Vhost)
	if err := p.ExchangeDeclare("unifiedfeed", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	body := as(rabbitmq.Generated, fields{"host": "localhost", "ssl": true, "port": node.TLSPort,
		"exchange": "unifiedfeed", "routing_key": []string{"*.*.live.#", "-.-.-.#"}})
	s := open(t, srv.URL, body)
	queue := s.connected()
	if !strings.HasPrefix(queue, "amq.gen-") {
		t.Errorf("queue %s", queue)
	}
	for _, key := range []string{"hi.-.live.odds_change.1", "hi.pre.-.odds_change.1", "-.-.-.alive.-"} {
		p.send("unifiedfeed", key, amqp091.Publishing{Body: []byte(key)})
	}
	for _, want := range []string{"hi.-.live.odds_change.1", "-.-.-.alive.-"} {
		if m := s.want("message"); m.data["body"] != want {
			t.Errorf("%s, want %s", m.raw, want)
		}
	}
	s.cancel()
	awaitGone(t, node, rabbitmq.Generated.Vhost, queue)

	// It goes with the gateway's process, too.
	body["host"], body["ssl"], body["port"] = "127.0.0.1", false, node.Port
	g := start(t, "gateway")
	queue = open(t, g.url, body).connected()
	if !exists(t, node, rabbitmq.Generated.Vhost, queue) {
		t.Errorf("no queue %s", queue)
	}
	g.Kill()
	awaitGone(t, node, rabbitmq.Generated.Vhost, queue)
}

func TestQueue_PrefixOfTheFeed_IsOurs(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	p := publish(t, node, rabbitmq.Prefixed.Vhost)
	if err := p.ExchangeDeclare("xpublic", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	s := open(t, srv.URL, as(rabbitmq.Prefixed, fields{"exchange": "xpublic", "queue_prefix": "q_anonymous"}))
	if queue := s.connected(); !strings.HasPrefix(queue, "q_anonymous_de1_") {
		t.Errorf("queue %s", queue)
	}
	// Another prefix is refused under every name, and the first refusal says why.
	s = open(t, srv.URL, as(rabbitmq.Prefixed, fields{"exchange": "xpublic", "queue_prefix": "mine"}))
	e := s.want("error")
	if m := e.data["message"].(string); !strings.HasPrefix(m, "agent error: no permission: access to queue 'mine_de1_") || e.data["reason"] != "target_refused" || e.retry != "86400000" {
		t.Errorf("%s, retry %q", e.raw, e.retry)
	}
}

// A user who may read one queue and nothing else.
func TestQueue_ReadPermissionAlone_IsEnough(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	p := publish(t, node, rabbitmq.Existing.Vhost)
	if _, err := p.QueueDeclare("_102030_", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	p.send("", "_102030_", amqp091.Publishing{Body: []byte("before")})
	s := open(t, srv.URL, as(rabbitmq.Existing, fields{"queue": "_102030_"}))
	if queue := s.connected(); queue != "_102030_" {
		t.Errorf("queue %s", queue)
	}
	if m := s.want("message"); m.data["body"] != "before" {
		t.Errorf("%s", m.raw)
	}
	s.cancel()
	e := open(t, srv.URL, as(rabbitmq.Existing, fields{"queue": "another"})).want("error")
	if m := e.data["message"].(string); !strings.HasPrefix(m, "agent error: no permission: ") || e.data["reason"] != "target_refused" {
		t.Errorf("%s", e.raw)
	}
}

// existing declares a queue of a type with some messages in it.
func (p *publisher) existing(name, kind string, n int) {
	p.t.Helper()
	if _, err := p.QueueDeclare(name, true, false, false, false, amqp091.Table{"x-queue-type": kind}); err != nil {
		p.t.Fatal(err)
	}
	p.number(name, 0, n)
}

// number publishes messages whose bodies are numbers, and waits until the broker
// has them.
func (p *publisher) number(queue string, from, to int) {
	p.t.Helper()
	if err := p.Confirm(false); err != nil {
		p.t.Fatal(err)
	}
	var last *amqp091.DeferredConfirmation
	for i := from; i < to; i++ {
		var err error
		m := amqp091.Publishing{Body: []byte(fmt.Sprint(i)), DeliveryMode: amqp091.Persistent}
		if last, err = p.PublishWithDeferredConfirm("", queue, false, false, m); err != nil {
			p.t.Fatal(err)
		}
	}
	if ok, err := last.WaitContext(contextFor(p.t, time.Minute)); !ok || err != nil {
		p.t.Fatalf("published: %v, %v", ok, err)
	}
}

// What was not delivered stays for the next client: over gateways that die in the
// middle no message is lost, one that comes again says so, and the queue stays.
func TestQueue_GatewaysThatDie_LoseNothing(t *testing.T) {
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			v, n := vhost(), 3000
			p := publish(t, node, v)
			p.existing("feed", kind, n)
			body := ask(v, fields{"queue": "feed", "prefetch": 50})
			delete(body, "exchange")
			seen := make(map[string]bool)
			take := func(m event) {
				b := m.data["body"].(string)
				if seen[b] && m.data["redelivered"] != true {
					t.Errorf("message %s came again and does not say so: %s", b, m.raw)
				}
				seen[b] = true
			}
			for range 4 {
				g := start(t, "gateway")
				s := open(t, g.url, body)
				s.connected()
				for range n / 20 {
					take(s.want("message"))
				}
				g.Kill()
				for { // what was flushed is still to be read
					m, err := s.next()
					if err != nil {
						break
					}
					take(m)
				}
			}
			before := len(seen)
			_, srv := gateway(t, farwire.Options{})
			s := open(t, srv.URL, body)
			s.connected()
			for len(seen) < n {
				take(s.want("message"))
			}
			t.Logf("%d of %d messages came through gateways that died", before, n)
			s.cancel()
			if _, err := p.QueueDeclarePassive("feed", true, false, false, false, amqp091.Table{"x-queue-type": kind}); err != nil {
				t.Errorf("the queue is gone: %v", err)
			}
		})
	}
}

func TestQueue_TwoClients_ShareIt(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	p.existing("feed", "classic", 1)
	body := ask(v, fields{"queue": "feed", "prefetch": 1})
	delete(body, "exchange")
	first := open(t, srv.URL, body)
	first.connected()
	first.want("message")
	second := open(t, srv.URL, body)
	second.connected()
	// The broker gives each of two idle consumers its turn. A message comes alone, because a
	// client that is slow to acknowledge would leave many to the other.
	type delivery struct {
		to   int
		body any
	}
	deliveries := make(chan delivery, 1)
	ctx := contextFor(t, time.Minute)
	for i, s := range []*stream{first, second} {
		go func() {
			for e, err := s.next(); err == nil; e, err = s.next() {
				select {
				case deliveries <- delivery{i, e.data["body"]}:
				case <-ctx.Done():
				}
			}
		}()
	}
	var got [2]int
	for n := 1; min(got[0], got[1]) < 10; n++ {
		p.number("feed", n, n+1)
		select {
		case d := <-deliveries:
			if got[d.to]++; d.body != fmt.Sprint(n) {
				t.Fatalf("client %d has %v, want %d", d.to, d.body, n)
			}
		case <-ctx.Done():
			t.Fatalf("message %d did not come; the clients have %v", n, got)
		}
	}
}

func TestQueue_OffsetWithoutAStream_IsRefused(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	for _, kind := range []string{"classic", "quorum"} {
		p.existing(kind, kind, 1)
		body := ask(v, fields{"queue": kind, "offset": "first"})
		delete(body, "exchange")
		s := open(t, srv.URL, body)
		want := `agent error: queue "` + kind + `" is not a stream, so it takes no offset`
		if e := s.want("error"); e.data["message"] != want || e.data["reason"] != "target_refused" || e.retry == "" {
			t.Errorf("%s", e.raw)
		}
		s.ends()
		// Last-Event-ID is another matter: it may be left over.
		delete(body, "offset")
		s = open(t, srv.URL, body, "Last-Event-ID", "7")
		s.connected()
		if m := s.want("message"); m.id != "1" || m.data["body"] != "0" {
			t.Errorf("%s", m.raw)
		}
		s.cancel()
	}
	body := ask(v, fields{"queue": "not-there"})
	delete(body, "exchange")
	if e := open(t, srv.URL, body).want("error"); e.data["message"] != `agent error: queue "not-there" not found` || e.data["reason"] != "target_refused" {
		t.Errorf("%s", e.raw)
	}
}

// Several keys, several exchanges, and arguments of headers exchanges.
func TestBindings_EachExchangeType_Delivers(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, fields{"routing_key": []string{"a.#", "b.*"}, "bindings": []fields{
		{"exchange": "amq.headers", "arguments": fields{"x-match": "all", "kind": "odds", "level": 5, "live": true, "there": nil}},
		{"exchange": "amq.direct", "routing_key": "exact"},
		{"exchange": "amq.fanout"},
	}}))
	s.connected()
	headers := func(h amqp091.Table) amqp091.Publishing { return amqp091.Publishing{Headers: h} }
	for _, m := range []struct {
		exchange, key string
		publishing    amqp091.Publishing
		hit           bool
	}{
		{"amq.topic", "a.b.c", amqp091.Publishing{}, true},
		{"amq.topic", "b.c", amqp091.Publishing{}, true},
		{"amq.topic", "b.c.d", amqp091.Publishing{}, false},
		{"amq.direct", "exact", amqp091.Publishing{}, true},
		{"amq.direct", "other", amqp091.Publishing{}, false},
		{"amq.fanout", "any", amqp091.Publishing{}, true},
		{"amq.headers", "1", headers(amqp091.Table{"kind": "odds", "level": int32(5), "live": true, "there": "x"}), true},
		{"amq.headers", "2", headers(amqp091.Table{"kind": "odds", "level": int32(6), "live": true, "there": "x"}), false},
		{"amq.headers", "3", headers(amqp091.Table{"kind": "odds", "level": int32(5), "live": true}), false},
	} {
		p.send(m.exchange, m.key, m.publishing)
		if !m.hit {
			continue
		}
		if got := s.want("message"); got.data["exchange"] != m.exchange || got.data["routing_key"] != m.key {
			t.Errorf("%s %s: %s", m.exchange, m.key, got.raw)
		}
	}
	e := open(t, srv.URL, ask(v, fields{"bindings": []fields{{"exchange": "nope"}}})).want("error")
	if e.data["message"] != `agent error: exchange "nope" not found` || e.data["reason"] != "target_refused" {
		t.Errorf("%s", e.raw)
	}
	e = open(t, srv.URL, ask(v, fields{"bindings": []fields{{"exchange": "amq.headers", "arguments": fields{"x-match": "sometimes"}}}})).want("error")
	if m := e.data["message"].(string); !strings.HasPrefix(m, "agent error: the broker refused: 406 ") || e.data["reason"] != "target_refused" {
		t.Errorf("%s", e.raw)
	}
}
