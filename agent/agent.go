// Package agent is about exits: the places from which a gateway reaches the
// outside world.
//
// An [Exit] is a value with a name, a country and a DialContext. Everything
// above the byte stream (TLS, WebSocket, AMQP, HTTP) runs in the gateway,
// through that dialer; so an exit carries bytes, never sees what TLS protects,
// and in a test is a [net.Dialer].
//
// [Direct] makes an exit of this process. Every dial passes a guard that checks
// the address about to be dialled, after names are resolved, and refuses
// private, loopback, link-local and other special ones.
//
// A [Pool] is a network of exits. It is an http.Handler at which remote agents
// attach, and picks one for each request, by name, country, load and
// recent success with the target:
//
//	pool, err := agent.NewPool(agent.PoolOptions{Secret: os.Getenv("AGENT_SECRET")})
//	mux.Handle("GET /agents/attach", pool)
//	exit, err := pool.SelectAgent(ctx, agent.Query{Countries: []string{"DE"}})
//	conn, err := exit.DialContext(ctx, "tcp", "example.com:443")
//
// [Run] is such an agent. It dials out to its gateways, so it works behind any
// NAT, and the guard is on its side: a gateway can narrow what an agent dials,
// but never widen it.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
)

// ErrNoAgent is returned, possibly wrapped, by SelectAgent when no agent that
// is attached fits the query.
var ErrNoAgent = errors.New("no agent is attached that fits")

// An Exit is a place to dial from. It is a value: copying it is cheap and the
// copies are the same exit. Its functions must be safe for concurrent use.
//
// The zero value is not a valid exit: it has no DialContext.
type Exit struct {
	// ID names the exit towards clients (node_id), `farwire-SLUG` by custom.
	// Exits of one pool that share a slug share an ID unless given others.
	ID string

	// Slug is the short name that clients pin an exit by: 1 to 64 letters,
	// digits, dots, underscores and hyphens.
	Slug string

	// Country is an ISO 3166-1 alpha-2 code; ZZ when nobody knows.
	Country string

	// DialContext connects to addr (host:port, the host a name or an address),
	// over network tcp, tcp4 or tcp6. The context bounds the dial and not the
	// connection. A failure is a *DialError. A gateway takes an error of package net for
	// the target's, and any other without a class for an internal error. The caller
	// closes the connection, which may be a [HalfCloser], a [WaitReader], a
	// [DrainTeller] or a [Resetter] too.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Resolve looks host up where the exit stands. When any of the addresses
	// is one that the exit would not dial, the error is a *DialError of
	// FaultPolicy; when the name has no address, of FaultTarget. Nil: the exit cannot resolve.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// EnforcesRules says that DialContext and Resolve follow the rules of their
	// context (WithRules). Exits of Direct and of a Pool do; Enforce makes any.
	EnforcesRules bool

	// Report tells the exit how a session with a target host began: nil, or
	// what failed after the dial (TLS, a 403, 407 or 429 to an upgrade). A
	// pool's exits count it towards their health for that host. Failures of
	// DialContext itself need no report. Nil: outcomes are ignored.
	Report func(host string, err error)

	key string // what Key returns; empty: the ID
}

// Key tells exits apart, for Query.Exclude. It is the ID, but for exits of a
// pool that share one: agents of one slug in two countries, say.
func (e Exit) Key() string { return cmp.Or(e.key, e.ID) }

// SelectAgent returns the exit itself if it fits, else ErrNoAgent. So a single
// exit can be used as a selector.
func (e Exit) SelectAgent(_ context.Context, q Query) (Exit, error) {
	if e.DialContext == nil || !q.Fits(e) {
		return Exit{}, ErrNoAgent
	}
	return e, nil
}

// A Query asks for an exit. The zero value fits every exit; fields that are
// set filter together. A selector must not keep or change the slices.
type Query struct {
	Subject   string   // who asks, the caller; filters nothing here
	Host      string   // target host without port, for health by target; may be empty
	Slugs     []string // one of these slugs, upper or lower case; empty: any
	Countries []string // one of these countries, upper or lower case; empty: any
	Exclude   []string // none of these, by Exit.Key: those that have failed already

	// Session, if it is not empty, is a sticky session of the caller's: requests
	// with the same session and filters get the same exit, as long as it takes
	// sessions.
	Session string

	Labels map[string]string // of the caller; for a selector of one's own, filters nothing here
}

