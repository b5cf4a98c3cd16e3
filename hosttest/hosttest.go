// Package hosttest tells whether a host's middleware lets farwire's handlers
// work. They need of a [http.ResponseWriter] what many wrappers hide: the relay,
// the crawl and the pool of agents take the connection over, and the AMQP stream
// flushes each event. A host tests its middleware like this:
//
//	func TestMiddleware(t *testing.T) {
//		hosttest.Run(t, hosttest.Host{Middleware: func(next http.Handler) http.Handler {
//			return logging(compress(next))
//		}})
//	}
//
// Each handler is mounted behind the middleware in a server on loopback, and a
// client uses it as in production; the agent, the broker and the sites behind
// the gateway are in this process, so nothing else is reached. When a handler
// does not work, the error holds what the gateway logs, which names the Go type
// of the ResponseWriter that hides the connection.
//
// [NewGateway] is for a host's tests of its own part: a gateway with an internet in
// memory behind it.
package hosttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// A Host is the program that mounts the handlers.
type Host struct {
	// Middleware wraps the handlers, mounted at /ws, /amqp, /ws/crawl,
	// /agents/attach and /to/, and before all of them the forward proxy, as the
	// host does. Nil: nothing does.
	Middleware func(http.Handler) http.Handler

	// Handlers are those that the host mounts, each of which is tested. Nil: Relay,
	// AMQP, Crawl and Agents.
	Handlers []Handler

	// Header is added to each request of a client and of an agent: what the
	// middleware asks for, as a session's cookie. Nil: nothing is added. A check
	// with X-API-Key or Authorization of its own overrides these two.
	Header http.Header

	// Timeout bounds each handler's check; 0: 30 s.
	Timeout time.Duration
}

// A Handler names what a host may mount.
type Handler string

// The handlers that can be tested.
const (
	Relay        Handler = "relay"
	AMQP         Handler = "AMQP"
	Crawl        Handler = "crawl"
	Agents       Handler = "agents"        // where they attach, the pool
	PathForm     Handler = "path form"     // requests and WebSockets, answers as they come
	ForwardProxy Handler = "forward proxy" // tunnels, and requests for an absolute URL
)

// Handlers returns all of them.
func Handlers() []Handler {
	return []Handler{Relay, AMQP, Crawl, Agents, PathForm, ForwardProxy}
}

// Run tests each handler behind the middleware in a subtest of its own, named as the
// handler is.
func Run(t *testing.T, h Host) {
	t.Helper()
	for _, handler := range h.handlers() {
		t.Run(string(handler), func(t *testing.T) {
			if err := handler.check(t.Context(), h); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check is Run without a test. Nil: every handler works. Otherwise the error
// joins one for each handler that does not, beginning with its name.
func Check(ctx context.Context, h Host) error {
	var errs []error
	for _, handler := range h.handlers() {
		errs = append(errs, handler.check(ctx, h))
	}
	return errors.Join(errs...)
}

func (h Host) handlers() []Handler {
	if h.Handlers == nil {
		return []Handler{Relay, AMQP, Crawl, Agents}
	}
	return h.Handlers
}

var checks = map[Handler]func(context.Context, *host) error{
	Relay: relay, AMQP: stream, Crawl: crawl, Agents: attach, PathForm: pathForm, ForwardProxy: forwardProxy,
}

// check mounts the handlers, uses this one, and adds the gateway's log to what is
// wrong with it.
func (h Handler) check(ctx context.Context, of Host) (err error) {
	do, known := checks[h]
	if !known {
		return fmt.Errorf("%q is not a handler; there are %q", string(h), Handlers())
	}
	if of.Timeout <= 0 {
		of.Timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, of.Timeout)
	defer cancel()
	mounted, err := mount(of)
	if err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	defer mounted.close()
	if err := do(ctx, mounted); err != nil {
		return fmt.Errorf("%s: %w; the log of the gateway:\n%s", h, err, mounted.log)
	}
	if left := time.Duration(mounted.endsAfter.Load()); left != 0 && slices.Contains([]Handler{AMQP, PathForm, ForwardProxy}, h) {
		return fmt.Errorf("%s: a middleware ends the request's context after %v, and with it whatever takes longer", h, left.Round(time.Millisecond))
	}
	return nil
}

const (
	key    = "the-api-key-of-hosttest"
	secret = "the-agent-secret-of-hosttest"
)

// A host is a running server with every handler behind the middleware, and what
// lies behind the gateway.
type host struct {
	Host
	log     *logBuffer
	gateway *farwire.Gateway
	pool    *agent.Pool
	server  *httptest.Server
	site    *httptest.Server // a page, and a WebSocket that echoes
	broker  brokertest.Broker

	headArrived chan struct{} // gets a value when the client has the head of /late
	bodyArrived chan struct{} // gets a value when the site has the beginning of the body at /upload
	queryLost   atomic.Bool   // of a request for the relay, which each check sends with a query
	endsAfter   atomic.Int64  // nanoseconds until a request's context ends, which a middleware has set a deadline; 0: none has
}

func mount(h Host) (*host, error) {
	m := &host{Host: h, log: &logBuffer{}, headArrived: make(chan struct{}, 1), bodyArrived: make(chan struct{}, 1)}
	logger := slog.New(slog.NewTextHandler(m.log, nil))
	keys, err := farwire.APIKeys(map[string]string{key: "hosttest"})
	if err != nil {
		return nil, err
	}
	m.gateway, err = farwire.New(farwire.Options{Auth: keys, Logger: logger,
		Agents: agent.Exit{ID: "farwire-hosttest", Slug: "hosttest", Country: "ZZ", DialContext: m.dial}})
	if err != nil {
		return nil, err
	}
	if m.pool, err = agent.NewPool(agent.PoolOptions{Secret: secret, Logger: logger}); err != nil {
		return nil, err
	}
	m.broker.Serve = func(c *brokertest.Conn) {
		c.Deliver(1, "hosttest", "hello")
		for {
			method, _, err := c.Next()
			if err != nil {
				return // the stream has ended
			}
			if method == brokertest.Close {
				c.Method(0, brokertest.CloseOK)
				return
			}
		}
	}
	m.site = httptest.NewServer(http.HandlerFunc(m.serveSite))
	mux := http.NewServeMux()
	mux.Handle("GET /ws", m.gateway.Relay())
	mux.Handle("POST /amqp", m.gateway.AMQP())
	mux.Handle("GET /ws/crawl", m.gateway.Crawl())
	mux.Handle("GET /agents/attach", m.pool)
	handler := m.note(m.gateway.ForwardProxy(withPathForm(m.gateway, mux)))
	if h.Middleware != nil {
		handler = h.Middleware(handler)
	}
	m.server = httptest.NewServer(handler)
	return m, nil
}

// note keeps what the middleware does to a request: how long it gives its context, and
// whether a relay's query is gone.
func (h *host) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" && r.URL.RawQuery == "" {
			h.queryLost.Store(true)
		}
		if end, ok := r.Context().Deadline(); ok {
			h.endsAfter.Store(int64(max(time.Until(end), 1)))
		}
		next.ServeHTTP(w, r)
	})
}

