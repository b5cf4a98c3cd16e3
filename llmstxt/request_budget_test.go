package llmstxt_test

import (
	"fmt"
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
