package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// Rules narrow what an exit may dial. Each field only refuses more, so rules
// never loosen an agent's own policy. The zero value refuses nothing.
type Rules struct {
	// PublicOnly refuses private addresses even where the agent allows them.
	PublicOnly bool `json:"public_only,omitempty"`

	// Ports, if any, are the only ones that may be dialled.
	Ports []uint16 `json:"ports,omitempty"`

	// Deny lists further addresses that may not be dialled.
	Deny []netip.Prefix `json:"deny,omitempty"`

	// Allow, if not empty, lists the only addresses that may be dialled.
	Allow []netip.Prefix `json:"allow,omitempty"`
}

func (r Rules) empty() bool {
	return !r.PublicOnly && len(r.Ports) == 0 && len(r.Deny) == 0 && len(r.Allow) == 0
}

// listsAllowed reports whether a target needs an address that is listed to be allowed.
// Of a name that has no address all other rules refuse nothing.
func (r Rules) listsAllowed() bool { return len(r.Allow) > 0 }

func (r Rules) clone() Rules {
	return Rules{r.PublicOnly, slices.Clone(r.Ports), slices.Clone(r.Deny), slices.Clone(r.Allow)}
}

func (r Rules) valid() error {
	invalid := func(p netip.Prefix) bool { return !p.IsValid() }
	switch {
	case slices.ContainsFunc(r.Deny, invalid):
		return errors.New("an invalid prefix in Deny")
	case slices.ContainsFunc(r.Allow, invalid):
		return errors.New("an invalid prefix in Allow")
	}
	return nil
}

// refuses judges an unmapped address by the rules alone.
func (r Rules) refuses(a netip.Addr, private bool) bool {
	within := func(p netip.Prefix) bool { return contains(p, a) }
	return private && r.PublicOnly ||
		slices.ContainsFunc(r.Deny, within) ||
		r.listsAllowed() && !slices.ContainsFunc(r.Allow, within)
}

// contains is p.Contains(a), for prefixes written as IPv4 in IPv6 as well: the
// standard library says no to ::ffff:10.0.0.0/104 and 10.0.0.1.
func contains(p netip.Prefix, a netip.Addr) bool {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Contains(a)
}

type rulesKey struct{}

// WithRules returns a context under which an exit dials and resolves only what
// the rules allow, beside what it allows itself. They hold for the address that
// is dialled, at the place that dials it: a pool sends them to the agent, and
// picks only agents that enforce them. [Exit.Enforce] makes them hold for an
// exit that knows nothing of them. They replace rules that ctx already has.
func WithRules(ctx context.Context, r Rules) context.Context {
	if r.empty() && rulesOf(ctx).empty() {
		return ctx
	}
	return context.WithValue(ctx, rulesKey{}, r.clone())
}

func rulesOf(ctx context.Context) Rules {
	r, _ := ctx.Value(rulesKey{}).(Rules)
	return r
}

// RefusedByRules reports whether a dial or a look-up failed because rules, of its
// context or of a policy, do not allow the target's address.
func RefusedByRules(err error) bool {
	var r refusal
	return errors.As(err, &r) && r.why == refusedRules
}

// Enforce returns the exit so that it follows the rules of a context (WithRules),
// which exits of Direct and of a Pool do by themselves. A name is then resolved
// through the exit, checked, and dialled by an address that passed. One that cannot be
// resolved is refused where the rules allow listed addresses alone (Allow), or where the
// exit has no Resolve; else the error of the look-up is the dial's.
func (e Exit) Enforce() Exit {
	if e.EnforcesRules || e.DialContext == nil {
		return e
	}
	dial, resolve := e.DialContext, e.Resolve
	e.EnforcesRules = true
	e.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		r := rulesOf(ctx)
		if r.empty() {
			return dial(ctx, network, addr)
		}
		allowed, err := r.pick(ctx, network, addr, resolve)
		if err != nil {
			return nil, Classify(err)
		}
		var conn net.Conn
		for _, ap := range allowed {
			if conn, err = dial(ctx, network, ap.String()); err == nil || ctx.Err() != nil {
				break
			}
		}
		return conn, err
	}
	if resolve == nil {
		return e
	}
	e.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		addrs, err := resolve(ctx, host)
		if err != nil {
			return nil, err
		}
		r := rulesOf(ctx)
		for _, a := range addrs {
			if a = a.Unmap(); r.refuses(a, isPrivate(a)) {
				return nil, &DialError{FaultPolicy, refusal{host, refusedRules}}
			}
		}
		return addrs, nil
	}
	return e
}

// pick returns the addresses of addr that the rules allow.
func (r Rules) pick(ctx context.Context, network, addr string,
	resolve func(context.Context, string) ([]netip.Addr, error)) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, &net.AddrError{Err: "invalid port", Addr: addr}
	}
	if len(r.Ports) > 0 && !slices.Contains(r.Ports, uint16(port)) {
		return nil, refusal{host, refusedPort}
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if resolve == nil {
		return nil, refusal{host, refusedRules}
	} else if addrs, err = resolve(ctx, host); r.listsAllowed() && IsFault(err, FaultTarget) && causeOf(err, FaultTarget) != causeTimeout {
		return nil, refusal{host, refusedRules}
	} else if err != nil {
		return nil, err
	}
	var allowed []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), maxAddrs)] {
		a = a.Unmap()
		if network == "tcp4" && !a.Is4() || network == "tcp6" && a.Is4() || a.Zone() != "" || r.refuses(a, isPrivate(a)) {
			continue
		}
		allowed = append(allowed, netip.AddrPortFrom(a, uint16(port)))
	}
	if len(allowed) == 0 {
		return nil, refusal{host, refusedRules}
	}
	return allowed, nil
}
