package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
)

// TestRecrawl_SiteChangesSeldom_IsAskedLessOften follows a site that changes every eight hours, and then
// never again.
func TestRecrawl_SiteChangesSeldom_IsAskedLessOften(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		stop := recrawls(c.t, c.gw)
		defer stop()
		began := time.Now()
		edition := 0
		for time.Since(began) < 14*24*time.Hour {
			if n := int(time.Since(began) / (8 * time.Hour)); n > edition {
				edition = n
				c.site.set(func(s *changing) {
					s.pages["/a"] = page("News", fmt.Sprintf("This is the news of edition %d, and there is no other.", n))
				})
			}
			time.Sleep(10 * time.Minute)
		}
		s := c.sites.only(c.t)
		if s.ChangeInterval < 5*time.Hour || s.ChangeInterval > 12*time.Hour {
			c.t.Errorf("the site changes every 8h and is taken to change every %v", s.ChangeInterval)
		}
		if d := s.NextCrawl.Sub(s.LastCrawl); d != s.ChangeInterval/2 {
			c.t.Errorf("it is crawled every %v", d)
		}
		if !strings.Contains(c.hosted(), "news of edition") {
			c.t.Errorf("hosted:\n%s", c.hosted())
		}
		time.Sleep(200 * 24 * time.Hour)
		s = c.sites.only(c.t)
		if d := s.NextCrawl.Sub(s.LastCrawl); d != 5*24*time.Hour {
			c.t.Errorf("a site at rest is crawled every %v", d)
		}
	}, func(o *farwire.Options) {
		o.Recrawl.Adaptive, o.Recrawl.MinInterval, o.Recrawl.MaxInterval = true, 2*time.Hour, 5*24*time.Hour
		o.Recrawl.Poll = 5 * time.Minute // there are many days to go by
	})
}

// TestRecrawl_GatewaysDownForADay_CrawlsOnce: gateways were away for a day; the site is crawled once,
// and then as ever.
func TestRecrawl_GatewaysDownForADay_CrawlsOnce(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		time.Sleep(24*time.Hour + 20*time.Minute)
		began := time.Now()
		defer recrawls(c.t, c.gw)()
		done := c.next()
		if d := done.Site.NextCrawl.Sub(began); d < time.Hour || d > time.Hour+time.Minute {
			c.t.Errorf("the next crawl is %v away", d)
		}
		if again := c.next(); !again.lease.Due.Equal(done.Site.NextCrawl) || again.Site.NextCrawl.Sub(again.lease.Due) != time.Hour {
			c.t.Errorf("worked %v, next at %v", again.lease.Due, again.Site.NextCrawl)
		}
	})
}

// TestRecrawl_SiteUnchanged_DoesNotAskTheModel: a model never says the same twice, and is asked only about
// a site that has changed.
func TestRecrawl_SiteUnchanged_DoesNotAskTheModel(t *testing.T) {
	var asked atomic.Int64
	inRecrawlWorld(t, func(c *recrawlWorld) {
		// The site that the recrawlWorld has is enrolled anew, with the model.
		if h := c.crawled(testKey, strings.Replace(enrolHourly, `{`, `{"llmEnhance":true,`, 1)); h.code != 1000 {
			c.t.Fatalf("enrolled: %+v", h)
		}
		c.seen = len(c.sites.committed())
		first, reworded := asked.Load(), c.hosted()
		if first == 0 || !strings.Contains(reworded, "on page number 1,") {
			c.t.Fatalf("the model was asked %d times:\n%s", first, reworded)
		}
		defer recrawls(c.t, c.gw)()
		c.next()
		if asked.Load() != first || c.hosted() != reworded {
			c.t.Errorf("asked %d times about a site that has not changed", asked.Load()-first)
		}
		c.site.set(changeA)
		c.next()
		if asked.Load() == first || !strings.Contains(c.hosted(), "on page number 2,") || !strings.Contains(c.hosted(), "something else to read") {
			c.t.Errorf("asked %d times:\n%s", asked.Load(), c.hosted())
		}
		before := asked.Load()
		c.next()
		if asked.Load() != before {
			c.t.Error("asked again")
		}
	}, func(o *farwire.Options) {
		o.Crawl.Enhance = model(func(p llmstxt.Part) (string, error) {
			return strings.ReplaceAll(p.Text, "on page /b ", fmt.Sprintf("on page number %d, ", asked.Add(1))), nil
		})
	})
}

