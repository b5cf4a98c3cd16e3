// Package carousel puts recrawls to the proof: several gateways in processes of
// their own work enrolled sites on one PostgreSQL and one folder, and are
// killed, or stopped and continued, all the time. Afterwards the log of the
// store must show each due time worked once and in time, and every file must
// have been whole whenever it was read.
package carousel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/cmd/internal/fire"
)

// Options say what is run.
type Options struct {
	Database string // URL of an empty PostgreSQL database
	Folder   string // for the files; empty
	Program  string // calls Work when WorkerVariable is set

	Gateways    int           // processes
	Sites       int           // enrolled
	Interval    time.Duration // between a site's crawls
	Lease, Poll time.Duration
	For         time.Duration // how long gateways are killed
	KillEvery   time.Duration // killed or stopped, in turn
	Frozen      time.Duration // how long a stopped one stays so

	// Outage takes the database away and brings it back; it returns how long it
	// was away. It is called once, halfway. Nil: the database stays.
	Outage func() time.Duration

	Logf func(format string, args ...any)
}

// A Result says how it went.
type Result struct {
	Slots                 int           // worked, all of them once
	Changed               int           // of these, to find another edition
	Killed, Stopped       int           // gateways
	Late, LateMost        time.Duration // from due to committed, on average and at the most, outside of the outage
	Away, LateAway        time.Duration // how long the database was away, and the most that a time around it was late
	Slow                  time.Duration // the slowest crawl that came to its end, and the slowest start of a gateway: what the machine adds
	Requests, Reads       int           // to the sites; of files
	Refused, Lost, Failed int           // saves and commits of stale workers; crawls that failed
	Wrong                 []string      // what must not be
}

func (r Result) String() string {
	return fmt.Sprintf("%d due times worked, each once, %d of them to find another edition; %d gateways killed and %d stopped\n"+
		"from due to committed %v on average, %v at the most; around the %v without a database %v at the most;\n"+
		"the slowest start and the slowest crawl took %v together\n"+
		"%d requests to the sites; %d reads of files, all whole; %d leases lost, %d saves refused, %d crawls failed",
		r.Slots, r.Changed, r.Killed, r.Stopped, r.Late.Round(time.Millisecond), r.LateMost.Round(time.Millisecond),
		r.Away.Round(time.Millisecond), r.LateAway.Round(time.Millisecond),
		r.Slow.Round(time.Millisecond), r.Requests, r.Reads, r.Lost, r.Refused, r.Failed)
}

