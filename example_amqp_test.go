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
	"github.com/farwire/farwire/internal/brokertest"
)

// A client reads a RabbitMQ exchange as events. Here the broker is a stand-in
// that knows one message and then shuts down.
func ExampleGateway_AMQP() {
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
		c.Deliver(1, "19454.match.123", `{"odds": 1.95}`)
		c.Next() // its acknowledgement
		c.Method(0, brokertest.Method{Class: 10, ID: 50}, []byte{1, 64}, brokertest.ShortString("CONNECTION_FORCED"), make([]byte, 4))
	}}
	exit := agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE",
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go broker.Talk(far)
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
	// : the stream is open
	//
	// event: connected
	// data: {"node_id": "farwire-de1"
	//
	// event: message
	// data: {"body": "{\"odds\": 1.95}", "routing_key": "19454.match.123", "exchange": "ex", "delivery_tag": 1, "content_type": ""}
	// id: 1
	//
	// event: error
	// data: {"message": "agent error: the broker is shutting down or its operator closed the connection", "code": 1011, "reason": "target_lost"}
}