// Fits reports whether the exit's ID, slug and country satisfy the query.
func (q Query) Fits(e Exit) bool {
	one := func(list []string, s string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
	}
	return one(q.Slugs, e.Slug) && one(q.Countries, e.Country) && !slices.Contains(q.Exclude, e.Key())
}

// Fault says whose fault a failed dial was. That decides what happens next:
// after an agent's fault another agent is tried, after a target's not.
type Fault int

// The faults. The zero value blames the agent.
const (
	FaultAgent  Fault = iota // the tunnel is gone, the agent is overloaded or has no network
	FaultTarget              // refused, unknown name, silence
	FaultPolicy              // the agent or its gateway does not allow this target
)

// String returns agent, target or policy.
func (f Fault) String() string {
	switch f {
	case FaultAgent:
		return "agent"
	case FaultTarget:
		return "target"
	case FaultPolicy:
		return "policy"
	}
	return fmt.Sprintf("fault %d", int(f))
}

// A DialError is how Exit.DialContext and Exit.Resolve fail. A connection made
// by a remote agent fails with one of FaultAgent when the tunnel below it is
// lost, so that a lost agent is not mistaken for a lost target.
type DialError struct {
	Fault Fault
	Err   error // the cause in full, for logs: it may name addresses
}

// Error says what went wrong in words fit for a client: it names no address
// but the host that the caller asked for.
func (e *DialError) Error() string {
	var r reason
	switch {
	case errors.As(e.Err, &r):
		return r.Error()
	case e.Fault == FaultPolicy:
		return "not allowed"
	}
	return string(causeOf(e.Err, e.Fault))
}

// AgentUnavailable reports whether the agent is gone, draining or full, so that
// a sticky session moves to the next agent. Any other failure would happen
// there too, or is the target's.
func (e *DialError) AgentUnavailable() bool {
	if e.Fault != FaultAgent {
		return false
	}
	switch causeOf(e.Err, e.Fault) {
	case causeLost, causeDraining, causeOverloaded, causeNotHere, causeGatewayLost, causeGatewayBye:
		return true
	}
	return false
}

