package farwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/amqpwire"
)

// A subscription is what a client asked for in the body of POST /amqp.
type subscription struct {
	host       string
	port       int
	vhost      string
	user       string
	password   string
	exchange   string
	routingKey string
	prefix     string
	tls        bool
	heartbeat  time.Duration
}

// A broker is a connection with one channel, on which one queue of our own is
// consumed. Its deliveries go to a flow and never through the client library.
type broker struct {
	queue string
	flow  *flow
	wire  *brokerWire
	conn  *amqp.Connection
	ch    *amqp.Channel

	ended  <-chan amqp.Delivery // closed when the broker has ended the consumer
	closes chan *amqp.Error     // why, if it said so

	prefetch prefetch
	calls    sync.WaitGroup
	calling  chan struct{} // a slot for one call at a time
	closing  sync.Once
}

const (
	// An unused queue is deleted after this, should the connection that owns it
	// hang where neither side can tell.
	queueExpiry = 30 * time.Second

	// A broker that takes no byte for this long is lost.
	brokerWriteTimeout = 30 * time.Second

	// What may be spent on a farewell to the broker.
	brokerCloseTimeout = 2 * time.Second
)

// subscribe connects to the broker through the exit and sets the queue up. The
// context bounds all of it; the connection outlives it.
func (g *Gateway) subscribe(ctx context.Context, exit agent.Exit, sub *subscription) (_ *broker, err error) {
	conn, err := exit.DialContext(ctx, "tcp", net.JoinHostPort(sub.host, strconv.Itoa(sub.port)))
	if err != nil {
		return nil, err
	}
	defer func() {
		if exit.Report != nil && ctx.Err() == nil {
			exit.Report(sub.host, err)
		}
	}()
	if sub.tls {
		if conn, err = g.startBrokerTLS(ctx, conn, sub.host); err != nil {
			return nil, err
		}
	}
	f := newFlow(g.o.AMQP)
	b := &broker{
		flow:     f,
		queue:    sub.prefix + "_" + exit.Slug + "_" + newID(),
		wire:     newBrokerWire(conn, f),
		closes:   make(chan *amqp.Error, 1),
		prefetch: prefetch{budget: g.o.AMQP.Budget},
		calling:  make(chan struct{}, 1),
	}
	stop := context.AfterFunc(ctx, b.wire.cut)
	err = b.setUp(sub, g.o.AMQP.QueueLimit)
	switch {
	case !stop():
		err = context.Cause(ctx)
	case err != nil:
		err = b.wire.explain(err, sub)
	}
	if err != nil {
		f.close()
		b.wire.cut()
		return nil, err
	}
	return b, nil
}

// startBrokerTLS closes the connection when it fails.
func (g *Gateway) startBrokerTLS(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	c, err := g.handshakeTLS(ctx, conn, host)
	if err == nil {
		return c, nil
	}
	conn.Close()
	var notTLS tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &notTLS):
		return nil, &targetError{"TLS: no TLS on this port; did you mean ssl: false?"}
	}
	return nil, tlsFailure(err)
}

// setUp opens the connection and a channel, declares and binds the queue, and
// consumes it.
func (b *broker) setUp(sub *subscription, queueLimit int) (err error) {
	b.conn, err = amqp.Open(b.wire, amqp.Config{
		SASL:       mechanisms(sub.user, sub.password),
		Vhost:      sub.vhost,
		Heartbeat:  sub.heartbeat,
		FrameSize:  amqpwire.MaxFrame,
		ChannelMax: 1,
		Locale:     "en_US",
		Properties: amqp.Table{"product": "farwire", "connection_name": b.queue},
	})
	if err != nil {
		return err
	}
	b.wire.listenFor(b.conn.Config.Heartbeat)
	if b.ch, err = b.conn.Channel(); err != nil {
		return err
	}
	b.ch.NotifyClose(b.closes)
	args := amqp.Table{amqp.QueueTTLArg: queueExpiry.Milliseconds()}
	if queueLimit > 0 {
		args[amqp.QueueMaxLenArg] = int64(queueLimit)
	}
	const durable, autoDelete, exclusive, noWait = false, true, true, false
	if _, err = b.ch.QueueDeclare(b.queue, durable, autoDelete, exclusive, noWait, args); err != nil {
		return err
	}
	// Every queue is bound to the default exchange by its name already, and a
	// broker refuses to bind to it again.
	if sub.exchange != "" {
		if err = b.ch.QueueBind(b.queue, sub.routingKey, sub.exchange, noWait, nil); err != nil {
			return err
		}
	}
	b.prefetch.now = firstPrefetch
	if err = b.ch.Qos(firstPrefetch, 0, true); err != nil {
		return err
	}
	const autoAck, noLocal = false, false
	b.ended, err = b.ch.Consume(b.queue, "farwire", autoAck, exclusive, noLocal, noWait, nil)
	return err
}

