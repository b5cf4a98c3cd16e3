package farwire

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/farwire/farwire/agent"
)

// choose reads which agents a caller wants. A list of commas alone names none,
// and must not stand for any.
func choose(q *agent.Query, geo, agents string) error {
	q.Countries, q.Slugs = splitList(geo), splitList(agents)
	switch {
	case geo != "" && len(q.Countries) == 0:
		return badRequestf("geo names no country; write it as US,DE or leave it out")
	case agents != "" && len(q.Slugs) == 0:
		return badRequestf("agent names no agent; write it as de1,at5 or leave it out")
	}
	return nil
}

// reach picks an exit that fits and does attempt through it. A failure that is
// the exit's fault, or its policy, goes on to another that fits, until the
// context ends; one that is the target's does not, because no other exit would
// fare better. Exits that the query rules out are never taken.
func (g *Gateway) reach(ctx context.Context, s *session, q agent.Query, attempt func(context.Context, agent.Exit) error) (agent.Exit, error) {
	if g.o.Trace.SessionStart != nil {
		ctx = withValues(ctx, s.values) // they may be younger than ctx
	}
	var failed error
	for {
		exit, err := g.o.Agents.SelectAgent(ctx, q)
		switch {
		case ctx.Err() != nil:
			return agent.Exit{}, context.Cause(ctx)
		case errors.Is(err, agent.ErrNoAgent) && failed != nil:
			return agent.Exit{}, failed
		case errors.Is(err, agent.ErrNoAgent):
			g.noAgent.Add(1)
			return agent.Exit{}, &noAgentError{q}
		case err != nil:
			return agent.Exit{}, fmt.Errorf("agent selector: %w", err)
		}
		dialCtx, done := g.traceDial(ctx, DialInfo{s.Kind, exit.ID, q.Host})
		err = attempt(dialCtx, exit)
		done(err)
		var dial *agent.DialError
		switch {
		case err == nil:
			return exit, nil
		case ctx.Err() != nil:
			return exit, context.Cause(ctx)
		case !errors.As(err, &dial) || dial.Fault == agent.Target:
			return exit, err
		}
		g.o.Logger.DebugContext(ctx, "agent failed", "agent", exit.ID, "target", q.Host, "err", dial.Unwrap())
		failed = err
		q.Exclude = append(q.Exclude[:len(q.Exclude):len(q.Exclude)], exit.ID)
	}
}

// noAgentError says in the caller's own terms what no agent fits.
type noAgentError struct{ asked agent.Query }

func (e *noAgentError) Error() string {
	text := "no agent is attached that fits"
	if len(e.asked.Slugs) > 0 {
		text += " agent " + clip(strings.Join(e.asked.Slugs, ","))
	}
	if len(e.asked.Countries) > 0 {
		text += " geo " + clip(strings.Join(e.asked.Countries, ","))
	}
	return text
}

func (e *noAgentError) Unwrap() error { return agent.ErrNoAgent }
