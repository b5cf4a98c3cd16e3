package farwire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/pace"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt"
)

// A recrawl is the work on one lease.
type recrawl struct {
	r       *recrawler
	session *session
	lease   Lease
	held    *heldLease
	began   time.Time // by the store's clock
	asked   time.Time // the same moment by our own
	job     *crawlJob
	tried   bool // to save: the file may be hosted, whatever was answered
	outcome RecrawlOutcome
	result  SessionResult
}

// work crawls a leased site, whatever happens.
func (r *recrawler) work(ctx context.Context, lease Lease, claimed time.Time) {
	s, err := r.g.enter(ctx, KindRecrawl)
	if err != nil { // draining
		if err := r.release(ctx, lease); err != nil {
			r.g.o.Logger.WarnContext(ctx, "site not given back", "site", logged(lease.Site.BaseURL), "err", err)
		}
		return
	}
	defer context.AfterFunc(ctx, func() { s.stop(context.Cause(ctx)) })()
	revocations := r.g.revocations.Load()
	p, keyErr := r.g.keyOf(s.ctx, lease.Site)
	s.countIn(p, -1)
	s.begin(p)
	if keyErr == nil && r.g.revocations.Load() != revocations && r.g.revoked(s.ctx, p) {
		s.carrier.Shutdown(errKeyRevoked) // it was revoked just now
	}
	c := &recrawl{r: r, session: s, lease: lease, asked: claimed, began: claimed, result: SessionResult{EndedBy: EndedByGateway}}
	if !lease.Expiry.IsZero() {
		c.began = lease.Expiry.Add(-r.Lease)
	}
	r.g.crawlBegins(lease.Site.ID, claimed, c.began)
	work, lose := context.WithCancelCause(s.ctx)
	defer lose(nil)
	c.held = r.keepLease(work, lease, claimed, lose)
	defer c.held.release()
	defer func() { c.report(); s.end(c.result) }()
	defer func() {
		if v := recover(); v != nil {
			r.g.o.Logger.ErrorContext(s.ctx, "panic in a recrawl", "session", s.ID, "site", logged(lease.Site.BaseURL), "panic", v, "stack", string(debug.Stack()))
			// A site that does this must wait as one that fails does.
			c.fail(work, fmt.Errorf("panic: %v", v))
		}
	}()
	if keyErr != nil {
		c.fail(work, keyErr)
		return
	}
	c.run(work)
}

// release gives a lease back, so that another gateway takes the site at once.
func (r *recrawler) release(ctx context.Context, lease Lease) error {
	asked, cancel := r.ask(ctx)
	defer cancel()
	return hostcall.Do(func() error { return r.g.o.Sites.Release(asked, lease) })
}

// run crawls the site and decides its outcome.
func (c *recrawl) run(ctx context.Context) {
	var before []llmstxt.Page
	err := c.r.persist(ctx, "Pages", func(ctx context.Context) (err error) {
		before, err = c.r.g.o.Sites.Pages(ctx, c.lease.Site.ID)
		return err
	})
	if err != nil {
		c.fail(ctx, fmt.Errorf("reading the pages: %w", err))
		return
	}
	c.job = c.newJob(before)
	release, err := c.takeDay(ctx, len(before))
	if err != nil {
		c.fail(ctx, err)
		return
	}
	defer func() { release(int(c.job.pages.Load())) }()
	site, err := c.job.crawl(ctx)
	c.result.Agent = c.job.agent
	if err == nil {
		err = c.worthKeeping(site, before)
	}
	if site != nil {
		defer func() { c.result.Err = errors.Join(c.result.Err, site.Close()) }()
	}
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.keep(ctx, site, before)
}

// keep hosts the file, unless the hosted one is the same, and commits the site's new state.
func (c *recrawl) keep(ctx context.Context, site *llmstxt.CrawledSite, before []llmstxt.Page) {
	c.result.FramesToClient = int64(len(site.Pages))
	next, hash := c.lease.Site, hashOf(site, c.job.req.layout)
	changed := hash != next.Hash
	if changed || next.HostedURL == "" || !c.follows() {
		url, err := c.save(ctx, site)
		if err != nil {
			c.fail(ctx, err)
			return
		}
		next.HostedURL, next.Version = url, c.lease.Token
	}
	c.outcome = RecrawlUnchanged
	next.ChangeInterval = changeInterval(next, c.began, changed)
	if changed {
		c.outcome = RecrawlChanged
		next.LastChange = c.began
	}
	next.Hash, next.LastCrawl, next.SitemapLastmod = hash, c.began, site.Newest
	next.Failures, next.LastError = 0, ""
	next.NextCrawl = c.nextTime(next)
	outcome := RecrawlResult{Site: next}
	if changed || worthStoring(before, site.Pages) {
		outcome.Pages = site.Pages
	}
	c.commit(ctx, outcome)
}

