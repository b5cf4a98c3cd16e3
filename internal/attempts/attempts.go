// Package attempts counts wrong credentials by the network that they come from.
package attempts

import (
	"net/netip"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

// PerMinute is how many wrong credentials one network may show in a minute.
const PerMinute = 10

// maxNetworks bounds what strangers can make a Counter keep.
const maxNetworks = 10_000

// A Counter counts wrong credentials. The zero Counter is ready for use and safe
// for concurrent use.
type Counter struct {
	mu sync.Mutex
	of bounded.Map[netip.Prefix, *network]
}

// A network is one that has shown wrong credentials.
type network struct {
	since  time.Time // of the minute that is counted
	count  int
	warned time.Time
}

// A Verdict says what follows from wrong credentials.
type Verdict struct {
	TooMany    bool          // more than PerMinute; never of an address that is unknown
	RetryAfter time.Duration // until the minute is over
	Warn       bool          // no other was told to warn of this network in the last second
}

// Note counts wrong credentials that came from an address now.
func (c *Counter) Note(remote netip.Addr, now time.Time) Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.network(Network(remote), now)
	n.count++
	v := Verdict{
		TooMany:    n.count > PerMinute && remote.IsValid(),
		RetryAfter: n.since.Add(time.Minute).Sub(now),
		Warn:       now.Sub(n.warned) >= time.Second,
	}
	if v.Warn {
		n.warned = now
	}
	return v
}

// network returns the count of a network; c.mu is held.
func (c *Counter) network(p netip.Prefix, now time.Time) *network {
	n := c.of.Get(p)
	if n == nil {
		n = &network{since: now}
		c.of.Most = maxNetworks
		c.of.Set(p, n, func(_ netip.Prefix, n *network) bool { return n.over(now) })
	}
	if n.over(now) {
		n.since, n.count = now, 0
	}
	return n
}

// over reports whether the minute that is counted is over.
func (n *network) over(now time.Time) bool { return now.Sub(n.since) >= time.Minute }

// Network is what one client commands: an IPv4 address, or an IPv6 /64.
func Network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // unknown
	}
	return p
}
