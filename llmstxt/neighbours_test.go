package llmstxt_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A chain of pages may be told in their headers alone. It adds no depth.
func TestCrawl_LinkHeaderNamesTheNextPage_IsFollowed(t *testing.T) {
	for _, header := range []string{`<http://docs.test/%d>; rel="next"`, `</%d>; rel=next, </0>; rel="prev"`, `</style.css>; rel=preload, <%d>; rel="nofollow Next"`, `</0>; rel=first, </%d>; rel="previous"`} {
		for _, inPage := range []bool{false, true} {
			w := &web{pages: map[string]answer{}}
			var want []string
			for n := range 8 {
				l := fmt.Sprintf("/%d", n)
				if want = append(want, l); n == 0 {
					want = []string{"/"}
					l = "/"
				}
				page := doc("Part " + word(n))
				if inPage {
					page = doc("Part "+word(n), fmt.Sprintf("/%d", n+1))
				}
				w.pages["http://docs.test"+l] = inHeader(page, "Link", fmt.Sprintf(header, n+1))
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxDepth: 2})
			if got := urls(s); !slices.Equal(got, want) {
				t.Errorf("%s, links in the page %t: %v, want %v", header, inPage, got, want)
			}
		}
	}
	// What says that its links are not to be followed, and what is no neighbour, is not.
	for header, page := range map[string]answer{
		`</1>; rel=next`:                  inHead(doc("Part"), "<meta name=robots content=nofollow>"),
		`</1>; rel=stylesheet`:            doc("Part"),
		`</1>; rel="prefetch"`:            doc("Part"),
		`</1>; rel="next-archive"`:        doc("Part"),
		`<http://a.test/1>; rel=next`:     doc("Part"),
		`<javascript:next()>; rel="next"`: doc("Part"),
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": inHeader(page, "Link", header), "http://docs.test/1": doc("Part one")}}
		if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 1 || w.asked("http://docs.test/1") > 0 {
			t.Errorf("%s: %v", header, urls(s))
		}
	}
}
