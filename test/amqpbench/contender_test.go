//go:build unix

package amqpbench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

const apiKey = "bench-key-0123456789abcdef"

// gate lets what is dialled read nothing of a message until it is told to:
// every contender begins with a full queue and nothing taken from it.
var (
	gate  = make(chan struct{})
	gated = os.Getenv("AMQPBENCH_GATED") != ""
)

type gatedConn struct {
	net.Conn
	armed, passed bool
}

func (c *gatedConn) Read(p []byte) (int, error) {
	if c.armed {
		<-gate
		c.armed = false
	}
	n, err := c.Conn.Read(p)
	// basic.consume-ok is the last thing that comes before messages.
	if !c.passed && bytes.Contains(p[:n], []byte{0, 60, 0, 21}) {
		c.armed, c.passed = gated, true
	}
	return n, err
}

func contend(role string) int {
	port, err := strconv.Atoi(os.Getenv("AMQPBENCH_PORT"))
	if err != nil {
		log.Fatal(err)
	}
	in := bufio.NewScanner(os.Stdin)
	switch role {
	case "plain":
		plain(port, in)
	case "simple":
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { simple(w, r, port) }), in)
	case "farwire":
		keys, err := farwire.APIKeys(map[string]string{apiKey: "bench"})
		if err != nil {
			log.Fatal(err)
		}
		direct, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
		if err != nil {
			log.Fatal(err)
		}
		exit := direct
		exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := direct.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &gatedConn{Conn: conn}, nil
		}
		gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exit, Limits: farwire.Limits{Rate: -1},
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			log.Fatal(err)
		}
		serve(gw.AMQP(), in)
	case "bare":
		bare(port, in)
	}
	return 0
}

func say(r report) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	r.Seconds = float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatal(err)
	}
}

func memory() report {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscan(rss, &kb); err != nil {
		log.Fatal(err)
	}
	return report{Bytes: kb * 1024, Heap: float64(m.HeapInuse + m.StackInuse)}
}

// dial opens a channel to the broker, gated.
func dial(port int) (*amqp091.Connection, *amqp091.Channel) {
	conn, err := amqp091.DialConfig(fmt.Sprintf("amqp://%s:%s@127.0.0.1:%d/", rabbitmq.Admin, rabbitmq.AdminSecret, port),
		amqp091.Config{Heartbeat: time.Minute, Dial: func(network, addr string) (net.Conn, error) {
			conn, err := net.Dial(network, addr)
			return &gatedConn{Conn: conn}, err
		}})
	if err != nil {
		log.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	return conn, ch
}

func consume(ch *amqp091.Channel, prefetch int) (string, <-chan amqp091.Delivery) {
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		log.Fatal(err)
	}
	deliveries, err := ch.Consume(q.Name, "", false, false, false, false, nil)
	if err != nil {
		log.Fatal(err)
	}
	return q.Name, deliveries
}

// plain acknowledges every hundredth message, all up to it.
func plain(port int, in *bufio.Scanner) {
	conn, ch := dial(port)
	defer conn.Close()
	queue, deliveries := consume(ch, 1000)
	say(report{Queue: queue})
	for in.Scan() {
		if in.Text() == "go" {
			say(report{})
			close(gate)
			for seen := 1; seen <= messages; seen++ {
				d := <-deliveries
				if seen%100 == 0 {
					if err := d.Ack(true); err != nil {
						log.Fatal(err)
					}
				}
			}
			say(report{Seen: messages})
			continue
		}
		say(report{})
	}
}

// simple is the handler that comes to mind first.
func simple(w http.ResponseWriter, r *http.Request, port int) {
	conn, ch := dial(port)
	defer conn.Close()
	queue, deliveries := consume(ch, 1000)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: connected\ndata: {\"queue_name\": \"%s\"}\n\n", queue)
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case d, ok := <-deliveries:
			if !ok {
				return
			}
			data, err := json.Marshal(struct {
				Body        string `json:"body"`
				RoutingKey  string `json:"routing_key"`
				Exchange    string `json:"exchange"`
				DeliveryTag uint64 `json:"delivery_tag"`
				ContentType string `json:"content_type"`
			}{string(d.Body), d.RoutingKey, d.Exchange, d.DeliveryTag, d.ContentType})
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "event: message\nid: %d\ndata: %s\n\n", d.DeliveryTag, data); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			if err := d.Ack(false); err != nil {
				return
			}
		}
	}
}

func serve(h http.Handler, in *bufio.Scanner) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(ln, h)
	say(report{Addr: ln.Addr().String()})
	for in.Scan() {
		switch in.Text() {
		case "go":
			say(report{})
			close(gate)
		case "memory":
			say(memory())
		default:
			say(report{})
		}
	}
}

// bare holds consumers and does nothing else.
func bare(port int, in *bufio.Scanner) {
	say(report{})
	for in.Scan() {
		switch in.Text() {
		case "consume":
			var wg sync.WaitGroup
			for range streams {
				conn, ch := dial(port)
				_, deliveries := consume(ch, 1000)
				wg.Go(func() {
					defer conn.Close()
					for range deliveries {
					}
				})
			}
			say(report{})
		case "memory":
			say(memory())
		default:
			say(report{})
		}
	}
}
