package farwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/sse"
)

// AMQP returns the handler that consumes a RabbitMQ queue through an agent and
// streams its messages as server-sent events. It takes a POST with a JSON
// object that says which broker, exchange and routing key; once the caller is
// admitted the answer is a 200 and everything else is an event.
//
// The queue is the stream's own: exclusive, auto-delete and not durable, so it
// sees what is published while the stream runs and goes with it. A message is
// acknowledged after its event has been flushed. A reader that is slow makes
// the broker wait; memory stays within [AMQPOptions].
//
// The stream ends with the request: when the client leaves, or the request's
// context ends, or the gateway drains. The ResponseWriter must be able to
// flush, itself or through Unwrap, and should have write deadlines, as
// net/http's has: without them a reader that stalls can hold its stream open.
func (g *Gateway) AMQP() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.enter(r.Context(), kindAMQP)
		if err != nil {
			g.refused(r.Context(), kindAMQP.String(), err)
			g.o.fail(w, err)
			return
		}
		st := &stream{g: g, session: s}
		defer func() { s.end(st.result) }()
		st.serve(w, r)
	})
}

// A stream is one client's.
type stream struct {
	g       *Gateway
	session *session
	sub     *subscription
	query   agent.Query
	out     *sse.Stream
	result  SessionResult
}

const (
	// After a batch smaller than this the next one is given time to grow. So
	// no event waits longer, and a stream flushes at most a thousand times in
	// a second or whenever there is enough to send.
	smallBatch  = 32 << 10
	collectTime = time.Millisecond
)

// A comment goes out at this interval, for the proxies in between.
const commentInterval = 15 * time.Second

func (st *stream) serve(w http.ResponseWriter, r *http.Request) {
	err := st.ask(w, r)
	if err != nil {
		st.result.Err = err
		st.g.o.fail(w, err)
		return
	}
	// The session's own context ends when the gateway drains; for a stream it
	// ends with the request and with a stall as well.
	ctx, stop := st.session.ctx, st.session.stop
	gone := context.AfterFunc(r.Context(), func() { stop(context.Cause(r.Context())) })
	defer gone()
	st.out, err = sse.Open(w, st.g.o.AMQP.StallTimeout, func() { stop(sse.ErrStalled) })
	if errors.Is(err, sse.ErrCannotFlush) {
		st.result.EndedBy, st.result.Err = "gateway", err
		st.g.o.fail(w, err)
		return
	}
	if err != nil {
		st.finish(err)
		return
	}
	defer afterKill(st.g.kill, st.out.Cut)()

	st.finish(st.run(ctx))
}

// afterKill calls cut when ctx ends, and returns a function after which it is
// not and will not be running.
func afterKill(ctx context.Context, cut func()) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		cut()
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// ask reads the request and finds out whose it is. Its errors are HTTP answers.
func (st *stream) ask(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(http.MethodPost)
	}
	body, err := readAsk(w, r)
	if err != nil {
		return err
	}
	f, err := readFields(body)
	if err != nil {
		return err
	}
	seen := st.g.sight(r)
	if key := f.key(); key != "" {
		seen.key = key
	}
	if st.sub, err = readSubscription(f); err != nil {
		return err
	}
	st.query = agent.Query{Host: st.sub.host}
	geo, agents := f.text("geo", ""), f.text("agent", "")
	if f.err != nil {
		return f.err
	}
	if err := choose(&st.query, geo, agents); err != nil {
		return err
	}
	if err := st.session.admit(r.Context(), seen); err != nil {
		return err
	}
	st.query.Subject = st.session.Subject
	st.result.Target = st.sub.host
	return nil
}

// readAsk reads a JSON body within the limits of size and time.
func readAsk(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return nil, fault.New(fault.UnsupportedMedia, "the body must be application/json")
		}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fault.New(fault.UnsupportedMedia, "the body must come without a Content-Encoding")
	}
	rc := http.NewResponseController(w)
	// A writer without deadlines leaves the time to the server's own limits.
	_ = rc.SetReadDeadline(time.Now().Add(askTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, askLimit))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	// Otherwise the deadline stands: net/http wants the rest of the body before
	// it sends an answer.
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	case isTimeout(err):
		return nil, fault.Invalidf("the body did not come within %v", askTimeout)
	}
	return nil, fault.Invalidf("the body could not be read")
}

// readSubscription reads and checks the fields that say what to consume.
func readSubscription(f *fields) (*subscription, error) {
	sub := &subscription{
		host:       f.text("host", ""),
		port:       f.integer("port", 5672, 1, 65535),
		vhost:      f.text("virtual_host", "/"),
		user:       f.text("username", ""),
		password:   f.text("password", ""),
		exchange:   f.text("exchange", ""),
		routingKey: f.text("routing_key", "#"),
		prefix:     f.text("queue_prefix", "scrape"),
		tls:        f.boolean("ssl", false),
		heartbeat:  time.Duration(f.integer("heartbeat", 60, 0, 65535)) * time.Second,
	}
	if f.err != nil {
		return nil, f.err
	}
	if sub.host == "" {
		return nil, fault.Invalidf("host is missing")
	}
	if !hostOnly(sub.host) {
		return nil, fault.Invalidf("host must be a name or an address, without a scheme or a port")
	}
	if !validPrefix(sub.prefix) {
		return nil, fault.Invalidf("queue_prefix must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
	}
	// They travel as short strings (section 4.2.5.3).
	for _, short := range []member{{"virtual_host", sub.vhost}, {"exchange", sub.exchange}, {"routing_key", sub.routingKey}} {
		if len(short.value) > 255 {
			return nil, fault.Invalidf("%s must be at most 255 bytes", short.name)
		}
	}
	return sub, nil
}

func hostOnly(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 254 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@:?#[]<>"%`, r)
	})
}