// days is a time that many days before now, as sitemaps write it.
func days(ago int) string {
	return time.Now().AddDate(0, 0, -ago).Format("2006-01-02T15:04:05Z")
}

// TestRecrawl_LastmodUnchanged_PageIsNotRequested: a page that its sitemap vouches for is not asked for, and
// the file is the same.
func TestRecrawl_LastmodUnchanged_PageIsNotRequested(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		time.Sleep(37 * time.Minute)
		c.site.set(func(s *changing) {
			s.dated = map[string]string{}
			for i := range 9 {
				s.dated[fmt.Sprintf("/%c", 'a'+i)] = days(3 + i)
			}
			s.dated["/"] = days(30)
		})
		defer recrawls(c.t, c.gw)()
		c.next()
		original := c.hosted()
		if original != c.fresh() {
			c.t.Fatalf("hosted:\n%s", original)
		}
		done := c.next()
		asked, _ := c.site.counts()
		if len(asked) != 3 || asked["/"] != 1 || asked["/robots.txt"] != 1 || asked["/sitemap.xml"] != 1 {
			c.t.Errorf("asked for %v", asked)
		}
		if done.Pages != nil || c.files.saved() > 3 {
			c.t.Errorf("%d saves, %d pages written", c.files.saved(), len(done.Pages))
		}
		c.wantLog(`outcome=unchanged pages=10 requests=3`)
		// One page says that it has changed.
		c.site.set(func(s *changing) { changeA(s); s.dated["/a"] = days(0) })
		c.next()
		if asked, sent := c.site.counts(); asked["/a"] != 1 || sent["/a"] != 1 || asked["/b"] != 0 {
			c.t.Errorf("asked for %v, was sent %v", asked, sent)
		}
		if c.hosted() != c.fresh() || !strings.Contains(c.hosted(), "something else to read") {
			c.t.Errorf("hosted:\n%s", c.hosted())
		}
		// One has changed and does not say so: it is found in a week.
		c.site.set(func(s *changing) { s.pages["/b"] = page("Quiet", "This page has changed and nobody was told.") })
		changed := time.Now()
		for !strings.Contains(c.hosted(), "nobody was told") {
			c.next()
			if time.Since(changed) > 8*24*time.Hour {
				c.t.Fatal("the lie was never found")
			}
		}
		// From then on its word, and that of its like, is not taken.
		c.next()
		c.site.counts()
		c.next()
		if asked, _ := c.site.counts(); asked["/b"] != 1 || asked["/c"] != 1 {
			c.t.Errorf("asked for %v", asked)
		}
	}, func(o *farwire.Options) { o.Recrawl.Poll = 5 * time.Minute }) // there is more than a week to go by
}

// TestRecrawl_PagesLeftTheSitemap_AreRemoved: pages that have left the sitemap too are gone for good.
func TestRecrawl_PagesLeftTheSitemap_AreRemoved(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.site.set(func(s *changing) {
			s.dated = map[string]string{}
			for p := range s.pages {
				s.dated[p] = days(3)
			}
		})
		defer recrawls(c.t, c.gw)()
		c.next()
		c.site.set(func(s *changing) {
			for _, p := range []string{"/b", "/c", "/d", "/e", "/f", "/g", "/h"} {
				delete(s.pages, p)
				delete(s.dated, p)
			}
		})
		if s := c.next().Site; s.Failures != 0 {
			c.t.Errorf("committed %+v", s)
		}
		if strings.Contains(c.hosted(), "/b") || !strings.Contains(c.hosted(), "/i") || c.hosted() != c.fresh() {
			c.t.Errorf("hosted:\n%s", c.hosted())
		}
	})
}

