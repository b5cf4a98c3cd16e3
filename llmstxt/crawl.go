package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
	"golang.org/x/time/rate"
)

// Crawl visits a site from its base URL and describes its pages.
//
// It returns ErrURL (wrapped) when base is none, ErrRobots when robots.txt
// forbids it, a *FetchError when the base page cannot be had, and ErrTimeout
// when the time was over before the first page. Later trouble is a page's own
// and stands in Site.Skipped. When ctx is cancelled after the first page, Crawl
// returns the site so far together with the context's cause; when ctx's
// deadline or Options.Timeout passes, the site so far without an error, and
// Stats.TimedOut.
//
// When Crawl returns, no goroutine and no request of it is left. A panic, as of
// Options.Render or the Client's transport, is one of Crawl itself.
func Crawl(ctx context.Context, base string, o Options) (*Site, error) {
	u, err := baseURL(base)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c := newCrawler(o)
	c.began = began.UTC().Truncate(time.Second) // survives JSON
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	newest, err := c.begin(ctx, u)
	if err != nil {
		if caller.Err() != nil && !errors.Is(caller.Err(), context.DeadlineExceeded) {
			return nil, context.Cause(caller)
		}
		if ctx.Err() != nil {
			return nil, ErrTimeout
		}
		return nil, err
	}
	c.run(ctx)
	site := c.finish()
	site.Newest = newest
	site.Stats.Duration = time.Since(began)
	if err := caller.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return site, context.Cause(caller)
	}
	return site, nil
}

// ResolveURL is how a crawl spells an address: ref as a page at base writes it,
// made absolute and normalised, without fragment, credentials and tracking
// parameters. base may be "" when ref is absolute. It reports false for what
// does not lead to a web page.
func ResolveURL(base, ref string) (string, bool) {
	var b *url.URL
	if base != "" {
		if b = weburl.Parse(base); b == nil {
			return "", false
		}
	}
	u := weburl.Resolve(b, ref)
	if u == nil {
		return "", false
	}
	return u.String(), true
}

func baseURL(base string) (*url.URL, error) {
	u := weburl.Parse(base)
	// A page's links are read as a browser does, a caller's word as it stands.
	if given, err := url.Parse(strings.TrimSpace(base)); u == nil || err != nil || given.Host == "" {
		return nil, fmt.Errorf("%w: %q", ErrURL, plain.Clip(base, 200))
	}
	return u, nil
}

func newCrawler(o Options) *crawler {
	o = o.withDefaults()
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &crawler{Options: o, client: &client, need: 3*o.DescLength + 1000, previous: map[string]*Page{},
		slots: make(chan struct{}, o.Workers), frontier: newFrontier(o.MaxPages),
		hashes: map[string]string{}, gone: map[string]bool{}, alias: map[string]string{}, strings: map[string]string{}}
	c.stats.Skipped = map[Reason]int{}
	for i := range o.Previous {
		if p := &o.Previous[i]; p.Evidence.Version == htmlpage.EvidenceVersion && p.Evidence.Need == c.need && !p.Rendered {
			c.previous[p.URL] = p
		}
	}
	return c
}

// crawler is one crawl. What is below the line belongs to Crawl's goroutine.
type crawler struct {
	Options
	client   *http.Client
	began    time.Time
	need     int                  // bytes of prose to look for in a page
	previous map[string]*Page     // by URL; not written once the crawl runs
	robots   *robots.Rules        // of the scope's host; likewise
	scope    weburl.Scope         // likewise
	settled  map[string]time.Time // what the sitemaps list; likewise
	complete bool                 // and that is all they list
	spared   map[string]*Page     // by URL, not to be asked for; likewise
	pace     *rate.Limiter        // of requests, nil: none
	slots    chan struct{}        // one for each request under way

	frontier   *frontier
	baseLinked bool // the base page's links may enter the frontier
	pages      []Page
	hashes     map[string]string // of committed bodies, to the page's URL
	gone       map[string]bool   // addresses that answered 410
	alias      map[string]string // addresses that led to another page
	strings    map[string]string
	stats      Stats
	skipped    []Skip
}

