package farwire_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// beside starts a second gateway on the same site, store and storage.
func (c *recrawlWorld) beside(edit ...func(*farwire.Options)) *world {
	c.t.Helper()
	return newBubble(c.t, c.site.serve, append([]func(*farwire.Options){
		func(o *farwire.Options) { o.Sites, o.Storage = c.sites, c.files }}, edit...)...)
}

// lose ends the lease of the site, as if its time were over.
func (m *memorySites) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[0].expiry = time.Time{}
}

func (m *memorySites) renewed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.renews
}

// changeA makes the site another.
func changeA(s *changing) {
	s.pages["/a"] = page("Another Page", "Now there is something else to read on this page.")
}

// A worker falls asleep right before it saves, and the next
// one finds the site as it was. When the first wakes up, its file is refused.
func TestRecrawl_WorkerSleepsPastItsLease_CommitsNothing(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		original, first := c.hosted(), tenPages()
		wake, asleep := make(chan struct{}), make(chan struct{})
		c.files.before = func(_ context.Context, f farwire.File) error {
			if f.Version == 2 {
				close(asleep)
				<-wake
			}
			return nil
		}
		c.site.set(changeA)
		stop := recrawls(c.t, c.gw)
		<-asleep
		c.sites.lose()
		c.site.set(func(s *changing) { s.pages = first })
		other := c.beside()
		defer recrawls(c.t, other.gw)()
		done := c.next()
		if done.lease.Token != 3 || done.Site.Version != 3 || done.Site.Failures != 0 {
			c.t.Fatalf("the second worker committed %+v", done)
		}
		if f := c.ofAlice(); f.Version != 3 || string(f.Body) != original {
			c.t.Errorf("the storage is at version %d", f.Version)
		}
		time.Sleep(30 * time.Second)
		close(wake)
		time.Sleep(time.Second)
		stop()
		if f := c.ofAlice(); f.Version != 3 || string(f.Body) != original {
			c.t.Errorf("the sleeper's file is hosted: version %d\n%s", f.Version, f.Body)
		}
		if n := len(c.sites.committed()); n != 2 {
			c.t.Errorf("%d commits", n)
		}
		c.wantLog(`kind=recrawl .*token=2 .*outcome=lost`)
		other.wantLog(`kind=recrawl .*token=3 .*outcome=unchanged`)
		// From here on an unchanged site is left alone again.
		saves := c.files.saved()
		if s := c.next().Site; s.Version != 4 || c.files.saved() != saves {
			c.t.Errorf("version %d, %d more saves", s.Version, c.files.saved()-saves)
		}
	})
}

// TestRecrawl_CommitLost_SavesAgain: the file is saved and the store never hears of it.
// The site is as it was when the next worker comes, who must save that again.
func TestRecrawl_CommitLost_SavesAgain(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		original, first := c.hosted(), tenPages()
		var deaf atomic.Bool
		deaf.Store(true)
		c.sites.before = func(method string) error {
			if deaf.Load() && (method == "Commit" || method == "Renew") {
				return errUnavailable
			}
			return nil
		}
		defer recrawls(c.t, c.gw)()
		c.site.set(changeA)
		time.Sleep(time.Hour + 30*time.Second)
		if !strings.Contains(c.hosted(), "something else to read") {
			c.t.Fatal("no new file")
		}
		c.site.set(func(s *changing) { s.pages = first })
		time.Sleep(time.Minute) // by now somebody else has the site
		deaf.Store(false)
		done := c.next()
		if c.hosted() != original || done.lease.Token != 3 || done.Site.Version != 3 || c.ofAlice().Version != 3 {
			c.t.Errorf("hosted at version %d:\n%s", done.Site.Version, c.hosted())
		}
		if !done.lease.Due.Equal(c.sites.committed()[0].Site.NextCrawl) {
			c.t.Errorf("the slot of %v was worked instead of %v", done.lease.Due, c.sites.committed()[0].Site.NextCrawl)
		}
		if n := strings.Count(c.log.String(), `site store unavailable`); n < 1 || n > 2 {
			c.t.Errorf("it is said %d times that the store is away", n)
		}
	})
}

// TestRecrawl_LongCrawl_KeepsItsLease: a crawl that takes minutes keeps its lease of a minute.
func TestRecrawl_LongCrawl_KeepsItsLease(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		hang := make(chan struct{})
		c.site.set(func(s *changing) { s.hang["/"] = hang })
		other := c.beside(func(o *farwire.Options) { o.Crawl.Timeout = time.Hour })
		defer recrawls(c.t, other.gw)()
		time.Sleep(time.Hour + 10*time.Second)
		defer recrawls(c.t, c.gw)() // finds nothing to do
		time.Sleep(50 * time.Second)
		if n := c.sites.renewed(); n < 2 || n > 3 {
			c.t.Errorf("renewed %d times in a minute", n)
		}
		c.site.set(func(s *changing) { delete(s.hang, "/") })
		close(hang)
		if done := c.next(); done.lease.Token != 2 || done.Site.Failures != 0 {
			c.t.Errorf("committed %+v", done)
		}
	})
}

