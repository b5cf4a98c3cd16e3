// Package recrawltest tests recrawls under faults: several gateways in processes of
// their own work enrolled sites on one PostgreSQL and one folder, and are
// killed, or stopped and continued, all the time, in the midst of their work.
// Afterwards the log of the store must show each due time worked once and in
// time, and every file must have been whole whenever it was read.
package recrawltest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
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
	Least       int           // gateways killed or stopped, however long that takes
	Frozen      time.Duration // how long a stopped one stays so

	// Outage takes the database away and brings it back; it returns how long it
	// was away. It is called once, halfway. Nil: the database stays.
	Outage func() time.Duration

	// JudgeLateness has a time that is worked later than leases, polls and this
	// machine explain count as wrong. Else lateness is only measured: next to busy
	// processes it says nothing.
	JudgeLateness bool
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
	c := &run{Options: o, store: store, web: web, began: map[*harness.Process]time.Time{}}
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
	err = c.injectFaults(ctx)
	cancel()
	others.Wait()
	if err != nil {
		return c.result, err
	}
	// One gateway is left alone until it has worked every site.
	ctx, cancel = context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	if err := c.settle(ctx); err != nil {
		return c.result, err
	}
	c.result.Requests = web.served()
	return c.result, c.check(ctx)
}

// A run is what runs.
type run struct {
	Options
	store *sqlstore.Store
	web   *sites
	ids   []int64
	token []uint64 // of the lease that enrolled each site: the line to begin at
	rest  []bool   // which sites rested at the end, and were asked for

	began    map[*harness.Process]time.Time
	gateways []*harness.Process
	ended    []*harness.Process
	outage   [2]time.Time // when the database was

	mu     sync.Mutex
	result Result
}

func (c *run) wrong(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Wrong = append(c.result.Wrong, fmt.Sprintf(format, args...))
}

// enrol has the sites due one after the other.
func (c *run) enrol(ctx context.Context) error {
	for i := range c.Sites {
		lease, err := c.store.Enroll(ctx, farwire.Site{
			Subject: "recrawltest", BaseURL: c.web.base(i), Interval: c.Interval, WebhookSecret: "-", Created: time.Now(),
			Options: farwire.SiteOptions{MaxPages: 20, DescLength: 500, Format: "pages"},
		}, -1, time.Minute)
		if err != nil {
			return err
		}
		site := lease.Site
		site.NextCrawl = time.Now().Add(time.Second + c.Interval*time.Duration(i)/time.Duration(c.Sites))
		if err := c.store.Commit(ctx, lease, farwire.RecrawlResult{Site: site}); err != nil {
			return err
		}
		c.ids, c.token = append(c.ids, site.ID), append(c.token, lease.Token)
	}
	return nil
}

func (c *run) start(ctx context.Context) error {
	t, err := json.Marshal(task{Database: c.Database, Folder: c.Folder, Sites: 8, Lease: c.Lease, Poll: c.Poll})
	if err != nil {
		return err
	}
	cmd := exec.Command(c.Program)
	cmd.Env = harness.Environ(WorkerVariable + "=" + string(t))
	p, err := harness.Launch(cmd)
	if err != nil {
		return err
	}
	c.gateways = append(c.gateways, p)
	c.began[p] = time.Now()
	return nil
}

// injectFaults kills a gateway, or stops it for a while, again and again.
func (c *run) injectFaults(ctx context.Context) error {
	var frozen sync.WaitGroup
	defer frozen.Wait()
	began, tick := time.Now(), time.NewTicker(c.KillEvery)
	defer tick.Stop()
	for n := 0; time.Since(began) < c.For || n < c.Least; n++ {
		if c.Outage != nil && c.outage[0].IsZero() && time.Since(began) > c.For/2 {
			c.outage[0] = time.Now()
			c.result.Outage = c.Outage()
			c.outage[1] = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		// The one that has run longest; the new one is at the end.
		p := c.gateways[0]
		c.gateways = c.gateways[1:]
		c.awaitClaim(ctx, p)
		if n%2 == 0 {
			p.Kill()
			c.ended = append(c.ended, p)
			c.result.Killed++
			if err := c.start(ctx); err != nil {
				return err
			}
			continue
		}
		p.Send(harness.Freeze)
		c.gateways = append(c.gateways, p)
		c.result.Stopped++
		frozen.Go(func() {
			time.Sleep(c.Frozen)
			p.Send(harness.Thaw)
		})
	}
	return nil
}

// awaitClaim waits until the gateway has begun to crawl a site, but not so long that
// one that claims nothing, because it sleeps or the database does, holds up the
// next fault.
func (c *run) awaitClaim(ctx context.Context, p *harness.Process) {
	claims := func() int { return strings.Count(p.Log(), "msg=claimed") }
	before, until := claims(), time.Now().Add(c.KillEvery)
	for claims() == before && time.Now().Before(until) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(rand.N(200 * time.Millisecond)) // less than most crawls take
}

// change publishes new editions.
func (c *run) change(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * c.Interval / time.Duration(c.Sites)):
			c.web.publish(rand.N(c.Sites))
		}
	}
}

// file returns the hosted file of a site; empty while it has no file.
func (c *run) file(i int) (string, error) {
	sites, err := c.store.Enrolled(context.Background(), c.web.base(i))
	if err != nil || len(sites) != 1 || sites[0].HostedURL == "" {
		return "", err
	}
	return filepath.Join(c.Folder, filepath.FromSlash(strings.TrimPrefix(sites[0].HostedURL, filesURL))), nil
}

// read looks at every file there is, all the time. A file of an older edition
// than before would be that of a stale worker.
func (c *run) read(ctx context.Context) {
	newest := make([]int, c.Sites)
	path := make([]string, c.Sites)
	for i := 0; ; i = (i + 1) % c.Sites {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Millisecond): // what reads must not starve what works
		}
		if path[i] == "" {
			path[i], _ = c.file(i) // the database may be outage
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
func (c *run) settle(ctx context.Context) error {
	for _, p := range c.gateways {
		p.Send(harness.Thaw)
		if _, err := p.Await(ctx, p.Stderr, working); err != nil { // a signal before that kills it
			return err
		}
		if err := p.Stop(); err != nil {
			c.wrong("a gateway did not stop: %v", err)
		}
	}
	c.ended = append(c.ended, c.gateways...)
	c.gateways = nil
	if err := c.start(ctx); err != nil {
		return err
	}
	c.rest = make([]bool, len(c.ids))
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
			if err := c.wake(ctx, i); err != nil {
				return err
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

// wake asks for a site that rests, as one does that lost three leases in a row.
func (c *run) wake(ctx context.Context, i int) error {
	site, err := c.store.Enrolled(ctx, c.web.base(i))
	if err != nil || !site[0].Resting {
		return err
	}
	c.rest[i] = true
	_, err = c.store.MakeDue(ctx, c.ids[i], time.Now())
	return err
}

// end leaves no process behind.
func (c *run) end() {
	for _, p := range c.gateways {
		p.Kill()
	}
}