// mechanisms are the SASL mechanisms in the order in which they are tried.
func mechanisms(user, password string) []amqp.Authentication {
	plain := &amqp.PlainAuth{Username: user, Password: password}
	table := &amqp.AMQPlainAuth{Username: user, Password: password}
	switch {
	case user == "" && password == "":
		return []amqp.Authentication{anonymous{}, plain, table}
	case strings.Contains(user+password, "\x00"):
		// PLAIN separates its fields by zero bytes (RFC 4616).
		return []amqp.Authentication{table, plain}
	}
	return []amqp.Authentication{plain, table}
}

// anonymous is SASL ANONYMOUS (RFC 4505) without a trace.
type anonymous struct{}

func (anonymous) Mechanism() string { return "ANONYMOUS" }
func (anonymous) Response() string  { return "" }

// acknowledge tells the broker that all deliveries up to tag have reached the
// client.
func (b *broker) acknowledge(tag uint64) error { return b.ch.Ack(tag, true) }

// follow fits the prefetch to the bodies of late. The call waits for the
// broker, whose answer may be behind deliveries that wait for the writer: so
// it must not be the writer that waits.
func (b *broker) follow(largest uint64) {
	select {
	case b.calling <- struct{}{}:
	default:
		return
	}
	n, changed := b.prefetch.follow(largest)
	if !changed {
		<-b.calling
		return
	}
	b.calls.Go(func() {
		defer func() { <-b.calling }()
		// A failure ends the channel, which is seen there.
		_ = b.ch.Qos(n, 0, true)
	})
}

// fault says why the consumer has ended.
func (b *broker) fault(sub *subscription) error {
	select {
	case e := <-b.closes:
		if e != nil {
			return b.wire.explain(e, sub)
		}
	default:
	}
	return &targetError{"the broker cancelled the consumer: the queue was deleted"}
}

// close says goodbye, so that the broker deletes the queue at once and logs no
// loss, and frees everything. What the flow holds can still be taken.
func (b *broker) close() {
	b.closing.Do(func() {
		b.flow.close()
		timer := time.AfterFunc(brokerCloseTimeout, b.wire.cut)
		_ = b.conn.Close() // it is closed either way
		timer.Stop()
		b.wire.cut()
		b.calls.Wait()
	})
}

// A brokerWire is the connection that the client library is given: deliveries
// are read out of it, silence is noticed, and its first failure is kept,
// because the library turns errors into texts.
type brokerWire struct {
	conn   net.Conn
	reader *amqpwire.Reader

	mu     sync.Mutex
	silent time.Duration // longest; zero: no limit
	failed error
}

func newBrokerWire(conn net.Conn, f *flow) *brokerWire {
	w := &brokerWire{conn: conn}
	w.reader = amqpwire.NewReader(readFunc(w.receive), f)
	return w
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Read is the library's, in a goroutine of the library's: a panic here would
// end every session of the process.
func (w *brokerWire) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		w.note(err)
	}()
	return w.reader.Read(p)
}

