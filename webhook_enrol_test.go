package farwire_test

import (
	"testing"
	"time"
)

// TestSiteChanged_DuringTheOwnersCrawl_CrawlsOnceMore: the owner's crawl of a site that is
// enrolled may have passed what changed before the webhook was called, whether a recrawl
// began for that call or not.
func TestSiteChanged_DuringTheOwnersCrawl_CrawlsOnceMore(t *testing.T) {
	for name, c := range map[string]struct {
		due     bool          // the site was due before the call, and waits
		recrawl bool          // one is under way when the owner's crawl ends
		again   time.Duration // after the crawl before, if the minute between two holds the call back
	}{
		"nobody crawls it":         {},
		"due, nobody crawls it":    {due: true},
		"within a minute of it":    {again: 20 * time.Second},
		"a recrawl is robbed":      {recrawl: true},
		"due, a recrawl is robbed": {due: true, recrawl: true},
	} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(w *recrawlWorld) {
				switch {
				case c.due:
					time.Sleep(61 * time.Minute)
				case c.again > 0:
					time.Sleep(c.again)
				default:
					time.Sleep(10 * time.Minute)
				}
				hang := make(chan struct{})
				w.site.set(func(s *changing) { s.hang["/b"] = hang })
				owner := make(chan int, 1)
				go func() { owner <- w.crawled(testKey, enrolHourly).code }()
				time.Sleep(3 * time.Second)
				called := time.Now()
				wantDue(w.t, hook(w.gw.SiteChanged(), "POST", hookBody("http://site.test", w.sites.only(w.t).WebhookSecret)))
				if c.recrawl { // by another gateway, which stands still
					if _, err := w.sites.Claim(w.t.Context(), time.Hour); err != nil {
						w.t.Fatal(err)
					}
				}
				w.site.set(func(s *changing) { clear(s.hang) })
				close(hang)
				if code := <-owner; code != 1000 {
					w.t.Fatalf("the owner's crawl ended with %d", code)
				}
				w.seen = len(w.sites.committed())
				defer recrawls(w.t, w.gw)()
				if again := w.next(); again.at.Sub(called) > 3*time.Minute {
					w.t.Errorf("crawled again %v after the call", again.at.Sub(called))
				}
				if later := w.next(); later.at.Sub(called) < 50*time.Minute {
					w.t.Errorf("and once more %v after the call", later.at.Sub(called))
				}
			})
		})
	}
}
