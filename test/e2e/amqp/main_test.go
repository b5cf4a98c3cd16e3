// Package amqp_test runs POST /amqp against a real RabbitMQ.
package amqp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

const key = "test-key-0123456789abcdef"

// node is the broker of all tests but those that kill one. Each test takes a
// virtual host of its own.
var node *rabbitmq.Node

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "gateway":
			return gatewayProcess(os.Args[2:])
		case "agent":
			return agentProcess(os.Args[2:])
		}
	}
	flag.Parse()
	var err error
	if node, err = rabbitmq.StartWithVhosts(context.Background(), vhostsOfARun*runs()); err != nil {
		log.Print(err)
		return 1
	}
	defer node.Close()
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		code = 1
	}
	return code
}

// leaked returns the stacks of goroutines that are neither the test's own nor
// the runtime's, after giving those that are on their way out a moment.
func leaked() string {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	var left []string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		buf := make([]byte, 4<<20)
		left = left[:0]
		for i, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if i > 0 && !strings.Contains(g, "testing.(*") && !strings.Contains(g, "os/signal.") &&
				!strings.Contains(g, "rabbitmq.Start") && !strings.Contains(g, "os/exec.(*Cmd)") {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}

// vhostsOfARun is how many virtual hosts the tests take when each runs once.
const vhostsOfARun = 80

// runs is how often each test runs.
func runs() int { return int(flag.Lookup("test.count").Value.(flag.Getter).Get().(uint)) }

var vhosts atomic.Int32

// vhost returns the name of a virtual host that no other test uses.
func vhost() string {
	n := int(vhosts.Add(1) - 1)
	if n >= vhostsOfARun*runs() {
		panic("the tests take more virtual hosts than the broker has: vhostsOfARun is too small")
	}
	return fmt.Sprintf("t%d", n)
}

// local is an exit that dials loopback.
func local(t testing.TB) agent.Exit {
	t.Helper()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true, Resolver: resolver{}})
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// A resolver knows without asking anybody that there is no broker.invalid.
type resolver struct{}

func (resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if host == "broker.invalid" {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

// gateway serves AMQP for tests. o may be zero.
func gateway(t testing.TB, o farwire.Options) (*farwire.Gateway, *httptest.Server) {
	t.Helper()
	if o.Auth == nil {
		keys, err := farwire.APIKeys(map[string]string{key: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		o.Auth = keys
	}
	if o.Agents == nil {
		o.Agents = local(t)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits.Rate = -1
	if o.RootCAs == nil {
		o.RootCAs = node.Roots
	}
	gw, err := farwire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return gw, serve(t, gw)
}

func serve(t testing.TB, gw *farwire.Gateway) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("POST /amqp", gw.AMQP())
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return srv
}

type fields map[string]any

// ask is the body of a request, with what the test changes.
func ask(vhost string, changes fields) fields {
	b := fields{"host": "127.0.0.1", "port": node.Port, "virtual_host": vhost,
		"username": rabbitmq.Admin, "password": rabbitmq.AdminSecret, "exchange": "amq.topic"}
	for k, v := range changes {
		b[k] = v
	}
	return b
}

// An event is one of a stream's.
type event struct {
	name, id string
	retry    string
	data     map[string]any
	raw      string
}

// A stream reads events as the HTML standard says.
type stream struct {
	t      testing.TB
	resp   *http.Response
	cancel context.CancelFunc
	r      *bufio.Reader
}

func post(t testing.TB, url string, body any) *http.Response {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return postContext(t, ctx, url, body)
}

func postContext(t testing.TB, ctx context.Context, url string, body any, header ...string) *http.Response {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/amqp", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// open posts a body with further header fields, by name and value.
func open(t testing.TB, url string, body any, header ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	resp := postContext(t, ctx, url, body, header...)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %s", resp.Status, resp.Header.Get("Content-Type"), b)
	}
	return &stream{t, resp, cancel, bufio.NewReaderSize(resp.Body, 64<<10)}
}

// next returns the next event, or the error that ends the stream.
func (s *stream) next() (event, error) {
	var e event
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && e.name == "":
		case line == "":
			return e, json.Unmarshal([]byte(e.raw), &e.data)
		case name == "event":
			e.name = value
		case name == "id":
			e.id = value
		case name == "data":
			e.raw += value
		case name == "":
		case name == "retry":
			e.retry = value
		default:
			return e, fmt.Errorf("line %q", line)
		}
	}
}

// want returns the next event, which must have the name.
func (s *stream) want(name string) event {
	s.t.Helper()
	timer := time.AfterFunc(60*time.Second, s.cancel)
	defer timer.Stop()
	e, err := s.next()
	if err != nil {
		s.t.Fatalf("waiting for %s: %v", name, err)
	}
	if e.name != name {
		s.t.Fatalf("got %s %s, want %s", e.name, e.raw, name)
	}
	return e
}

// ends fails unless the stream is at its end.
func (s *stream) ends() {
	s.t.Helper()
	if e, err := s.next(); err != io.EOF {
		s.t.Fatalf("after the end: %+v, %v", e, err)
	}
}

// connected reads the first event and returns the queue's name.
func (s *stream) connected() string {
	s.t.Helper()
	return s.want("connected").data["queue_name"].(string)
}

// A publisher is a plain client of the broker.
type publisher struct {
	t    testing.TB
	conn *amqp091.Connection
	*amqp091.Channel
}

func publish(t testing.TB, n *rabbitmq.Node, vhost string) *publisher {
	t.Helper()
	conn, err := amqp091.DialConfig(n.URL(), amqp091.Config{Vhost: vhost})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{t, conn, ch}
}

func (p *publisher) send(exchange, routingKey string, m amqp091.Publishing) {
	p.t.Helper()
	if err := p.Publish(exchange, routingKey, false, false, m); err != nil {
		p.t.Fatal(err)
	}
}

// exists reports whether the broker has the queue.
func exists(t testing.TB, n *rabbitmq.Node, vhost, queue string) bool {
	t.Helper()
	conn, err := amqp091.DialConfig(n.URL(), amqp091.Config{Vhost: vhost})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	_, err = ch.QueueDeclarePassive(queue, false, true, true, false, nil)
	var e *amqp091.Error
	switch {
	case errors.As(err, &e) && e.Code == amqp091.NotFound:
		return false
	case errors.As(err, &e) && e.Code == amqp091.ResourceLocked:
		return true
	}
	t.Fatalf("queue %s: %v", queue, err)
	return false
}

// awaitGone fails unless the queue is gone within twice the promised time.
func awaitGone(t testing.TB, n *rabbitmq.Node, vhost, queue string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); exists(t, n, vhost, queue); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("queue %s is still there", queue)
		}
	}
}
