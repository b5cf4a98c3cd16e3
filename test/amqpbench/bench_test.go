//go:build unix

package amqpbench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/test/internal/child"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

const (
	messages = 100_000
	bodySize = 256
	rounds   = 3
	streams  = 300
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if role := os.Getenv("AMQPBENCH_ROLE"); role != "" {
		return contend(role)
	}
	defer func() {
		if running != nil {
			running.Close()
		}
	}()
	return m.Run()
}

// running is the broker of the benchmarks, which the first of them starts, so
// that a run of tests alone needs no RabbitMQ.
var running *rabbitmq.Node

func node(b *testing.B) *rabbitmq.Node {
	b.Helper()
	if running == nil {
		n, err := rabbitmq.Start(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		running = n
	}
	return running
}

// A contender is a process that consumes. It reports what it did and is told when to go on.
type contender struct {
	b       *testing.B
	process *child.Process
	ready   report // its first one
}

// A report is what a contender says.
type report struct {
	Addr    string  // where it listens, if it does
	Queue   string  // what it consumes, if it knows
	Seconds float64 // of CPU so far, user and system
	Bytes   float64 // resident, after a collection
	Heap    float64 // of the heap and the stacks in use
	Seen    int     // messages
}

func start(b *testing.B, role string, env ...string) *contender {
	b.Helper()
	c := &contender{b: b}
	env = append(env, "AMQPBENCH_ROLE="+role, fmt.Sprintf("AMQPBENCH_PORT=%d", node(b).Port))
	var err error
	if c.process, err = child.Start(&c.ready, nil, env); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *contender) close() {
	if err := c.process.Close(); err != nil {
		c.b.Error(err)
	}
}

// tell sends a word and returns the answer.
func (c *contender) tell(word string) (r report) {
	c.b.Helper()
	if err := c.process.Ask(word, &r); err != nil {
		c.b.Fatalf("a contender is gone: %v", err)
	}
	return r
}

// next returns a further answer to the last word.
func (c *contender) next() (r report) {
	c.b.Helper()
	if err := c.process.Next(&r); err != nil {
		c.b.Fatalf("a contender is gone: %v", err)
	}
	return r
}

// BenchmarkRate lets each contender empty a queue that was filled before.
func BenchmarkRate(b *testing.B) {
	for b.Loop() {
		rate, cpu := map[string][]float64{}, map[string][]float64{}
		for range rounds {
			for _, role := range []string{"plain", "simple", "farwire"} {
				r, c := drain(b, role)
				rate[role], cpu[role] = append(rate[role], r), append(cpu[role], c)
			}
		}
		for _, role := range []string{"plain", "simple", "farwire"} {
			b.ReportMetric(median(rate[role]), role+"-msg/s")
			b.ReportMetric(median(cpu[role])*1e6/messages, role+"-cpu-µs/msg")
		}
		b.ReportMetric(median(rate["farwire"])/median(rate["plain"]), "rate/plain")
		b.ReportMetric(median(cpu["farwire"])/median(cpu["plain"]), "cpu/plain")
		b.ReportMetric(median(rate["farwire"])/median(rate["simple"]), "rate/simple")
		b.ReportMetric(median(cpu["farwire"])/median(cpu["simple"]), "cpu/simple")
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// drain returns messages per second and seconds of CPU.
func drain(b *testing.B, role string) (rate, cpu float64) {
	b.Helper()
	c := start(b, role, "AMQPBENCH_GATED=1")
	defer c.close()
	r := c.ready
	var client net.Conn
	var events *bufio.Reader
	if r.Addr != "" {
		client, events, r.Queue = subscribe(b, r.Addr)
		defer client.Close()
	}
	fill(b, r.Queue)
	before := c.tell("go")
	begin := time.Now()
	if client == nil {
		if r := c.next(); r.Seen != messages {
			b.Fatalf("%s saw %d messages", role, r.Seen)
		}
	} else {
		awaitLast(b, client, events)
	}
	took := time.Since(begin)
	after := c.tell("stop")
	return messages / took.Seconds(), after.Seconds - before.Seconds
}

// subscribe opens a stream and reads its first event.
func subscribe(b *testing.B, addr string) (net.Conn, *bufio.Reader, string) {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"apiKey": apiKey, "host": "127.0.0.1", "port": node(b).Port,
		"username": rabbitmq.Admin, "password": rabbitmq.AdminSecret})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /amqp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if _, name, ok := strings.Cut(line, `"queue_name": "`); ok {
			name, _, _ = strings.Cut(name, `"`)
			return conn, r, name
		}
	}
}

// awaitLast reads as cheaply as can be, until the last message's id.
func awaitLast(b *testing.B, conn net.Conn, r *bufio.Reader) {
	b.Helper()
	last := fmt.Appendf(nil, "\nid: %d\n", messages)
	buf := make([]byte, 256<<10)
	kept := 0
	src := io.MultiReader(io.LimitReader(r, int64(r.Buffered())), conn)
	for {
		n, err := src.Read(buf[kept:])
		if err != nil {
			b.Fatal(err)
		}
		have := buf[:kept+n]
		if bytes.Contains(have, last) {
			return
		}
		kept = copy(buf, have[max(0, len(have)-len(last)):])
	}
}

func fill(b *testing.B, queue string) {
	b.Helper()
	conn, err := amqp091.Dial(node(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat(`{"odds": 1.95, "match": 123456}`, 10)[:bodySize])
	var last *amqp091.DeferredConfirmation
	for range messages {
		last, err = ch.PublishWithDeferredConfirm("", queue, false, false,
			amqp091.Publishing{ContentType: "application/json", Body: body})
		if err != nil {
			b.Fatal(err)
		}
	}
	if !last.Wait() {
		b.Fatal("not confirmed")
	}
}

// BenchmarkIdle holds streams that nothing comes through.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		resident, heap := map[string]float64{}, map[string]float64{}
		for _, role := range []string{"bare", "farwire"} {
			c := start(b, role)
			r := c.ready
			before := c.tell("memory")
			if r.Addr == "" {
				c.tell("consume")
			} else {
				for range streams {
					conn, _, _ := subscribe(b, r.Addr)
					defer conn.Close()
				}
			}
			after := c.tell("memory")
			resident[role] = (after.Bytes - before.Bytes) / streams
			heap[role] = (after.Heap - before.Heap) / streams
			c.close()
			b.ReportMetric(resident[role], role+"-resident-B/stream")
			b.ReportMetric(heap[role], role+"-heap-B/stream")
		}
		b.ReportMetric(resident["farwire"]/resident["bare"], "resident/bare")
		b.ReportMetric(heap["farwire"]/heap["bare"], "heap/bare")
	}
}
