package llmstxt_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// While it is found out whether a site has twins, its pages go on arriving, and requests
// that do not need each other are sent at once.
func TestCrawl_ManyPages_WorkersAreBusyFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]answer{}, latency: func() time.Duration { return time.Second }}
		var links []string
		for i := range 40 {
			links = append(links, "/"+word(i))
			w.pages["http://docs.test/"+word(i)] = doc("Part " + word(i))
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		began := time.Now()
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 8})
		// robots.txt; the base page and the site map; other site maps and the base page's
		// twins; 40 pages and twins of three of them by eight.
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %v", took)
		}
		if len(s.Pages) != 41 {
			t.Errorf("%d pages", len(s.Pages))
		}
	})
}

// That a twin could not be read is said, whatever became of its other addresses.
func TestTwin_Lost_IsReported(t *testing.T) {
	for _, found := range []bool{false, true} {
		w := twinSite(4, func(int) (string, string) { return "", "" }, func(i int) string {
			return map[bool]string{true: "/" + word(i) + "/index.html.md"}[found]
		}, "text/markdown")
		// With a slash each page has two addresses for its twin.
		for i := range 4 {
			w.pages["http://docs.test/"+word(i)+"/"] = w.pages["http://docs.test/"+word(i)]
			delete(w.pages, "http://docs.test/"+word(i))
		}
		w.pages["http://docs.test/"] = doc("Home", "/"+word(0)+"/", "/"+word(1)+"/", "/"+word(2)+"/", "/"+word(3)+"/")
		w.pages["http://docs.test/"+word(1)+".md"] = answer{status: http.StatusInternalServerError}
		var notes []string
		crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes = append(notes, e.Message) }})
		want := "Could not read the Markdown form of http://docs.test/" + word(1) + "/: HTTP 500 Internal Server Error"
		if !slices.Contains(notes, want) {
			t.Errorf("twins elsewhere %v: %q is not among %q", found, want, notes)
		}
	}
}
