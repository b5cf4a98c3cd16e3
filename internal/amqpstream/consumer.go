package amqpstream

import (
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/fault"
)

// A Consumer is a connection to a broker on which one queue is consumed. The
// client library has set it up and is gone: what is left is deliveries one way,
// acknowledgements and heartbeats the other, and a close. Its messages are in
// its Buffer. Acknowledge is for one goroutine; the other methods are safe for
// concurrent use.
type Consumer struct {
	*Buffer

	secret string // that no error may hold; empty: none
	queue  string
	conn   net.Conn
	reader *amqpwire.Reader

	heartbeat      time.Duration // zero: none
	heartbeatTimer *time.Timer

	writing sync.Mutex
	out     []byte

	ended chan struct{} // closed when nothing more comes
	err   error         // why; valid then

	closing atomic.Bool
	closed  chan struct{} // closed when Close has done its work
}

const (
	// A broker that takes no byte for this long is lost.
	writeTimeout = 30 * time.Second

	// The longest that closing in order may take.
	closeTimeout = 2 * time.Second
)

// Queue returns the name of the queue.
func (c *Consumer) Queue() string { return c.queue }

// Ended is closed when nothing more comes; Err says why.
func (c *Consumer) Ended() <-chan struct{} { return c.ended }

// Err returns why nothing more comes, once Ended is closed.
func (c *Consumer) Err() error { return c.err }

// start begins to read and to send heartbeats.
func (c *Consumer) start() {
	if c.heartbeat > 0 {
		c.writing.Lock()
		c.heartbeatTimer = time.AfterFunc(c.heartbeat/2, c.sendHeartbeat)
		c.writing.Unlock()
	}
	go c.read()
}

// sendHeartbeat sends a heartbeat, other traffic or not, until that fails.
func (c *Consumer) sendHeartbeat() {
	if c.write(amqpwire.AppendHeartbeat(nil)) != nil {
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.heartbeatTimer.Reset(c.heartbeat / 2)
}

func (c *Consumer) read() {
	defer close(c.ended)
	defer func() {
		if v := recover(); v != nil {
			c.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	c.err = c.control()
}

// control reads on until the broker ends it, or the connection does.
func (c *Consumer) control() error {
	var scratch [128]byte // where an idle consumer waits
	for {
		said, why, err := c.reader.Next(scratch[:])
		switch {
		case err != nil:
			return loss(err)
		case said == amqpwire.Cancelled:
			return fault.New(fault.TargetLost, "the broker cancelled the consumer: the queue was deleted or its node is gone")
		case said == amqpwire.ChannelClosed:
			return closing(why, c.secret)
		case said == amqpwire.Closed:
			// It closes whether this reaches it or not.
			timer := time.AfterFunc(closeTimeout, c.cut)
			_ = c.write(amqpwire.AppendCloseOK(nil))
			timer.Stop()
			return closing(why, c.secret)
		case said == amqpwire.FlowOn, said == amqpwire.FlowOff:
			// It is about what we publish, which is nothing. A failure is seen
			// by the next read.
			_ = c.write(amqpwire.AppendFlowOK(nil, c.reader.Channel(), said == amqpwire.FlowOn))
		case said == amqpwire.CloseOK:
			return errClosed
		}
	}
}

// errClosed ends a consumer that was closed from here.
var errClosed = fault.New(fault.TargetLost, "the connection to the broker was closed")

// Read is the reader's source. A broker speaks at least every half interval:
// after two it is lost.
func (c *Consumer) Read(p []byte) (int, error) {
	if c.heartbeat > 0 {
		// It fails only where the connection has ended, and Read says how it did.
		_ = c.conn.SetReadDeadline(time.Now().Add(2 * c.heartbeat))
	}
	return c.conn.Read(p)
}

// Acknowledge tells the broker that a batch, and all before it, has reached the
// client. A failure ends the consumer, which is seen there.
func (c *Consumer) Acknowledge(b *Batch) {
	c.out = amqpwire.AppendAck(c.out[:0], c.reader.Channel(), b.tag)
	if c.write(c.out) != nil {
		c.cut()
	}
}

func (c *Consumer) write(frames []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.conn.Write(frames)
	}
	return err
}

// cut ends the connection without a word to the broker; TLS says that it ends.
func (c *Consumer) cut() { c.conn.Close() }

// Close tells the broker, so that it deletes the queue or gives its messages to
// others at once and logs no loss, and frees everything. What the Buffer holds
// can still be taken. It may be called more than once, and returns when all is
// done.
func (c *Consumer) Close() {
	if !c.closing.CompareAndSwap(false, true) {
		<-c.closed
		return
	}
	defer close(c.closed)
	c.Buffer.Close()
	timer := time.AfterFunc(closeTimeout, c.cut)
	if c.write(amqpwire.AppendClose(nil)) == nil {
		<-c.ended
	}
	timer.Stop()
	c.cut()
	<-c.ended
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.heartbeatTimer != nil {
		c.heartbeatTimer.Stop() // one that is on its way finds the connection closed
	}
}
