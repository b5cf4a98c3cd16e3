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
	defer c.leaveCore()
	defer f.wg.Wait()
	defer c.probing.Wait()
	defer cancel()
	defer close(f.jobs)
	for c.missing() > 0 && c.commit < len(c.queue) {
		if errors.Is(ctx.Err(), context.Canceled) {
			return // nobody waits for what has arrived
		}
		goesOn := false
		if f.then == nil && c.queue[c.commit].hasAnswer() {
			goesOn = c.decideFirst(ctx, f, c.queue[c.commit])
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
	mostAsking    int // that have no answer yet
	inFlight      int // given to them and not back yet
	come          int // whose body has come: it is being read, or waits for a core
	jobs          chan *entry
	bodies        chan struct{} // one for each that has come
	answers       chan fetched
	wg            sync.WaitGroup

	then func() // to do after what the next page waits for; nil: it waits for nothing
	done chan error
}

type fetched struct {
	e        *entry
	r        *result
	came     bool // and bodies has one for it
	panicked error
}

func (c *crawler) newFetchers() *fetchers {
	f := &fetchers{jobs: make(chan *entry), bodies: make(chan struct{}, window), answers: make(chan fetched, window), done: make(chan error, 1)}
	f.mostAsking = c.Workers + runtime.GOMAXPROCS(0)
	if c.pace.Delay() > 0 {
		f.mostAsking = 1
	}
	if f.most = f.mostAsking; c.pace.Delay() == 0 && c.Render == nil {
		f.most += c.Workers // have a page and wait for a core: a long one stops no worker
	}
	return f
}

// mayAsk reports that one more page may be asked for. Those that are being read do not
// count as long as they are few.
func (f *fetchers) mayAsk() bool { return f.inFlight < f.most && f.inFlight-f.come < f.mostAsking }

// add starts one more fetcher if all are busy.
func (f *fetchers) add(ctx context.Context, c *crawler) {
	if f.inFlight < f.started {
		return
	}
	f.started++
	f.wg.Go(func() {
		for e := range f.jobs {
			a := fetched{e: e}
			came := func() { a.came = true; f.bodies <- struct{}{} }
			a.panicked = recovered(func() {
				a.r = c.fetchPage(ctx, e.url, func(u *url.URL) error { return c.allowed(e.url, u) }, sync.OnceFunc(came))
			})
			f.answers <- a
		}
	})
}

// before has something done without which the next page cannot be decided, and calls then
// when it is. Meanwhile the fetchers go on.
func (f *fetchers) before(do, then func()) {
	f.then = then
	f.wg.Go(func() { f.done <- recovered(do) })
}

// goOn goes on with what waited for the outcome of before.
func (f *fetchers) goOn(panicked error) {
	then := f.then
	if f.then = nil; panicked != nil {
		panic(panicked)
	}
	then()
}

// hasAnswer reports an entry that can be decided.
func (e *entry) hasAnswer() bool { return e.res != nil && e.state == queued }

// linksWithoutCore is how many links a page may have that is decided without a core, for each
// costs some microseconds. A page that is long to read stops no decision on others, and what
// these lead to is asked for meanwhile.
const linksWithoutCore = 300

// decideFirst decides the first page of the queue, which has its answer, unless its twins
// are to be asked for before. It reports false when the crawl is over.
func (c *crawler) decideFirst(ctx context.Context, f *fetchers, e *entry) bool {
	if late := c.late(e, e.res); len(late) > 0 && ctx.Err() == nil {
		c.leaveCore()
		f.before(func() { c.askTwins(ctx, late) }, c.holdAgain)
		return true
	}
	if len(e.res.links) > linksWithoutCore && c.core == nil {
		return c.takeCore(ctx, f)
	}
	c.commit++
	c.texting -= e.res.waiting()
	if ctx.Err() != nil && e.res.refused != nil {
		c.timedOut(ctx)
		return false
	}
	lost := isLost(e.res.refused)
	c.settleNext(ctx, e)
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
	ready := c.next < len(c.queue) && c.next-c.commit < min(window, c.missing()) && f.mayAsk() && (c.texting < maxWaiting || c.next == c.commit)
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
	case <-f.bodies:
		f.come++
	case a := <-f.answers:
		f.inFlight--
		if a.came {
			f.come--
		}
		if a.panicked != nil {
			panic(a.panicked)
		}
		a.e.res = a.r
		c.askProbeAhead(ctx, a.r)
		c.hold(a.r)
		c.texting += a.r.waiting()
	case err := <-f.done:
		f.goOn(err)
	case <-ctx.Done():
		c.timedOut(ctx)
		return false
	}
	return true
}

// holdAgain counts what waits for its turn, which has grown.
func (c *crawler) holdAgain() {
	c.texting = 0
	for _, e := range c.queue[c.commit:c.next] {
		if e.res != nil {
			c.hold(e.res)
			c.texting += e.res.waiting()
		}
	}
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
			r := fb.res
			c.adopt(r)
			if c.same(r) == "" {
				fb.res = nil
				c.commitPage(ctx, fb, r)
			}
		}
	}
}

// leaveDeferred says what was put off and found no room at the end.
func (c *crawler) leaveDeferred() {
	for range 10 * c.MaxPages {
		e, _, ok := c.waiting.NextDeferred()
		if !ok {
			return
		}
		if !e.numbered && !e.listed {
			if e.inDead {
				c.skip(e.key, inDeadFolder)
				continue
			}
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

// takeCore takes a core to decide the next page on. Meanwhile the fetchers go on. It
// reports false when the crawl is over.
func (c *crawler) takeCore(ctx context.Context, f *fetchers) bool {
	if release, ok := share.Cores.Try(c.owner); ok {
		c.core = release
		return true
	}
	if ctx.Err() != nil {
		c.timedOut(ctx)
		return false
	}
	f.before(func() { c.core, _ = share.Cores.Take(ctx, c.owner) }, func() {}) // it fails when ctx ends
	return true
}

// leaveCore gives back the core that deciding a page holds, if it holds one.
func (c *crawler) leaveCore() {
	if c.core != nil {
		c.core()
		c.core = nil
	}
}

// settleNext decides a page and gives numbers to what it leads to, on the core that was
// taken for it.
func (c *crawler) settleNext(ctx context.Context, e *entry) {
	if c.core != nil {
		defer c.leaveCore()
		c.threads.Do(func() { c.settleOn(ctx, e) })
		return
	}
	c.settleOn(ctx, e)
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