// TestRecrawl_LeaseTaken_WritesNothing: a worker whose lease was taken stops at the next
// renewal and writes nothing.
func TestRecrawl_LeaseTaken_WritesNothing(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		hang := make(chan struct{})
		defer close(hang)
		c.site.set(func(s *changing) { s.hang["/b"] = hang })
		defer recrawls(c.t, c.gw)()
		time.Sleep(time.Hour + 12*time.Second)
		if c.gw.Stats().Kinds[farwire.KindRecrawl].Active != 1 {
			c.t.Fatal("nothing is crawled")
		}
		c.sites.steal(time.Hour)
		time.Sleep(21 * time.Second)
		if s := c.gw.Stats().Kinds[farwire.KindRecrawl]; s.Active != 0 || s.Failed != 1 {
			c.t.Errorf("stats: %+v", s)
		}
		c.wantLog(`kind=recrawl .*outcome=lost`)
		if len(c.sites.committed()) != 1 || c.files.saved() != 1 {
			c.t.Error("something was written")
		}
	})
}

// A lease that cannot be renewed is over when its time
// is, one that can be again goes on.
func TestRecrawl_StoreUnavailable_LeaseEndsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		away  time.Duration
		token uint64
	}{
		"for a moment": {25 * time.Second, 2},
		"for long":     {30 * time.Minute, 3},
	} {
		t.Run(name, func(t *testing.T) {
			away, token := c.away, c.token
			inRecrawlWorld(t, func(c *recrawlWorld) {
				hang := make(chan struct{})
				c.site.set(func(s *changing) { s.hang["/"] = hang })
				defer recrawls(c.t, c.gw)()
				time.Sleep(time.Hour + 12*time.Second)
				c.sites.setUnavailable(errUnavailable)
				time.Sleep(away)
				if active := c.gw.Stats().Kinds[farwire.KindRecrawl].Active; (active == 1) != (token == 2) {
					c.t.Errorf("%d recrawls run", active)
				}
				c.site.set(func(s *changing) { delete(s.hang, "/") })
				close(hang)
				c.sites.setUnavailable(nil)
				if done := c.next(); done.lease.Token != token || done.Site.Failures != 0 {
					c.t.Errorf("committed %+v", done)
				}
				time.Sleep(time.Minute)
				if log := c.log.String(); strings.Count(log, "site store unavailable") != 1 || strings.Count(log, "site store available again") != 1 {
					c.t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

// A store that has been away is asked again as soon as
// one that has nothing to do.
func TestRecrawl_StoreAvailableAgain_GoesOn(t *testing.T) {
	const poll = 200 * time.Millisecond
	inRecrawlWorld(t, func(c *recrawlWorld) {
		time.Sleep(59 * time.Minute)
		defer recrawls(c.t, c.gw)()
		c.sites.setUnavailable(errUnavailable)
		time.Sleep(2 * time.Minute)
		c.sites.setUnavailable(nil)
		back := time.Now()
		if wait := c.next().Site.LastCrawl.Sub(back); wait > poll*6/5 {
			c.t.Errorf("the site is crawled %v later", wait)
		}
	}, func(o *farwire.Options) { o.Recrawl.Poll = poll })
}

// A file waits for its storage for a minute, after
// which the crawl is repeated later.
func TestRecrawl_StorageUnavailable_FileWaits(t *testing.T) {
	for name, away := range map[string]time.Duration{"for a moment": 20 * time.Second, "for long": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				back := time.Now().Add(time.Hour + away)
				c.files.before = func(context.Context, farwire.File) error {
					if time.Now().Before(back) {
						return errors.New("disk /dev/sdx is full")
					}
					return nil
				}
				c.site.set(changeA)
				defer recrawls(c.t, c.gw)()
				failed := 0
				for done := c.next(); done.Site.Failures > 0; done = c.next() {
					if failed++; done.Site.LastError != "The file could not be saved" || done.Site.Version != 1 {
						c.t.Errorf("committed %+v", done.Site)
					}
				}
				if long := away > time.Minute; (failed > 0) != long || failed > 6 {
					c.t.Errorf("failed %d times", failed)
				}
				if !strings.Contains(c.hosted(), "something else to read") {
					c.t.Errorf("hosted:\n%s", c.hosted())
				}
				time.Sleep(time.Minute)
				if log := c.log.String(); strings.Count(log, "storage unavailable") != 1 || strings.Count(log, "storage available again") != 1 {
					c.t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

// A store that was restored from a backup is behind
// the storage.
func TestRecrawl_StorageHasNewerFile_WarnsAndFails(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.files.mu.Lock()
		for name, f := range c.files.files {
			f.Version = 1000
			c.files.files[name] = f
		}
		c.files.mu.Unlock()
		c.site.set(changeA)
		defer recrawls(c.t, c.gw)()
		if s := c.next().Site; s.Failures != 1 || s.LastError != "A newer file is hosted than this gateway knows of" {
			c.t.Errorf("committed %+v", s)
		}
		c.wantLog(`level=WARN msg="the storage has a newer file`)
	})
}

// TestRecrawl_Drain_LeavesTheSiteToAnother: a gateway that ends leaves its site to another at once.
func TestRecrawl_Drain_LeavesTheSiteToAnother(t *testing.T) {
	for name, drain := range map[string]bool{"shutdown": true, "context": false} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				hang := make(chan struct{})
				c.site.set(func(s *changing) { s.hang["/b"] = hang })
				stop := recrawls(c.t, c.gw)
				time.Sleep(time.Hour + 12*time.Second)
				if c.gw.Stats().Kinds[farwire.KindRecrawl].Active != 1 {
					c.t.Fatal("nothing is crawled")
				}
				elapsed(c.t, 0, func() {
					if drain {
						if err := c.gw.Shutdown(c.t.Context()); err != nil {
							c.t.Error(err)
						}
					}
					stop()
				})
				c.wantLog(`kind=recrawl .*code=1001 .*outcome=released`)
				c.site.set(func(s *changing) { delete(s.hang, "/b") })
				close(hang)
				other := c.beside()
				began := time.Now()
				defer recrawls(c.t, other.gw)()
				if done := c.next(); done.lease.Token != 3 || done.at.Sub(began) > time.Second {
					c.t.Errorf("the other gateway committed %v later: %+v", done.at.Sub(began), done)
				}
				if drain { // there is nothing to recrawl with any more
					if err := c.gw.Recrawl(c.t.Context()); err != nil {
						c.t.Error(err)
					}
				}
			})
		})
	}
}

// TestRecrawl_Panic_EndsThatSiteAlone: what panics is the site's trouble alone.
func TestRecrawl_Panic_EndsThatSiteAlone(t *testing.T) {
	var armed atomic.Bool
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.site.set(func(s *changing) {
			s.pages["/a"] = `<!doctype html><title>App</title><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/app.js"></script>`
		})
		armed.Store(true)
		defer recrawls(c.t, c.gw)()
		if s := c.next().Site; s.Failures != 1 || s.LastError != "internal error" {
			c.t.Errorf("committed %+v", s)
		}
		c.wantLog(`level=ERROR msg="panic in a recrawl" .*the browser is on fire`)
		armed.Store(false)
		if s := c.next().Site; s.Failures != 0 {
			c.t.Errorf("committed %+v", s)
		}
	}, func(o *farwire.Options) {
		o.Crawl.Render = browser(func(farwire.RenderPage) (farwire.Rendered, error) {
			if armed.Load() {
				panic("the browser is on fire")
			}
			return farwire.Rendered{HTML: []byte(page("App", "What the app says once its scripts have run is this sentence."))}, nil
		})
	})
}

