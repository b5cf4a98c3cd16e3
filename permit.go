package farwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

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
	exit, err := g.o.Agents.SelectAgent(ctx, q)
	if err != nil {
		return agent.Exit{}, err
	}
	if exit.DialContext == nil {
		return agent.Exit{}, fmt.Errorf("%T returned an exit without a DialContext", g.o.Agents)
	}
	if g.o.Allow == nil && p.Allow == nil && p.Deny == nil && !p.narrow.isNarrow() {
		return exit, nil
	}
	return g.permitted(exit.Enforce(), p, s.kind), nil
}

// permitted returns an exit under a caller's rules. They hold for each dial and
// each look-up, so that redirects, pages of a crawl, a browser's requests and the
// hop to a client's proxy pass them too. Where they speak of addresses, a name is
// resolved through the exit, and the connection made to an address that passed.
func (g *Gateway) permitted(exit agent.Exit, p Principal, k Kind) agent.Exit {
	dial, resolve := exit.DialContext, exit.Resolve
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, service, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("dialling: %w", err)
		}
		port, err := strconv.ParseUint(service, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("dialling: %w", err)
		}
		t := Target{Kind: k, Host: normalHost(host), Port: uint16(port)}
		on, err := g.permit(ctx, p, t)
		switch {
		case err != nil:
			return nil, err
		case len(on.Allow) == 0 && len(on.Deny) == 0, isAddress(host):
			return dial(ctx, network, addr)
		}
		addrs, err := on.resolve(ctx, t, resolve)
		if err != nil {
			return nil, err
		}
		return dialOne(ctx, dial, network, t, addrs)
	}
	exit.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		t := Target{Kind: k, Host: normalHost(host)}
		on, err := g.permit(ctx, p, t)
		switch {
		case err != nil:
			return nil, err
		case len(on.Allow) == 0 && len(on.Deny) == 0:
			if resolve == nil {
				return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errCannotResolve}
			}
			return resolve(ctx, host)
		}
		return on.resolveAll(ctx, t, resolve)
	}
	return exit
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

var errCannotResolve = errors.New("this exit cannot look names up")

// resolve returns the addresses of a target that the rules let be dialled.
func (on AddressRules) resolve(ctx context.Context, t Target, lookup func(context.Context, string) ([]netip.Addr, error)) ([]netip.Addr, error) {
	addrs, err := on.lookup(ctx, t, lookup)
	if err != nil {
		return nil, err
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !on.allows(a) })
	if len(addrs) == 0 {
		return nil, notAllowedTarget(t)
	}
	return addrs, nil
}

// resolveAll returns a target's addresses when the rules let every one of them be
// dialled: behind a client's proxy nobody knows which it takes.
func (on AddressRules) resolveAll(ctx context.Context, t Target, lookup func(context.Context, string) ([]netip.Addr, error)) ([]netip.Addr, error) {
	addrs, err := on.lookup(ctx, t, lookup)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !on.allows(a) }) {
		return nil, notAllowedTarget(t)
	}
	return addrs, nil
}

// lookup resolves a target's name. One that cannot be resolved is refused.
func (on AddressRules) lookup(ctx context.Context, t Target, lookup func(context.Context, string) ([]netip.Addr, error)) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(t.Host); err == nil {
		return []netip.Addr{a}, nil
	}
	if lookup == nil {
		return nil, fault.Wrap(fault.TargetForbidden, notAllowedTarget(t).Error(), errCannotResolve)
	}
	addrs, err := lookup(ctx, t.Host)
	switch {
	case err == nil:
		return slices.Clone(addrs), nil
	case agent.IsFault(err, agent.FaultTarget) && !isTimeout(err):
		return nil, fault.Wrap(fault.TargetForbidden, notAllowedTarget(t).Error(), err)
	}
	return nil, err
}

// allows judges an address.
func (on AddressRules) allows(a netip.Addr) bool {
	a = a.Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.Zone() == "" && !slices.ContainsFunc(on.Deny, in) && (len(on.Allow) == 0 || slices.ContainsFunc(on.Allow, in))
}

// dialOne connects to the first address that answers. What is refused there is
// told by the name that was asked for.
func dialOne(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network string, t Target, addrs []netip.Addr) (conn net.Conn, err error) {
	for _, a := range addrs {
		conn, err = dial(ctx, network, netip.AddrPortFrom(a.Unmap(), t.Port).String())
		if err == nil || ctx.Err() != nil || !agent.IsFault(err, agent.FaultTarget) {
			break
		}
	}
	if agent.IsFault(err, agent.FaultPolicy) {
		return nil, fault.Wrap(fault.TargetForbidden, notAllowedTarget(t).Error(), err)
	}
	return conn, err
}

// permit says whether a caller may reach a target: by the rules of its key, and
// then by the host program's own function.
func (g *Gateway) permit(ctx context.Context, p Principal, t Target) (AddressRules, error) {
	t.Host = normalHost(t.Host)
	r, err := p.rules()
	if err != nil {
		return AddressRules{}, fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
	}
	on, err := r.check(t)
	if err != nil {
		return AddressRules{}, err
	}
	if g.o.Allow != nil {
		if err := g.o.Allow(ctx, p, t); err != nil {
			return AddressRules{}, refusedByHost(err, t)
		}
	}
	return on, nil
}

// refusedByHost is an error of Options.Allow: a Refusal as it is, any other a
// target that is forbidden, with the host's error in the log alone.
func refusedByHost(err error, t Target) error {
	if errors.As(err, new(*Refusal)) {
		return err
	}
	return fault.Wrap(fault.TargetForbidden, fmt.Sprintf("target refused: %q is not allowed to this key", clip(t.Host)), err)
}
