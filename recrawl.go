package farwire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/pace"
)

// Enrolled sites are crawled again when they are due, by any number of
// gateways that share a SiteStore and a Storage. Each of them claims a site,
// crawls it, saves the file if it is another, and commits:
//
//	Claim ── Pages ── crawl ── Save ── Commit
//	  └────── Renew ───── Renew ──┘
//
// A claim is a lease, so that a gateway that dies does not keep its sites. A
// lease carries a token that grows with every lease of the site, so that a
// gateway that was only stopped, for hours perhaps and at any point of this
// line, can do no harm when it goes on. The store refuses the Commit of an old
// token. The Storage refuses a Save whose version, which is the token, is older
// than that of the file it has. That leaves one gap. Take a worker that stops
// right before its Save:
//
//	token 5: crawls, finds X, stops …………………………………………… Save(X, 5)
//	token 6:                  crawls, finds what is hosted already
//
// If the second worker saved nothing, because nothing changed, the storage
// would still be at version 4 and would take X, and nobody would notice that
// the file that the store knows of is not the hosted one. So an unchanged file
// may stay unsaved only if no stopped worker can hold another file. Site.Version
// says so. It is the newest token for which this holds:
//
//	of all leases up to Version, each has ended in a Commit,
//	or its Save would be refused by the storage.
//
// A worker may commit its own token as the Version in two cases. In the first
// it has saved: from now on the storage refuses all older versions. In the
// second its token is Version+1 and it has not tried to save: no lease lies in
// between, the older ones are harmless as before, and its own lease, which ends
// with this Commit, has nothing left to save. In every other case the Version
// stays as it is. The next worker sees that its own token is ahead by more than
// one and saves the file even if it has not changed, which brings the storage's
// version forward. Storages do that without writing the bytes again.
//
// Every failure falls under this rule. A worker that dies, loses its lease or
// gives it back has not committed: the next token is two ahead, and the file is
// saved. A Save that failed may still arrive: it was tried, so the Version stays
// and the next worker saves. A Save that worked, followed by a Commit that did
// not, leaves a newer file than the store knows of: the Version stays and the
// next worker saves, also when the site is again as the store remembers it. A
// Commit that worked and whose answer was lost is refused when it is tried
// again, as it should be.
//
// Times that are committed are by the store's clock, which the lease tells:
// the clocks of gateways may differ. What a lease has left is by the
// gateway's own clock, counted from before it was asked for.

// Recrawl crawls the due sites of [Options.Sites] until ctx ends or the gateway
// drains, and returns nil then. It returns an error that names the field when
// Sites or Storage is nil.
//
// Any number of gateways may run it; each due time is worked once, by one of
// them ([SiteStore]). A crawl under way when ctx ends is given up and its site
// left to another gateway at once. A gateway that dies keeps its sites for as
// long as their leases last ([RecrawlOptions.Lease]) and as long again, because
// a site may be the cause. After three such deaths in a row the site rests
// until somebody asks for it. Sites of different callers take turns.
//
// A recrawl repeats the crawl that enrolled the site, and asks the site as
// little as it can (llmstxt.Options.Previous). The new file replaces the hosted
// one if it differs, compared before a language model rewords it; for an
// unchanged site the model is not asked. The hosted file stays when the crawl
// fails or is cut short, when the site is gone or forbids it, and when more
// than half of the pages are missing without having left the sitemap or
// answering 410. Such a crawl is tried again after a minute, and then after
// twice as long each time, up to the site's interval (at least an hour, at most
// a day). Due times that passed while no gateway ran are made up for by one
// crawl.
//
// Recrawls are sessions of kind "recrawl" under the rules and limits that the
// key which enrolled the site has now: its pages a day count, its crawls at a
// time do not, because Limits.Sites let the site in. A site whose key is gone
// rests. A key that cannot be looked up has the gateway's limits.
//
// While the selector lists its agents ([AgentLister]) and has none, nothing is
// claimed: a gateway that has just started, or is cut off from the others,
// leaves due sites to those that can crawl them. It also leaves a site that
// none of its agents fits, if the SiteStore is a [FittingClaimer]; else it
// claims the site, which then waits for a minute. That is no failure.
//
// When the store or the storage is unavailable the log has one line, and one
// more when it is available again; until then it is tried again, and nothing is
// lost.
func (g *Gateway) Recrawl(ctx context.Context) error {
	switch {
	case g.o.Sites == nil:
		return errors.New("farwire: Options.Sites: nil; Recrawl has no sites to work")
	case g.o.Storage == nil:
		return errors.New("farwire: Options.Storage: nil; Recrawl has no place for files")
	}
	// The loop itself counts as running, so that a drain waits for the claim
	// that it may be making.
	loop, err := g.enter(ctx, KindRecrawl)
	if err != nil {
		return nil // draining
	}
	defer loop.leave(SessionResult{})
	defer context.AfterFunc(ctx, func() { loop.stop(context.Cause(ctx)) })()
	r := &recrawler{g: g, RecrawlOptions: g.o.Recrawl,
		sites:   outage{logger: g.o.Logger, what: "site store"},
		storage: outage{logger: g.o.Logger, what: "storage"}}
	r.run(loop.ctx)
	return nil
}

