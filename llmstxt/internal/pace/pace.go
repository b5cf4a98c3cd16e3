// Package pace says when a crawl's requests may leave.
//
// A site says in two ways that it is asked too often: by answering 429 or
// 503, and by answering late. Either lowers the pace of the whole crawl: nobody
// asks until the time is over that the site gave, or that we think right, and
// then requests leave one after another with a gap between them, which shrinks
// again while the site answers:
//
//	requests   ||||||||||| 429            |    |    |   |   |  |  | | | ||||
//	                       └─ hold ───────┘    └ gap ┘
//
// The page that was refused is asked for again, and what stands behind it waits
// with its answer, so that the order stays.
package pace

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// RateLimitTries is how often a page that was refused because of its rate is asked for again.
	RateLimitTries = 5
	// LongestWait is the longest time that a site may ask for; a page that wants more
	// is lost.
	LongestWait = 5 * time.Minute
)

const (
	firstHold    = 500 * time.Millisecond // without Retry-After; doubled with each refusal in a row
	longestHold  = 10 * time.Second
	firstGap     = 50 * time.Millisecond
	longestGap   = 2 * time.Second
	quotaGap     = 10 * time.Second   // the longest of a site that answers, but not so fast
	recovery     = 10                 // answers after which the gap shrinks by a fifth
	manyTimeouts = 3                  // in a row, that count as a refusal
	givingUp     = 4 * RateLimitTries // refusals in a row, after which the crawl ends; not those of the same moment
	leastGap     = firstGap / 2       // a shorter gap counts as no gap
	sameMoment   = time.Second / 2    // refusals within it are one: the requests were under way together
)

// lastHolds are the least before a page is asked for once more, by how often it was refused: many
// sites count by the minute, and its last tries shall not all fall into one.
var lastHolds = [...]time.Duration{0, 0, 0, 10 * time.Second, 20 * time.Second}

// Pacer says when the next request may leave. It is safe for concurrent use.
type Pacer struct {
	delay time.Duration // between requests, whatever happens

	mu      sync.Mutex
	hold    time.Time  // nothing leaves before
	next    time.Time  // when the next one may leave
	waiting []*Request // in the order in which they came
	gap     time.Duration
	refused time.Time // last
	since   time.Time // when the site began to refuse, the last time that it did
	inARow  int       // refusals since an answer
	answers int       // since the gap changed
	served  int       // answers since a refusal

	allServed int // answers
	timeouts  int // since an answer
}

// New returns the pace of a crawl whose requests are delay apart at the least.
func New(delay time.Duration) *Pacer { return &Pacer{delay: delay} }

// Delay is how far requests are apart at the least. Whoever calls SetDelay calls it, or
// waits for that.
func (p *Pacer) Delay() time.Duration { return p.delay }

// SetDelay says how far requests are apart at the least.
func (p *Pacer) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
	p.next = time.Now().Add(d) // robots.txt itself was the first request
}

// Request is one that may have to be sent several times.
type Request struct {
	p       *Pacer
	refused int           // times
	served  int           // others by then
	leave   chan struct{} // closed when it may
}

// Request returns one that was not sent yet.
func (p *Pacer) Request() *Request { return &Request{p: p} }

// Wait returns when the request may leave. While the site refuses, the one that was refused
// least often finds out whether it still does; when it answers, the one goes first that has
// the fewest tries left.
func (r *Request) Wait(ctx context.Context) error {
	p := r.p
	r.leave = make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, r)
	p.mu.Unlock()
	for {
		p.mu.Lock()
		now := time.Now()
		at := p.next
		if p.hold.After(at) {
			at = p.hold
		}
		if !at.After(now) {
			p.leave(now)
			at = now.Add(max(p.delay, p.gap))
		}
		p.mu.Unlock()
		select {
		case <-r.leave:
			return ctx.Err()
		default:
		}
		t := time.NewTimer(at.Sub(now))
		select {
		case <-r.leave:
			t.Stop()
			return ctx.Err()
		case <-ctx.Done():
			t.Stop()
			p.mu.Lock()
			p.waiting = slices.DeleteFunc(p.waiting, func(o *Request) bool { return o == r })
			p.mu.Unlock()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// leave lets one of those go that wait, or all while there is no gap.
func (p *Pacer) leave(now time.Time) {
	gap := max(p.delay, p.gap)
	refuses := p.inARow > 0 && p.inARow < givingUp
	for len(p.waiting) > 0 {
		next := 0
		for i, w := range p.waiting {
			if best := p.waiting[next].refused; refuses && w.refused < best || !refuses && w.refused > best {
				next = i
			}
		}
		close(p.waiting[next].leave)
		p.waiting = slices.Delete(p.waiting, next, next+1)
		if p.next = now.Add(gap); gap > 0 {
			return
		}
	}
}

// Refused lowers the pace after a refusal, unless it is this one that the site refuses again
// while it serves others. It reports whether it is worth asking again: not when the site
// refuses everything.
func (r *Request) Refused(after time.Duration) (worth bool) {
	p := r.p
	p.mu.Lock()
	defer p.mu.Unlock()
	again := r.refused > 0 && p.allServed-r.served >= 3
	r.served = p.allServed
	if r.refused++; again {
		return true
	}
	p.slow(after, lastHolds[min(r.refused, len(lastHolds))-1])
	return p.inARow < givingUp
}

// slow holds all for a while, and lowers the pace.
func (p *Pacer) slow(after, least time.Duration) {
	now := time.Now()
	if now.Sub(p.refused) >= sameMoment || p.refused.IsZero() {
		p.inARow++
		p.widen(now)
		// A site may say how long a second is and count by the minute.
		if after == 0 || p.inARow > 1 {
			after = max(after, min(firstHold<<min(p.inARow-1, 6), longestHold), least)
		}
		p.refused = now
	}
	p.served, p.answers = 0, 0
	if until := now.Add(after); until.After(p.hold) {
		p.hold = until
	}
}

// widen doubles the gap. Where the site has answered since the refusal before, the gap is
// also not below the time that each of those answers took: that is how fast it serves.
func (p *Pacer) widen(now time.Time) {
	p.gap = max(p.gap, min(max(2*p.gap, firstGap), longestGap))
	if p.inARow > 1 {
		return
	}
	if p.served > 0 && !p.since.IsZero() {
		p.gap = max(p.gap, min(now.Sub(p.since)/time.Duration(p.served), quotaGap))
	}
	p.since = now
}

// GaveUp reports that the site refuses everything.
func (p *Pacer) GaveUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inARow >= givingUp
}

// IsSlow reports that the site was in trouble a short while ago.
func (p *Pacer) IsSlow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gap > 0
}

// Timeout counts a request without an answer.
func (p *Pacer) Timeout() {
	p.mu.Lock()
	p.timeouts++
	defer p.mu.Unlock()
	if p.timeouts >= manyTimeouts {
		p.timeouts = 0
		p.slow(0, 0)
	}
}

// Answered counts an answer, and slowly raises the pace.
func (p *Pacer) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inARow, p.timeouts = 0, 0
	p.served++
	p.allServed++
	if p.gap == 0 {
		return
	}
	if p.answers++; p.answers >= recovery || p.gap > longestGap && p.answers >= recovery/3 {
		p.answers = 0
		if p.gap = p.gap * 4 / 5; p.gap < leastGap {
			p.gap = 0
		}
	}
}

// Sleep waits for a while, or for the end of the context.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
