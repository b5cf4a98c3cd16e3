package agent

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// interfaceAddrs are the addresses of a machine's interfaces, and the networks that it
// reaches without a router.
type interfaceAddrs struct {
	own    map[netip.Addr]bool
	onLink []netip.Prefix
}

// locality says whether an address is this machine's own, on one of its networks (on-link)
// or beyond a router (off-link).
type locality int

const (
	offLink locality = iota
	onLink           // on a network of this machine's
	own              // this machine's own
)

func (n *interfaceAddrs) locate(a netip.Addr) locality {
	if n.own[a] {
		return own
	}
	for _, p := range n.onLink {
		if p.Contains(a) {
			return onLink
		}
	}
	return offLink
}

// interfacesMaxAge is how old the list of a machine's addresses may be. Asking for
// it anew takes some 50 microseconds, and addresses may come at any time.
const interfacesMaxAge = time.Second

// interfaces lists the addresses of this machine, asked for at most once in
// interfacesMaxAge.
type interfaces struct {
	list func() ([]net.Addr, error)

	mu     sync.Mutex
	asked  time.Time
	known  *interfaceAddrs
	failed error
}

var machine = interfaces{list: net.InterfaceAddrs}

// addrs returns the interfaceAddrs of now. When the system does not tell, it fails,
// whatever was known before: an address may have come since.
func (i *interfaces) addrs() (*interfaceAddrs, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if age := time.Since(i.asked); (i.known != nil || i.failed != nil) && 0 <= age && age < interfacesMaxAge {
		return i.known, i.failed
	}
	i.asked = time.Now()
	addrs, err := i.list()
	if err != nil {
		i.known, i.failed = nil, err
		return nil, err
	}
	i.known, i.failed = newInterfaceAddrs(addrs), nil
	return i.known, nil
}

func newInterfaceAddrs(addrs []net.Addr) *interfaceAddrs {
	n := &interfaceAddrs{own: map[netip.Addr]bool{}}
	for _, addr := range addrs {
		ipnet, ok := addr.(*net.IPNet)
		if !ok {
			continue
		}
		a, ok := netip.AddrFromSlice(ipnet.IP)
		if !ok {
			continue
		}
		a = a.Unmap()
		n.own[a] = true
		ones, bits := ipnet.Mask.Size()
		if a.Is4() && bits == 128 {
			ones -= 96
		}
		// A prefix of no bits, as some tunnels have it, is everywhere.
		if ones > 0 && ones < a.BitLen() {
			n.onLink = append(n.onLink, netip.PrefixFrom(a, ones).Masked())
		}
	}
	return n
}

// listensAt reports whether one of the listeners answers at an address of this
// machine's.
func listensAt(listeners []net.Addr, ap netip.AddrPort, self func() bool) bool {
	for _, l := range listeners {
		tcp, ok := l.(*net.TCPAddr)
		if !ok || tcp.Port != int(ap.Port()) {
			continue
		}
		at, ok := netip.AddrFromSlice(tcp.IP)
		switch {
		case !ok || at.Unmap().IsUnspecified():
			if ap.Addr().IsLoopback() || self() {
				return true
			}
		case at.Unmap().WithZone("") == ap.Addr().WithZone(""):
			return true
		}
	}
	return false
}
