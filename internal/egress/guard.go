package egress

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
	"github.com/farwire/farwire/internal/rules"
)

// Guard returns an exit that asks permit before each dial and, with port 0, before
// each look-up, so that redirects, pages of a crawl, a browser's requests and the
// hop to a client's proxy pass them too. Where they speak of addresses, a name is
// resolved through the exit, and the connection made to an address that passed.
func Guard(exit agent.Exit, permit func(ctx context.Context, host string, port uint16) (rules.Addresses, error)) agent.Exit {
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
		host = rules.Host(host)
		on, err := permit(ctx, host, uint16(port))
		switch {
		case err != nil:
			return nil, err
		case on.Any(), isAddress(host):
			return dial(ctx, network, addr)
		}
		addrs, err := resolveSome(ctx, on, host, resolve)
		if err != nil {
			return nil, err
		}
		return dialOne(ctx, dial, network, host, uint16(port), addrs)
	}
	exit.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		host = rules.Host(host)
		on, err := permit(ctx, host, 0)
		switch {
		case err != nil:
			return nil, err
		case on.Any():
			if resolve == nil {
				return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errCannotResolve}
			}
			return resolve(ctx, host)
		}
		return resolveAll(ctx, on, host, resolve)
	}
	return exit
}

// A resolver looks a name up through an exit.
type resolver = func(context.Context, string) ([]netip.Addr, error)

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

var errCannotResolve = errors.New("this exit cannot look names up")

// resolveSome returns the addresses of a target that the rules let be dialled.
func resolveSome(ctx context.Context, on rules.Addresses, host string, lookup resolver) ([]netip.Addr, error) {
	addrs, err := addresses(ctx, host, lookup)
	if err != nil {
		return nil, err
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !on.Allows(a) })
	if len(addrs) == 0 {
		return nil, rules.Refused(host)
	}
	return addrs, nil
}

// resolveAll returns a target's addresses when the rules let every one of them be
// dialled: behind a client's proxy nobody knows which it takes.
func resolveAll(ctx context.Context, on rules.Addresses, host string, lookup resolver) ([]netip.Addr, error) {
	addrs, err := addresses(ctx, host, lookup)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !on.Allows(a) }) {
		return nil, rules.Refused(host)
	}
	return addrs, nil
}

// addresses resolves a target's name. One that cannot be resolved is refused.
func addresses(ctx context.Context, host string, lookup resolver) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if lookup == nil {
		return nil, fault.Wrap(fault.TargetForbidden, rules.Refused(host).Error(), errCannotResolve)
	}
	addrs, err := lookup(ctx, host)
	switch {
	case err == nil:
		return slices.Clone(addrs), nil
	case agent.IsFault(err, agent.FaultTarget) && !fault.IsTimeout(err):
		return nil, fault.Wrap(fault.TargetForbidden, rules.Refused(host).Error(), err)
	}
	return nil, err
}

// dialOne connects to the first address that answers. What is refused there is
// told by the name that was asked for.
func dialOne(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, host string, port uint16, addrs []netip.Addr) (conn net.Conn, err error) {
	for _, a := range addrs {
		conn, err = dial(ctx, network, netip.AddrPortFrom(a.Unmap(), port).String())
		if err == nil || ctx.Err() != nil || !agent.IsFault(err, agent.FaultTarget) {
			break
		}
	}
	if agent.IsFault(err, agent.FaultPolicy) {
		return nil, fault.Wrap(fault.TargetForbidden, rules.Refused(host).Error(), err)
	}
	return conn, err
}