// TestRecrawl_TimeoutPasses_KeepsTheFile: what was found in time is less than there was.
func TestRecrawl_TimeoutPasses_KeepsTheFile(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		original, hang := c.hosted(), make(chan struct{})
		defer close(hang)
		c.site.set(func(s *changing) { s.hang["/i"] = hang; changeA(s) })
		defer recrawls(c.t, c.gw)()
		if s := c.next().Site; s.Failures != 1 || s.LastError != "The time was over at 9 of 10 pages" {
			c.t.Errorf("committed %+v", s)
		}
		if c.hosted() != original {
			c.t.Errorf("hosted:\n%s", c.hosted())
		}
	}, func(o *farwire.Options) { o.Crawl.Timeout = 10 * time.Second })
}

// TestCrawl_EnrolledSite_LeavesTheFileToRecrawls leaves the hosted file to the recrawls.
func TestCrawl_EnrolledSite_LeavesTheFileToRecrawls(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		original := c.hosted()
		h := c.crawled(testKey, `{"url":"http://site.test/","format":"index"}`)
		if h.code != 1000 || !strings.HasPrefix(h.one(c.t, "result").Content, "# Home of Examples\n\n> This site shows") ||
			!strings.Contains(h.logs(), "its hosted file is kept by its recrawls; send enableAutoUpdate to replace it") {
			c.t.Errorf("got %+v", h)
		}
		for _, m := range h.messages {
			if m.Type == "url" {
				c.t.Errorf("got %+v", m)
			}
		}
		if c.hosted() != original {
			c.t.Errorf("hosted:\n%s", c.hosted())
		}
		// Another caller's file is its own, and a page below is another site.
		c.crawled(otherKey, `{"url":"http://site.test/"}`).one(c.t, "url")
		c.crawled(testKey, `{"url":"http://site.test/a"}`).one(c.t, "url")
		// Who cannot tell whether it is enrolled hosts nothing.
		c.sites.setUnavailable(errUnavailable)
		if h := c.crawled(testKey, `{"url":"http://site.test/"}`); h.code != 1000 || !strings.Contains(h.logs(), "could not be hosted") {
			c.t.Errorf("got %+v", h)
		}
		// To enrol it again replaces the file.
		c.sites.setUnavailable(nil)
		h = c.crawled(testKey, strings.Replace(enrolHourly, "{", `{"format":"index",`, 1))
		if m := h.one(c.t, "url"); m.WebhookSecret != "" || m.BaseURL != "http://site.test/" || c.hosted() != h.one(c.t, "result").Content {
			c.t.Errorf("got %+v", h)
		}
	})
}

// TestCrawl_SitesLimitReached_ErrorAtTheFirstPage: who has no room for a site is told at its first page.
func TestCrawl_SitesLimitReached_ErrorAtTheFirstPage(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.site.set(func(s *changing) {
			s.pages["/more/"] = page("More", "There is more to read here.", "/more/a", "/more/b")
		})
		c.crawled(testKey, strings.Replace(enrolHourly, "site.test/", "site.test/more/", 1)).wantError(c.t, 1008, "limit reached: 1 enrolled site")
		if asked, _ := c.site.counts(); asked["/more/"] != 1 || asked["/more/a"] > 1 {
			c.t.Errorf("asked for %v", asked)
		}
		// The one that there is may be enrolled again, and others have room.
		if h := c.crawled(testKey, enrolHourly); h.code != 1000 {
			c.t.Errorf("got %+v", h)
		}
		if h := c.crawled(otherKey, enrolHourly); h.code != 1000 {
			c.t.Errorf("got %+v", h)
		}
		usage := func() (count, limit *int) {
			r := httptest.NewRequest("GET", "/usage", nil)
			r.Header.Set("X-API-Key", testKey)
			w := httptest.NewRecorder()
			c.gw.Usage().ServeHTTP(w, r)
			var a struct{ Sites struct{ Count, Limit *int } }
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
				c.t.Fatalf("%d: %s", w.Code, w.Body)
			}
			return a.Sites.Count, a.Sites.Limit
		}
		if n, most := usage(); n == nil || *n != 1 || most == nil || *most != 1 {
			c.t.Errorf("usage: %v of %v", n, most)
		}
		c.sites.setUnavailable(errUnavailable)
		if n, most := usage(); n != nil || most == nil {
			c.t.Errorf("usage without a store: %v of %v", n, most)
		}
		c.crawled(testKey, enrolHourly).wantError(c.t, 1011, "internal error")
	}, func(o *farwire.Options) { o.Limits.Sites = 1 })
}

