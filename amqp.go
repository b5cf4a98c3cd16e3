package farwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/sse"
)

// AMQP returns the handler that consumes a RabbitMQ queue through an agent and
// streams its messages as server-sent events. It takes a POST with a JSON
// object that names the broker and the messages. Once the caller is admitted
// the status is 200, and errors are events. Pages of any web origin may use it
// with a key: the handler answers preflights too, so mount it for all methods.
//
// The queue is a temporary one, exclusive and deleted with the stream, or an
// existing one, which is only consumed. A message is acknowledged after its
// event has been flushed. A slow reader makes the broker wait; memory stays
// within [AMQPOptions].
//
// The stream ends with the request: when the client leaves, or the request's
// context ends, or the gateway drains. The ResponseWriter must be able to
// flush, itself or through Unwrap, and should have write deadlines, as
// net/http's has: without them a reader that stalls can hold its stream open.
func (g *Gateway) AMQP() http.Handler {
	return origin.Any(http.MethodPost, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.enter(r.Context(), KindAMQP)
		if err != nil {
			g.refuse(w, r, KindAMQP, err)
			return
		}
		defer s.abandonOnPanic()
		st := &amqpStream{g: g, session: s}
		st.serve(w, r)
		s.end(st.result)
	}))
}

// An amqpStream is one answer of /amqp.
type amqpStream struct {
	g       *Gateway
	session *session
	request *request.AMQP
	query   agent.Query
	out     *sse.Stream
	result  SessionResult
}

// A comment goes out at this interval, for the proxies in between.
const commentInterval = 15 * time.Second

func (st *amqpStream) serve(w http.ResponseWriter, r *http.Request) {
	err := st.read(w, r)
	if err != nil {
		st.result.EndedBy, st.result.Code, st.result.Err = EndedByGateway, public(err).Status, err
		st.g.fail(w, err)
		return
	}
	// The session's own context ends when the gateway drains; for a stream it
	// ends with the request and with a stall as well.
	ctx, stop := st.session.ctx, st.session.stop
	gone := context.AfterFunc(r.Context(), func() { stop(context.Cause(r.Context())) })
	defer gone()
	w.Header().Set("X-Farwire-From", "gateway")
	st.out, err = sse.Open(w, st.g.o.AMQP.StallTimeout, func() { stop(sse.ErrStalled) })
	if st.out == nil {
		st.result.EndedBy, st.result.Err = EndedByGateway, err
		st.g.fail(w, err)
		return
	}
	defer st.out.Leave()
	defer afterKill(st.g.kill, st.out.Cut)()
	defer afterKill(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, errDraining) { // in a drain what was read is still sent
			st.out.End(cause)
		}
	})()
	if err == nil {
		err = st.run(ctx)
	}
	st.finish(ctx, err)
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

// read reads the request and finds out whose it is. Its errors are HTTP answers.
func (st *amqpStream) read(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(http.MethodPost)
	}
	body, err := request.Body(st.session.ctx, w, r)
	if err != nil {
		return err
	}
	f, err := request.Read(body)
	if err != nil {
		return err
	}
	seen := st.g.readAuth(r)
	if key := f.Key(); key != "" {
		seen.key = key
	}
	limits := request.AMQPLimits{Insecure: st.g.o.AllowInsecure, QueueLimit: st.g.o.AMQP.QueueLimit}
	if st.request, err = f.AMQP(r.Header.Get("Last-Event-ID"), limits); err != nil {
		return err
	}
	st.query = agent.Query{Host: st.request.Host, Session: st.request.Session}
	geo, agents := f.Text("geo", ""), f.Text("agent", "")
	if f.Err != nil {
		return f.Err
	}
	if err := egress.ParseFilter(&st.query, geo, agents); err != nil {
		return err
	}
	if err := st.session.admit(r.Context(), seen); err != nil {
		return err
	}
	st.query.Subject = st.session.Subject
	st.result.Target = net.JoinHostPort(st.request.Host, strconv.Itoa(st.request.Port))
	return st.request.LoadCertificate()
}

