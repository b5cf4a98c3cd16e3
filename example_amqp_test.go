package farwire_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A client reads a RabbitMQ exchange as events. Here the broker is a stand-in
// that knows one message and then shuts down.
func ExampleGateway_AMQP() {
	broker := &fakeBroker{serve: func(c *brokerConn) {
		c.deliver(1, "19454.match.123", `{"odds": 1.95}`)
		c.next() // its acknowledgement
		c.next() // a larger prefetch, because it is small
		c.method(0, 10, 50, []byte{1, 64}, shortstr("CONNECTION_FORCED"), make([]byte, 4))
	}}
	exit := agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE",
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go broker.talk(far)
			return near, nil
		}}
	keys, err := farwire.APIKeys(map[string]string{"a-key-for-alice-1": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exit, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /amqp", gw.AMQP())
	host := httptest.NewServer(mux)
	defer host.Close()
	defer gw.Shutdown(context.Background())

	resp, err := http.Post(host.URL+"/amqp", "application/json",
		strings.NewReader(`{"apiKey": "a-key-for-alice-1", "host": "broker.example.com", "exchange": "19454.all"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), `, "queue_name": `) // its end is random
		fmt.Println(line)
	}
	// Output:
	// event: connected
	// data: {"node_id": "farwire-de1"
	//
	// event: message
	// id: 1
	// data: {"body": "{\"odds\": 1.95}", "routing_key": "19454.match.123", "exchange": "ex", "delivery_tag": 1, "content_type": ""}
	//
	// event: error
	// data: {"message": "agent error: the broker is shutting down or its operator closed the connection", "code": 1011, "reason": "target_refused"}
}
