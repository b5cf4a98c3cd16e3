package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// DirectOptions are the options of [Direct]. The zero value is an exit called
// local in country ZZ that reaches public addresses. A negative number is refused.
type DirectOptions struct {
	Slug    string // empty: local
	Country string // empty: ZZ
	ID      string // empty: farwire-SLUG

	// AllowPrivate lets the exit dial loopback, private and link-local
	// addresses, the metadata services of clouds among them.
	AllowPrivate bool

	// AllowOnLink lets the exit dial public addresses on the networks that this
	// machine is on. The machine's own addresses stay refused.
	AllowOnLink bool

	// AllowPorts are the only ports that are dialled; nil: all but 25.
	AllowPorts []PortRange

	// Listeners returns where this process listens. Such an address is never
	// dialled, whatever else is allowed. Nil: nothing is known to listen.
	Listeners func() []net.Addr

	// Policy narrows what may be dialled further.
	Policy Rules

	// Resolver turns names into addresses; nil: net.DefaultResolver.
	Resolver Resolver

	ResolveTimeout time.Duration // longest name lookup; 0: 5 s
	DialTimeout    time.Duration // longest attempt to reach one address; 0: 10 s
}

// A Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is ip, ip4 or ip6.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Direct makes an exit that dials from this process, behind the guard. A name
// is looked up once for each dial; its forbidden addresses are left out and the
// others tried as in RFC 8305: families in turn, a new attempt when one fails
// or after 250 ms. The connections are *net.TCPConn and find out within a
// minute that their peer has vanished.
func Direct(o DirectOptions) (Exit, error) {
	e := Exit{ID: o.ID, Slug: cmp.Or(o.Slug, "local"), Country: cmp.Or(o.Country, "ZZ")}
	if err := e.checkName(); err != nil {
		return Exit{}, fmt.Errorf("agent: %w", err)
	}
	if err := o.Policy.valid(); err != nil {
		return Exit{}, fmt.Errorf("agent: DirectOptions.Policy: %w", err)
	}
	if err := errors.Join(notNegative("DirectOptions.ResolveTimeout", o.ResolveTimeout), notNegative("DirectOptions.DialTimeout", o.DialTimeout)); err != nil {
		return Exit{}, fmt.Errorf("agent: %w", err)
	}
	d := newDialer(o)
	e.EnforcesRules = true
	e.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.dial(ctx, network, addr, rulesOf(ctx))
		if err != nil {
			return nil, Classify(err)
		}
		return c, nil
	}
	e.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		addrs, err := d.resolve(ctx, host, rulesOf(ctx))
		if err != nil {
			return nil, Classify(err)
		}
		return addrs, nil
	}
	return e, nil
}

// A dialer dials behind the guard, for Direct and for an agent's side of a tunnel.
type dialer struct {
	allowed        guard // without rules
	policy         Rules
	resolver       Resolver
	resolveTimeout time.Duration
	dialTimeout    time.Duration

	// open makes the connection, guarded by the dialer it is given.
	open func(context.Context, *net.Dialer, string) (net.Conn, error)
}

// notNegative refuses a negative number of an option, whose zero stands for its default.
func notNegative[T int | time.Duration](field string, value T) error {
	if value < 0 {
		return fmt.Errorf("%s is negative", field)
	}
	return nil
}

func newDialer(o DirectOptions) *dialer {
	d := &dialer{
		allowed: guard{
			allowPrivate: o.AllowPrivate, allowOnLink: o.AllowOnLink,
			ports: o.AllowPorts, interfaces: machine.addrs, listeners: o.Listeners,
		},
		policy:         o.Policy,
		resolver:       o.Resolver,
		resolveTimeout: cmp.Or(o.ResolveTimeout, 5*time.Second),
		dialTimeout:    cmp.Or(o.DialTimeout, 10*time.Second),
	}
	d.open = func(ctx context.Context, nd *net.Dialer, addr string) (net.Conn, error) {
		return nd.DialContext(ctx, "tcp", addr)
	}
	if d.allowed.ports == nil {
		d.allowed.ports = usualPorts
	}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	return d
}

// guard is what stands before a dial that rules came with.
func (d *dialer) guard(extra ...Rules) guard {
	g := d.allowed
	g.rules = append([]Rules{d.policy}, extra...)
	return g
}

func (d *dialer) dial(ctx context.Context, network, addr string, extra ...Rules) (net.Conn, error) {
	lookup, ok := map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}[network]
	if !ok {
		return nil, refusal{why: refusedNetwork}
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, &net.AddrError{Err: "invalid port", Addr: addr}
	}
	if isEcho(host) {
		return d.dialEcho(ctx, host, uint16(port), extra)
	}
	addrs, err := d.lookup(ctx, lookup, host)
	switch {
	case err != nil && causeOf(err, FaultTarget) == causeNoHost && slices.ContainsFunc(extra, Rules.listsAllowed):
		return nil, refusal{host, refusedRules} // its address is what would have to be allowed
	case err != nil:
		return nil, err
	}

	g := d.guard(extra...)
	var allowed []netip.AddrPort
	var refused error
	for _, a := range addrs {
		ap := netip.AddrPortFrom(a, uint16(port))
		if err := g.check(host, ap); err == nil {
			allowed = append(allowed, ap)
		} else if refused == nil {
			refused = err
		}
	}
	if len(allowed) == 0 {
		return nil, refused
	}
	return race(ctx, interleave(allowed), func(ctx context.Context, ap netip.AddrPort) (net.Conn, error) {
		return d.connect(ctx, g, host, ap)
	})
}

