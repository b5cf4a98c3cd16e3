package farwire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

type schemeKey struct{}

// TrustedProxies returns a function for Options.ClientAddr, for a gateway behind
// proxies whose addresses are given as prefixes. Of a request that comes from one
// of them the client is the rightmost address in X-Forwarded-For that is not
// trusted; of any other, and of one without such an address, it is the peer.
func TrustedProxies(trusted ...netip.Prefix) func(*http.Request) netip.Addr {
	isTrusted := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		peer := remoteAddr(r)
		if !isTrusted(peer) {
			return peer
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		client := peer
		for i := len(hops) - 1; i >= 0; i-- {
			a, ok := forwardedAddr(hops[i])
			if !ok {
				return client // what stands left of nonsense is nobody's word
			}
			if client = a; !isTrusted(a) {
				return client
			}
		}
		return client
	}
}

// forwardedAddr reads an entry of X-Forwarded-For; some proxies add a port.
func forwardedAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// WithScheme returns a context that says whether a request came by http or https,
// where the host knows it from a proxy that it trusts. A caller that only the host
// knows is then held to an Origin of the same scheme.
func WithScheme(ctx context.Context, scheme string) context.Context {
	return context.WithValue(ctx, schemeKey{}, strings.ToLower(scheme))
}

const (
	wrongPerMinute = 10
	maxStrangers   = 10_000
)

// wrongCredentials counts wrong credentials by the address that they come from,
// an IPv6 address by its /64.
type wrongCredentials struct {
	mu sync.Mutex
	of map[netip.Prefix]*stranger
}

// A stranger is an address that has shown a wrong key.
type stranger struct {
	since  time.Time // of the minute that is counted
	count  int
	warned time.Time
}

func newWrongCredentials() *wrongCredentials {
	return &wrongCredentials{of: make(map[netip.Prefix]*stranger)}
}

// note counts one and says so in the log, at most once a second and address. It
// returns what the caller is told: after ten in a minute that there were too many.
func (w *wrongCredentials) note(ctx context.Context, log *slog.Logger, remote netip.Addr, err error) error {
	now := time.Now()
	w.mu.Lock()
	s := w.stranger(neighbourhood(remote), now)
	s.count++
	over, warn := s.count > wrongPerMinute, now.Sub(s.warned) >= time.Second
	if warn {
		s.warned = now
	}
	wait := s.since.Add(time.Minute).Sub(now)
	w.mu.Unlock()
	if warn {
		client := ""
		if remote.IsValid() {
			client = remote.String()
		}
		log.WarnContext(ctx, "credentials refused", "client", client)
	}
	if over && remote.IsValid() {
		return &tooManyWrong{limited(fault.RateLimited, "too many wrong credentials from this address", Quota{Limit: wrongPerMinute, RetryAfter: wait}), err}
	}
	return err
}

// tooManyWrong is a 429 that the crawl's socket still takes for what it is.
type tooManyWrong struct{ told, was error }

func (e *tooManyWrong) Error() string   { return fmt.Sprintf("%v: %v", e.told, e.was) }
func (e *tooManyWrong) Unwrap() []error { return []error{e.told, e.was} }

// stranger returns the count of an address; w.mu is held.
func (w *wrongCredentials) stranger(p netip.Prefix, now time.Time) *stranger {
	s := w.of[p]
	if s == nil {
		if len(w.of) >= maxStrangers {
			w.forget(now)
		}
		s = &stranger{since: now}
		w.of[p] = s
	}
	if now.Sub(s.since) >= time.Minute {
		s.since, s.count = now, 0
	}
	return s
}

// forget drops what counts no more and, if that is not enough, everything.
func (w *wrongCredentials) forget(now time.Time) {
	for p, s := range w.of {
		if now.Sub(s.since) >= time.Minute {
			delete(w.of, p)
		}
	}
	if len(w.of) >= maxStrangers {
		clear(w.of)
	}
}

// neighbourhood is what one client commands: an IPv4 address, or an IPv6 /64.
func neighbourhood(a netip.Addr) netip.Prefix {
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
