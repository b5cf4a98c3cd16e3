package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// run crawls the frontier until it is empty, the result is full or ctx ends.
func (c *crawler) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	f := c.newFetchers()
	defer f.wg.Wait()
	defer cancel()
	defer close(f.jobs)
	for c.missing() > 0 && c.commit < len(c.queue) {
		if errors.Is(ctx.Err(), context.Canceled) {
			return // nobody waits for what has arrived
		}
		goesOn := false
		if e := c.queue[c.commit]; e.res != nil && e.state == queued && !f.asking {
			goesOn = c.decideFirst(ctx, f, e)
		} else {
			goesOn = c.fetchMore(ctx, f)
		}
		if !goesOn {
			return
		}
	}
	c.commitFallbacks(ctx)
	if c.full || c.forgot || c.commit < len(c.queue) || c.waiting.Len() > 0 {
		c.stats.Limited = true
		c.leaveDeferred()
		if n := len(c.queue); n >= c.limit && c.missing() > 0 {
			c.note("", fmt.Sprintf("%d of %d addresses led to no page of the file: no more are asked for than 3 × maxPages", n-c.found(), n))
		}
		c.note("", "Maximum pages limit reached")
	}
}

// fetchers fetch the pages of the queue ahead of their turn. They belong to run.
type fetchers struct {
	most, started int
	inFlight      int // given to them and not back yet
	jobs          chan *entry
	answers       chan fetched
	wg            sync.WaitGroup

	asking     bool // for the twins without which the next page cannot be decided
	twinsAsked chan error
}

type fetched struct {
	e        *entry
	r        *result
	panicked error
}

func (c *crawler) newFetchers() *fetchers {
	// Beside those that wait for an answer a few are reading one.
	most := c.Workers + runtime.GOMAXPROCS(0)
	if c.pace.Delay() > 0 {
		most = 1
	}
	return &fetchers{most: most, jobs: make(chan *entry), answers: make(chan fetched, window), twinsAsked: make(chan error, 1)}
}

// add starts one more fetcher if all are busy.
func (f *fetchers) add(ctx context.Context, c *crawler) {
	if f.inFlight < f.started || f.started == f.most {
		return
	}
	f.started++
	f.wg.Go(func() {
		for e := range f.jobs {
			a := fetched{e: e}
			a.panicked = recovered(func() {
				a.r = c.fetchPage(ctx, e.url, func(u *url.URL) error { return c.allowed(e.url, u) })
			})
			f.answers <- a
		}
	})
}

// decideFirst decides the first page of the queue, which has its answer, unless its twins
// are to be asked for before. It reports false when the crawl is over.
func (c *crawler) decideFirst(ctx context.Context, f *fetchers, e *entry) bool {
	if late := c.late(e, e.res); len(late) > 0 && ctx.Err() == nil {
		f.asking = true
		f.wg.Go(func() { f.twinsAsked <- recovered(func() { c.askTwins(ctx, late) }) })
		return true
	}
	c.commit++
	c.texting -= e.res.waiting()
	if ctx.Err() != nil && e.res.refused != nil {
		c.timedOut(ctx)
		return false
	}
	lost := isLost(e.res.refused)
	if c.settleNext(ctx, e) != nil {
		c.timedOut(ctx)
		return false
	}
	if lost && c.pace.GaveUp() {
		c.abandon()
		return false
	}
	return true
}

// fetchMore has the next page fetched, or takes an answer, whichever comes first. It
// reports false when the crawl is over.
func (c *crawler) fetchMore(ctx context.Context, f *fetchers) bool {
	// No page is fetched that the result has no room for, as far as one can
	// know: some of those before it may yet be left out.
	ready := c.next < len(c.queue) && c.next-c.commit < min(window, c.missing()) && (c.texting < maxWaiting || c.next == c.commit)
	if ready && !c.hasRoom(f.inFlight) {
		if f.inFlight == 0 && c.next == c.commit {
			return c.awaitResultRoom(ctx)
		}
		ready = false
	}
	var to chan *entry
	var next *entry
	if ready {
		to, next = f.jobs, c.queue[c.next]
		f.add(ctx, c)
	}
	select {
	case to <- next:
		c.next++
		f.inFlight++
	case a := <-f.answers:
		f.inFlight--
		if a.panicked != nil {
			panic(a.panicked)
		}
		a.e.res = a.r
		c.hold(a.r)
		c.texting += a.r.waiting()
	case err := <-f.twinsAsked:
		if f.asking = false; err != nil {
			panic(err)
		}
		c.texting = 0
		for _, e := range c.queue[c.commit:c.next] {
			if e.res != nil {
				c.hold(e.res)
				c.texting += e.res.waiting()
			}
		}
	case <-ctx.Done():
		c.timedOut(ctx)
		return false
	}
	return true
}

