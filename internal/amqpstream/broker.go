package amqpstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/fault"
)

// A libraryConn is the connection that the client library is given. It keeps
// the first failure, because the library turns errors into texts, and it ends
// for the library alone once the consumer is there.
type libraryConn struct {
	consumer *Consumer

	left chan struct{} // closed when the library will not read again

	heartbeat time.Duration // what was agreed with the broker; zero: none

	mu     sync.Mutex
	failed error // the first; io.EOF when all went well
}

// What every consumer is and does.
const (
	durable, autoDelete, exclusive, shared = false, true, true, false
	autoAck, noLocal, noWait, perConsumer  = false, false, false, false

	consumerTag = "farwire"

	// A broker that refuses something closes the channel, so several are used,
	// one after the other.
	mostChannels = 4
)

// setUp opens the connection and a channel and consumes a queue. When it
// succeeds, the library has seen its connection end and is on its way out.
func (c *libraryConn) setUp(sub *Subscription) error {
	conn, err := amqp.Open(c, amqp.Config{
		SASL:       mechanisms(sub),
		Vhost:      sub.VirtualHost,
		Heartbeat:  sub.Heartbeat,
		FrameSize:  amqpwire.MaxFrame,
		ChannelMax: mostChannels,
		Locale:     "en_US",
		Properties: amqp.Table{"product": "farwire", "connection_name": sub.Name},
	})
	if err != nil {
		return err
	}
	c.heartbeat = conn.Config.Heartbeat
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if sub.Queue != "" {
		c.consumer.queue = sub.Queue
		return c.consumeExisting(conn, ch, sub)
	}
	if ch, err = c.declare(conn, ch, sub); err != nil {
		return err
	}
	for _, b := range sub.Bindings {
		if err := ch.QueueBind(c.consumer.queue, b.RoutingKey, b.Exchange, noWait, table(b.Arguments)); err != nil {
			return &bindingError{err, b}
		}
	}
	return consume(ch, sub, c.consumer.queue, exclusive, nil)
}

// declare makes a queue under its own name or, where the broker gives a user no
// other, under one that the broker chooses. It returns the channel to go on with.
func (c *libraryConn) declare(conn *amqp.Connection, ch *amqp.Channel, sub *Subscription) (*amqp.Channel, error) {
	args := amqp.Table{amqp.QueueTTLArg: queueExpiry.Milliseconds()}
	if sub.QueueLimit > 0 {
		args[amqp.QueueMaxLenArg] = int64(sub.QueueLimit)
	}
	queue, err := ch.QueueDeclare(sub.Name, durable, autoDelete, exclusive, noWait, args)
	// A name with the prefix of the broker's own is refused to everybody.
	if refusedAs(err, amqp.AccessRefused) && !strings.HasPrefix(sub.Name, "amq.") {
		var again error
		if ch, again = conn.Channel(); again != nil {
			return nil, again
		}
		queue, again = ch.QueueDeclare("", durable, autoDelete, exclusive, noWait, args)
		if !refusedAs(again, amqp.AccessRefused) {
			err = again // nil: the queue is there
		}
	}
	c.consumer.queue = queue.Name
	return ch, err
}

// consumeExisting consumes a queue that is there, which may be of any type. Only
// a stream queue takes an offset; of another type the broker says so.
func (c *libraryConn) consumeExisting(conn *amqp.Connection, ch *amqp.Channel, sub *Subscription) error {
	offset := sub.Offset
	switch {
	case sub.After != nil:
		offset = *sub.After + 1
	case offset == nil:
		offset = "next"
	}
	c.consumer.setStream(true)
	err := consume(ch, sub, sub.Queue, shared, amqp.Table{offsetArgument: offset})
	if !refusedAs(err, amqp.PreconditionFailed) || !strings.Contains(err.Error(), offsetArgument) {
		return err
	}
	if sub.Offset != nil {
		return fault.New(fault.TargetRefused, fmt.Sprintf("queue %q is not a stream, so it takes no offset", fault.Clip(sub.Queue)))
	}
	c.consumer.setStream(false)
	if ch, err = conn.Channel(); err != nil {
		return err
	}
	return consume(ch, sub, sub.Queue, shared, nil)
}

