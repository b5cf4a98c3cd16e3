// Package attempts counts wrong credentials by the network that they come from.
package attempts

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

// PerMinute is how many wrong credentials one network may show in a minute.
const PerMinute = 10

// TooMany is what a client is told that has shown more of them.
const TooMany = "too many wrong credentials from this address"

// maxNetworks bounds what callers without a key can make a Counter keep.
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

// Seconds is RetryAfter as the header Retry-After has it.
func (v Verdict) Seconds() string {
	return strconv.Itoa(max(1, int(math.Ceil(v.RetryAfter.Seconds()))))
}

type shared struct{}

// Share returns a context in whose requests wrong credentials count in c, whoever
// refuses them.
func (c *Counter) Share(ctx context.Context) context.Context {
	return context.WithValue(ctx, shared{}, c)
}

// Sharing returns ctx for what a connection asks: with the Counter that its listener
// shares, if it does.
func Sharing(ctx context.Context, conn net.Conn) context.Context {
	if of, ok := conn.(interface{ Attempts() *Counter }); ok {
		return of.Attempts().Share(ctx)
	}
	return ctx
}

// SetHeaders says in the headers of a 429 what is allowed and when to come back.
func (v Verdict) SetHeaders(h http.Header) {
	h.Set("Retry-After", v.Seconds())
	h.Set("X-RateLimit-Limit", strconv.Itoa(PerMinute))
	h.Set("X-RateLimit-Remaining", "0")
}

// Refused notes wrong credentials in the Counter that ctx shares, else in c, and writes
// one line, at most once a second and network, with the address that they came from and
// what else the log shall say.
func (c *Counter) Refused(ctx context.Context, log *slog.Logger, remote netip.Addr, args ...any) Verdict {
	if all, ok := ctx.Value(shared{}).(*Counter); ok {
		c = all
	}
	v := c.Note(remote, time.Now())
	if v.Warn {
		client := ""
		if remote.IsValid() {
			client = remote.String()
		}
		log.WarnContext(ctx, "credentials refused", append([]any{"client", client}, args...)...)
	}
	return v
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

// network returns the count of a network; c.mu is held. The networks stand in the order
// of their minutes, so that the one whose minute ends first makes room.
func (c *Counter) network(p netip.Prefix, now time.Time) *network {
	n := c.of.Get(p)
	if n != nil && !n.over(now) {
		return n
	}
	next := &network{since: now}
	if n != nil {
		next.warned = n.warned
		c.of.Delete(p)
	}
	c.of.Most = maxNetworks
	c.of.Set(p, next, func(_ netip.Prefix, n *network) bool { return n.over(now) })
	return next
}

// over reports whether the minute that is counted is over.
func (n *network) over(now time.Time) bool { return now.Sub(n.since) >= time.Minute }

// Network is what one client commands: an IPv4 address, or an IPv6 /64.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
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
