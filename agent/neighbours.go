package agent

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// A neighbourhood is what a machine's interfaces say: its own addresses, and the
// networks that it reaches without a router.
type neighbourhood struct {
	own    map[netip.Addr]bool
	onLink []netip.Prefix
}

// locality says how near to this machine an address is.
type locality int

const (
	elsewhere locality = iota
	onLink             // on a network of this machine's
	own                // this machine's own
)

func (n *neighbourhood) of(a netip.Addr) locality {
	if n.own[a] {
		return own
	}
	for _, p := range n.onLink {
		if p.Contains(a) {
			return onLink
		}
	}
	return elsewhere
}

// neighboursAge is how old the list of a machine's addresses may be. Asking for
// it anew takes some 50 microseconds, and addresses may come at any time.
const neighboursAge = time.Second

// interfaces lists the addresses of this machine, asked for at most once in
// neighboursAge.
type interfaces struct {
	list func() ([]net.Addr, error)

	mu     sync.Mutex
	asked  time.Time
	known  *neighbourhood
	failed error
}

var machine = interfaces{list: net.InterfaceAddrs}

// look returns the neighbourhood of now. When the system does not tell, it fails,
// whatever was known before: an address may have come since.
func (i *interfaces) look() (*neighbourhood, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if age := time.Since(i.asked); (i.known != nil || i.failed != nil) && 0 <= age && age < neighboursAge {
		return i.known, i.failed
	}
	i.asked = time.Now()
	addrs, err := i.list()
	if err != nil {
		i.known, i.failed = nil, err
		return nil, err
	}
	i.known, i.failed = survey(addrs), nil
	return i.known, nil
}

func survey(addrs []net.Addr) *neighbourhood {
	n := &neighbourhood{own: map[netip.Addr]bool{}}
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