// takeDay takes, of what the key may use in a day, the pages that the crawl may need.
// Too few for a site that had more pages are an error. Release gives back those that it
// did not use.
func (c *recrawl) takeDay(ctx context.Context, had int) (release func(used int), err error) {
	if err := c.r.g.checkBytes(ctx, *c.session.principal); err != nil {
		return nil, err
	}
	if c.lease.Site.KeyID == "" {
		return func(int) {}, nil
	}
	granted, release, err := c.r.g.takePages(ctx, *c.session.principal, c.job.maxPages)
	if err != nil {
		return nil, err
	}
	if granted < min(had, c.job.maxPages) {
		release(0)
		return nil, &keptError{fmt.Sprintf("of the key's pages a day %d can still be crawled", granted)}
	}
	c.job.maxPages = granted
	return release, nil
}

// newJob repeats the crawl that enrolled the site.
func (c *recrawl) newJob(before []llmstxt.Page) *crawlJob {
	g, site := c.r.g, c.lease.Site
	_, c.result.Target = targetOf(site.BaseURL)
	c.session.reached("", c.result.Target)
	req := site.repeated(g.o.Crawl.MaxPages)
	return &crawlJob{g: g, session: c.session, req: req, maxPages: req.maxPages, previous: before, hosted: true,
		log: func(text string) {
			g.o.Logger.DebugContext(c.session.ctx, logged(text), "session", c.session.ID)
		}}
}

// follows reports that no lease lies between this one and those that can do no
// harm any more.
func (c *recrawl) follows() bool { return c.lease.Token == c.lease.Site.Version+1 }

// worthKeeping says why a site that was crawled is not to replace the one
// before: too much of it is missing.
func (c *recrawl) worthKeeping(site *llmstxt.CrawledSite, before []llmstxt.Page) error {
	had, has := min(len(before), c.job.maxPages), len(site.Pages)
	switch {
	case site.Stats.TimedOut && has < had:
		return &keptError{fmt.Sprintf("the time was over at %d of %d pages", has, had)}
	case 2*(has+site.Stats.Delisted+site.Stats.Gone) < had:
		return &keptError{fmt.Sprintf("more than half of the pages are missing: %d of %d left", has, had)}
	}
	return nil
}

// noExitWait is how long a site waits for an exit that fits.
const noExitWait = time.Minute

var errNotSaved = errors.New("the file could not be saved")

// keptError says why the hosted file stays.
type keptError struct{ text string }

func (e *keptError) Error() string { return e.text }

// saveTimeout is how long an unavailable storage is tried for.
const saveTimeout = time.Minute

