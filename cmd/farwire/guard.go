package main

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/farwire/farwire/agent"
)

// guardFlags say what the exit of this process never dials, of serve and of
// agent alike.
type guardFlags struct {
	Deny        list `placeholder:"CIDR,..." help:"Addresses that the agent in this process never dials."`
	AllowPorts  list `placeholder:"PORT,..." help:"The only ports that it dials, such as 443,8000-8100; 1-65535 allows all. Default: all but 25."`
	AllowOnLink bool `help:"Let it reach public addresses on this machine's own networks; the machine's own addresses stay refused."`
}

// parse checks the flags.
func (f *guardFlags) parse() (deny []netip.Prefix, ports []agent.PortRange, err error) {
	for _, s := range f.Deny {
		p, ok := readPrefix(s)
		if !ok {
			return nil, nil, misusef("--deny: %q is not an address or a CIDR; write it as 203.0.113.0/24", s)
		}
		deny = append(deny, p)
	}
	if ports, err = agent.ParsePorts(f.AllowPorts); err != nil {
		return nil, nil, misuse("--allow-ports: " + err.Error())
	}
	return deny, ports, nil
}

// readPrefix reads an address without a zone, or a CIDR. What is written as IPv4 in IPv6
// means the IPv4 addresses, as those of connections are compared.
func readPrefix(s string) (p netip.Prefix, ok bool) {
	p, err := netip.ParsePrefix(s)
	if a, bad := netip.ParseAddr(s); bad == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), err == nil
}

// ownListeners are the addresses that this process listens on, which its exit
// never dials.
type ownListeners struct {
	mu      sync.Mutex
	addrs   []net.Addr
	browser func() []net.Addr // those for a local browser, which come and go; nil: none
}

func (o *ownListeners) add(addr net.Addr) {
	if addr == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addrs = append(o.addrs, addr)
}

func (o *ownListeners) list() []net.Addr {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.addrs[:len(o.addrs):len(o.addrs)]
	if o.browser != nil {
		all = append(all, o.browser()...)
	}
	return all
}

// ask has those for a browser counted in.
func (o *ownListeners) ask(browser func() []net.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.browser = browser
}

// agentError names the flag where the library names its field.
func agentError(err error, flags map[string]string) error {
	text := strings.TrimPrefix(err.Error(), "agent: ")
	for field, flag := range flags {
		if rest, ok := strings.CutPrefix(text, field); ok {
			return misuse(flag + rest)
		}
	}
	return err
}
