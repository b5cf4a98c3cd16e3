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
	"syscall"
	"time"
	"unicode"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/fault"
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

// An unused queue is deleted after this, should the connection that owns it hang
// where neither side can tell.
const queueExpiry = 30 * time.Second

// subscribe connects to the broker through the exit, sets the queue up with the
// client library and takes the connection over. The context bounds all of it;
// the link outlives it.
func (g *Gateway) subscribe(ctx context.Context, exit agent.Exit, sub *subscription) (_ *link, err error) {
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
	l := &link{
		queue:    sub.prefix + "_" + exit.Slug + "_" + newID(),
		flow:     newFlow(g.o.AMQP),
		conn:     conn,
		prefetch: prefetch{budget: g.o.AMQP.Budget, now: firstPrefetch},
	}
	l.reader = amqpwire.NewReader(l, l.flow)
	lib := &libraryConn{link: l, left: make(chan struct{})}
	stop := context.AfterFunc(ctx, l.cut)
	heartbeat, err := setUp(lib, sub, l.queue, g.o.AMQP.QueueLimit)
	if err == nil {
		<-lib.left // it has read its last, or the context has cut the connection
		l.heartbeat = heartbeat
	}
	switch {
	case !stop():
		err = context.Cause(ctx)
	case err != nil:
		err = lib.explain(err, sub)
	}
	if err != nil {
		l.flow.close()
		l.cut()
		return nil, err
	}
	l.start()
	return l, nil
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
		return nil, fault.New(fault.TLSFailed, "TLS: no TLS on this port; did you mean ssl: false?")
	}
	return nil, tlsFailure(err)
}

// setUp opens the connection and a channel, declares and binds the queue, and
// consumes it. It returns the heartbeat interval that was agreed on. When it
// succeeds, the library has seen its connection end and is on its way out.
func setUp(lib *libraryConn, sub *subscription, queue string, limit int) (heartbeat time.Duration, err error) {
	conn, err := amqp.Open(lib, amqp.Config{
		SASL:       mechanisms(sub.user, sub.password),
		Vhost:      sub.vhost,
		Heartbeat:  sub.heartbeat,
		FrameSize:  amqpwire.MaxFrame,
		ChannelMax: theChannel,
		Locale:     "en_US",
		Properties: amqp.Table{"product": "farwire", "connection_name": queue},
	})
	if err != nil {
		return 0, err
	}
	heartbeat = conn.Config.Heartbeat
	ch, err := conn.Channel()
	if err != nil {
		return 0, err
	}
	args := amqp.Table{amqp.QueueTTLArg: queueExpiry.Milliseconds()}
	if limit > 0 {
		args[amqp.QueueMaxLenArg] = int64(limit)
	}
	const durable, autoDelete, exclusive, noWait = false, true, true, false
	if _, err = ch.QueueDeclare(queue, durable, autoDelete, exclusive, noWait, args); err != nil {
		return 0, err
	}
	// Every queue is bound to the default exchange by its name already, and a
	// broker refuses to bind to it again.
	if sub.exchange != "" {
		if err = ch.QueueBind(queue, sub.routingKey, sub.exchange, noWait, nil); err != nil {
			return 0, err
		}
	}
	if err = ch.Qos(firstPrefetch, 0, true); err != nil {
		return 0, err
	}
	const autoAck, noLocal = false, false
	_, err = ch.Consume(queue, "farwire", autoAck, exclusive, noLocal, noWait, nil)
	return heartbeat, err
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

// A libraryConn is the connection that the client library is given. It keeps
// the first failure, because the library turns errors into texts, and it ends
// for the library alone once the consumer is there.
type libraryConn struct {
	link *link

	left chan struct{} // closed when the library will not read again

	mu     sync.Mutex
	failed error // the first; io.EOF when all went well
}

// Read is called in a goroutine of the library's: a panic here would end every
// session of the process.
func (c *libraryConn) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		if c.note(err); err != nil {
			close(c.left) // nothing reads on after an error
		}
	}()
	return c.link.reader.Read(p)
}

func (c *libraryConn) Write(p []byte) (int, error) {
	select {
	case <-c.left:
		return 0, net.ErrClosed // a heartbeat: the link sends its own
	default:
	}
	if err := c.link.write(p); err != nil {
		c.note(err)
		return 0, err
	}
	return len(p), nil
}

// Close leaves the connection to the link.
func (c *libraryConn) Close() error { return nil }

func (c *libraryConn) note(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

// explain turns a failure of the library's into one for the client, in words
// that hold nothing but what the client sent and what its broker answered.
func (c *libraryConn) explain(err error, sub *subscription) error {
	var said *amqp.Error
	if errors.As(err, &said) && said.Server {
		return fault.New(fault.TargetRefused, brokerSaid(amqpwire.Reason{Code: said.Code, Text: said.Reason}, sub))
	}
	c.mu.Lock()
	failed := c.failed
	c.mu.Unlock()
	switch hungUp := failed == nil || errors.Is(failed, io.EOF) || errors.Is(failed, syscall.ECONNRESET); {
	case hungUp && errors.Is(err, amqp.ErrCredentials):
		// Without a word: so a broker refuses who it does not know.
		return fault.New(fault.TargetRefused, "username or password refused")
	case hungUp && errors.Is(err, amqp.ErrVhost):
		return fault.New(fault.TargetRefused, "virtual host refused")
	case errors.Is(err, amqp.ErrSASL):
		return fault.New(fault.TargetRefused, "the broker offers no login mechanism that takes a username and password")
	case failed != nil:
		return brokerLoss(failed)
	}
	return fmt.Errorf("amqp: %w", err)
}

// brokerSaid words the reason that a broker gave for closing. Without a
// subscription nothing is being set up any more.
func brokerSaid(why amqpwire.Reason, sub *subscription) string {
	text := printable(why.Text)
	if _, after, ok := strings.Cut(text, " - "); ok {
		text = after // the code's name
	}
	switch {
	case why.Code == amqp.NotFound && sub != nil && strings.Contains(text, "no exchange"):
		return fmt.Sprintf("exchange %q not found", clip(sub.exchange))
	case why.Code == amqp.NotAllowed && sub != nil && strings.HasPrefix(text, "vhost "):
		return fmt.Sprintf("virtual host %q not found", clip(sub.vhost))
	case why.Code == amqp.NotAllowed, why.Code == amqp.AccessRefused:
		return "no permission: " + text
	case why.Code == amqp.ConnectionForced:
		return "the broker is shutting down or its operator closed the connection"
	}
	return fmt.Sprintf("the broker refused: %d %s", why.Code, text)
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