// A recrawler is one call of Recrawl.
type recrawler struct {
	g *Gateway
	RecrawlOptions
	sites, storage outage
}

// noAgentsPause is how long a gateway that has no agent at all claims nothing, before it
// looks again: a site that it claims, and cannot crawl, waits for the other gateways too.
const noAgentsPause = time.Second

// run claims sites as long as there are workers for them.
func (r *recrawler) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, r.Workers)
	waits := pace.Backoff() // while the store is unavailable
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		claimed := time.Now()
		lease, err := r.claim(ctx)
		if errors.Is(err, agent.ErrNoAgent) {
			<-slots
			select {
			case <-time.After(min(r.Poll, noAgentsPause)):
				continue
			case <-ctx.Done():
				return
			}
		}
		if err == nil {
			waits.Reset()
			wg.Go(func() {
				defer func() { <-slots }()
				r.work(ctx, lease, claimed)
			})
			continue
		}
		<-slots
		pause, wake := r.Poll*4/5+rand.N(r.Poll*2/5+1), r.g.due
		if errors.Is(err, ErrNoSite) {
			waits.Reset()
		} else if ctx.Err() == nil {
			pause, wake = min(pause, waits.NextBackOff()), nil
		}
		select {
		case <-time.After(pause):
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// claim asks for a due site, or returns agent.ErrNoAgent. It is not cut short by a
// drain: a site that is leased and whose lease is not known here waits until that is
// over.
func (r *recrawler) claim(ctx context.Context) (Lease, error) {
	if ctx.Err() != nil {
		return Lease{}, ctx.Err()
	}
	agents, listed, err := r.g.listAgents()
	listed = listed && err == nil
	if listed && len(agents) == 0 {
		return Lease{}, agent.ErrNoAgent
	}
	asked, cancel := r.ask(ctx)
	defer cancel()
	lease, err := hostcall.Get(func() (Lease, error) {
		if fitting, ok := r.g.o.Sites.(FittingClaimer); ok && listed {
			return fitting.ClaimFitting(asked, r.Lease, func(geo, slugs string) bool { return oneFits(agents, geo, slugs) })
		}
		return r.g.o.Sites.Claim(asked, r.Lease)
	})
	r.sites.note(ctx, "Claim", err)
	return lease, err
}

// oneFits reports whether an agent fits a site with this choice of exits.
func oneFits(agents []agent.Info, geo, slugs string) bool {
	q := SiteOptions{Geo: geo, Agent: slugs}.exits()
	return slices.ContainsFunc(agents, func(i agent.Info) bool { return i.State != agent.Draining && i.Fits(q) })
}

// storeTimeout is how long one call of a SiteStore may take.
const storeTimeout = closeTimeout

// ask returns a context for one call of the SiteStore: it ends with time, or
// when the gateway has drained for long enough, but not with ctx.
func (r *recrawler) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(storeTimeout, r.Lease))
	stop := context.AfterFunc(r.g.kill, cancel)
	return ctx, func() { stop(); cancel() }
}

// persist calls the SiteStore until it answers, the context ends, or a lease's
// time has passed. An answer is also that the lease is lost.
func (r *recrawler) persist(ctx context.Context, name string, call func(context.Context) error) error {
	began, waits := time.Now(), pace.Backoff()
	for {
		asked, cancel := r.ask(ctx)
		err := hostcall.Do(func() error { return call(asked) })
		cancel()
		r.sites.note(ctx, name, err)
		if err == nil || isAnswer(err) || ctx.Err() != nil || time.Since(began) > r.Lease {
			return err
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return err
		case <-r.g.kill.Done():
			return err
		}
	}
}

// isAnswer tells what a SiteStore says from what goes wrong with it.
func isAnswer(err error) bool {
	return errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrNoSite) || errors.Is(err, ErrTooManySites)
}

