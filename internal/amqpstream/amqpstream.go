// Package amqpstream consumes one queue of an AMQP 0-9-1 broker and holds its
// messages, as server-sent events, until they are written.
//
// A client library sets everything up: it logs in, declares and binds a queue
// or finds one that is there, and consumes. From then on only deliveries come,
// and a [Consumer] has the connection to itself:
//
//	broker --> Reader --> filling batch ~~swap~~> batch being written --> client
//	   ^         |             |                          |
//	   |         +-- waits while it is full               |
//	   +------------- acknowledgement <-------------------+-- flushed
//
// While one batch is written the next one fills, so events are flushed and
// acknowledged by the batch, and the slower the client the larger the batches.
// Memory is bounded by not reading: a broker knows a prefetch in messages, not
// in bytes.
package amqpstream

import (
	"context"
	"net"
	"time"

	"github.com/farwire/farwire/internal/amqpwire"
)

// A Subscription says what to consume, and as whom.
type Subscription struct {
	VirtualHost string
	Username    string // with an empty Password it is a secret: no error holds it
	Password    string
	Certificate bool // the connection has shown a client certificate: without a Username it is the login
	Heartbeat   time.Duration
	Prefetch    int    // messages that may be on their way or unacknowledged
	Name        string // of the connection, and of a queue of the consumer's own

	// Queue is one that is there. It is consumed as it is and left as it is.
	// Empty: a queue of the consumer's own, which goes with it.
	Queue string

	// Offset is where a stream queue is read from: "first", "last", "next", an
	// int64 or a time.Time. Nil: "next", and the queue may be of any type.
	Offset any

	// After is the offset behind which a stream queue is read, whatever Offset
	// says; not negative. Of another queue it has no meaning. Nil: Offset counts.
	After *int64

	// Bindings are those of a queue of the consumer's own.
	Bindings []Binding

	// QueueLimit is how many messages such a queue may hold; the broker drops
	// the oldest. Zero: any number.
	QueueLimit int
}

// A Binding is what a queue receives of an exchange. Arguments has values of
// the types nil, bool, int64, float64, string, []any and map[string]any.
type Binding struct {
	Exchange   string
	RoutingKey string
	Arguments  map[string]any
}

// Limits bound what a [Consumer] holds.
type Limits struct {
	Budget int   // bytes of events that wait for their reader
	Body   int64 // bytes of the largest body that is delivered
}

// An unused queue is deleted after this, should the connection that owns it hang
// where neither side can tell.
const queueExpiry = 30 * time.Second

// Consume logs in on a connection to a broker and begins to consume. It takes
// the connection over, and closes it when it fails. The context bounds the
// set-up alone; the Consumer outlives it and must be closed.
func Consume(ctx context.Context, conn net.Conn, sub *Subscription, limits Limits) (*Consumer, error) {
	c := &Consumer{
		Buffer: newBuffer(limits),
		secret: sub.secret(),
		conn:   conn,
		ended:  make(chan struct{}),
		closed: make(chan struct{}),
	}
	c.reader = amqpwire.NewReader(c, c.Buffer)
	lib := &libraryConn{consumer: c, left: make(chan struct{})}
	stop := context.AfterFunc(ctx, c.cut)
	err := lib.setUp(sub)
	if err == nil {
		<-lib.left // it has read its last, or the context has cut the connection
	}
	switch {
	case !stop():
		err = context.Cause(ctx)
	case err != nil:
		err = lib.explain(err, sub)
	}
	if err != nil {
		c.Buffer.Close()
		c.cut()
		return nil, err
	}
	c.heartbeat = lib.heartbeat // the library's goroutine, which reads through c, has ended
	c.start()
	return c, nil
}
