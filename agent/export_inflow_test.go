package agent

import (
	"context"

	"github.com/farwire/farwire/internal/netio"
)

// WithInflow returns a context under which JoinConn's agent holds no more than this.
func WithInflow(ctx context.Context, silent, opening int, bytes int64) context.Context {
	return context.WithValue(ctx, inflowLimits{}, inflowLimits{silent, opening, bytes})
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
