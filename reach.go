package farwire

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// choose reads which agents a caller wants. A list of commas alone names none,
// and must not stand for any.
func choose(q *agent.Query, geo, agents string) error {
	q.Countries, q.Slugs = splitList(geo), splitList(agents)
	switch {
	case geo != "" && len(q.Countries) == 0:
		return fault.Invalidf("geo names no country; write it as US,DE or leave it out")
	case agents != "" && len(q.Slugs) == 0:
		return fault.Invalidf("agent names no agent; write it as de1,at5 or leave it out")
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
			return agent.Exit{}, noAgent(q)
		case err != nil:
			return agent.Exit{}, fmt.Errorf("agent selector: %w", err)
		}
		dialCtx, done := g.traceDial(ctx, DialInfo{s.Kind, exit.ID, q.Host})
		err = attempt(dialCtx, exit)
		done(err)
		switch {
		case err == nil:
			return exit, nil
		case ctx.Err() != nil:
			return exit, context.Cause(ctx)
		case !anotherMayDo(err):
			return exit, err
		}
		g.o.Logger.DebugContext(ctx, "agent failed", "agent", exit.ID, "target", q.Host, "err", fullError(err))
		failed = err
		q.Exclude = append(q.Exclude[:len(q.Exclude):len(q.Exclude)], exit.ID)
	}
}

// anotherMayDo reports whether a failure through one exit leaves hope for
// another: it is the exit's fault, or its policy.
func anotherMayDo(err error) bool {
	return agent.IsFault(err, agent.FaultAgent) || agent.IsFault(err, agent.FaultPolicy)
}

// fullError is err with what a DialError keeps from clients, for the log.
func fullError(err error) error {
	var dial *agent.DialError
	if errors.As(err, &dial) {
		return dial.Err
	}
	return err
}

// noAgent says in the caller's own terms what no agent fits.
func noAgent(asked agent.Query) error {
	text := "no agent is attached that fits"
	if len(asked.Slugs) > 0 {
		text += " agent " + clip(strings.Join(asked.Slugs, ","))
	}
	if len(asked.Countries) > 0 {
		text += " geo " + clip(strings.Join(asked.Countries, ","))
	}
	return fault.Wrap(fault.AgentUnavailable, text, agent.ErrNoAgent)
}
