package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A site of few pages with many dead links is told from one with more pages than the file may have.
func TestCrawl_DeadLinksTakeAllRequests_IsSaid(t *testing.T) {
	for dead, want := range map[int]bool{100: true, 5: false} {
		w := &web{pages: map[string]answer{"http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
		links := []string{"/a", "/b"}
		for i := range dead {
			links = append(links, fmt.Sprintf("/dead/%d", i))
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		var said []string
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 10, Progress: func(e llmstxt.Event) { said = append(said, e.Message) }})
		const why = "27 of 30 addresses led to no page of the file: no more are asked for than 3 × maxPages"
		at := slices.Index(said, why)
		if len(s.Pages) != 3 || (at >= 0) != want || want && !slices.Contains(said[at:], "Maximum pages limit reached") {
			t.Errorf("%d dead links: %v, said\n%s", dead, urls(s), strings.Join(said, "\n"))
		}
	}
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b", "/c"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B"), "http://docs.test/c": doc("C")}}
	crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 2, Progress: func(e llmstxt.Event) {
		if strings.Contains(e.Message, "led to no page") {
			t.Errorf("a site with more pages: %s", e.Message)
		}
	}})
}

// What a site has comes although its links lead to more pages that are missing than may be asked for.
func TestCrawl_FolderOfDeadLinks_LeavesRequestsToThePages(t *testing.T) {
	missing := map[string]answer{
		"404":  {status: http.StatusNotFound, body: "<h1>Not Found</h1>"},
		"410":  {status: http.StatusGone, body: "<h1>Gone</h1>"},
		"soft": html("<html><title>404 Not Found</title><body><h1>404 Not Found</h1><p>The requested page could not be found.</p></body></html>"),
	}
	const pages = 30
	for _, c := range []struct {
		name, answer string
		dead         func(int) string
		base         bool // the base page has the dead links; else each page some
	}{
		{"one folder", "404", func(i int) string { return fmt.Sprintf("/api/Class%d.html", i) }, true},
		{"names", "404", func(i int) string { return "/api/" + strings.Repeat(string(rune('a'+i%26)), 3+i/26) + "/" }, true},
		{"folders below", "410", func(i int) string { return fmt.Sprintf("/api/pkg%d/Class.html", i) }, true},
		{"says so", "soft", func(i int) string { return fmt.Sprintf("/api/c/Class%d.html", i) }, true},
		{"on all pages", "404", func(i int) string { return fmt.Sprintf("/api/pkg%d/Class.html", i) }, false},
	} {
		w := &web{pages: map[string]answer{}}
		w.handler = func(r *http.Request) (answer, bool) {
			return missing[c.answer], strings.HasPrefix(r.URL.Path, "/api/")
		}
		var links, dead []string
		for i := range 3 * pages {
			dead = append(dead, c.dead(i))
		}
		for i := range pages - 1 {
			at := fmt.Sprintf("/guide/part%d/", i)
			links = append(links, at)
			var more []string
			if !c.base {
				more = dead[3*i : 3*i+3]
			}
			w.pages["http://docs.test"+at] = doc(fmt.Sprintf("Part %d", i), more...)
		}
		if c.base {
			links = append(dead, links...)
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: pages})
		if len(s.Pages) != pages || s.Pages[1].URL != "http://docs.test/guide/part0/" || s.Stats.Fetched > 3*pages {
			t.Errorf("%s: %d of %d pages, %d fetched", c.name, len(s.Pages), pages, s.Stats.Fetched)
		}
	}
}

// A folder in which some pages are missing keeps its place, and one of which nothing was there
// at first gives what it has when nothing else is left.
func TestCrawl_FolderWithSomeDeadLinks_GivesAllItsPages(t *testing.T) {
	for _, c := range []struct{ dead, live int }{{9, 3}, {12, 2}, {40, 20}} {
		w := &web{pages: map[string]answer{"http://docs.test/last": doc("Last")}}
		var links []string
		for i := range c.dead {
			links = append(links, fmt.Sprintf("/wiki/Missing%d", i))
		}
		for i := range c.live {
			at := fmt.Sprintf("/wiki/Page%d", i)
			links = append(links, at)
			w.pages["http://docs.test"+at] = doc(fmt.Sprintf("Page %d", i))
		}
		w.pages["http://docs.test/"] = doc("Home", append(links, "/last")...)
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 40})
		if len(s.Pages) != c.live+2 {
			t.Errorf("%d dead: %d of %d pages", c.dead, len(s.Pages), c.live+2)
		}
	}
}
