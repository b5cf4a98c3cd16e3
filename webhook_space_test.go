package farwire_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// TestSiteChanged_CrawlUnderWay_SpacesTheNext: at most one crawl a minute a site, whichever
// gateway crawls it and whichever is called.
func TestSiteChanged_CrawlUnderWay_SpacesTheNext(t *testing.T) {
	for _, beside := range []bool{false, true} {
		t.Run(fmt.Sprintf("beside=%v", beside), func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				called := c.gw
				if beside {
					called = c.beside().gw
				}
				time.Sleep(59 * time.Minute)
				hang := make(chan struct{})
				c.site.set(func(s *changing) { s.hang["/b"] = hang })
				defer recrawls(c.t, c.gw)()
				for c.gw.Stats().Kinds[farwire.KindRecrawl].Active == 0 {
					time.Sleep(time.Second)
				}
				crawled := time.Now()
				time.Sleep(2 * time.Second)
				c.site.set(func(s *changing) { clear(s.hang) })
				body := hookBody("http://site.test", c.sites.only(c.t).WebhookSecret)
				next := wantDue(c.t, hook(called.SiteChanged(), "POST", body))
				if wait := next.Sub(crawled); wait < 59*time.Second || wait > 2*time.Minute {
					c.t.Errorf("the next crawl is %v after the one that runs", wait)
				}
				close(hang)
				first := c.next()
				if again := c.next(); again.at.Sub(first.at) < 50*time.Second || again.at.Sub(first.at) > 3*time.Minute {
					c.t.Errorf("crawled again %v later", again.at.Sub(first.at))
				}
			})
		})
	}
}

// TestSiteChanged_CrawlsFailed_SpacesTheNext: a crawl that failed counts as any other, at a
// gateway that has not seen it too, and however many have failed.
func TestSiteChanged_CrawlsFailed_SpacesTheNext(t *testing.T) {
	for failures := 1; failures <= 4; failures++ {
		for _, beside := range []bool{false, true} {
			t.Run(fmt.Sprintf("failures=%d beside=%v", failures, beside), func(t *testing.T) {
				inRecrawlWorld(t, func(c *recrawlWorld) {
					time.Sleep(59 * time.Minute)
					c.site.set(func(s *changing) { s.status["/"] = 404 })
					defer recrawls(c.t, c.gw)()
					for len(c.sites.committed()) < c.seen+failures {
						time.Sleep(time.Second)
					}
					failed := c.sites.only(c.t)
					body := hookBody("http://site.test", failed.WebhookSecret)
					for range 3 {
						called := c.gw
						if beside {
							called = c.beside().gw // each time one that knows of no call
						}
						// The first try after a failure comes by itself, perhaps a little earlier.
						want := failed.LastFailure.Add(time.Minute)
						if failed.NextCrawl.Before(want) {
							want = failed.NextCrawl
						}
						if next := wantDue(c.t, hook(called.SiteChanged(), "POST", body)); failed.Failures != failures || !next.Equal(want.Truncate(time.Second)) {
							c.t.Errorf("after %+v the next crawl is at %v, want %v", failed, next, want)
						}
						time.Sleep(7 * time.Second)
					}
					for len(c.sites.committed()) < c.seen+failures+1 {
						time.Sleep(time.Second)
					}
					if again := c.sites.only(c.t).LastFailure.Sub(failed.LastFailure); again < 44*time.Second || again > 2*time.Minute {
						c.t.Errorf("crawled again after %v", again)
					}
				})
			})
		}
	}
}