// dial is the agent's side: the site for every name but the broker's.
func (h *host) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, "broker.test:") {
		near, far := net.Pipe()
		go h.broker.Talk(far) // until the gateway closes near
		return near, nil
	}
	return new(net.Dialer).DialContext(ctx, network, h.site.Listener.Addr().String())
}

// close ends what check has left open. What cannot be ended in time is cut.
func (h *host) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = h.gateway.Shutdown(ctx) // it says no more than that it had to cut
	_ = h.pool.Shutdown(ctx)
	h.server.CloseClientConnections()
	h.server.Close()
	h.site.Close()
}

// url returns the address of a handler.
func (h *host) url(path string) string { return h.server.URL + path }

// header is the host's, with a field of the check's own.
func (h *host) header(name, value string) http.Header {
	header := h.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set(name, value)
	return header
}

// open opens a WebSocket at a path of the host's.
func (h *host) open(ctx context.Context, path string) (*websocket.Conn, error) {
	ws, resp, err := websocket.Dial(ctx, h.url(path), &websocket.DialOptions{HTTPHeader: h.header("X-API-Key", key)})
	if err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the upgrade is answered with %s, not with 101", resp.Status)
	}
	return ws, err
}

// relay sends a message to the target and back.
func relay(ctx context.Context, h *host) error {
	err := h.echo(ctx, "/ws?url=ws%3A%2F%2Ftarget.test%2F")
	if err != nil && h.queryLost.Load() {
		return fmt.Errorf("a middleware drops the query: %w", err)
	}
	return err
}

// echo has a message come back over a WebSocket.
func (h *host) echo(ctx context.Context, path string) error {
	ws, err := h.open(ctx, path)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err
	}
	_, got, err := ws.Read(ctx)
	if err != nil {
		return fmt.Errorf("no message comes back: %w", err)
	}
	if string(got) != "hello" {
		return fmt.Errorf("%q came back, not the message that was sent", got)
	}
	return ws.Close(websocket.StatusNormalClosure, "")
}

// crawl crawls the site's page.
func crawl(ctx context.Context, h *host) error {
	ws, err := h.open(ctx, "/ws/crawl")
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"url": "http://target.test/", "maxPages": 1}`)); err != nil {
		return err
	}
	for {
		_, message, err := ws.Read(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("no result comes: %w", err)
		case bytes.Contains(message, []byte(`"type":"error"`)):
			return fmt.Errorf("the crawl ends with %s", message)
		case bytes.Contains(message, []byte(`"type":"result"`)):
			return nil
		}
	}
}

// attach asks to attach in both ways that an agent knows.
func attach(ctx context.Context, h *host) error {
	for _, way := range []struct{ name, protocol, fields string }{
		{"Upgrade: farwire-agent", "farwire-agent", ""},
		{"WebSocket", "websocket", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: farwire-agent\r\n"},
	} {
		if err := h.upgrade(ctx, way.protocol, way.fields); err != nil {
			return fmt.Errorf("by %s: %w", way.name, err)
		}
	}
	return nil
}

// dialServer opens a connection to the host, until ctx ends.
func (h *host) dialServer(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, err
}

func (h *host) upgrade(ctx context.Context, protocol, fields string) error {
	conn, err := h.dialServer(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var head bytes.Buffer
	fmt.Fprintf(&head, "GET /agents/attach HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s", protocol, fields)
	if err := h.header("Authorization", "Bearer "+secret).Write(&head); err != nil {
		return err
	}
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("no answer comes: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the upgrade is answered with %s, not with 101", resp.Status)
	}
	return nil
}

// logBuffer keeps what the gateway and the pool log. It is safe for concurrent
// use.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was logged so far.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
