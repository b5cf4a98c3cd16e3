package farwire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/upstream"
)

// A Target is what a session, a redirect, a page of a crawl or the hop to a
// client's proxy is about to reach.
type Target struct {
	Kind   Kind
	Scheme string // as in its URL; empty where only the connection is known
	Host   string // in lower case, as punycode, without a final dot
	Port   uint16 // zero for the name that a client's proxy will look up
}

// permittedAgents is the host's selector for one session: its exits dial and
// resolve only what the session's caller may reach.
type permittedAgents struct {
	g    *Gateway
	p    Principal
	kind Kind
}

// SelectAgent asks the host's selector. An exit that cannot dial is the selector's
// own trouble.
func (s permittedAgents) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	g, p := s.g, s.p
	r, err := p.rules()
	if err != nil {
		return agent.Exit{}, fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
	}
	q.Labels = p.Labels
	exit, err := g.o.Agents.SelectAgent(agent.WithRules(ctx, r.onAddresses()), q)
	if err != nil {
		return agent.Exit{}, err
	}
	if exit.DialContext == nil {
		return agent.Exit{}, fmt.Errorf("%T returned an exit without a DialContext", g.o.Agents)
	}
	if g.o.Allow == nil && p.Allow == nil && p.Deny == nil && !p.narrow.isNarrow() {
		return exit, nil
	}
	return egress.Guard(exit.Enforce(), func(ctx context.Context, host string, port uint16) (rules.Addresses, error) {
		return g.permit(ctx, p, Target{Kind: s.kind, Scheme: rules.Scheme(ctx), Host: host, Port: port})
	}), nil
}

// permit says whether a caller may reach a target: by the rules of its key, and
// then by the host program's own function.
func (g *Gateway) permit(ctx context.Context, p Principal, t Target) (rules.Addresses, error) {
	t.Host = rules.Host(t.Host)
	r, err := p.rules()
	if err != nil {
		return rules.Addresses{}, fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
	}
	on, err := r.check(t)
	if err != nil {
		return rules.Addresses{}, err
	}
	if g.o.Allow != nil {
		if err := g.o.Allow(ctx, p, t); err != nil {
			return rules.Addresses{}, refusedByHost(err, t)
		}
	}
	return on, nil
}

// permitOthers judges hosts that a target is asked for besides the one that is
// dialled: behind an address they choose where a request ends.
func (g *Gateway) permitOthers(ctx context.Context, p Principal, t *upstream.Target) error {
	port, err := strconv.ParseUint(t.URL.EffectivePort(), 10, 16)
	if err != nil {
		return err
	}
	for _, host := range t.OtherHosts() {
		if _, err := g.permit(ctx, p, Target{Kind: KindRelay, Scheme: t.URL.Scheme(), Host: host, Port: uint16(port)}); err != nil {
			return err
		}
	}
	return nil
}

// refusedByHost is an error of Options.Allow: a Refusal as it is, any other a
// target that is forbidden, with the host's error in the log alone.
func refusedByHost(err error, t Target) error {
	if errors.As(err, new(*Refusal)) {
		return err
	}
	return fault.Wrap(fault.TargetForbidden, rules.Refused(t.Host).Error(), err)
}

// keyRules are a principal's Allow, Deny and Kinds, parsed.
type keyRules struct {
	targets rules.Set
	kinds   []Kind    // empty: all
	token   *keyRules // of a token that was narrowed, which hold as well
}

// rules parses the principal's rules.
func (p *Principal) rules() (r keyRules, err error) {
	if r.targets, err = rules.Parse(p.Allow, p.Deny); err != nil {
		return r, err
	}
	for _, k := range p.Kinds {
		if !slices.Contains(allKinds, k) {
			return r, fmt.Errorf("kinds: there is no kind %q; write one of %s", k, joinKinds(allKinds))
		}
	}
	r.kinds = p.Kinds
	if p.Kinds != nil && len(p.Kinds) == 0 {
		return r, errors.New("kinds is empty; nil allows every kind")
	}
	if p.Allow != nil && len(p.Allow) == 0 {
		return r, errors.New("allow is empty; nil allows everything")
	}
	if n := p.narrow; n.isNarrow() {
		narrow, err := (&Principal{Allow: n.Allow, Kinds: n.Kinds}).rules()
		if err != nil {
			return r, err
		}
		r.token = &narrow
	}
	return r, nil
}

// allKinds are those that rules may name. A recrawl is a crawl to them.
var allKinds = []Kind{KindRelay, KindAMQP, KindCrawl, KindHTTP, KindTunnel}

func joinKinds(list []Kind) string {
	words := make([]string, len(list))
	for i, k := range list {
		words[i] = k.String()
	}
	return strings.Join(words, ", ")
}

// onAddresses are rules on addresses of any target. An agent that does not know such
// rules is not picked; what holds for one target travels with its dial.
func (r keyRules) onAddresses() agent.Rules {
	known := agent.Rules{Deny: r.targets.Prefixes()}
	if r.token != nil {
		known.Deny = append(known.Deny, r.token.onAddresses().Deny...)
	}
	return known
}

// checkKind judges the kind of a session.
func (r keyRules) checkKind(k Kind) error {
	if k == KindRecrawl {
		k = KindCrawl
	}
	if len(r.kinds) > 0 && !slices.Contains(r.kinds, k) {
		return fault.Newf(fault.TargetForbidden, "this key is not for sessions of kind %s", k)
	}
	if r.token != nil {
		return r.token.checkKind(k)
	}
	return nil
}

// check judges a target by its kind and name. What depends on its address is
// returned, for whoever dials it.
func (r keyRules) check(t Target) (on rules.Addresses, err error) {
	if err := r.checkKind(t.Kind); err != nil {
		return on, err
	}
	if on, err = r.targets.Check(t.Host, t.Port); err != nil || r.token == nil {
		return on, err
	}
	narrow, err := r.token.targets.Check(t.Host, t.Port)
	if err != nil {
		return on, err
	}
	return on.And(narrow, t.Host)
}
