package agent

import "context"

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