// Run does it all.
func Run(ctx context.Context, o Options) (result Result, err error) {
	store, err := sqlstore.Open(ctx, o.Database)
	if err != nil {
		return result, err
	}
	defer store.Close()
	web := newSites(o.Sites)
	defer web.Close()
	c := &circus{Options: o, store: store, web: web, began: map[*fire.Process]time.Time{}}
	defer c.end()
	if err := c.enrol(ctx); err != nil {
		return result, err
	}
	for range o.Gateways {
		if err := c.start(ctx); err != nil {
			return result, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var others sync.WaitGroup
	others.Go(func() { c.change(ctx) })
	others.Go(func() { c.read(ctx) })
	err = c.harass(ctx)
	cancel()
	others.Wait()
	if err != nil {
		return c.result, err
	}
	// One gateway is left alone until it has worked every site.
	ctx, cancel = context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.settle(ctx); err != nil {
		return c.result, err
	}
	c.result.Requests = web.served()
	return c.result, c.judge(ctx)
}

// A circus is what runs.
type circus struct {
	Options
	store *sqlstore.Store
	web   *sites
	ids   []int64
	token []uint64 // of the lease that enrolled each site: the line to begin at

	began    map[*fire.Process]time.Time
	gateways []*fire.Process
	ended    []*fire.Process
	away     [2]time.Time // when the database was

	mu     sync.Mutex
	result Result
}

func (c *circus) wrong(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Wrong = append(c.result.Wrong, fmt.Sprintf(format, args...))
}

// enrol has the sites due one after the other.
func (c *circus) enrol(ctx context.Context) error {
	for i := range c.Sites {
		lease, err := c.store.Enroll(ctx, farwire.Site{
			Subject: "carousel", BaseURL: c.web.base(i), Interval: c.Interval, WebhookSecret: "-", Created: time.Now(),
			Options: farwire.SiteOptions{MaxPages: 20, DescLength: 500, Format: "pages"},
		}, -1, time.Minute)
		if err != nil {
			return err
		}
		site := lease.Site
		site.NextCrawl = time.Now().Add(time.Second + c.Interval*time.Duration(i)/time.Duration(c.Sites))
		if err := c.store.Commit(ctx, lease, farwire.Recrawl{Site: site}); err != nil {
			return err
		}
		c.ids, c.token = append(c.ids, site.ID), append(c.token, lease.Token)
	}
	return nil
}

func (c *circus) start(ctx context.Context) error {
	t, err := json.Marshal(task{Database: c.Database, Folder: c.Folder, Sites: 8, Lease: c.Lease, Poll: c.Poll})
	if err != nil {
		return err
	}
	p, err := fire.Start([]string{WorkerVariable + "=" + string(t)}, c.Program)
	if err != nil {
		return err
	}
	c.gateways = append(c.gateways, p)
	c.began[p] = time.Now()
	return nil
}

var (
	worked  = regexp.MustCompile(`(?m)^time=(\S+) .* kind=recrawl .* duration=(\S+) site=.* outcome=(?:un)?changed`)
	working = regexp.MustCompile(`(?m)^time=(\S+) .*msg=working`)
)

// slow returns how long starts and crawls took that nothing came between.
func (c *circus) slow() time.Duration {
	apart := func(text string) (at time.Time, ok bool) {
		at, err := time.Parse(time.RFC3339, text)
		return at, err == nil && (c.away[0].IsZero() || at.Before(c.away[0]) || at.After(c.away[1].Add(c.Lease+c.Poll)))
	}
	var start, crawl time.Duration
	for _, p := range c.ended {
		if m := working.FindStringSubmatch(p.Log()); m != nil {
			if at, ok := apart(m[1]); ok {
				start = max(start, at.Sub(c.began[p]))
			}
		}
		for _, m := range worked.FindAllStringSubmatch(p.Log(), -1) {
			d, err := time.ParseDuration(m[2])
			if _, ok := apart(m[1]); ok && err == nil {
				crawl = max(crawl, d)
			}
		}
	}
	return start + crawl
}

// harass kills a gateway, or stops it for a while, again and again.
func (c *circus) harass(ctx context.Context) error {
	var frozen sync.WaitGroup
	defer frozen.Wait()
	began, tick := time.Now(), time.NewTicker(c.KillEvery)
	defer tick.Stop()
	for n := 0; time.Since(began) < c.For; n++ {
		if c.Outage != nil && c.away[0].IsZero() && time.Since(began) > c.For/2 {
			c.away[0] = time.Now()
			c.result.Away = c.Outage()
			c.away[1] = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		// The one that has run longest; the new one is at the end.
		p := c.gateways[0]
		c.gateways = c.gateways[1:]
		if n%2 == 0 {
			p.Kill()
			c.ended = append(c.ended, p)
			c.result.Killed++
			if err := c.start(ctx); err != nil {
				return err
			}
			continue
		}
		p.Signal(syscall.SIGSTOP)
		c.gateways = append(c.gateways, p)
		c.result.Stopped++
		frozen.Go(func() {
			time.Sleep(c.Frozen)
			p.Signal(syscall.SIGCONT)
		})
	}
	return nil
}

// change publishes new editions.
func (c *circus) change(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * c.Interval / time.Duration(c.Sites)):
			c.web.publish(rand.N(c.Sites))
		}
	}
}

// file returns the hosted file of a site; empty when there is none yet.
func (c *circus) file(i int) (string, error) {
	sites, err := c.store.Enrolled(context.Background(), c.web.base(i))
	if err != nil || len(sites) != 1 || sites[0].HostedURL == "" {
		return "", err
	}
	return filepath.Join(c.Folder, filepath.FromSlash(strings.TrimPrefix(sites[0].HostedURL, filesURL))), nil
}

// read looks at every file there is, all the time. A file of an older edition
// than before would be that of a stale worker.
func (c *circus) read(ctx context.Context) {
	newest := make([]int, c.Sites)
	path := make([]string, c.Sites)
	for i := 0; ; i = (i + 1) % c.Sites {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Millisecond): // what reads must not starve what works
		}
		if path[i] == "" {
			path[i], _ = c.file(i) // the database may be away
		}
		if path[i] == "" {
			continue
		}
		b, err := os.ReadFile(path[i])
		if err != nil {
			c.wrong("site %s: %v", name(i), err)
			continue
		}
		c.mu.Lock()
		c.result.Reads++
		c.mu.Unlock()
		edition, err := whole(i, string(b))
		if err != nil {
			c.wrong("the file of site %s: %v", name(i), err)
		}
		if edition < newest[i] {
			c.wrong("the file of site %s is edition %d after %d: a stale worker has saved it", name(i), edition, newest[i])
		}
		newest[i] = max(newest[i], edition)
	}
}