// consume sets the prefetch of the one consumer that comes next: a prefetch of
// the whole channel is refused by quorum queues and by the brokers of today.
func consume(ch *amqp.Channel, sub *Subscription, queue string, exclusive bool, args amqp.Table) error {
	if err := ch.Qos(sub.Prefetch, 0, perConsumer); err != nil {
		return err
	}
	_, err := ch.Consume(queue, consumerTag, autoAck, exclusive, noLocal, noWait, args)
	return err
}

// table gives nested objects the library's type.
func table(object map[string]any) amqp.Table {
	t := make(amqp.Table, len(object))
	for name, v := range object {
		t[name] = field(v)
	}
	return t
}

func field(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return table(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = field(item)
		}
		return list
	}
	return v
}

// mechanisms are the SASL mechanisms in the order in which they are tried.
func mechanisms(sub *Subscription) []amqp.Authentication {
	plain := &amqp.PlainAuth{Username: sub.Username, Password: sub.Password}
	inTable := &amqp.AMQPlainAuth{Username: sub.Username, Password: sub.Password}
	switch {
	case sub.Username == "" && sub.Certificate:
		return []amqp.Authentication{&amqp.ExternalAuth{}}
	case sub.Username == "" && sub.Password == "":
		return []amqp.Authentication{anonymous{}, plain, inTable}
	case strings.Contains(sub.Username+sub.Password, "\x00"):
		// PLAIN separates its fields by zero bytes (RFC 4616).
		return []amqp.Authentication{inTable, plain}
	}
	return []amqp.Authentication{plain, inTable}
}

// anonymous is SASL ANONYMOUS (RFC 4505) without a trace.
type anonymous struct{}

func (anonymous) Mechanism() string { return "ANONYMOUS" }
func (anonymous) Response() string  { return "" }

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
	return c.consumer.reader.Read(p)
}

func (c *libraryConn) Write(p []byte) (int, error) {
	select {
	case <-c.left:
		return 0, net.ErrClosed // a heartbeat: the consumer sends its own
	default:
	}
	if err := c.consumer.write(p); err != nil {
		// What the broker said before it closed is still to be read, and says more.
		select {
		case <-c.left:
		case <-time.After(closeTimeout):
		}
		c.note(err)
		return 0, err
	}
	return len(p), nil
}

// Close leaves the connection to the consumer.
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

// A bindingError is what a broker said to a binding.
type bindingError struct {
	error
	binding Binding
}

func (e *bindingError) Unwrap() error { return e.error }

func refusedAs(err error, code int) bool {
	var said *amqp.Error
	return errors.As(err, &said) && said.Server && said.Code == code
}

// explain turns a failure of the library's into one for the client, in words
// that hold nothing but what the client sent and what its broker answered.
func (c *libraryConn) explain(err error, sub *Subscription) error {
	if fault.Of(err) != nil {
		return err
	}
	var said *amqp.Error
	if errors.As(err, &said) && said.Server {
		return refusal(amqpwire.Reason{Code: said.Code, Text: said.Reason}, err, sub)
	}
	c.mu.Lock()
	failed := c.failed
	c.mu.Unlock()
	switch closed := failed == nil || errors.Is(failed, io.EOF) || errors.Is(failed, syscall.ECONNRESET); {
	case closed && errors.Is(err, amqp.ErrCredentials) && sub.Username == "" && sub.Certificate:
		return fault.New(fault.TargetRefused, "client certificate refused as a login")
	case closed && errors.Is(err, amqp.ErrCredentials):
		// A broker refuses unknown users without a word.
		return fault.New(fault.TargetRefused, "username or password refused")
	case closed && errors.Is(err, amqp.ErrVhost):
		return fault.New(fault.TargetRefused, "virtual host refused")
	case errors.Is(err, amqp.ErrSASL) && sub.Username == "" && sub.Certificate:
		return fault.New(fault.TargetRefused, "the broker does not accept a client certificate as a login (EXTERNAL)")
	case errors.Is(err, amqp.ErrSASL):
		return fault.New(fault.TargetRefused, "the broker offers no login mechanism that takes a username and password")
	case failed != nil:
		return loss(failed)
	case errors.Is(err, amqp.ErrClosed): // while it was not being asked anything
		return fault.Wrap(fault.TargetLost, "the broker closed the connection", err)
	case errors.As(err, &said):
		return fault.Wrap(fault.TargetRefused, "the broker does not keep to AMQP 0-9-1", err)
	}
	return fmt.Errorf("amqp: %w", err)
}