// An outage logs once that a service is unavailable, and once that it is
// available again. Some calls may work while others fail, as when a database
// takes no writes; the service is available again when the call works that
// failed last, or when no call has failed for a while.
type outage struct {
	logger *slog.Logger
	what   string

	mu    sync.Mutex
	since time.Time // zero: it is available
	last  time.Time // the newest failure
	call  string    // and what failed
}

// note takes the outcome of a call. Those that were cut short say nothing.
func (o *outage) note(ctx context.Context, call string, err error) {
	unavailable := err != nil && !isAnswer(err)
	if unavailable && ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case unavailable:
		if o.since.IsZero() {
			o.since = now
			o.logger.WarnContext(ctx, o.what+" unavailable; recrawls wait for it", "err", err)
		}
		o.last, o.call = now, call
	case !o.since.IsZero() && (call == o.call || now.Sub(o.last) > 2*pace.MaxBackoff):
		o.logger.InfoContext(ctx, o.what+" available again", "after", now.Sub(o.since).Round(time.Millisecond))
		o.since = time.Time{}
	}
}

// A heldLease keeps a lease while it is worked on: it renews it at every third of
// its length, and ends a context when it is lost. Without an answer of the
// store it is lost when the time is over that was granted last.
type heldLease struct {
	r     *recrawler
	lease Lease
	lose  context.CancelCauseFunc
	over  *time.Timer // fires when the time is over

	stop context.CancelFunc // ends the renewals
	done chan struct{}      // closed when they have ended
}

// keepLease begins with the time from which the lease was asked for.
func (r *recrawler) keepLease(ctx context.Context, lease Lease, asked time.Time, lose context.CancelCauseFunc) *heldLease {
	h := &heldLease{r: r, lease: lease, lose: lose, done: make(chan struct{})}
	h.over = time.AfterFunc(time.Until(asked.Add(r.Lease)), func() {
		lose(fmt.Errorf("%w: it could not be renewed in time", ErrLeaseLost))
	})
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(h.done)
		h.renew(ctx, asked)
	}()
	return h
}

func (h *heldLease) renew(ctx context.Context, renewed time.Time) {
	wait, waits := time.Until(renewed.Add(h.r.Lease/3)), pace.Backoff()
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		asking := time.Now()
		asked, cancel := h.r.ask(ctx)
		_, err := hostcall.Get(func() (Lease, error) { return h.r.g.o.Sites.Renew(asked, h.lease, h.r.Lease) })
		cancel()
		h.r.sites.note(ctx, "Renew", err)
		switch {
		case err == nil:
			// A timer that has fired already has done what it is there for.
			if h.over.Stop() {
				h.over.Reset(time.Until(asking.Add(h.r.Lease)))
			}
			wait = time.Until(asking.Add(h.r.Lease / 3))
			waits.Reset()
		case isAnswer(err):
			h.lose(fmt.Errorf("%w: %w", ErrLeaseLost, err))
			return
		default:
			wait = min(waits.NextBackOff(), h.r.Lease/6)
		}
	}
}

// settle ends the renewals, before the lease is ended. The time that it has
// left goes on.
func (h *heldLease) settle() {
	h.stop()
	<-h.done
}

// release lets go of the lease.
func (h *heldLease) release() {
	h.settle()
	h.over.Stop()
}

// nextTime keeps to the times that follow from the first, unless they have
// been missed.
func (c *recrawl) nextTime(s Site) time.Time {
	interval := max(s.Interval, time.Millisecond)
	if c.r.Adaptive {
		interval = min(max(s.ChangeInterval/2, c.r.MinInterval), c.r.MaxInterval)
		return c.began.Add(interval)
	}
	if at := c.lease.Due.Add(interval); at.After(c.began) {
		return at
	}
	return c.began.Add(interval)
}

// keyOf returns whose rules and limits hold for a site's recrawl: those that
// the key which enrolled it has now. A key that cannot be looked up, because
// the host named the caller or its Authenticator has no Lookup, has the
// gateway's.
func (g *Gateway) keyOf(ctx context.Context, s Site) (Principal, error) {
	asked, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	p, err := g.lookUp(asked, Principal{Subject: s.Subject, KeyID: s.KeyID})
	if errors.Is(err, ErrUnauthorized) || err == nil && g.gone.Has(s.KeyID) {
		err = errKeyGone
	}
	if err == nil {
		err = p.mayBegin(KindRecrawl)
	}
	p.Limits = p.Limits.or(g.o.Limits)
	return p, err
}

// errKeyGone ends the recrawls of a site until somebody asks for it.
var errKeyGone = fault.New(fault.KeyInvalid, "The key that enrolled this site is not valid any more")