// A burst is spread over gateways, and the site is claimed between what one of them reads and
// what it asks for: the crawl that has just begun is the one that is called for.
func TestSiteChanged_ClaimedMeanwhile_CrawlsOnce(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		time.Sleep(10 * time.Minute)
		body := hookBody("http://site.test", c.sites.only(c.t).WebhookSecret)
		first := wantDue(c.t, hook(c.gw.SiteChanged(), "POST", body))
		time.Sleep(time.Second)
		var lease farwire.Lease
		c.sites.before = func(method string) (err error) {
			if method == "MakeDue" && lease.Token == 0 {
				lease, err = c.sites.Claim(c.t.Context(), time.Minute)
			}
			return err
		}
		next := wantDue(c.t, hook(c.beside().gw.SiteChanged(), "POST", body))
		if !next.Equal(first) {
			c.t.Errorf("due at %v, and then at %v", first, next)
		}
		c.sites.before = nil
		if lease.Token == 0 {
			var err error
			if lease, err = c.sites.Claim(c.t.Context(), time.Minute); err != nil {
				c.t.Fatal(err)
			}
		}
		later := time.Now().Add(time.Hour)
		lease.Site.NextCrawl = later
		if err := c.sites.Commit(c.t.Context(), lease, farwire.RecrawlResult{Site: lease.Site}); err != nil {
			c.t.Fatal(err)
		}
		if s := c.sites.only(c.t); !s.NextCrawl.Equal(later) {
			c.t.Errorf("after the crawl that was called for the next is at %v, want %v", s.NextCrawl, later)
		}
	})
}

// The gateway's clock may be wrong: a call has the site crawled now, and another a minute
// later, by the store's clock, which /sites shows.
func TestSiteChanged_GatewaysClockWrong_CrawlsNow(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, -20 * time.Second, 0, 45 * time.Second, 3 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				time.Sleep(10 * time.Minute)
				defer recrawls(c.t, c.gw)()
				body := hookBody("http://site.test", c.sites.only(c.t).WebhookSecret)
				called := time.Now()
				wantDue(c.t, hook(c.gw.SiteChanged(), "POST", body))
				first := c.next()
				if wait := first.at.Sub(called.Add(ahead)); wait > 2*time.Minute {
					c.t.Errorf("crawled %v after the call", wait)
				}
				wantDue(c.t, hook(c.gw.SiteChanged(), "POST", body))
				if wait := c.next().at.Sub(first.at); wait < 50*time.Second || wait > 3*time.Minute {
					c.t.Errorf("crawled again after %v", wait)
				}
				// One that comes by itself is not brought to the call's time by mistake.
				time.Sleep(40 * time.Minute)
				called = time.Now()
				wantDue(c.t, hook(c.beside().gw.SiteChanged(), "POST", body))
				if wait := c.next().at.Sub(called.Add(ahead)); wait > 2*time.Minute {
					c.t.Errorf("crawled %v after the call, before the site was due", wait)
				}
			}, func(o *farwire.Options) { o.Sites.(*memorySites).ahead = ahead })
		})
	}
}

// An enrolled site is crawled again after its interval, whatever the gateway's clock says.
func TestEnroll_GatewaysClockWrong_IntervalIsKept(t *testing.T) {
	for _, ahead := range []time.Duration{-3 * time.Hour, -time.Minute, time.Minute, 3 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				enrolled := c.sites.committed()[0].at
				s := c.sites.only(c.t)
				if wait := s.NextCrawl.Sub(enrolled); wait < 55*time.Minute || wait > time.Hour {
					c.t.Errorf("the next crawl is %v after the enrolment", wait)
				}
				if age := enrolled.Sub(s.LastCrawl); age < 0 || age > time.Minute {
					c.t.Errorf("the last crawl was %v before", age)
				}
			}, func(o *farwire.Options) { o.Sites.(*memorySites).ahead = ahead })
		})
	}
}

// The clock of a store that does not tell it may be ahead of the gateway's.
func TestSiteChanged_StoresClockAhead_SpacesTheNext(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		for _, ahead := range []time.Duration{time.Second, 20 * time.Second, time.Hour} {
			c.sites.mu.Lock()
			s := &c.sites.rows[0].Site
			s.LastCrawl, s.NextCrawl = time.Now().Add(ahead), time.Now().Add(5*time.Hour)
			c.sites.mu.Unlock()
			mute := c.beside(func(o *farwire.Options) { o.Sites = struct{ farwire.SiteStore }{c.sites} })
			next := wantDue(c.t, hook(mute.gw.SiteChanged(), "POST", hookBody("http://site.test", s.WebhookSecret)))
			if wait := time.Until(next); wait < 58*time.Second || wait > time.Minute {
				c.t.Errorf("crawled %v ahead: the next crawl is in %v", ahead, wait)
			}
		}
	})
}
