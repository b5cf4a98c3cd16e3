package amqp_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// A stepper stands between a gateway or agent and the broker. It lets frames
// through up to one of the given class and method, that one included, and then
// holds everything back in both directions.
type stepper struct {
	ln      net.Listener
	stop    uint32
	reached chan string // the queue's name
	release chan struct{}
	wg      sync.WaitGroup
}

func newStepper(t testing.TB, class, method uint16) *stepper {
	t.Helper()
	s := &stepper{stop: uint32(class)<<16 | uint32(method), reached: make(chan string, 1), release: make(chan struct{})}
	s.ln = harness.Conns(t, func(c net.Conn) {
		s.wg.Add(1)
		defer s.wg.Done()
		s.carry(c)
	})
	return s
}

func (s *stepper) carry(c net.Conn) {
	broker, err := net.Dial("tcp", node.Addr())
	if err != nil {
		return
	}
	defer broker.Close()
	var once sync.Once
	held := make(chan struct{})
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := broker.Read(buf)
			if err != nil {
				return
			}
			select {
			case <-held:
				return // what comes after the step is not told
			default:
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	hello := make([]byte, 8)
	if _, err := io.ReadFull(c, hello); err != nil {
		return
	}
	broker.Write(hello)
	queue := ""
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(c, head); err != nil {
			return // the process below is gone, and the broker's connection with it
		}
		frame := append(head, make([]byte, binary.BigEndian.Uint32(head[3:])+1)...)
		if _, err := io.ReadFull(c, frame[7:]); err != nil {
			return
		}
		if m := regexp.MustCompile(`scrape_[a-z0-9]+_[0-9a-f]{16}`).Find(frame); m != nil {
			queue = string(m)
		}
		if head[0] == 1 && binary.BigEndian.Uint32(frame[7:]) == s.stop {
			once.Do(func() {
				close(held)
				broker.Write(frame)
				s.reached <- queue
			})
			continue
		}
		if _, err := broker.Write(frame); err != nil {
			return
		}
	}
}

// Whoever dies, at whatever step: the queue goes.
func TestQueue_AnySideDies_IsDeleted(t *testing.T) {
	steps := []struct {
		name          string
		class, method uint16
	}{
		{"connection.open", 10, 40}, {"channel.open", 20, 10}, {"queue.declare", 50, 10}, {"queue.bind", 50, 20},
		{"basic.qos", 60, 10}, {"basic.consume", 60, 20}, {"basic.ack", 60, 80},
	}
	for _, who := range []string{"client", "gateway", "agent"} {
		for _, step := range steps {
			t.Run(who+" at "+step.name, func(t *testing.T) {
				v := vhost()
				s := newStepper(t, step.class, step.method)
				url, kill := walker(t, who)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if step.name == "basic.ack" {
					s.wg.Go(func() { publishUntil(t, ctx, v) })
				}
				resp := postContext(t, ctx, url, ask(v, fields{"port": port(s.ln)}))
				var queue string
				select {
				case queue = <-s.reached:
				case <-time.After(time.Minute):
					t.Fatal("the step was not reached")
				}
				if kill == nil {
					kill = cancel
				}
				kill()
				if queue != "" {
					awaitGone(t, node, v, queue)
				}
				resp.Body.Close()
				cancel()
				s.wg.Wait() // nobody holds a connection to the broker, or publishes
			})
		}
	}
}

// publishUntil sends a message now and then.
func publishUntil(t testing.TB, ctx context.Context, v string) {
	conn, err := amqp091.DialConfig(node.URL(), amqp091.Config{Vhost: v})
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Error(err)
		return
	}
	for {
		if err := ch.Publish("amq.topic", "k", false, false, amqp091.Publishing{Body: []byte("x")}); err != nil {
			t.Error(err)
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// walker returns a gateway and what ends one part of it.
func walker(t *testing.T, who string) (url string, kill func()) {
	switch who {
	case "gateway":
		g := start(t, "gateway")
		return g.url, g.Kill
	case "agent":
		pool, srv := attachable(t)
		a := start(t, "agent", srv.URL+"/agents/attach")
		for deadline := time.Now().Add(time.Minute); len(pool.Agents()) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the agent does not attach")
			}
		}
		return srv.URL, a.Kill
	}
	_, srv := gateway(t, farwire.Options{})
	return srv.URL, nil
}

