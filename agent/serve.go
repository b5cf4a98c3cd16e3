package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/internal/netio"
)

// An agentLink is the side of a tunnel that serves: requests come in, connections
// to targets go out. It is an agent's, or that of a gateway that lets another one
// reach the agents that it holds.
type agentLink struct {
	server  streamServer
	welcome welcome
	mux     *yamux.Session
	ctl     *yamux.Stream
	inflow  *linkInflow
	log     *slog.Logger

	ctx          context.Context // ends when the agent drains
	moving       bool            // another link is to take its place; guarded by the runner's mu
	drainTimeout time.Duration
	draining     atomic.Bool
	quiet        chan struct{} // told when there is no session any more

	turn chan struct{} // holds a token while a control message is sent

	gone     atomic.Bool // the carrier is closed
	mu       sync.Mutex
	sessions map[uint32]*session
	busy     []*direction // that have goroutines
	checking bool         // at busy, before long
	bye      control      // what the gateway said before it closed the link
}

func newAgentLink(server streamServer, log *slog.Logger) *agentLink {
	return &agentLink{server: server, log: log, quiet: make(chan struct{}, 1), turn: make(chan struct{}, 1), sessions: map[uint32]*session{}}
}

// begin runs the multiplexer on the connection, with times the memory that the tunnel of an
// agent may hold, and opens the control stream. The caller closes the multiplexer.
func (l *agentLink) begin(ctx context.Context, nc net.Conn, times int) error {
	mux, err := agentMux(&frameReader{Conn: netio.Socket(nc), to: l}, times)
	if err != nil {
		return err
	}
	l.mux = mux
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if l.ctl, err = mux.OpenStream(ctx); err != nil {
		mux.Close()
		return fmt.Errorf("opening the control stream: %w", err)
	}
	return nil
}

// A streamServer does what the requests of a link ask.
type streamServer interface {
	// dial and resolve narrow what the server allows itself by the rules.
	dial(ctx context.Context, r request, extra []Rules) (net.Conn, error)
	resolve(ctx context.Context, r request, extra []Rules) ([]netip.Addr, error)
	// call answers a question of another gateway.
	call(ctx context.Context, body []byte) ([]byte, error)
	// enter counts a session in, or says why not. leave counts it out.
	enter(*agentLink) cause
	leave()
	began(*session)
	ended(*session)
	// move makes another link in the place of this one.
	move(*agentLink)
	// start runs a goroutine that is waited for. What is held is waited for too, until
	// it is released, with a goroutine or without.
	start(func())
	hold()
	release()
}

