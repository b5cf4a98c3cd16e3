package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A copy of a site, or one without its "www.", leads to another host, and the crawl says so.
func TestCrawl_LinksLeadToAnotherHost_SaysWhereToStart(t *testing.T) {
	const note = "Not crawled, because on another host than docs.test: %d link%s of the base page; to have them, start at %s/"
	links := func(at string, n int) (out []string) {
		for i := range n {
			out = append(out, at+"/"+word(i))
		}
		return out
	}
	for name, c := range map[string]struct {
		links []string
		head  string
		at    string // where to start; "": nothing is said
		n     int
	}{
		"www":                   {links("http://www.docs.test", 4), "", "http://www.docs.test", 4},
		"one":                   {links("http://www.docs.test", 1), "", "http://www.docs.test", 1},
		"https and port":        {links("https://docs.test:8443", 2), "", "https://docs.test:8443", 2},
		"part of the host":      {append(links("http://en.docs.test", 5), "/a"), "", "http://en.docs.test", 5},
		"base element":          {links("", 2), "<base href=https://kettle.example/>", "https://kettle.example", 2},
		"canonical":             {append(links("https://kettle.example", 2), "/a"), "<link rel=canonical href=https://kettle.example/>", "https://kettle.example", 2},
		"a copy":                {append(links("https://kettle.example", 6), "https://cups.example/"), "", "https://kettle.example", 6},
		"most are here":         {append(links("http://www.docs.test", 2), "/a", "/b", "/c"), "", "", 0},
		"of others":             {append(links("https://cups.example", 3), "https://a.example/", "https://b.example/", "https://c.example/"), "", "", 0},
		"of others, beside one": {append(links("https://cups.example", 6), "/a"), "", "", 0},
		"one of another":        {links("https://cups.example", 1), "", "", 0},
		"similar name":          {append(links("http://mydocs.test", 4), "/a"), "", "", 0},
		"files":                 {[]string{"http://www.docs.test/a.pdf", "http://www.docs.test/b.zip"}, "", "", 0},
		"outside of its folder": {append(links("http://www.docs.test", 2), "/x/a", "/x/b", "/x/c"), "", "", 0},
		"no links":              {nil, "", "", 0},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": inHead(doc("Home", c.links...), c.head)}}
		for _, l := range []string{"/a", "/b", "/c", "/x/a", "/x/b", "/x/c"} {
			w.pages["http://docs.test"+l] = doc("Page " + l)
		}
		var said []string
		crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) {
			if strings.Contains(e.Message, "another host") {
				said = append(said, e.Message)
			}
		}})
		want := ""
		if c.at != "" {
			s := "s"
			if c.n == 1 {
				s = ""
			}
			want = fmt.Sprintf(note, c.n, s, c.at)
		}
		if got := strings.Join(said, "\n"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for u := range w.hits {
			if !strings.HasPrefix(u, "http://docs.test/") {
				t.Errorf("%s: asked for %s", name, u)
			}
		}
	}
}