func validPrefix(s string) bool {
	return 1 <= len(s) && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-')
	})
}

// run subscribes and streams, and says why the stream has to end.
func (st *stream) run(ctx context.Context) error {
	tick := time.NewTicker(commentInterval)
	defer tick.Stop()
	l, err := st.subscribe(ctx, tick.C)
	if err != nil {
		return err
	}
	defer l.close()
	st.session.watch(l.flow)
	st.sub, st.query = nil, agent.Query{} // a password is not kept for longer
	// A writer that hangs must not keep the queue.
	stop := context.AfterFunc(ctx, l.close)
	defer stop()

	hello := append([]byte(nil), "event: connected\ndata: {\"node_id\": "...)
	hello = sse.AppendString(hello, st.result.Node)
	hello = append(hello, `, "queue_name": `...)
	hello = sse.AppendString(hello, l.queue)
	hello = append(hello, "}\n\n"...)
	if err := st.out.Write(hello); err != nil {
		return err
	}
	if err := st.out.Flush(); err != nil {
		return err
	}
	return st.relay(ctx, l, tick.C)
}

// subscribe sets the queue up through an exit that fits, in a goroutine of its
// own: meanwhile comments go out, and the deep stack of a TLS handshake does
// not stay with the stream.
func (st *stream) subscribe(ctx context.Context, tick <-chan time.Time) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	var l *link
	var exit agent.Exit
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		var err error
		exit, err = st.g.reach(ctx, st.session, st.query, func(ctx context.Context, exit agent.Exit) (err error) {
			l, err = st.g.subscribe(ctx, exit, st.sub)
			return err
		})
		done <- err
	}()
	var written error
	for {
		select {
		case err := <-done:
			st.result.Node = exit.ID
			switch {
			case err != nil && written == nil:
				return nil, err
			case err == nil && written == nil:
				return l, nil
			case err == nil:
				l.close()
			}
			return nil, written
		case <-tick:
			if written = st.out.Comment(); written != nil {
				cancel()
				tick = nil
			}
		}
	}
}

// relay streams batches until something ends.
func (st *stream) relay(ctx context.Context, l *link, tick <-chan time.Time) error {
	var spare []byte
	for {
		if ctx.Err() != nil {
			l.flow.close()
			cause := context.Cause(ctx)
			if errors.Is(cause, errDraining) {
				if err := st.drain(l); err != nil {
					return err
				}
			}
			return cause
		}
		next, ok := l.flow.take(spare)
		if ok {
			if err := st.send(&next); err != nil {
				return err
			}
			l.acknowledge(next.tag, next.largest)
			spare = next.events
			// In a run of messages a broker's every packet would be a write, a
			// flush and an acknowledgement. The first of a run never waits.
			if len(spare) < smallBatch {
				time.Sleep(collectTime)
			}
			continue
		}
		select {
		case <-l.flow.wake:
		case <-tick:
			spare = nil
			l.flow.shrink()
			if err := st.out.Comment(); err != nil {
				return err
			}
		case <-l.ended:
			if err := st.drain(l); err != nil {
				return err
			}
			return l.fault
		case <-ctx.Done():
		}
	}
}

// drain sends what was read before the stream had to end.
func (st *stream) drain(l *link) error {
	for {
		next, ok := l.flow.take(nil)
		if !ok {
			return nil
		}
		if err := st.send(&next); err != nil {
			return err
		}
	}
}

func (st *stream) send(b *batch) error {
	if err := b.write(st.out); err != nil {
		return err
	}
	st.result.FramesToClient += b.count
	st.result.BytesToClient += b.bytes
	st.g.counts[kindAMQP].sent(b.count, b.bytes)
	return nil
}

// finish tells the client why its stream ends, if it is there to be told.
func (st *stream) finish(err error) {
	r := &st.result
	switch class := fault.ClassOf(err); {
	case class.OfTarget():
		r.EndedBy = "target"
	case class.OfAgent():
		r.EndedBy = "agent"
	default:
		r.EndedBy = "gateway"
	}
	switch {
	case errors.Is(err, sse.ErrLost) && st.g.kill.Err() != nil:
		r.Code, r.Err = 1001, errDraining
		return
	case errors.Is(err, sse.ErrLost) && st.out != nil && st.out.Stalled():
		r.Code, r.Err = 1008, sse.ErrStalled
		return
	case errors.Is(err, sse.ErrLost), errors.Is(err, context.Canceled):
		r.EndedBy = "client"
		return
	}
	p := streamError(err)
	r.Code, r.Err = p.Event, err
	// A client that cannot be told knows that its stream has ended.
	_ = st.out.Last(sse.AppendError(nil, p.Text, p.Event, p.Code))
}

// streamError words an error event. What failed at the exit or at the broker
// is said to have failed there.
func streamError(err error) publicError {
	p := public(err)
	switch {
	case err == context.DeadlineExceeded: // of the host's, around the handler
		p.Text = "the server ended the request"
	case p.Class == fault.TargetForbidden:
	case p.Class.OfTarget(), p.Class.OfAgent():
		p.Text = "agent error: " + p.Short()
	}
	return p
}
