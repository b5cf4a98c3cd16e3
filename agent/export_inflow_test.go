package agent

import (
	"context"
	"errors"
	"net"
	"reflect"
	"runtime"

	"github.com/farwire/farwire/internal/netio"
)

// WithInflow returns a context under which JoinConn's agent holds no more than this.
func WithInflow(ctx context.Context, silent, opening int, bytes int64) context.Context {
	return context.WithValue(ctx, inflowLimits{}, inflowLimits{silent, opening, bytes})
}

// LingerTimeout is how long a target may take what a gateway has sent before its link was lost.
const LingerTimeout = lingerTimeout

// An InflowHeld says what the links of JoinConns's agent hold, once the agent runs.
type InflowHeld struct{ of *inflows }

// WithInflowHeld returns a context; held speaks of the agent that runs under it.
func WithInflowHeld(ctx context.Context, held *InflowHeld) context.Context {
	return context.WithValue(ctx, InflowHeld{}, held)
}

// Now returns how many streams the links know, how many of those have not said what they want,
// how many dials and look-ups are under way, and how many bytes wait.
func (h *InflowHeld) Now() (streams, silent, opening int, bytes int64) {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	for l := range h.of.links {
		l.mu.Lock()
		streams += len(l.streams)
		l.mu.Unlock()
	}
	return streams, int(h.of.silent.Load()), int(h.of.opening.Load()), h.of.held.Load()
}

// UsualInflow is what an agent holds where nothing else is said, and what it holds of a session
// whose target takes nothing beside that.
func UsualInflow() (silent, opening int, bytes int64, buffer int) {
	return usualInflow.silent, usualInflow.opening, usualInflow.bytes, carryBuffer
}

// JoinConn is Run over one connection: it returns when the link has ended. The
// targets are opened by open.
func JoinConn(ctx context.Context, o RunOptions, nc net.Conn, open func(ctx context.Context, addr string) (net.Conn, error)) error {
	return JoinConns(ctx, o, open, nc)
}

// JoinConns is Run over several connections, each to a gateway of its own.
func JoinConns(ctx context.Context, o RunOptions, open func(ctx context.Context, addr string) (net.Conn, error), conns ...net.Conn) error {
	r, err := newRunner(o)
	if err != nil {
		return err
	}
	if open != nil {
		r.dialer.open = func(ctx context.Context, _ *net.Dialer, addr string) (net.Conn, error) { return open(ctx, addr) }
	}
	if most, ok := ctx.Value(inflowLimits{}).(inflowLimits); ok {
		r.inflows.most = most
	}
	if held, ok := ctx.Value(InflowHeld{}).(*InflowHeld); ok {
		held.of = &r.inflows
	}
	var g *gateway
	for _, g = range r.urls {
	}
	ended := make(chan error)
	for _, nc := range conns {
		go func() { ended <- (&connector{runner: r, gateway: g}).join(ctx, nc) }()
	}
	for range conns {
		err = errors.Join(err, <-ended)
	}
	r.cutAll()
	r.work.Wait()
	if len(r.open) > 0 {
		panic("sessions that have ended are kept")
	}
	return err
}

// A DialLink is one of the links of an agent that has so many dials under way at most.
type DialLink struct{ l *linkInflow }

// NewDialLinks returns so many links of one agent.
func NewDialLinks(links, most int) (list []DialLink) {
	all := &inflows{most: inflowLimits{opening: most}}
	for range links {
		list = append(list, DialLink{all.join(func(f func()) { f() })})
	}
	return list
}

// Dial makes a dial that is under way until open returns, or is refused.
func (d DialLink) Dial(open func()) error {
	_, err := underWay(d.l, func() (struct{}, error) { open(); return struct{}{}, nil })
	return err
}

// CarryingFunc is the function of a goroutine that carries the bytes of a direction.
var CarryingFunc = runtime.FuncForPC(reflect.ValueOf((*direction).run).Pointer()).Name()

// PauseAfterEnd pauses the direction from the gateway of a session whose stream the gateway
// has ended before there was a session.
func PauseAfterEnd(resume func()) {
	all := &inflows{most: usualInflow}
	l := &agentLink{inflow: all.join(func(f func()) { f() }), sessions: map[uint32]*session{}}
	l.opened(1)
	l.streamEnded(1)
	s := &session{link: l, in: l.inflow.streams[1]}
	l.sessions[1] = s
	s.in.session.Store(s)
	p := netio.Pause{Resume: resume}
	p.BeginFor(s)
}
