package agent

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// A far is the agent's side of one tunnel: requests come in, connections to
// targets go out.
type far struct {
	runner  *runner
	welcome welcome
	mux     *yamux.Session
	ctl     *yamux.Stream
	log     *slog.Logger

	draining atomic.Bool
	quiet    chan struct{} // told when there is no session any more

	ctlMu sync.Mutex // one control message at a time

	mu       sync.Mutex
	sessions map[uint32]*session
	bye      control // what the gateway said before it hung up
}

// serve answers the gateway's requests until the link ends. Then what has
// arrived for the targets may take a moment more to get there.
func (f *far) serve() {
	f.runner.work.Go(f.control)
	for {
		stream, err := f.mux.AcceptStream()
		if err != nil {
			break
		}
		f.start(stream, func() { f.answer(stream) })
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		s.linkLost()
	}
}

// start runs a part of a session's work. A panic in it costs that session.
func (f *far) start(stream *yamux.Stream, work func()) {
	f.runner.work.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				stream.Reset()
				f.log.Error("session panicked", "panic", v, "stack", string(debug.Stack()))
			}
		}()
		work()
	})
}

// control reads what the gateway says beside the sessions.
func (f *far) control() {
	for {
		var m control
		if err := readMessage(f.ctl, &m, maxControl); err != nil {
			f.mux.Close()
			return
		}
		f.mu.Lock()
		s := f.sessions[m.Stream]
		if m.Type == ctlBye {
			f.bye = m
		}
		f.mu.Unlock()
		switch {
		case m.Type == ctlNoted && s != nil:
			s.noteOnce.Do(func() { close(s.noted) })
		case m.Type == ctlAbort && s != nil:
			s.cut()
		case m.Type == ctlBye && m.Code == codeReplaced:
			f.runner.work.Go(func() { f.drain() })
		case m.Type == ctlLeave:
			f.mux.Close()
		}
	}
}

func (f *far) say(m control) error {
	f.ctlMu.Lock()
	defer f.ctlMu.Unlock()
	return sayOn(f.mux, f.ctl, m)
}

// drain tells the gateway to open no more sessions here, waits until the old
// ones have ended, at most DrainTimeout, and hangs up.
func (f *far) drain() {
	if f.draining.Swap(true) {
		return
	}
	defer f.mux.Close()
	if f.say(control{Type: ctlDrain}) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.runner.drainTimeout)
	defer cancel()
	for f.open() > 0 {
		select {
		case <-f.quiet:
		case <-f.mux.CloseChan():
			return
		case <-ctx.Done():
			f.log.Warn("sessions are cut", "sessions", f.open())
			return
		}
	}
	// Closing drops what is still queued to leave. The gateway hangs up when
	// this, which is behind all of it, has arrived.
	if f.say(control{Type: ctlLeave}) != nil {
		return
	}
	timer := time.NewTimer(hangUpTimeout)
	defer timer.Stop()
	select {
	case <-f.mux.CloseChan():
	case <-timer.C:
	}
}

func (f *far) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions)
}

// answer reads one request and does what it asks.
func (f *far) answer(stream *yamux.Stream) {
	stream.SetDeadline(time.Now().Add(handshakeTimeout))
	var r request
	if err := readMessage(stream, &r, maxRequest); err != nil {
		stream.Reset()
		return
	}
	stream.SetDeadline(time.Time{})
	var extra []Rules
	for _, rules := range []*Rules{r.Policy, r.Rules} {
		if rules != nil {
			extra = append(extra, *rules)
		}
	}
	switch r.Op {
	case opResolve:
		f.resolve(stream, r, extra)
	case opDial:
		f.dial(stream, r, extra)
	default:
		f.refuse(stream, answer{Fault: FaultAgent.String(), Cause: string(causeFailed)})
	}
}

func (f *far) resolve(stream *yamux.Stream, r request, extra []Rules) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	addrs, err := f.runner.dialer.resolve(ctx, r.Addr, extra...)
	a := answer{Addrs: addrs}
	if err != nil {
		a = failure(err)
	}
	f.refuse(stream, a)
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
func (f *far) refuse(stream *yamux.Stream, a answer) {
	f.reply(stream, a)
	stream.Close()
}

// reply sends an answer. When it cannot be sent the stream's end says so.
func (f *far) reply(stream *yamux.Stream, a answer) bool {
	stream.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	err := writeMessage(stream, a, maxAnswer)
	stream.SetWriteDeadline(time.Time{})
	return err == nil
}