// save writes the file and hosts it. When the storage stays unavailable the crawl counts
// as failed, and is repeated later.
func (c *recrawl) save(ctx context.Context, site *llmstxt.CrawledSite) (url string, err error) {
	text := c.job.write(ctx, site)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	c.tried = true
	began, waits := time.Now(), pace.Backoff()
	for {
		asked, cancel := context.WithTimeout(ctx, saveTimeout)
		url, _, err = c.job.save(asked, site, text, c.lease.Token, c.lease.Site.HostedURL)
		cancel()
		if errors.Is(err, ErrStale) {
			c.r.storage.note(ctx, "Save", nil)
			return "", err
		}
		c.r.storage.note(ctx, "Save", err)
		switch {
		case err == nil:
			c.result.BytesToClient = int64(len(text))
			return url, nil
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case time.Since(began) > saveTimeout:
			return "", fmt.Errorf("%w: %w", errNotSaved, err)
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// fail ends a recrawl that has no file. One that ends with the gateway, or with its key,
// leaves the site to others; one whose lease is lost leaves it to the worker that has it.
func (c *recrawl) fail(ctx context.Context, err error) {
	cause := context.Cause(ctx)
	if ctx.Err() != nil {
		err = cause
	}
	c.result.Err = err
	switch {
	case errors.Is(cause, ErrLeaseLost):
		c.outcome = RecrawlLost
	case ctx.Err() != nil && !endedAlone(cause):
		c.giveBack(ctx)
	case errors.Is(err, agent.ErrNoAgent): // no fault of the site's, and other gateways may have one
		c.outcome = RecrawlReleased
		next := c.lease.Site
		next.NextCrawl = c.now().Add(noExitWait)
		c.commit(ctx, RecrawlResult{Site: next})
	default:
		c.commitFailure(ctx, err)
	}
}

// endedAlone reports whether a session was ended by a limit or by request. Another
// gateway would crawl the site at once, and as often as it is ended.
func endedAlone(cause error) bool {
	f := fault.Of(cause)
	return f != nil && (f.Class == fault.LimitReached || f.Class == fault.Ended) && !errors.Is(cause, errKeyRevoked)
}

// giveBack leaves the site to another gateway.
func (c *recrawl) giveBack(ctx context.Context) {
	c.outcome = RecrawlReleased
	c.held.settle()
	if err := c.r.release(ctx, c.lease); err != nil {
		c.outcome, c.result.Err = RecrawlLost, errors.Join(c.result.Err, err)
	}
}

// commitFailure has the site wait, longer after each failure.
func (c *recrawl) commitFailure(ctx context.Context, err error) {
	c.outcome, c.result.EndedBy = RecrawlFailed, crawlEndedBy(err)
	next := c.lease.Site
	next.Failures++
	next.LastFailure, next.LastError = c.began, failureText(err)
	next.NextCrawl = c.now().Add(pace.Retry(next.Failures, next.Interval))
	next.Resting = errors.Is(err, errKeyGone)
	c.commit(ctx, RecrawlResult{Site: next})
	if c.outcome == RecrawlFailed && errors.Is(err, ErrStale) {
		// The lease was ours all the same: the store is older than the storage.
		c.r.g.o.Logger.WarnContext(ctx, "the storage has a newer file than the site store knows of", "site", logged(next.BaseURL), "token", c.lease.Token, "err", err)
	}
}

// failureText is what a subject may read about its site.
func failureText(err error) string {
	var kept *keptError
	switch {
	case errors.As(err, &kept):
		return safetext.Capital(kept.text)
	case errors.Is(err, errNotSaved):
		return safetext.Capital(errNotSaved.Error())
	case errors.Is(err, ErrStale):
		return "A newer file is hosted than this gateway knows of"
	}
	return public(err).Text
}

// commit ends the lease. Not even a drain ends it: the work is done.
func (c *recrawl) commit(ctx context.Context, o RecrawlResult) {
	if !c.tried && c.follows() {
		o.Site.Version = c.lease.Token
	}
	c.held.settle()
	err := context.Cause(ctx)
	if !errors.Is(err, ErrLeaseLost) {
		left, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		defer context.AfterFunc(ctx, func() {
			if errors.Is(context.Cause(ctx), ErrLeaseLost) {
				cancel(context.Cause(ctx))
			}
		})()
		err = c.r.persist(left, "Commit", func(ctx context.Context) error { return c.r.g.o.Sites.Commit(ctx, c.lease, o) })
	}
	if err != nil {
		c.outcome, c.result.Err = RecrawlLost, errors.Join(c.result.Err, fmt.Errorf("committing a recrawl: %w", err))
	}
}

// now is by the store's clock.
func (c *recrawl) now() time.Time { return c.began.Add(time.Since(c.asked)) }

// changeInterval returns the average time between changes of a site that was
// crawled now.
func changeInterval(s Site, now time.Time, changed bool) time.Duration {
	if s.Hash == "" || s.LastCrawl.IsZero() {
		return s.ChangeInterval
	}
	average := s.ChangeInterval
	if average <= 0 {
		average = s.Interval
	}
	return pace.Average(average, now.Sub(s.LastCrawl), changed)
}

// worthStoring reports whether the pages' records differ from those stored by
// more than the time at which they were asked for, or by much of that.
func worthStoring(before, after []llmstxt.Page) bool {
	if len(before) != len(after) {
		return true
	}
	for i := range before {
		a, b := &before[i], &after[i]
		if a.URL != b.URL || a.Title != b.Title || a.Excerpt != b.Excerpt || a.Note != b.Note || a.Section != b.Section ||
			a.Secondary != b.Secondary || a.Depth != b.Depth || a.Rendered != b.Rendered || a.ETag != b.ETag ||
			a.LastModified != b.LastModified || a.Hash != b.Hash || a.Evidence.Version != b.Evidence.Version ||
			a.Listed != b.Listed || a.Misdated != b.Misdated || b.Asked.Sub(a.Asked) > day {
			return true
		}
	}
	return false
}

// logged is a text for the log: what stands in the query of a site that is crawled for
// years may be a secret.
func logged(text string) string { return safetext.WithoutSecrets(text) }

// A loggedError is an error whose text may stand in the log.
type loggedError struct{ error }

func (e *loggedError) Error() string { return logged(e.error.Error()) }
func (e *loggedError) Unwrap() error { return e.error }

// report makes the session's log line.
func (c *recrawl) report() {
	switch c.outcome {
	case RecrawlChanged, RecrawlUnchanged:
		c.result.Code = 1000
	case RecrawlReleased:
		c.result.Code = 1001
	default:
		c.result.Code = 1011
	}
	requests := int64(0)
	if c.job != nil {
		requests = c.job.requests
	}
	if err := c.result.Err; err != nil {
		c.result.Err = &loggedError{err}
	}
	late := c.began.Sub(c.lease.Due)
	c.result.Outcome, c.result.Late = c.outcome, late
	c.session.attrs = []slog.Attr{
		slog.String("site", logged(c.lease.Site.BaseURL)), slog.Uint64("token", c.lease.Token),
		slog.Time("due", c.lease.Due), slog.Duration("late", late), slog.String("outcome", string(c.outcome)),
		slog.Int64("pages", c.result.FramesToClient), slog.Int64("requests", requests),
	}
}