// settle ends all gateways and has one crawl every site once more, so that the
// files of those who died between a Save and its Commit are known again.
func (c *circus) settle(ctx context.Context) error {
	for _, p := range c.gateways {
		p.Signal(syscall.SIGCONT)
		if err := p.Stop(); err != nil {
			c.wrong("a gateway did not stop: %v", err)
		}
	}
	c.ended = append(c.ended, c.gateways...)
	c.gateways = nil
	if err := c.start(ctx); err != nil {
		return err
	}
	since := time.Now()
	for i, id := range c.ids {
		for {
			lines, err := c.store.Log(ctx, id, 1)
			if err != nil {
				return err
			}
			if len(lines) > 0 && lines[0].Due.After(since) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("site %s is crawled no more", name(i))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	p := c.gateways[0]
	c.gateways = nil
	c.ended = append(c.ended, p)
	return p.Stop()
}

// end leaves no process behind.
func (c *circus) end() {
	for _, p := range c.gateways {
		p.Kill()
	}
}

// judge reads the store's log, the files and what the gateways said.
func (c *circus) judge(ctx context.Context) error {
	r := &c.result
	var sum time.Duration
	for i, id := range c.ids {
		lines, err := c.store.Log(ctx, id, sqlstore.LogLines)
		if err != nil {
			return err
		}
		slices.Reverse(lines)
		lines = slices.DeleteFunc(lines, func(l sqlstore.Line) bool { return l.Token <= c.token[i] })
		for n, l := range lines {
			r.Slots++
			if n == 0 || l.Hash != lines[n-1].Hash {
				r.Changed++
			}
			if l.Error != "" {
				r.Failed++
				c.wrong("site %s failed: %s", name(i), l.Error)
			}
			late := l.Committed.Sub(l.Due)
			if !c.away[0].IsZero() && l.Due.After(c.away[0].Add(-2*(c.Lease+c.Poll))) && l.Due.Before(c.away[1].Add(c.Lease+c.Poll)) {
				r.LateAway = max(r.LateAway, late)
			} else {
				sum += late
				r.LateMost = max(r.LateMost, late)
			}
			if n == 0 {
				continue
			}
			// Due is what the Commit before had said: an interval after the time
			// before, or after the crawl when that was missed by more.
			before := lines[n-1]
			switch next := before.Due.Add(c.Interval); {
			case !l.Due.After(before.Due):
				c.wrong("site %s: %v was worked twice, or after a later one", name(i), l.Due)
			case l.Due.Before(next):
				c.wrong("site %s: due at %v, %v after the time before", name(i), l.Due, l.Due.Sub(before.Due))
			case l.Due.After(next) && l.Due.After(before.Committed.Add(c.Interval)):
				c.wrong("site %s: nothing was due between %v and %v", name(i), before.Due, l.Due)
			}
		}
		if len(lines) == 0 {
			c.wrong("site %s was never crawled", name(i))
			continue
		}
		if err := c.compare(ctx, i, lines[len(lines)-1]); err != nil {
			return err
		}
	}
	r.Slow = c.slow()
	r.Late = sum / time.Duration(max(1, r.Slots))
	for _, p := range c.ended {
		if err := p.Sane(); err != nil {
			c.wrong("%v", err)
		}
		said := p.Log()
		r.Lost += strings.Count(said, "outcome=lost")
		r.Refused += strings.Count(said, farwire.ErrStale.Error())
	}
	if len(r.Wrong) > 0 {
		return errors.New(strings.Join(r.Wrong[:min(len(r.Wrong), 20)], "\n"))
	}
	return nil
}

// compare holds the hosted file to what the store knows of it.
func (c *circus) compare(ctx context.Context, i int, last sqlstore.Line) error {
	path, err := c.file(i)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c.web.mu.Lock()
	newest := c.web.editions[i]
	c.web.mu.Unlock()
	edition, err := whole(i, string(b))
	if err != nil {
		c.wrong("the file of site %s at last: %v", name(i), err)
	}
	if edition != newest {
		c.wrong("the file of site %s is edition %d; the site is at %d", name(i), edition, newest)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != last.Hash {
		c.wrong("the file of site %s is not the one that the store knows of", name(i))
	}
	return nil
}
