package farwire

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

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
