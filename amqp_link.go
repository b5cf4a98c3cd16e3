package farwire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/fault"
)

// A link is a connection to a broker on which one queue is consumed. The client
// library has set it up and is gone: what is left is deliveries one way,
// acknowledgements, prefetches and heartbeats the other, and a farewell.
type link struct {
	queue  string
	flow   *flow
	conn   net.Conn
	reader *amqpwire.Reader

	heartbeat time.Duration // zero: none
	beat      *time.Timer
	prefetch  prefetch

	writing sync.Mutex
	out     []byte

	ended chan struct{} // closed when nothing more comes
	fault error         // why; valid then

	closing atomic.Bool
	closed  chan struct{} // closed when close has done its work
}

const (
	// The library opens the first channel, and no other.
	theChannel = 1

	// A broker that takes no byte for this long is lost.
	brokerWriteTimeout = 30 * time.Second

	// What may be spent on a farewell to the broker.
	brokerCloseTimeout = 2 * time.Second
)

// start begins to read and to send heartbeats. The link must be closed.
func (l *link) start() {
	l.ended, l.closed = make(chan struct{}), make(chan struct{})
	if l.heartbeat > 0 {
		l.writing.Lock()
		l.beat = time.AfterFunc(l.heartbeat/2, l.sendBeat)
		l.writing.Unlock()
	}
	go l.read()
}

// sendBeat sends a heartbeat, other traffic or not, until that fails.
func (l *link) sendBeat() {
	if l.write(amqpwire.AppendHeartbeat(nil)) != nil {
		return
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.beat.Reset(l.heartbeat / 2)
}

func (l *link) read() {
	defer close(l.ended)
	defer func() {
		if v := recover(); v != nil {
			l.fault = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	l.fault = l.control()
}

// control reads on until the broker ends it, or the connection does.
func (l *link) control() error {
	var scratch [128]byte // where an idle stream waits
	for {
		c, why, err := l.reader.Next(scratch[:])
		switch {
		case err != nil:
			return brokerLoss(err)
		case c == amqpwire.Cancelled:
			return fault.New(fault.TargetRefused, "the broker cancelled the consumer: the queue was deleted")
		case c == amqpwire.ChannelClosed:
			return fault.New(fault.TargetRefused, brokerSaid(why, nil))
		case c == amqpwire.Closed:
			// It closes whether it hears this or not.
			timer := time.AfterFunc(brokerCloseTimeout, l.cut)
			_ = l.write(amqpwire.AppendCloseOK(nil))
			timer.Stop()
			return fault.New(fault.TargetRefused, brokerSaid(why, nil))
		case c == amqpwire.CloseOK:
			return errLinkClosed
		}
	}
}

// errLinkClosed ends a link that was closed from here.
var errLinkClosed = errors.New("the connection to the broker was closed")

// Read is the reader's source. A broker speaks at least every half interval:
// after two it is lost.
func (l *link) Read(p []byte) (int, error) {
	if l.heartbeat > 0 {
		if err := l.conn.SetReadDeadline(time.Now().Add(2 * l.heartbeat)); err != nil {
			return 0, err
		}
	}
	return l.conn.Read(p)
}

// acknowledge tells the broker that all deliveries up to tag have reached the
// client, and what it may send beyond those that have not. A failure ends the
// link, which is seen there.
func (l *link) acknowledge(tag, largest uint64) {
	l.out = amqpwire.AppendAck(l.out[:0], theChannel, tag)
	if n, changed := l.prefetch.follow(largest); changed {
		l.out = amqpwire.AppendQos(l.out, theChannel, uint16(n))
	}
	if l.write(l.out) != nil {
		l.cut()
	}
}

func (l *link) write(frames []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.conn.SetWriteDeadline(time.Now().Add(brokerWriteTimeout))
	if err == nil {
		_, err = l.conn.Write(frames)
	}
	return err
}

// cut ends the connection without a word.
func (l *link) cut() { l.conn.Close() }

// close says goodbye, so that the broker deletes the queue at once and logs no
// loss, and frees everything. What the flow holds can still be taken. It may be
// called more than once, from any goroutine, and returns when all is done.
func (l *link) close() {
	if !l.closing.CompareAndSwap(false, true) {
		<-l.closed
		return
	}
	defer close(l.closed)
	l.flow.close()
	timer := time.AfterFunc(brokerCloseTimeout, l.cut)
	if l.write(amqpwire.AppendClose(nil)) == nil {
		<-l.ended
	}
	timer.Stop()
	l.cut()
	<-l.ended
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.beat != nil {
		l.beat.Stop() // one that is on its way finds the connection closed
	}
}

// brokerLoss words the end of a connection, or what is wrong with what came
// through it.
func brokerLoss(err error) error {
	var (
		version amqpwire.VersionError
		format  amqpwire.FormatError
	)
	switch {
	case fault.Of(err) != nil:
		return err
	case errors.Is(err, amqpwire.ErrTLS):
		return fault.New(fault.TLSFailed, "the broker speaks TLS on this port; did you mean ssl: true?")
	case errors.Is(err, amqpwire.ErrOther):
		return fault.New(fault.TargetRefused, "the target does not speak AMQP 0-9-1")
	case errors.As(err, &version), errors.As(err, &format):
		return fault.New(fault.TargetRefused, err.Error())
	case isTimeout(err):
		return fault.Wrap(fault.TargetLost, "the broker stopped answering", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.TargetLost, "the broker closed the connection", err)
	}
	var op *net.OpError
	if errors.As(err, &op) || errors.Is(err, net.ErrClosed) {
		return fault.Wrap(fault.TargetLost, "connection to the broker lost", err)
	}
	return fmt.Errorf("broker: %w", err)
}