// TestRecrawl_ThreeGateways_EachDueTimeOnce: three gateways work sixty sites, each due time once.
func TestRecrawl_ThreeGateways_EachDueTimeOnce(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		for i := range 60 {
			lease, err := c.sites.Enroll(c.t.Context(), farwire.Site{Subject: "bob", BaseURL: "http://site.test/" + strings.Repeat("x", i), Interval: 10 * time.Minute,
				Options: farwire.SiteOptions{MaxPages: 5, DescLength: 200, Format: "pages"}}, -1, time.Minute)
			if err != nil {
				c.t.Fatal(err)
			}
			if err := c.sites.Release(c.t.Context(), lease); err != nil {
				c.t.Fatal(err)
			}
		}
		var stops []func()
		for range 3 {
			stops = append(stops, recrawls(c.t, c.beside().gw))
		}
		time.Sleep(2 * time.Hour)
		var wg sync.WaitGroup
		for _, stop := range stops {
			wg.Go(stop)
		}
		wg.Wait()
		type slot struct {
			site int64
			due  time.Time
		}
		worked := map[slot]int{}
		for _, done := range c.sites.committed() {
			at := slot{done.lease.Site.ID, done.lease.Due}
			if worked[at]++; worked[at] > 1 {
				c.t.Errorf("%+v was worked %d times", at, worked[at])
			}
			if late := done.at.Sub(done.lease.Due); late > 15*time.Second && done.lease.Token > 2 {
				c.t.Errorf("%+v was worked %v late", at, late)
			}
		}
		if len(worked) < 60 {
			c.t.Errorf("%d slots", len(worked))
		}
	})
}
