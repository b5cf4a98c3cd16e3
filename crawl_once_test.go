package farwire_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
)

// A crawl looks whether its site is enrolled and saves a moment later. The site that is
// enrolled in between keeps the file of its own options, for no recrawl would replace it
// before the site changes.
func TestCrawl_SiteEnrolledWhileItSaves_LeavesTheFileToRecrawls(t *testing.T) {
	for name, c := range map[string]struct{ ask, at string }{
		"before its file":           {`"format":"index"`, "/llms.txt"},
		"before another of its own": {`"maxPages":2,"full":true`, "/llms-full.txt"},
		"before a page's":           {`"maxPages":2,"markdown":true`, ".md"},
	} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(w *recrawlWorld) {
				var enrolled heard
				var began atomic.Bool
				w.sites.first = 1000
				w.files.before = func(_ context.Context, f farwire.File) error {
					if strings.HasSuffix(f.Name, c.at) && began.CompareAndSwap(false, true) {
						enrolled = w.crawled(otherKey, strings.Replace(enrolHourly, "{", `{"full":true,"markdown":true,`, 1))
					}
					return nil
				}
				h := w.crawled(otherKey, `{"url":"http://site.test/",`+c.ask+`}`)
				if h.code != 1000 || enrolled.code != 1000 || !strings.Contains(h.logs(), "its hosted file is kept by its recrawls") {
					w.t.Fatalf("got %+v, and of the enrolment %+v", h, enrolled)
				}
				for _, m := range h.messages {
					if m.Type == "url" {
						w.t.Errorf("got %+v", m)
					}
				}
				url := enrolled.one(w.t, "url").Content
				name, _ := strings.CutPrefix(url, "https://files.test/")
				w.files.mu.Lock()
				defer w.files.mu.Unlock()
				if got := string(w.files.files[name].Body); got != enrolled.one(w.t, "result").Content || got == h.one(w.t, "result").Content {
					w.t.Errorf("hosted at %s:\n%s", url, got)
				}
			})
		})
	}
}

// A site that its caller has left is one like any other.
func TestCrawl_SiteRemoved_FileIsReplaced(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		s := c.sites.only(c.t)
		if err := c.sites.Remove(c.t.Context(), s.ID); err != nil {
			c.t.Fatal(err)
		}
		for _, ask := range []string{`"format":"index"`, `"maxPages":3`} {
			h := c.crawled(testKey, `{"url":"http://site.test/",`+ask+`}`)
			if got := h.one(c.t, "url").Content; h.code != 1000 || got != s.HostedURL {
				c.t.Fatalf("hosted at %s, when it was enrolled at %s: %+v", got, s.HostedURL, h)
			}
			c.files.mu.Lock()
			body := string(c.files.files[strings.TrimPrefix(s.HostedURL, "https://files.test/")].Body)
			c.files.mu.Unlock()
			if body != h.one(c.t, "result").Content {
				c.t.Errorf("%s: hosted is\n%s", ask, body)
			}
		}
	})
}