// Overloaded reports whether the agent has as many sessions, or descriptors, as it can
// have: it may take a session when another one has ended.
func (e *DialError) Overloaded() bool {
	return e.Fault == FaultAgent && causeOf(e.Err, e.Fault) == causeOverloaded
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// As gives a gateway, by errors.As, what its clients may be told of the error.
func (e *DialError) As(target any) bool {
	to, ok := target.(**fault.Error)
	if ok {
		*to = e.public()
	}
	return ok
}

func (e *DialError) public() *fault.Error {
	detail := e.Error()
	p := &fault.Error{Detail: detail}
	switch {
	case e.Fault == FaultPolicy:
		p.Class, p.Text = fault.TargetForbidden, "target refused: "+detail
	case e.Timeout():
		p.Class, p.Text = fault.TargetTimeout, "target timed out"
	case e.Fault == FaultTarget:
		p.Class, p.Text = fault.TargetUnreachable, "target unreachable: "+detail
	default:
		p.Class, p.Text = fault.AgentLost, detail
		switch {
		case e.Overloaded():
			p.Class = fault.AgentFull
		case isAny(e.Err, causeDraining, causeGatewayBye):
			p.Class = fault.AgentLeaving
		}
		if !strings.HasPrefix(detail, "agent ") && !strings.HasPrefix(detail, "gateway ") {
			p.Text = "agent error: " + detail
		}
	}
	return p
}

// Timeout reports whether time ran out.
func (e *DialError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Permanent reports whether a retry at this exit is useless, because its guard
// refused.
func (e *DialError) Permanent() bool { return e.Fault == FaultPolicy }

// IsFault reports whether err holds a DialError of this fault.
func IsFault(err error, f Fault) bool {
	var de *DialError
	return errors.As(err, &de) && de.Fault == f
}

// Classify makes a DialError of an error of net.Dialer or net.Resolver, for
// those who write an Exit of their own: what the guard refused is FaultPolicy, a
// host that has run out of files, ports or network is FaultAgent, and
// the rest FaultTarget. An error that holds a DialError already gives that
// one, and nil gives nil.
func Classify(err error) *DialError {
	var de *DialError
	var r reason
	switch {
	case err == nil:
		return nil
	case errors.As(err, &de):
		return de
	case errors.As(err, &r):
		return &DialError{FaultPolicy, err}
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EACCES, syscall.EPERM, net.ErrClosed):
		return &DialError{FaultAgent, err}
	}
	return &DialError{FaultTarget, err}
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

// A reason is an error whose text may be shown to a client.
type reason interface {
	error
	public()
}

// A cause is why a dial failed in one of a fixed set of phrases. They are what
// a client sees, and what crosses the wire between agent and gateway, where
// the addresses in a full error must not go.
type cause string

const (
	causeRefused     cause = "connection refused"
	causeReset       cause = "connection reset"
	causeNoHost      cause = "no such host"
	causeLookup      cause = "name lookup failed"
	causeTimeout     cause = "timed out"
	causeCanceled    cause = "canceled"
	causeUnreachable cause = "host unreachable"
	causeAddress     cause = "invalid address"
	causeOverloaded  cause = "agent overloaded"
	causeDraining    cause = "agent is going away"
	causeNoNetwork   cause = "agent has no route to the target"
	causeLost        cause = "agent lost"
	causeNotHere     cause = "agent is not at this gateway"
	causeGatewayLost cause = "gateway lost"
	causeGatewayBye  cause = "gateway is going away"
	causeFailed      cause = "connection failed"

	// causeUnread ends a connection that was open: it is no answer of an agent to a dial.
	causeUnread cause = "agent connection cut: its data was not read"
)

var causes = []cause{causeRefused, causeReset, causeNoHost, causeLookup, causeTimeout, causeCanceled, causeUnreachable,
	causeAddress, causeOverloaded, causeDraining, causeNoNetwork, causeLost, causeNotHere,
	causeGatewayLost, causeGatewayBye, causeFailed}

func (c cause) Error() string { return string(c) }

// Is lets code ask of a cause from far away what it would ask of an error of
// the local dialer.
func (c cause) Is(target error) bool {
	switch c {
	case causeRefused:
		return target == syscall.ECONNREFUSED
	case causeReset:
		return target == syscall.ECONNRESET
	case causeUnreachable:
		return target == syscall.EHOSTUNREACH
	case causeNoNetwork:
		return target == syscall.ENETUNREACH
	case causeTimeout:
		return target == os.ErrDeadlineExceeded
	case causeCanceled:
		return target == context.Canceled
	}
	return false
}

func (c cause) Timeout() bool { return c == causeTimeout }

func causeOf(err error, f Fault) cause {
	var c cause
	var dns *net.DNSError
	var addr *net.AddrError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &c):
		return c
	case errors.As(err, &dns) && dns.IsNotFound:
		return causeNoHost
	case errors.As(err, &timeout) && timeout.Timeout():
		return causeTimeout
	case errors.As(err, &dns):
		return causeLookup
	case errors.As(err, &addr):
		return causeAddress
	case errors.Is(err, context.Canceled):
		return causeCanceled
	case errors.Is(err, syscall.ECONNREFUSED):
		return causeRefused
	case errors.Is(err, syscall.ECONNRESET):
		return causeReset
	case errors.Is(err, syscall.EHOSTUNREACH):
		return causeUnreachable
	case isAny(err, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL):
		return causeNoNetwork
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM):
		return causeOverloaded
	case f == FaultAgent:
		return causeLost
	}
	return causeFailed
}

// checkName validates what names an exit, and fills in what it may leave out.
func (e *Exit) checkName() error {
	if !validSlug(e.Slug) {
		return fmt.Errorf("slug %q: want 1 to 64 letters, digits, dots, underscores and hyphens", e.Slug)
	}
	if e.Country = strings.ToUpper(e.Country); !validCountry(e.Country) {
		return fmt.Errorf("country %q: want an ISO 3166-1 alpha-2 code such as DE", e.Country)
	}
	if e.ID == "" {
		e.ID = "farwire-" + e.Slug
	}
	if len(e.ID) > 128 || strings.ContainsFunc(e.ID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("id %q: want at most 128 printable ASCII characters without spaces", e.ID)
	}
	return nil
}

func validSlug(s string) bool {
	return safetext.IsName(s, 64)
}

func validCountry(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}
