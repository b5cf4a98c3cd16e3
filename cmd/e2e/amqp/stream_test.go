package amqp_test

import (
	"regexp"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
)

func TestShapesAreTheSeeds(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	s := open(t, srv.URL, ask(v, nil))
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
}