// serve answers the gateway's requests until the link ends. Then what has
// arrived for the targets may take a moment more to get there.
func (l *agentLink) serve() {
	l.server.start(l.control)
	for {
		stream, err := l.mux.AcceptStream()
		if err != nil {
			break
		}
		if in, ok := l.inflow.accept(stream); ok {
			l.start(stream, func() { l.answer(stream, in) })
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		s.linkLost()
	}
}

// start runs a part of a session's work. A panic in it costs that session.
func (l *agentLink) start(stream *yamux.Stream, work func()) {
	l.server.start(func() {
		defer func() {
			if v := recover(); v != nil {
				l.panicked(stream, v)
			}
		}()
		work()
	})
}

func (l *agentLink) panicked(stream *yamux.Stream, v any) {
	stream.Reset()
	l.log.Error("session panicked", "panic", v, "stack", string(debug.Stack()))
}

// control reads what the gateway says beside the sessions.
func (l *agentLink) control() {
	for {
		var m control
		if err := readMessage(l.ctl, &m, maxControl); err != nil {
			l.mux.Close()
			return
		}
		l.mu.Lock()
		s := l.sessions[m.Stream]
		if m.Type == ctlBye {
			l.bye = m
		}
		l.mu.Unlock()
		switch {
		case m.Type == ctlNoted && s != nil:
			s.noteOnce.Do(func() { close(s.noted) })
		case m.Type == ctlAbort && s != nil:
			s.cut()
		case m.Type == ctlBye && m.Code == codeReplaced:
			l.server.start(func() { l.drainFor(l.drainTimeout, codeReplaced) })
		case m.Type == ctlMove:
			l.server.start(func() { l.server.move(l) })
		case m.Type == ctlLeave:
			l.mux.Close()
		}
	}
}

func (l *agentLink) sendControl(m control) error {
	return sendControlOn(l.turn, l.mux, l.ctl, m)
}

func (l *agentLink) drainFor(longest time.Duration, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	l.drain(ctx, why)
}

// drain tells the gateway to open no more sessions here, waits until the old
// ones have ended, or ctx ends, and closes the link. Why says why the agent serves on
// elsewhere; empty: it stops.
func (l *agentLink) drain(ctx context.Context, why string) {
	// Closing drops what is still queued to leave, and what the gateway has not read yet,
	// the reason of a cut among it: the gateway closes when it has read all. One that
	// reads nothing is not waited for.
	stop := context.AfterFunc(ctx, func() {
		late := time.NewTimer(dismissTimeout)
		defer late.Stop()
		select {
		case <-late.C:
			l.mux.Close()
		case <-l.mux.CloseChan():
		}
	})
	defer stop()
	if l.draining.Swap(true) {
		if why == "" {
			// The link drains already. A gateway that cannot be told loses it.
			_ = l.sendControl(control{Type: ctlDrain})
		}
		return
	}
	defer l.mux.Close()
	if l.sendControl(control{Type: ctlDrain, Code: why}) != nil {
		return
	}
	for l.open() > 0 {
		select {
		case <-l.quiet:
		case <-l.mux.CloseChan():
			return
		case <-ctx.Done():
			l.log.Warn("sessions are cut", "sessions", l.open())
			if why != "" && l.sendControl(control{Type: ctlDrain}) != nil || l.sendControl(control{Type: ctlLeave}) != nil {
				return
			}
			<-l.mux.CloseChan()
			return
		}
	}
	// Closing drops what is still queued to leave. The gateway closes the link when
	// this, which is behind all of it, has arrived.
	if l.sendControl(control{Type: ctlLeave}) != nil {
		return
	}
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-l.mux.CloseChan():
	case <-timer.C:
	}
}

func (l *agentLink) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// answer reads one request and does what it asks.
func (l *agentLink) answer(stream *yamux.Stream, in *inflow) {
	forget := true
	defer func() {
		if forget {
			l.inflow.forget(stream.StreamID())
		}
	}()
	stream.SetDeadline(time.Now().Add(handshakeTimeout))
	var r request
	from := countingReader{Reader: stream}
	if err := readMessage(&from, &r, maxRequest); err != nil {
		stream.Reset()
		return
	}
	stream.SetDeadline(time.Time{})
	l.inflow.noteRequest(in, from.n)
	var extra []Rules
	for _, rules := range []*Rules{r.Policy, r.Rules} {
		if rules != nil {
			extra = append(extra, *rules)
		}
	}
	switch r.Op {
	case opResolve:
		l.resolve(stream, r, extra)
	case opDial:
		forget = false // its session does it
		l.dial(stream, in, r, extra)
	case opCall:
		l.call(stream, r)
	default:
		l.refuse(stream, answer{Fault: FaultAgent.String(), Cause: string(causeFailed)})
	}
}

func (l *agentLink) resolve(stream *yamux.Stream, r request, extra []Rules) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	addrs, err := underWay(l.inflow, func() ([]netip.Addr, error) { return l.server.resolve(ctx, r, extra) })
	a := answer{Addrs: addrs}
	if err != nil {
		a = failure(err)
	}
	l.refuse(stream, a)
}

// A countingReader knows how much was read.
type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

// timeout is how long a request may take: what the gateway gives it, within
// the agent's own bounds.
func (r request) timeout() time.Duration {
	const longest = time.Minute
	if r.TimeoutMS <= 0 || r.TimeoutMS > longest.Milliseconds() {
		return longest
	}
	return time.Duration(r.TimeoutMS) * time.Millisecond
}

// refuse sends an answer that nothing follows. FIN and not a reset, which
// would throw the answer away.
func (l *agentLink) refuse(stream *yamux.Stream, a answer) {
	l.reply(stream, a)
	stream.Close()
}

// reply sends an answer. When it cannot be sent the stream's end says so.
func (l *agentLink) reply(stream *yamux.Stream, a answer) bool {
	stream.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	err := writeMessage(stream, a, maxAnswer)
	stream.SetWriteDeadline(time.Time{})
	return err == nil
}