// run subscribes and streams, and says why the stream has to end.
func (st *amqpStream) run(ctx context.Context) error {
	tick := time.NewTicker(commentInterval)
	defer tick.Stop()
	c, err := st.subscribe(ctx, tick.C)
	if err != nil {
		return err
	}
	defer c.Close()
	st.session.holds(c.Buffer)
	st.session.reached(st.result.Agent, st.result.Target)
	prefetch := st.request.Prefetch
	st.request, st.query = nil, agent.Query{} // a password is not kept for longer
	// A writer that hangs must not keep the queue. When the gateway drains, what
	// was read is still sent and acknowledged, and nothing more is read.
	stop := context.AfterFunc(ctx, func() {
		if c.Buffer.Close(); !errors.Is(context.Cause(ctx), errDraining) {
			c.Close()
		}
	})
	defer stop()

	if err := st.out.Write(amqpstream.AppendConnected(nil, st.result.Agent, c.Queue())); err != nil {
		return err
	}
	if err := st.out.Flush(); err != nil {
		return err
	}
	return st.relay(ctx, c, amqpPace{prefetch: int64(prefetch)}, tick.C)
}

// subscribe begins to consume through an exit that fits, in a goroutine of its
// own: meanwhile comments go out, and the deep stack of a TLS handshake does
// not stay with the stream.
func (st *amqpStream) subscribe(ctx context.Context, tick <-chan time.Time) (*amqpstream.Consumer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	var c *amqpstream.Consumer
	var exit agent.Exit
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		var err error
		exit, err = st.session.reach(ctx, st.query, func(ctx context.Context, exit agent.Exit) (err error) {
			c, err = st.dial(ctx, exit)
			return err
		})
		done <- err
	}()
	var written error
	for {
		select {
		case err := <-done:
			st.result.Agent = exit.ID
			switch {
			case err != nil && written == nil:
				return nil, err
			case err == nil && written == nil:
				return c, nil
			case err == nil:
				c.Close()
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

// dial connects to the broker through the exit and begins to consume.
func (st *amqpStream) dial(ctx context.Context, exit agent.Exit) (_ *amqpstream.Consumer, err error) {
	req := st.request
	if req.TLS != nil && req.TLS.ServerName != "" {
		// Behind an address this name chooses the host.
		named := Target{Kind: KindAMQP, Scheme: "amqps", Host: req.TLS.ServerName, Port: uint16(req.Port)}
		if _, err := st.g.permit(ctx, *st.session.principal, named); err != nil {
			return nil, err
		}
	}
	scheme := "amqp"
	if req.TLS != nil {
		scheme = "amqps"
	}
	conn, err := exit.DialContext(rules.WithScheme(ctx, scheme), "tcp", net.JoinHostPort(req.Host, strconv.Itoa(req.Port)))
	if err != nil {
		return nil, err
	}
	defer func() {
		if exit.Report != nil && ctx.Err() == nil {
			exit.Report(req.Host, err)
		}
	}()
	if req.TLS != nil {
		if conn, err = amqpstream.Handshake(ctx, conn, *req.TLS, st.g.o.RootCAs, req.Host); err != nil {
			return nil, err
		}
	}
	sub := req.Subscription
	sub.Name = fmt.Sprintf("%s_%s_%s", req.Prefix, exit.Slug, newID()) // of the connection, and of a temporary queue
	return amqpstream.Consume(ctx, conn, &sub, amqpstream.Limits{Budget: st.g.o.AMQP.Budget, Body: st.g.o.AMQP.BodyLimit})
}

// relay streams batches until something ends.
func (st *amqpStream) relay(ctx context.Context, c *amqpstream.Consumer, p amqpPace, tick <-chan time.Time) error {
	var last amqpstream.Batch // its memory is used again for the next one
	for {
		if ctx.Err() != nil {
			cause := context.Cause(ctx)
			if errors.Is(cause, errDraining) {
				c.Buffer.Close()
				if err := st.sendRest(c); err != nil {
					return err
				}
			}
			return cause
		}
		if next, ok := c.Take(&last); ok {
			if err := st.send(c, &next); err != nil {
				return err
			}
			last = next
			p.collect(&next)
			continue
		}
		p.wait()
		select {
		case <-c.Ready():
			p.goOn()
		case <-tick:
			last = amqpstream.Batch{}
			c.Shrink()
			if err := st.out.Comment(); err != nil {
				return err
			}
		case <-c.Ended():
			if err := st.sendRest(c); err != nil {
				return err
			}
			return c.Err()
		case <-ctx.Done():
		}
	}
}

// sendRest sends what was read before the stream had to end.
func (st *amqpStream) sendRest(c *amqpstream.Consumer) error {
	for {
		next, ok := c.Take(&amqpstream.Batch{})
		if !ok {
			return nil
		}
		if err := st.send(c, &next); err != nil {
			return err
		}
	}
}

// send sends a batch and acknowledges it.
func (st *amqpStream) send(c *amqpstream.Consumer, b *amqpstream.Batch) error {
	if err := b.Write(st.out); err != nil {
		return err
	}
	c.Acknowledge(b)
	st.result.FramesToClient += b.Count
	st.result.BytesToClient += b.Bytes
	st.session.sent(b.Count, b.Bytes)
	return nil
}

// An amqpPace says when a batch is given time to grow. Without it each packet of a broker
// that sends many messages would be a write, a flush and an acknowledgement. The first
// message of a run never waits.
type amqpPace struct {
	prefetch int64
	run      int64 // messages since the last wait
	bound    bool  // the broker waits for acknowledgements, so a pause only delays it
	since    time.Time
}

// After a small batch the next one is given this time. So no event waits longer,
// and a stream flushes at most a thousand times in a second or whenever there is
// enough to send.
const collectTime = time.Millisecond

func (p *amqpPace) collect(b *amqpstream.Batch) {
	if p.run += b.Count; b.Small() && !p.bound {
		time.Sleep(collectTime)
	}
}

// wait and goOn stand around a wait for messages. One that is long and comes
// after a good part of the prefetch is a wait for a broker that itself waits.
func (p *amqpPace) wait() { p.since = time.Now() }

func (p *amqpPace) goOn() {
	if time.Since(p.since) > 2*collectTime {
		p.bound = p.run >= p.prefetch/2
		p.run = 0
	}
}

// finish tells the client why its stream ends, if it is there to be told.
func (st *amqpStream) finish(ctx context.Context, err error) {
	r := &st.result
	r.EndedBy = endedBy(err)
	switch {
	case errors.Is(err, sse.ErrLost) && st.g.kill.Err() != nil:
		r.Code, r.Err = 1001, errDraining
		return
	case errors.Is(err, sse.ErrLost) && st.out.Ended() != nil && !errors.Is(st.out.Ended(), context.Canceled):
		r.Code, r.Err = public(st.out.Ended()).Event, st.out.Ended()
		return
	case errors.Is(err, sse.ErrLost), errors.Is(err, context.Canceled) && ctx.Err() != nil:
		r.EndedBy = EndedByClient
		return
	}
	p := streamError(err)
	r.Code, r.Err = p.Event, err
	// A client that cannot be told knows that its stream has ended.
	_ = st.out.Last(sse.AppendError(nil, p.Text, p.Event, p.Code, !worthRetrying(p.Class)))
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

// worthRetrying reports whether the same request may fare better a little later.
func worthRetrying(c fault.Class) bool {
	switch c {
	case fault.TargetRefused, fault.TargetForbidden, fault.TLSFailed, fault.Ended, fault.BadRequest:
		return false
	}
	return true
}