func (w *brokerWire) receive(p []byte) (int, error) {
	w.mu.Lock()
	silent := w.silent
	w.mu.Unlock()
	if silent > 0 {
		if err := w.conn.SetReadDeadline(time.Now().Add(silent)); err != nil {
			return 0, err
		}
	}
	return w.conn.Read(p)
}

// Write is the library's.
func (w *brokerWire) Write(p []byte) (int, error) {
	err := w.conn.SetWriteDeadline(time.Now().Add(brokerWriteTimeout))
	n := 0
	if err == nil {
		n, err = w.conn.Write(p)
	}
	w.note(err)
	return n, err
}

// Close is the library's.
func (w *brokerWire) Close() error { return w.conn.Close() }

// cut ends the connection without a word; it may be called at any time.
func (w *brokerWire) cut() {
	w.note(net.ErrClosed)
	w.conn.Close()
}

func (w *brokerWire) note(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
}

// listenFor gives the broker two heartbeat intervals to say something; it
// speaks at least every half.
func (w *brokerWire) listenFor(heartbeat time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = 2 * heartbeat
}

// explain turns a failure of the library's into one for the client, in words
// that hold nothing but what the client sent and what its broker answered.
func (w *brokerWire) explain(err error, sub *subscription) error {
	var (
		said    *amqp.Error
		dial    *agent.DialError
		target  *targetError
		version amqpwire.VersionError
		format  amqpwire.FormatError
	)
	if errors.As(err, &said) && said.Server {
		return &targetError{brokerSaid(said, sub)}
	}
	w.mu.Lock()
	failed := w.failed
	w.mu.Unlock()
	if failed != nil && !errors.Is(failed, net.ErrClosed) {
		if errors.As(failed, &dial) {
			return failed
		}
		switch {
		case errors.Is(failed, amqpwire.ErrTLS):
			return &targetError{"the broker speaks TLS on this port; did you mean ssl: true?"}
		case errors.Is(failed, amqpwire.ErrOther):
			return &targetError{"the target does not speak AMQP 0-9-1"}
		case errors.As(failed, &version), errors.As(failed, &format):
			return &targetError{failed.Error()}
		case isTimeout(failed):
			return &targetError{"the broker fell silent"}
		}
	}
	switch {
	case errors.As(err, &target), errors.As(err, &dial):
		return err
	case errors.Is(err, amqp.ErrCredentials):
		return &targetError{"username or password refused"}
	case errors.Is(err, amqp.ErrVhost):
		return &targetError{"virtual host refused"}
	case errors.Is(err, amqp.ErrSASL):
		return &targetError{"the broker offers no login mechanism that takes a username and password"}
	case errors.Is(failed, io.EOF), errors.Is(failed, io.ErrUnexpectedEOF):
		return &targetError{"the broker closed the connection"}
	case failed != nil:
		return &targetError{"connection to the broker lost"}
	}
	return fmt.Errorf("amqp: %w", err)
}

// brokerSaid words the reason that a broker gave for closing.
func brokerSaid(e *amqp.Error, sub *subscription) string {
	text := printable(e.Reason)
	if _, after, ok := strings.Cut(text, " - "); ok {
		text = after // the code's name
	}
	switch {
	case e.Code == amqp.NotFound && strings.Contains(text, "no exchange"):
		return fmt.Sprintf("exchange %q not found", clip(sub.exchange))
	case e.Code == amqp.NotAllowed && strings.HasPrefix(text, "vhost "):
		return fmt.Sprintf("virtual host %q not found", clip(sub.vhost))
	case e.Code == amqp.NotAllowed && strings.HasPrefix(text, "access to vhost"):
		return "no permission: " + text
	case e.Code == amqp.AccessRefused:
		return "no permission: " + text
	case e.Code == amqp.ConnectionForced:
		return "the broker is shutting down or its operator closed the connection"
	}
	return fmt.Sprintf("the broker refused: %d %s", e.Code, text)
}

// printable is a broker's text, 255 bytes at most, without what could play tricks in a
// log or a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}