// awaitResultRoom waits until the next page has room in memory. It reports false when the
// crawl is over without it.
func (c *crawler) awaitResultRoom(ctx context.Context) bool {
	if c.awaitRoom(ctx, resultWait) == nil {
		return true
	}
	if ctx.Err() != nil {
		c.timedOut(ctx)
		return false
	}
	c.stats.Limited = true
	c.note("", "There is no more room for what is read of pages at the moment; the result has those found so far")
	return false
}

// commitFallbacks takes the pages that stood back for one that never got its turn.
func (c *crawler) commitFallbacks(ctx context.Context) {
	for _, e := range c.queue {
		for _, fb := range []*entry{e.fallback, e.form} {
			if fb == nil || e.state != queued || c.missing() <= 0 {
				continue
			}
			if r := fb.res; c.same(r) == "" {
				fb.res = nil
				c.commitPage(ctx, fb, r)
			}
		}
	}
}

// leaveDeferred says what was put off and found no room at the end.
func (c *crawler) leaveDeferred() {
	for range 10 * c.MaxPages {
		e, ok := c.waiting.NextDeferred()
		if !ok {
			return
		}
		if !e.numbered && !e.listed {
			_, shape, _ := weburl.ShapeOf(e.url)
			c.skip(e.key, &skipError{Reason: SkipPattern, Detail: fmt.Sprintf("one of more than %d addresses like %s, for which no room was left", c.perShape, shape)})
		}
	}
}

// abandon ends a crawl whose site refuses every request.
func (c *crawler) abandon() {
	c.note("", "The site refuses every request; the crawl ends")
	for _, e := range c.queue[c.commit:] {
		if e.state == queued {
			e.state = passed
			c.skip(e.key, &skipError{Reason: SkipStatus, Detail: "the site refuses every request", lost: true})
		}
	}
}

func isLost(err error) bool { return err != nil && asSkip(err).lost }

// settleNext decides a page and gives numbers to what it leads to. That costs
// work for each link, so a core is taken.
func (c *crawler) settleNext(ctx context.Context, e *entry) error {
	if len(e.res.links) > 100 {
		release, err := share.Cores.Take(ctx, c.owner)
		if err != nil {
			return err
		}
		c.core = release
		defer func() { c.core(); c.core = nil }()
		c.threads.Do(func() { c.settleOn(ctx, e) })
		return nil
	}
	c.settleOn(ctx, e)
	return nil
}

func (c *crawler) settleOn(ctx context.Context, e *entry) {
	r, asked := e.res, e.key
	c.decide(ctx, e)
	c.learnFiles(asked, e, r)
	c.uncount(e, r)
	c.fillQueue()
}

// withoutCore calls f, which waits for a site or for another crawl, without the core
// that deciding a page holds: what is waited for may need it.
func (c *crawler) withoutCore(ctx context.Context, f func()) {
	if c.core == nil {
		f()
		return
	}
	c.core()
	f()
	if release, err := share.Cores.Take(ctx, c.owner); err == nil {
		c.core = release
	} // else the crawl ends
}

// tasks are functions that run at once; what one of them panics with, Wait panics with.
type tasks struct {
	wg     sync.WaitGroup
	failed atomic.Pointer[error]
}

func (t *tasks) Go(f func()) {
	t.wg.Go(func() {
		if err := recovered(f); err != nil {
			t.failed.Store(&err)
		}
	})
}

func (t *tasks) Wait() {
	t.wg.Wait()
	if err := t.failed.Load(); err != nil {
		panic(*err)
	}
}

// recovered calls f and returns what it panicked with, so that the panic of a
// goroutine can be carried to the one that a caller may recover it in.
func recovered(f func()) (panicked error) {
	defer func() {
		if v := recover(); v != nil {
			panicked = fmt.Errorf("%v\n\n%s", v, debug.Stack())
		}
	}()
	f()
	return nil
}

func (c *crawler) timedOut(ctx context.Context) {
	if c.stats.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded); c.stats.TimedOut {
		c.note("", fmt.Sprintf("Time is over with pages left; the result has the %d found so far", c.found()))
	}
}
