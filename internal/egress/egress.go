// Package egress leaves the gateway through an exit, and through another one
// that fits when that fails: [Egress.Do] for one dial, [Transport] for the
// requests of an http.Client.
package egress

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// A Selector picks an exit, or returns an error that wraps [agent.ErrNoAgent].
type Selector interface {
	SelectAgent(context.Context, agent.Query) (agent.Exit, error)
}

// An Egress picks exits. Its fields must not be changed once it is in use; it is
// then safe for concurrent use.
type Egress struct {
	Agents Selector
	Logger *slog.Logger

	// Attempt is called at the start of each attempt. It returns the context
	// for it, and what is called with its outcome. Nil: nobody looks.
	Attempt func(ctx context.Context, e agent.Exit, q agent.Query) (context.Context, func(error))

	// NoAgent counts when no exit fits from the start. Nil: nobody counts.
	NoAgent *atomic.Int64
}

// maxChoices is how many slugs, or countries, a caller may name.
const maxChoices = 64

// ParseFilter reads which agents a caller wants. A list of commas alone names
// none, and must not stand for any.
func ParseFilter(q *agent.Query, geo, agents string) error {
	for _, l := range []struct {
		name, list string
		entries    *[]string
	}{{"geo", geo, &q.Countries}, {"agent", agents, &q.Slugs}} {
		if *l.entries = split(l.list, maxChoices+1); len(*l.entries) > maxChoices {
			return fault.Invalidf("%s has more than %d entries", l.name, maxChoices)
		}
	}
	switch {
	case geo != "" && len(q.Countries) == 0:
		return fault.Invalidf("geo names no country; write it as US,DE or leave it out")
	case agents != "" && len(q.Slugs) == 0:
		return fault.Invalidf("agent names no agent; write it as de1,at5 or leave it out")
	}
	return nil
}

// ParseSession reads which sticky session a request belongs to; field is what
// the caller calls it. An empty session is not sticky.
func ParseSession(q *agent.Query, field, session string) error {
	if session != "" && !agent.ValidSession(session) {
		return fault.Invalidf("%s must be 1 to 64 letters, digits, dots, underscores and hyphens", field)
	}
	q.Session = session
	return nil
}

// stays reports whether a failure keeps to its exit: it is the target's, or the
// session is sticky and the exit takes sessions.
func stays(q agent.Query, err *agent.DialError) bool {
	return err.Fault == agent.FaultTarget || q.Session != "" && !err.AgentUnavailable()
}

// Final returns an error of an attempt for which [Egress.Do] does not go on to another exit.
func Final(err error) error {
	var dial *agent.DialError
	if errors.As(err, &dial) && dial.Fault != agent.FaultTarget {
		return fault.Wrap(fault.ClassOf(err), fault.Of(err).Text, dial.Err)
	}
	return err
}

// SplitList reads "US,DE" as a list; blanks around and between do not count.
func SplitList(s string) []string { return split(s, len(s)) }

// split is SplitList up to so many entries.
func split(s string, most int) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			if out = append(out, item); len(out) == most {
				break
			}
		}
	}
	return out
}

// Do picks an exit that fits and calls attempt with it. A failure that is the
// exit's fault, or its policy, goes on to another that fits, until the context
// ends; one that is the target's does not, because no other exit would fare
// better. A sticky session goes on only when its exit takes no sessions. Exits that
// the query rules out are never taken. The exit is that of
// the last attempt, its zero value when there was none.
func (g *Egress) Do(ctx context.Context, q agent.Query, attempt func(context.Context, agent.Exit) error) (agent.Exit, error) {
	var failed error
	for {
		exit, err := g.Agents.SelectAgent(ctx, q)
		exit = exit.Enforce()
		switch {
		case ctx.Err() != nil && !(fault.IsTimeout(context.Cause(ctx)) && fault.IsTimeout(err) && failed == nil):
			return agent.Exit{}, context.Cause(ctx) // else the selector has taken all the time
		case errors.Is(err, agent.ErrNoAgent) && failed != nil:
			return agent.Exit{}, failed
		case err != nil:
			return agent.Exit{}, g.unavailable(q, err)
		}
		if err = g.try(ctx, exit, q, attempt); err == nil {
			return exit, nil
		}
		var dial *agent.DialError
		switch {
		case ctx.Err() != nil && !(fault.IsTimeout(context.Cause(ctx)) && fault.ClassOf(err).OfHandshake()):
			return exit, context.Cause(ctx) // else err says better where time ran out
		case ctx.Err() != nil, !errors.As(err, &dial) || stays(q, dial):
			return exit, err
		}
		g.Logger.DebugContext(ctx, "agent failed", "agent", exit.ID, "target", q.Host, "err", dial.Unwrap())
		failed = err
		q.Exclude = without(q.Exclude, exit)
	}
}

func (g *Egress) try(ctx context.Context, exit agent.Exit, q agent.Query, attempt func(context.Context, agent.Exit) error) error {
	if g.Attempt == nil {
		return attempt(ctx, exit)
	}
	ctx, done := g.Attempt(ctx, exit, q)
	err := attempt(ctx, exit)
	done(err)
	return err
}

// without returns the list with one more exit to leave out; the old one stays.
func without(exclude []string, exit agent.Exit) []string {
	return append(exclude[:len(exclude):len(exclude)], exit.Key())
}

// unavailable says why the selector returned no exit.
func (g *Egress) unavailable(q agent.Query, err error) error {
	if !errors.Is(err, agent.ErrNoAgent) {
		return fault.FromHost("agent selector", err)
	}
	if g.NoAgent != nil {
		g.NoAgent.Add(1)
	}
	text := "no agent is attached that fits"
	if len(q.Slugs) > 0 {
		text += " agent " + fault.Clip(strings.Join(q.Slugs, ","))
	}
	if len(q.Countries) > 0 {
		text += " geo " + fault.Clip(strings.Join(q.Countries, ","))
	}
	return fault.Wrap(fault.AgentUnavailable, text, err)
}
