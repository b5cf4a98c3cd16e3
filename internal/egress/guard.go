package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/rules"
)

// Recover returns an exit that returns as an error what its functions, and the methods of
// its connections, panic with: net/http and a crawl call them in goroutines whose panics
// nobody recovers. Its errors have a class, the same for every kind of session.
func Recover(exit agent.Exit) agent.Exit {
	dial, resolve := exit.DialContext, exit.Resolve
	exit.DialContext = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		defer recovered(&err)
		conn, err = dial(ctx, network, addr)
		if err == nil {
			return netio.HostConn(conn, fromExit)
		}
		return conn, classified(ctx, err)
	}
	if resolve != nil {
		exit.Resolve = func(ctx context.Context, host string) (addrs []netip.Addr, err error) {
			defer recovered(&err)
			addrs, err = resolve(ctx, host)
			return addrs, classified(ctx, err)
		}
	}
	return exit
}

// classified gives a class to an error of an exit that a host program supplies: one of
// package net, as a net.Dialer returns it, is the target's; any other without a class is
// an internal error of the host.
func classified(ctx context.Context, err error) error {
	var network net.Error
	var number syscall.Errno
	switch {
	case err == nil, ctx.Err() != nil, fault.Of(err) != nil:
		return err
	case errors.As(err, &network), errors.As(err, &number):
		return &agent.DialError{Fault: agent.FaultTarget, Err: err}
	}
	return fromExit(err)
}

func fromExit(err error) error { return fault.FromHost("exit", err) }

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fromExit(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
	}
}

// Guard returns an exit that asks permit before each dial and, with the port that the
// context has (rules.WithPort), before each look-up, so that redirects, pages of a
// crawl, a browser's requests and the hop to a client's proxy pass them too. What
// permit says of addresses travels with the dial and holds where the connection is
// made, for the address that it is made to: a name that is looked up here could have
// another one there. The exit has to obey the rules of a context (agent.Exit.Enforce).
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
		case on.Any():
			return dial(ctx, network, addr)
		}
		conn, err := dial(under(ctx, on), network, addr)
		return conn, refused(err, host)
	}
	exit.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		host = rules.Host(host)
		on, err := permit(ctx, host, rules.Port(ctx))
		switch {
		case err != nil:
			return nil, err
		case resolve == nil && on.Any():
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errCannotResolve}
		case resolve == nil:
			return nil, fault.Wrap(fault.TargetForbidden, rules.Refused(host).Error(), errCannotResolve)
		case on.Any():
			return resolve(ctx, host)
		}
		// The caller hands the name to a client's proxy. Nobody knows which address
		// that takes, so each must pass, and of one that has none here nothing is known.
		addrs, err := resolve(under(ctx, on), host)
		switch {
		case err == nil && len(addrs) == 0:
			return nil, rules.Refused(host)
		case agent.IsFault(err, agent.FaultTarget) && !fault.IsTimeout(err):
			return nil, forbidden(host, err)
		}
		return addrs, refused(err, host)
	}
	return exit
}

// LookUpsOf returns the exit for who shows a page elsewhere and asks here where it is
// alone: its look-ups are judged by the scheme and the port of the page's URL, which no
// dial tells.
func LookUpsOf(page string, exit agent.Exit) agent.Exit {
	resolve := exit.Resolve
	u, err := url.Parse(page)
	if err != nil || resolve == nil {
		return exit
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]), 10, 16)
	if err != nil {
		return exit
	}
	exit.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return resolve(rules.WithPort(rules.WithScheme(ctx, u.Scheme), uint16(port)), host)
	}
	return exit
}

var errCannotResolve = errors.New("this exit cannot look names up")

// under has the rules travel with a dial.
func under(ctx context.Context, on rules.Addresses) context.Context {
	return agent.WithRules(ctx, agent.Rules{Allow: on.Allow, Deny: on.Deny})
}

// refused says in the key's words what its rules refused where the dial was made.
func refused(err error, host string) error {
	if agent.RefusedByRules(err) {
		return forbidden(host, err)
	}
	return err
}

// forbidden is the refusal of a target by the rules of a key. It is no longer the
// error of a dial: another exit would be told the same, and a client's proxy is not
// asked for a name that this exit does not know.
func forbidden(host string, err error) error {
	return fault.Wrap(fault.TargetForbidden, rules.Refused(host).Error(), fmt.Errorf("at the exit: %v", err))
}
