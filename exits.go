package farwire

import (
	"context"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
)

// egress returns what picks the exits of a session, under its caller's rules.
func (g *Gateway) egress(kind Kind, p Principal) *egress.Egress {
	e := &egress.Egress{Agents: permittedAgents{g, p, kind}, Logger: g.o.Logger, NoAgent: func() { g.noAgent.Add(1) }}
	if g.o.Trace.DialStart != nil || g.o.Trace.DialEnd != nil {
		e.Attempt = func(ctx context.Context, exit agent.Exit, q agent.Query) (context.Context, func(error)) {
			return g.traceDial(ctx, DialInfo{kind, exit.ID, q.Host})
		}
	}
	return e
}

// reach calls attempt with an exit that fits, and with another when that one
// fails.
func (g *Gateway) reach(ctx context.Context, s *session, q agent.Query, attempt func(context.Context, agent.Exit) error) (agent.Exit, error) {
	if g.o.Trace.SessionStart != nil {
		ctx = withValues(ctx, s.values) // they may be younger than ctx
	}
	return g.egress(s.Kind, s.principal).Do(ctx, q, attempt)
}