// dialEcho answers for EchoHost. It has no address, so rules that name some
// refuse it.
func (d *dialer) dialEcho(ctx context.Context, host string, port uint16, extra []Rules) (net.Conn, error) {
	for _, r := range append([]Rules{d.policy}, extra...) {
		if len(r.Allow) > 0 {
			return nil, refusal{host, refusedRules}
		}
	}
	return echoDial(ctx, port)
}

// userTimeout is how long a target may leave bytes unacknowledged.
const userTimeout = 50 * time.Second

// connect dials one address. The guard looks again, at what the socket is
// about to be connected to.
func (d *dialer) connect(ctx context.Context, g guard, host string, ap netip.AddrPort) (net.Conn, error) {
	nd := net.Dialer{
		KeepAlive: -1,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return refusal{host, refusedSpecial}
			}
			return g.check(host, ap)
		},
	}
	until := time.Now().Add(d.dialTimeout)
	if at, ok := ctx.Deadline(); ok && at.Before(until) {
		until = at
	}
	c, err := d.open(attempt{ctx, until}, &nd, ap.String())
	if err == nil {
		// With data on its way the user timeout finds a vanished peer, and
		// without any these probes do.
		netio.WatchLater(c, userTimeout)
	}
	return c, err
}

// An attempt is the context of one attempt to connect, which package net gives up at the
// deadline. context.WithDeadline would make a context and a timer for each, which take more
// memory than the connection itself.
type attempt struct {
	context.Context
	until time.Time
}

// Deadline returns when the attempt is given up.
func (a attempt) Deadline() (time.Time, bool) { return a.until, true }

// resolve looks host up and refuses it when any address is forbidden: the
// caller will hand the name to somebody else, a proxy, who may choose any.
func (d *dialer) resolve(ctx context.Context, host string, extra ...Rules) ([]netip.Addr, error) {
	addrs, err := d.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	g := d.guard(extra...)
	for _, a := range addrs {
		if err := g.checkAddr(host, a); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// maxAddrs is how many addresses of one name are looked at.
const maxAddrs = 64

func (d *dialer) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if host == "" || len(host) > 253 && host[len(host)-1] != '.' || len(host) > 254 {
		return nil, &net.AddrError{Err: "invalid host", Addr: host}
	}
	if err := checkHost(host); err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); network == "ip4" && !a.Is4() || network == "ip6" && a.Is4() {
			return nil, &net.AddrError{Err: "address of the other family", Addr: host}
		}
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.resolveTimeout)
	defer cancel()
	addrs, err := d.resolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	plain := make([]netip.Addr, min(len(addrs), maxAddrs))
	for i := range plain {
		plain[i] = addrs[i].Unmap()
	}
	return plain, nil
}

// interleave puts the address families in turn, beginning with the first
// address's, and keeps the order within each (RFC 8305, section 4).
func interleave(addrs []netip.AddrPort) []netip.AddrPort {
	var same, other []netip.AddrPort
	for _, a := range addrs {
		if a.Addr().Is4() == addrs[0].Addr().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	var out []netip.AddrPort
	for i := range max(len(same), len(other)) {
		out = append(out, same[min(i, len(same)):min(i+1, len(same))]...)
		out = append(out, other[min(i, len(other)):min(i+1, len(other))]...)
	}
	return out
}

// attemptDelay is the Connection Attempt Delay of RFC 8305, section 5.
const attemptDelay = 250 * time.Millisecond

// race connects to the first address that answers, and returns the first error
// when none does. Every attempt has ended when it returns.
func race(ctx context.Context, addrs []netip.AddrPort,
	connect func(context.Context, netip.AddrPort) (net.Conn, error)) (net.Conn, error) {
	if len(addrs) == 1 {
		return connect(ctx, addrs[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	timer := time.NewTimer(0)
	defer timer.Stop()

	var won net.Conn
	var firstErr error
	running := 0
	for {
		var more <-chan time.Time
		if won == nil && len(addrs) > 0 {
			more = timer.C
		} else if running == 0 {
			break
		}
		select {
		case <-more:
			ap := addrs[0]
			addrs = addrs[1:]
			running++
			go func() {
				c, err := connect(ctx, ap)
				results <- result{c, err}
			}()
			timer.Reset(attemptDelay)
		case r := <-results:
			running--
			switch {
			case r.err != nil && won == nil:
				if firstErr == nil {
					firstErr = r.err
				}
				if ctx.Err() != nil {
					addrs = nil
				}
				timer.Reset(0)
			case r.err == nil && won == nil:
				won = r.conn
				cancel()
			case r.err == nil:
				r.conn.Close()
			}
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, firstErr
}
