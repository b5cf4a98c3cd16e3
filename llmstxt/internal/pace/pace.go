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
	recovery     = 10                 // answers after which the gap shrinks by a fifth
	manyTimeouts = 3                  // in a row, that count as a refusal
	givingUp     = 4 * RateLimitTries // refusals in a row, after which the crawl ends; not those of the same moment
	leastGap     = firstGap / 2       // a shorter gap counts as no gap
	sameMoment   = time.Second / 2    // refusals within it are one: the requests were under way together
)

// Pacer says when the next request may leave. It is safe for concurrent use.
type Pacer struct {
	delay time.Duration // between requests, whatever happens

	mu       sync.Mutex
	hold     time.Time // nothing leaves before
	next     time.Time // when the next one may leave
	gap      time.Duration
	refused  time.Time // last
	inARow   int       // refusals since an answer
	answers  int       // since the gap changed
	served   int       // answers since a refusal
	timeouts int       // since an answer
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

// Wait returns when a request may leave.
func (p *Pacer) Wait(ctx context.Context) error {
	for {
		now := time.Now()
		p.mu.Lock()
		at := now
		if p.hold.After(at) {
			at = p.hold
		} else {
			if p.next.After(at) {
				at = p.next
			}
			p.next = at.Add(max(p.delay, p.gap))
			p.mu.Unlock()
			return Sleep(ctx, at.Sub(now))
		}
		p.mu.Unlock()
		if err := Sleep(ctx, at.Sub(now)); err != nil {
			return err
		}
	}
}

// Slow lowers the pace after a refusal, unless it is one page that the site
// refuses again while it serves others. It reports whether it is worth asking
// again: not when the site refuses everything.
func (p *Pacer) Slow(after time.Duration, again bool) (worth bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if again && p.served >= 3 {
		return true
	}
	now := time.Now()
	p.served = 0
	p.answers = 0
	if now.Sub(p.refused) >= sameMoment || p.refused.IsZero() {
		p.inARow++
		p.gap = min(max(2*p.gap, firstGap), longestGap)
		if after == 0 {
			after = min(firstHold<<min(p.inARow-1, 6), longestHold)
		}
		p.refused = now
	}
	if until := now.Add(after); until.After(p.hold) {
		p.hold = until
	}
	return p.inARow < givingUp
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
	many := p.timeouts >= manyTimeouts
	if many {
		p.timeouts = 0
	}
	p.mu.Unlock()
	if many {
		p.Slow(0, false)
	}
}

// Answered counts an answer, and slowly raises the pace.
func (p *Pacer) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inARow, p.timeouts = 0, 0
	p.served++
	if p.gap == 0 {
		return
	}
	if p.answers++; p.answers >= recovery {
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
