package agent

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"

	"github.com/farwire/farwire/internal/fault"
)

// The guard decides which addresses may be dialled.
//
// It judges the address and port of a connection about to be made, in the
// dialer's control function, and nothing else: names, redirects, proxies, a
// resolver that answers differently the second time, and every attempt of a
// happy-eyeballs dial all end there. An address is one of three kinds:
//
//	public    may be dialled
//	private   loopback, private use (RFC 1918, RFC 4193, and the shared space
//	          of RFC 6598) and link-local, and the machine's own addresses and
//	          networks, also public ones: only where AllowPrivate is set, those
//	          networks also where AllowOnLink is.
//	          169.254.169.254, 100.100.100.200 and fd00:ec2::254, where clouds
//	          answer with credentials, are such addresses: whoever allows private
//	          targets on a cloud machine hands these to every client
//	special   never: unspecified (0.0.0.0 would reach loopback), multicast,
//	          broadcast, reserved, documentation, benchmarking and protocol
//	          ranges, addresses with a zone, Azure's 168.63.129.16, and every
//	          IPv6 address that carries an IPv4 one to be reached through a
//	          gateway: NAT64 (RFC 6052, RFC 8215), 6to4, Teredo, ISATAP
//
// A listener of this process is never dialled, whatever is allowed.
//
// IPv4 in IPv6 (::ffff:10.0.0.1) is judged as the IPv4 address that the kernel
// would connect to. Of IPv6 only 2000::/3 is public, less its special ranges.

// A guard is what an agent allows, narrowed by rules: its own, and those that
// came with a dial.
type guard struct {
	allowPrivate, allowOnLink bool

	ports      []PortRange
	interfaces func() (*interfaceAddrs, error)
	listeners  func() []net.Addr // of this process; nil: none
	rules      []Rules
}

// check judges a connection to ap, asked for as host.
func (g guard) check(host string, ap netip.AddrPort) error {
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if err := g.checkAddr(host, ap.Addr()); err != nil {
		return err
	}
	if !allowsPort(g.ports, ap.Port()) {
		return refusal{host, refusedAgentPort}
	}
	for _, r := range g.rules {
		if len(r.Ports) > 0 && !slices.Contains(r.Ports, ap.Port()) {
			return refusal{host, refusedPort}
		}
	}
	if g.listeners != nil && listensAt(g.listeners(), ap, func() bool { return g.localityOf(ap.Addr()) == own }) {
		return refusal{host, refusedListener}
	}
	return nil
}

// localityOf says how near to this machine an address is. When the system does not tell,
// every address is taken for its own.
func (g guard) localityOf(a netip.Addr) locality {
	n, err := g.interfaces()
	if err != nil {
		return own
	}
	return n.locate(a)
}

// checkAddr judges an address, asked for as host, apart from any port.
func (g guard) checkAddr(host string, a netip.Addr) error {
	a = a.Unmap()
	private := isPrivate(a)
	if !private && !isPublic(a) {
		return refusal{host, refusedSpecial}
	}
	// Own and on-link addresses count as private, public ones too.
	why := refusedPrivate
	if !private {
		switch g.localityOf(a) {
		case own:
			private, why = true, refusedOwn
		case onLink:
			private, why = true, refusedOnLink
		}
	}
	if private && !g.allowPrivate && !(why == refusedOnLink && g.allowOnLink) {
		return refusal{host, why}
	}
	for _, r := range g.rules {
		if r.refuses(a, private) {
			return refusal{host, refusedRules}
		}
	}
	return nil
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPrivate(a netip.Addr) bool {
	return a.Zone() == "" && !isISATAP(a) &&
		(a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a))
}

// public holds the IANA registries of special-purpose addresses. Ports and
// networks are judged elsewhere.
var public = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
	ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))

func isPublic(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !isISATAP(a) && public.SafeAddr(a) == nil
}

// isISATAP knows the interface identifiers of RFC 5214, section 6.1, which may
// stand behind any prefix: 0000:5efe or 0200:5efe and then an IPv4 address.
func isISATAP(a netip.Addr) bool {
	if !a.Is6() {
		return false
	}
	b := a.As16()
	return b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// checkHost refuses hosts that are neither a name nor a plainly written
// address. Some resolvers and proxies read 2130706433, 0x7f.1 and 0177.0.0.1
// as 127.0.0.1, others look the name up; no top-level domain is a number
// (RFC 3696, section 2), so nothing is lost.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil // zones are refused with the address
	}
	name := strings.TrimSuffix(host, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if isNumber(last) || strings.ContainsAny(host, "%:[]") {
		return refusal{host, refusedSpelling}
	}
	return nil
}

func isNumber(s string) bool {
	digits := func(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }
	if x := strings.ToLower(s); strings.HasPrefix(x, "0x") {
		return x == "0x" || digits(x[2:], "0123456789abcdef")
	}
	return digits(s, "0123456789")
}

// A refusal is the guard's error. Its text names the host as it was asked for,
// never the address it resolved to.
type refusal struct {
	host string
	why  refusedBecause
}

// refusedBecause is the kind of a refusal, as it crosses the wire.
type refusedBecause string

const (
	refusedPrivate   refusedBecause = "private"
	refusedOwn       refusedBecause = "own"
	refusedOnLink    refusedBecause = "on-link"
	refusedListener  refusedBecause = "listener"
	refusedSpecial   refusedBecause = "special"
	refusedRules     refusedBecause = "rules"
	refusedPort      refusedBecause = "port"
	refusedAgentPort refusedBecause = "agent-port"
	refusedSpelling  refusedBecause = "spelling"
	refusedNetwork   refusedBecause = "network"
)

func (r refusal) public() {}

func (r refusal) Error() string {
	host := fault.Clip(r.host)
	switch r.why {
	case refusedPrivate:
		return fmt.Sprintf("target %q is private: this agent reaches private addresses only with --allow-private", host)
	case refusedOwn:
		return fmt.Sprintf("target %q is the agent's own machine, which it reaches only with --allow-private", host)
	case refusedOnLink:
		return fmt.Sprintf("target %q is on the agent's own network, which it reaches only with --allow-on-link", host)
	case refusedListener:
		return fmt.Sprintf("target %q is the agent's own process", host)
	case refusedAgentPort:
		return fmt.Sprintf("target %q is on a port that this agent reaches only with --allow-ports", host)
	case refusedSpecial:
		return fmt.Sprintf("target %q is not a public address", host)
	case refusedRules:
		return fmt.Sprintf("target %q is not allowed by policy", host)
	case refusedPort:
		return fmt.Sprintf("target %q is not allowed on this port by policy", host)
	case refusedSpelling:
		return fmt.Sprintf("target %q is neither a name nor an address in plain form", host)
	case refusedNetwork:
		return "only tcp may be dialled"
	}
	return fmt.Sprintf("target %q is not allowed", host)
}