// attachable is a gateway whose agents are all remote.
func attachable(t testing.TB) (*agent.Pool, *httptest.Server) {
	t.Helper()
	pool, err := agent.NewPool(agent.PoolOptions{Secret: agentSecret, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: pool, Limits: farwire.Limits{Rate: -1}, Logger: slog.New(slog.DiscardHandler), RootCAs: node.Roots})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /amqp", gw.AMQP())
	mux.Handle("GET /agents/attach", pool)
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx := contextFor(t, time.Minute)
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := pool.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return pool, srv
}

// Through a remote agent, over TLS as well, until it is killed.
func TestStream_AgentDies_Ends(t *testing.T) {
	pool, srv := attachable(t)
	a := start(t, "agent", srv.URL+"/agents/attach")
	for deadline := time.Now().Add(time.Minute); len(pool.Agents()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the agent does not attach")
		}
	}
	v := vhost()
	p := publish(t, node, v)
	plain := open(t, srv.URL, ask(v, nil))
	secure := open(t, srv.URL, ask(v, fields{"ssl": true, "port": node.TLSPort}))
	queues := []string{plain.connected(), secure.connected()}
	p.send("amq.topic", "k", amqp091.Publishing{Body: []byte("x")})
	for _, s := range []*stream{plain, secure} {
		if m := s.want("message"); m.data["body"] != "x" {
			t.Errorf("%s", m.raw)
		}
	}
	a.Kill()
	for i, s := range []*stream{plain, secure} {
		if e := s.want("error"); e.data["message"] != "agent error: agent lost" || e.data["code"] != 1011.0 {
			t.Errorf("%s", e.raw)
		}
		s.ends()
		awaitGone(t, node, v, queues[i])
	}
}

// No goroutine is left after faulty sessions of every kind.
func TestStream_FaultySessions_LeaveNoGoroutine(t *testing.T) {
	_, srv := gateway(t, farwire.Options{AMQP: farwire.AMQPOptions{StallTimeout: time.Minute}})
	v := vhost()
	silent := harness.Conns(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	garbage := harness.Conns(t, func(c net.Conn) { c.Write(make([]byte, 100)) })
	nobody, err := harness.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	open(t, srv.URL, ask(v, nil)).connected() // what the first one leaves, stays
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	session := func(vhost string, changes fields, want ...string) {
		s := open(t, srv.URL, ask(vhost, changes))
		defer s.resp.Body.Close()
		defer s.cancel()
		for _, name := range want {
			s.want(name)
		}
	}
	faults := []func(i int){
		func(int) { session(v, fields{"port": nobody[0]}, "error") },
		func(int) { session(v, fields{"port": port(garbage)}, "error") },
		func(int) { session(v, fields{"exchange": "nope"}, "error") },
		func(int) { session("nope", nil, "error") },
		func(int) { session(v, fields{"port": node.TLSPort}, "error") },
		func(int) { session(v, fields{"ssl": true}, "error") },
		func(int) { session("/", fields{"username": rabbitmq.Guest, "password": rabbitmq.GuestSecret}, "error") },
		func(int) { session(v, fields{"port": port(silent)}) },
		func(int) { session(v, nil, "connected") },
		func(i int) { post(t, srv.URL, fields{"host": i}).Body.Close() },
	}
	n := max(1, soak(50)/len(faults))
	var wg sync.WaitGroup
	for _, fault := range faults {
		wg.Go(func() {
			for i := range n {
				fault(i)
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		http.DefaultClient.CloseIdleConnections()
		now := runtime.NumGoroutine()
		if now <= before {
			break
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", now, before, buf[:runtime.Stack(buf, true)])
		}
	}
}
