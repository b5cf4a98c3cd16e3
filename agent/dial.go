package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// A route is a link over which an agent is reached, its own or that of a gateway
// that holds it.
type route struct {
	*link
	agent string // how the gateway knows the agent; empty: the link is its own
}

// dial opens a connection through the agent.
func (l route) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, a, err := l.ask(ctx, request{Op: opDial, Agent: l.agent, Network: network, Addr: addr})
	if err != nil {
		return nil, err
	}
	c.local, c.remote = tcpAddr(a.Local), tcpAddr(a.Remote)
	return c, nil
}

// resolve looks a host up through the agent.
func (l route) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	c, a, err := l.ask(ctx, request{Op: opResolve, Agent: l.agent, Addr: host})
	if err != nil {
		return nil, err
	}
	l.forget(c)
	c.stream.Reset()
	if len(a.Addrs) == 0 {
		return nil, &DialError{FaultAgent, errors.New("empty answer to a look-up")}
	}
	return a.Addrs, nil
}

// answerMargin is how much of the caller's time the agent is not given, so
// that its answer, a timeout, comes before the caller stops waiting for it.
const answerMargin = 500 * time.Millisecond

// ask sends a request and returns the answer, when it is a success, with the
// connection that it came on.
func (l *link) ask(ctx context.Context, r request) (*conn, answer, error) {
	if until, ok := ctx.Deadline(); ok {
		left := time.Until(until)
		r.TimeoutMS = max((left - min(answerMargin+l.mux.RTT(), left/4)).Milliseconds(), 1)
	}
	r.Policy = l.pool.policy
	if rules := rulesOf(ctx); !rules.empty() {
		r.Rules = &rules
	}
	l.asked.Add(1)
	l.sessions.Add(1)
	heard := l.heard.Load() // before the stream, which the agent confirms at once
	stream, err := l.open(ctx)
	if err != nil {
		l.ended()
		return nil, answer{}, err
	}
	// It has to be known before the agent can say anything about it.
	c := newConn(l, stream)
	l.mu.Lock()
	l.conns[stream.StreamID()] = c
	l.mu.Unlock()

	a, wasReset, err := c.request(ctx, r, heard)
	if err == nil {
		err = a.err(hostOf(r.Addr))
	} else if !errors.As(err, new(*DialError)) {
		err = l.unanswered(ctx, err)
	}
	if err != nil {
		l.forget(c)
		if !wasReset {
			stream.Reset()
		}
		return nil, answer{}, err
	}
	return c, a, nil
}

// request sends a request on its stream and reads the answer, until the agent has said
// nothing for too long: heard is what the link had heard of it before. The end of ctx resets
// the stream.
func (c *conn) request(ctx context.Context, r request, heard uint64) (a answer, wasReset bool, err error) {
	l, stream := c.link, c.stream
	// A reset frees the stream whatever state it is in, and tells the agent. It
	// does not wake a request that waits behind others to leave.
	stop := context.AfterFunc(ctx, func() { stream.SetWriteDeadline(longPassed); stream.Reset() })
	var settled atomic.Bool // by the answer or by its absence
	silent := time.AfterFunc(l.silentAfter(), func() {
		if l.heard.Load() == heard && settled.CompareAndSwap(false, true) {
			stream.SetDeadline(longPassed)
		}
	})
	if err = writeMessage(stream, r, maxRequest); errors.Is(err, errTooLong) {
		err = &DialError{FaultPolicy, fmt.Errorf("policy and rules of a dial do not fit into %d bytes", maxRequest)}
	}
	if err == nil {
		err = readMessage(readerFunc(c.read), &a, maxAnswer)
	}
	silent.Stop()
	if !settled.CompareAndSwap(false, true) && err == nil {
		err = yamux.ErrTimeout
	}
	wasReset = !stop()
	if wasReset && err == nil {
		err = ctx.Err()
	}
	return a, wasReset, err
}

// silentAfter is how long an agent may say nothing at all after a request. One
// that is there confirms the stream at once, however long the target takes. So
// the dial can go on through another agent before its time is over, and before
// the multiplexer has found out that the link is dead.
const silentAfter = 6 * time.Second

// peerSilent is the same for another gateway, which is near and has no other work
// than to pass requests on.
const peerSilent = time.Second

func (l *link) silentAfter() time.Duration {
	if l.peer != "" {
		return peerSilent
	}
	return silentAfter
}

// maxOpening is how many streams may wait to be opened on one link. An agent
// that keeps more of them waiting takes no sessions any more.
const maxOpening = 1024

// open opens a stream. The multiplexer never frees one whose opening was
// interrupted while its first frame waited to leave; so that is not, and who
// gives up leaves it to end by itself.
func (l *link) open(ctx context.Context) (*yamux.Stream, error) {
	if l.opening.Add(1) > maxOpening {
		l.opening.Add(-1)
		return nil, &DialError{FaultAgent, causeOverloaded}
	}
	var stream *yamux.Stream
	var err error
	opened := make(chan struct{})
	go func() {
		defer l.opening.Add(-1)
		stream, err = l.mux.OpenStream(context.WithoutCancel(ctx))
		select {
		case opened <- struct{}{}:
		case <-ctx.Done():
			if err == nil {
				stream.Reset()
			}
		}
	}()
	select {
	case <-opened:
		if err != nil {
			return nil, l.unanswered(ctx, err)
		}
		return stream, nil
	case <-ctx.Done():
		return nil, l.unanswered(ctx, ctx.Err())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// unanswered is the error of a request that the agent gave no answer to.
func (l *link) unanswered(ctx context.Context, err error) error {
	switch ctx.Err() {
	case nil:
		return &DialError{FaultAgent, l.lost(err)}
	case context.Canceled:
		return &DialError{FaultTarget, ctx.Err()}
	}
	return &DialError{FaultAgent, ctx.Err()}
}