// begin reads robots.txt, the base page and the sitemaps, and fixes the scope.
func (c *crawler) begin(ctx context.Context, u *url.URL) (newest time.Time, err error) {
	asked := u
	hosts := map[string]*robots.Rules{}
	allow := func(u *url.URL) error {
		host := u.Scheme + "://" + u.Host
		if hosts[host] == nil {
			r, err := c.readRobots(ctx, u)
			if err != nil {
				return err
			}
			hosts[host] = r
		}
		if !hosts[host].Allowed(u) {
			return ErrRobots
		}
		return nil
	}
	if err := allow(u); err != nil {
		return newest, baseError(u, 0, err)
	}
	// The sitemaps are asked for meanwhile: a base page that moves to another
	// host is rare.
	c.setPace(hosts[u.Scheme+"://"+u.Host])
	early := c.startSitemaps(ctx, hosts[u.Scheme+"://"+u.Host], weburl.ScopeOf(u))
	r := c.fetchPage(ctx, u, allow)
	if r.refused != nil {
		early.stop()
		return newest, baseError(r.final, r.status, r.refused)
	}
	// A base page that moved within its scope leaves the scope as it was asked
	// for; one that left it takes the scope along.
	c.scope = weburl.ScopeOf(asked)
	if !c.scope.Has(r.final) || r.final.Scheme != asked.Scheme {
		c.scope = weburl.ScopeOf(r.final)
		c.note(r.final.String(), "The base URL leads to "+r.final.String())
	}
	c.robots = hosts[r.final.Scheme+"://"+r.final.Host]
	if c.scope != weburl.ScopeOf(asked) {
		early.stop()
		c.setPace(c.robots)
		early = c.startSitemaps(ctx, c.robots, c.scope)
	}
	if c.pace != nil {
		c.note("", fmt.Sprintf("robots.txt asks for %v between requests", time.Duration(float64(time.Second)/float64(c.pace.Limit())).Round(time.Millisecond)))
	}
	c.settle(r)
	e := c.frontier.push(r.final, r.final.String(), 0)
	if key := asked.String(); c.frontier.index[key] == nil {
		c.frontier.index[key] = e // links to the address that was asked for are links to it
	}
	e.res = r
	c.frontier.next, c.frontier.commit = 1, 1
	links := r.links
	c.decide(e)
	maps := early.wait()
	for _, n := range maps.notes {
		c.note("", n)
	}
	c.believe(maps)
	for _, u := range maps.urls {
		c.offer(u, u.String(), 1)
	}
	c.baseLinked = true
	c.follow(links, 0)
	return maps.newest, nil
}

func (c *crawler) setPace(r *robots.Rules) {
	c.pace = nil
	if r.Delay > 0 && !c.IgnoreRobots {
		c.pace = rate.NewLimiter(rate.Every(min(r.Delay, c.MaxCrawlDelay)), 1)
		c.pace.Allow() // robots.txt itself was the first request
	}
}

// readRobots fetches a host's robots.txt. An error is that of the connection.
func (c *crawler) readRobots(ctx context.Context, u *url.URL) (*robots.Rules, error) {
	if c.IgnoreRobots {
		return &robots.Rules{}, nil
	}
	var last error
	for n := 0; n <= c.Retries && ctx.Err() == nil; n++ {
		body, err := c.getPlain(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}, robots.MaxBytes+1)
		var status *statusError
		switch {
		case err == nil:
			return robots.Parse(body, c.UserAgent), nil
		case errors.As(err, &status) && status.code >= 400 && status.code < 500 && status.code != http.StatusTooManyRequests:
			return &robots.Rules{}, nil
		}
		last = err
	}
	var status *statusError
	if errors.As(last, &status) {
		return &robots.Rules{Refuse: true}, nil
	}
	if last == nil {
		last = ctx.Err() // before the first try
	}
	return nil, last
}

// baseError is what the caller learns of a base page that is not to be had.
func baseError(u *url.URL, status int, err error) error {
	var skip *skipError
	switch {
	case errors.Is(err, ErrRobots):
		return fmt.Errorf("%w: %s", ErrRobots, u)
	case errors.As(err, &skip) && skip.Reason == SkipTimeout:
		return &FetchError{URL: u.String(), Err: context.DeadlineExceeded}
	case errors.As(err, &skip):
		return &FetchError{URL: u.String(), Status: status, Err: skip}
	}
	return &FetchError{URL: u.String(), Err: err}
}

