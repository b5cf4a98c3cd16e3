// Package webhook bounds what the callers of a webhook can set going. They show the
// secret of a site and no key, so whoever finds the endpoint can call it: wrong secrets
// are limited by the network that they come from, and crawls of a site are spaced.
package webhook

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/bounded"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/limits"
)

const (
	spacing  = time.Minute // between two crawls of a site that calls ask for
	memory   = 24 * time.Hour
	maxCalls = 10_000 // that are known to be right, or wrong, of all sites

	// Wrong secrets of one network, each of which costs a look-up in the store.
	wrongRate  = 10 // per second
	wrongBurst = 50
)

// Calls knows the calls of all sites' webhooks. The zero value is ready for use. It is
// safe for concurrent use.
type Calls struct {
	peers limits.Buckets

	mu    sync.Mutex
	last  bounded.Map[int64, time.Time]             // when a site was last made due at
	right bounded.Map[[sha256.Size]byte, time.Time] // when a call last had a secret that fits
	wrong bounded.Map[[sha256.Size]byte, time.Time] // and when it last did not fit
}

// A Call names a call by what it shows, without keeping that.
type Call struct {
	sum  [sha256.Size]byte
	made bool
}

// NewCall names a call. Made says that a gateway has made this secret for the site.
func NewCall(baseURL, secret string, made bool) Call {
	return Call{sha256.Sum256([]byte(baseURL + "\x00" + secret)), made} // a URL has no NUL
}

// Check refuses a peer that has shown too many wrong secrets before the store is asked,
// unless it shows one that was right, or one that was made for the site and is not known
// to be wrong since. It counts nothing.
func (c *Calls) Check(peer netip.Addr, call Call) error {
	a, err := c.peers.Left(attempts.Network(peer).String(), wrongRate, wrongBurst, time.Now())
	if err != nil || a.Remaining > 0 {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.right.Get(call.sum).IsZero() || call.made && c.wrong.Get(call.sum).IsZero() {
		return nil
	}
	return tooMany(limits.Answer{Limit: a.Limit, RetryAfter: time.Second / wrongRate})
}

// NoteRight remembers for a day that a call had a secret that fits.
func (c *Calls) NoteRight(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong.Delete(call.sum)
	remember(&c.right, call)
}

// NoteWrong counts a wrong secret by its peer's network, and refuses one that has shown
// too many. Of a secret that was made for the site it remembers for a day that it is
// wrong.
func (c *Calls) NoteWrong(peer netip.Addr, call Call) error {
	c.mu.Lock()
	c.right.Delete(call.sum)
	if call.made { // it is no matter which of all guesses the others were
		remember(&c.wrong, call)
	}
	c.mu.Unlock()
	a, err := c.peers.Take(attempts.Network(peer).String(), wrongRate, wrongBurst, time.Now())
	if err == nil && a.RetryAfter > 0 {
		return tooMany(a)
	}
	return err
}

func remember(calls *bounded.Map[[sha256.Size]byte, time.Time], call Call) {
	now := time.Now()
	calls.Most = maxCalls
	calls.Set(call.sum, now, func(_ [sha256.Size]byte, at time.Time) bool { return now.Sub(at) >= memory })
}

func tooMany(a limits.Answer) error {
	return &fault.Error{Class: fault.RateLimited, Text: "rate limit exceeded", RetryAfter: a.RetryAfter,
		Quota: &fault.Quota{Limit: int64(a.Limit), Remaining: a.Remaining}}
}

// A Site is what the next crawl of an enrolled site depends on.
type Site struct {
	ID      int64
	Leased  bool        // by a worker: a crawl is under way
	Crawled []time.Time // when its last crawls began, by the store's clock; zero: never
}

// NextCrawl returns the earliest time at which a call may have the site crawled, and
// takes it for its next crawl.
func (c *Calls) NextCrawl(s Site, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := now
	if s.Leased { // the crawl that is under way began a moment ago, for all that is known
		at = now.Add(spacing)
	}
	next := c.last.Get(s.ID)
	if !next.After(now) { // else it is still to come, and will do
		next = next.Add(spacing)
	}
	for _, crawled := range s.Crawled {
		if crawled.After(now) { // by the store's clock
			crawled = now
		}
		if earliest := crawled.Add(spacing); earliest.After(next) {
			next = earliest
		}
	}
	if next.After(at) {
		at = next
	}
	c.setLast(s.ID, at, now)
	return at
}

// CrawlBegins notes that this gateway crawls a site now.
func (c *Calls) CrawlBegins(id int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setLast(id, now, now)
}

func (c *Calls) setLast(id int64, at, now time.Time) {
	c.last.Set(id, at, func(_ int64, at time.Time) bool { return now.Sub(at) >= spacing })
}