func TestNew_BadRecrawlOptions_NamesTheField(t *testing.T) {
	for field, r := range map[string]farwire.RecrawlOptions{
		"Options.Recrawl.Workers":     {Workers: -1},
		"Options.Recrawl.Lease":       {Lease: 999 * time.Millisecond},
		"Options.Recrawl.Poll":        {Poll: -1},
		"Options.Recrawl.MinInterval": {MinInterval: -time.Hour},
		"Options.Recrawl.MaxInterval": {MinInterval: 2 * time.Hour, MaxInterval: time.Hour},
	} {
		if _, err := farwire.New(farwire.Options{Recrawl: r}); err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := farwire.New(farwire.Options{Recrawl: farwire.RecrawlOptions{MinInterval: 90 * 24 * time.Hour}}); err != nil {
		t.Error(err)
	}
}

// A listing is a selector that lists agents.
type listing struct {
	farwire.AgentSelector
	agents func() []agent.Info
}

func (l listing) Agents() []agent.Info { return l.agents() }

// A gateway that has no agent leaves due sites to those that have, and crawls when one has
// attached.
func TestRecrawl_NoAgents_NothingIsClaimed(t *testing.T) {
	var attached atomic.Bool
	attached.Store(true)
	var claims atomic.Int64
	inRecrawlWorld(t, func(c *recrawlWorld) {
		attached.Store(false)
		c.sites.before = func(method string) error {
			if method == "Claim" {
				claims.Add(1)
			}
			return nil
		}
		due := c.sites.only(c.t).NextCrawl
		defer recrawls(c.t, c.gw)()
		time.Sleep(time.Until(due) + time.Hour)
		if n := claims.Load(); n != 0 || !c.sites.only(c.t).NextCrawl.Equal(due) {
			c.t.Errorf("%d claims without an agent; the site is due at %v, not %v", n, c.sites.only(c.t).NextCrawl, due)
		}
		attached.Store(true)
		time.Sleep(time.Minute)
		if done := c.next(); done.Site.Failures != 0 || time.Since(done.Site.LastCrawl) > 2*time.Minute {
			c.t.Errorf("with an agent it is %+v", done.Site)
		}
	}, func(o *farwire.Options) {
		o.Agents = listing{o.Agents, func() []agent.Info {
			if !attached.Load() {
				return nil
			}
			return []agent.Info{{Slug: "de1"}}
		}}
	})
}

// A lease that is lost while the last renewal is waited for has its outcome, too.
func TestRecrawl_LeaseLostBeforeTheCommit_IsLost(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		renewing, answer := make(chan struct{}), make(chan struct{})
		c.sites.before = func(method string) error {
			if method != "Renew" {
				return nil
			}
			close(renewing)
			<-answer
			return farwire.ErrLeaseLost
		}
		c.files.before = func(_ context.Context, f farwire.File) error {
			if f.Version == 2 {
				<-renewing
			}
			return nil
		}
		c.site.set(changeA)
		stop := recrawls(c.t, c.gw)
		<-renewing
		time.Sleep(time.Second) // the file is saved, and the commit waits for the renewal
		saved := c.files.saved()
		close(answer)
		time.Sleep(time.Second)
		stop()
		if n := len(c.sites.committed()); n != 1 || saved != 2 {
			c.t.Errorf("%d commits, %d saves before the lease was lost", n, saved)
		}
		c.wantLog(`kind=recrawl .*token=2 .*outcome=lost`)
	})
}