// run crawls the frontier until it is empty, the result is full or ctx ends.
func (c *crawler) run(ctx context.Context) {
	f := c.frontier
	// Beside those that wait for an answer a few are reading one.
	workers := c.Workers + runtime.GOMAXPROCS(0)
	if c.pace != nil {
		workers = 1
	}
	// Ahead of the next page to decide there may be this many; a slow page holds
	// up the result and not the others.
	ahead := max(64, 16*workers)
	ctx, cancel := context.WithCancel(ctx)
	jobs := make(chan *entry)
	type answer struct {
		e        *entry
		r        *result
		panicked error
	}
	answers := make(chan answer, ahead)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer close(jobs)
	work := func() {
		defer wg.Done()
		for e := range jobs {
			a := answer{e: e}
			a.panicked = recovered(func() {
				a.r = c.fetchPage(ctx, e.url, c.allowed)
				c.settle(a.r)
			})
			answers <- a
		}
	}
	started := 0
	flying := 0
	for len(c.pages) < c.MaxPages && f.commit < len(f.queue) {
		if e := f.queue[f.commit]; e.res != nil && e.state == queued {
			f.commit++
			if ctx.Err() != nil && e.res.refused != nil {
				c.timeOver(ctx)
				return
			}
			c.decide(e)
			continue
		}
		// No page is fetched that the result has no room for, as far as one can
		// know: some of those before it may yet be left out.
		var to chan *entry
		var next *entry
		if f.next < len(f.queue) && f.next-f.commit < min(ahead, c.MaxPages-len(c.pages)) {
			to, next = jobs, f.queue[f.next]
			if flying == started && started < workers {
				started++
				wg.Add(1)
				go work()
			}
		}
		select {
		case to <- next:
			f.next++
			flying++
		case a := <-answers:
			flying--
			if a.panicked != nil {
				panic(a.panicked)
			}
			a.e.res = a.r
		case <-ctx.Done():
			c.timeOver(ctx)
			return
		}
	}
	// Who stood back for a page that never got its turn has one now.
	for _, e := range f.queue {
		if fb := e.fallback; fb != nil && e.state == queued && len(c.pages) < c.MaxPages {
			e.fallback = nil
			if r := fb.res; c.hashes[r.hash] == "" {
				fb.res = nil
				c.commitPage(fb, r)
			}
		}
	}
	if f.full || f.commit < len(f.queue) {
		c.stats.Limited = true
		c.note("", "Maximum pages limit reached")
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

func (c *crawler) timeOver(ctx context.Context) {
	if c.stats.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded); c.stats.TimedOut {
		c.note("", fmt.Sprintf("Time is over with pages left; the result has the %d found so far", len(c.pages)))
	}
}

// allowed is asked by workers before every request.
func (c *crawler) allowed(u *url.URL) error {
	switch {
	case !c.scope.Has(u):
		return &skipError{SkipScope, "leads to " + u.String()}
	case weburl.IsFile(u):
		return &skipError{SkipType, "leads to " + u.String()}
	case !c.robots.Allowed(u):
		return &skipError{SkipRobots, "robots.txt forbids it"}
	}
	return nil
}

// finish decides what depends on the whole site.
func (c *crawler) finish() *Site {
	c.stats.Pages = len(c.pages)
	c.remark()
	s := &Site{Pages: c.pages, Stats: c.stats, Skipped: c.skipped, BaseURL: c.pages[0].URL, descLength: c.DescLength}
	pages := make([]describe.Page, len(s.Pages))
	for i := range s.Pages {
		pages[i] = describe.Page{URL: s.Pages[i].URL, Depth: s.Pages[i].Depth, Evidence: &s.Pages[i].Evidence}
	}
	s.Title = describe.Site{Limit: c.DescLength, Alias: c.alias, Prefix: c.scope.Prefix}.Choose(pages)
	for i, d := range pages {
		p := &s.Pages[i]
		p.Title, p.Excerpt, p.Note, p.Section, p.Secondary = d.Title, d.Excerpt, d.Note, d.Section, d.Secondary
	}
	s.Summary = s.Pages[0].Note
	return s
}

func (c *crawler) tell(e Event) {
	if c.Progress != nil {
		c.Progress(e)
	}
}

func (c *crawler) note(url, message string) { c.tell(Event{Kind: Note, URL: url, Message: message}) }

func (c *crawler) skip(key string, why *skipError) {
	c.stats.Skipped[why.Reason]++
	if len(c.skipped) < 10*c.MaxPages {
		c.skipped = append(c.skipped, Skip{key, why.Reason, why.Detail})
	}
	c.tell(Event{Kind: Skipped, URL: key, Reason: why.Reason, Message: fmt.Sprintf("Skipped %s: %s", key, why.Detail)})
}

// asSkip makes a page's reason of any error.
func asSkip(err error) *skipError {
	var skip *skipError
	if errors.As(err, &skip) {
		return skip
	}
	return &skipError{SkipError, detail(err)}
}
