package amqp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
)

// streamOf is the body of a request for a stream queue.
func streamOf(vhost string, changes fields) fields {
	b := ask(vhost, fields{"queue": "log"})
	delete(b, "exchange")
	for k, v := range changes {
		b[k] = v
	}
	return b
}

func TestStream_EachOffset_StartsThere(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	begin := time.Now()
	p.existing("log", "stream", 100)
	for _, c := range []struct {
		name    string
		changes fields
		lastID  string
		first   int // the id of the first event; -1: any
	}{
		{"first", fields{"offset": "first"}, "", 0},
		{"a number", fields{"offset": 42}, "", 42},
		{"a number in text", fields{"offset": "42"}, "", 42},
		{"last", fields{"offset": "last"}, "", -1},
		{"a time before", fields{"offset": begin.Add(-time.Hour).Format(time.RFC3339)}, "", 0},
		{"behind an event", fields{}, "57", 58},
		{"behind an event, whatever the offset", fields{"offset": "first"}, "57", 58},
		{"behind nothing that is an offset", fields{"offset": "first"}, "x", 0},
	} {
		s := open(t, srv.URL, streamOf(v, c.changes), "Last-Event-ID", c.lastID)
		if queue := s.connected(); queue != "log" {
			t.Errorf("%s: queue %s", c.name, queue)
		}
		m := s.want("message")
		id, err := strconv.Atoi(m.id)
		if err != nil || c.first >= 0 && id != c.first || m.data["body"] != m.id || m.data["delivery_tag"] != 1.0 {
			t.Errorf("%s: id %s, %s", c.name, m.id, m.raw)
		}
		s.cancel()
	}
	// By default, what comes next.
	s := open(t, srv.URL, streamOf(v, nil))
	s.connected()
	behind := open(t, srv.URL, streamOf(v, nil), "Last-Event-ID", "99")
	behind.connected()
	p.number("log", 100, 101)
	for _, s := range []*stream{s, behind} {
		if m := s.want("message"); m.id != "100" || m.data["body"] != "100" {
			t.Errorf("id %s, %s", m.id, m.raw)
		}
	}
}

// What the queue's own retention has removed shows in the first id.
func TestStream_Retention_ShowsInTheFirstID(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	_, err := p.QueueDeclare("log", true, false, false, false, amqp091.Table{"x-queue-type": "stream",
		"x-max-length-bytes": int64(1 << 20), "x-stream-max-segment-size-bytes": int64(256 << 10)})
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 20<<10)
	for i := range 50 {
		p.fill("", "log", 10, body)
		if i == 0 {
			s := open(t, srv.URL, streamOf(v, fields{"offset": "first"}))
			s.connected()
			if m := s.want("message"); m.id != "0" {
				t.Errorf("id %s", m.id)
			}
			s.cancel()
		}
	}
	s := open(t, srv.URL, streamOf(v, nil), "Last-Event-ID", "0")
	s.connected()
	m := s.want("message")
	if id, err := strconv.Atoi(m.id); err != nil || id <= 1 || id >= 500 {
		t.Errorf("the first id is %s", m.id)
	}
}

// Over connections that are cut anywhere, inside an event too, a client that
// sends Last-Event-ID sees each message exactly once, in order.
func TestStream_Kills_NoMessageLostOrRepeated(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v, kills := vhost(), soak(50) // 1000 with FARWIRE_SOAK=20
	p := publish(t, node, v)
	p.existing("log", "stream", 1)
	random := rand.New(rand.NewPCG(1, uint64(kills)))
	next, last, published := 0, "", 1
	for kill := range kills {
		s := open(t, srv.URL, streamOf(v, fields{"offset": "first"}), "Last-Event-ID", last)
		s.connected()
		more := 20 + random.IntN(200)
		p.number("log", published, published+more)
		published += more
		for range random.IntN(more) {
			m := s.want("message")
			if m.id != strconv.Itoa(next) || m.data["body"] != m.id {
				t.Fatalf("after %d kills: id %s, body %v, want %d", kill, m.id, m.data["body"], next)
			}
			last = m.id
			next++
		}
		if kill%2 == 0 { // in the middle of what comes next
			s.r.Read(make([]byte, random.IntN(200)))
		}
		s.cancel()
	}
	s := open(t, srv.URL, streamOf(v, fields{"offset": "first"}), "Last-Event-ID", last)
	s.connected()
	for ; next < published; next++ {
		if m := s.want("message"); m.id != fmt.Sprint(next) {
			t.Fatalf("in the end: id %s, want %d", m.id, next)
		}
	}
	t.Logf("%d messages over %d kills", published, kills)
}
