package llmstxt_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// unlessRace returns all that a test repeats itself with, and a part of it where the race
// detector makes each time ten times as expensive: it finds in the part what it would find
// in all. scripts/test runs these tests without the detector, too.
func unlessRace[T any](all, part T) T {
	if raceDetector {
		return part
	}
	return all
}

// everyWay crawls a site with 1, 8 and 32 workers and answers in any order, and
// holds the results to each other.
func everyWay(t *testing.T, w *web, url string, o llmstxt.Options) *llmstxt.CrawledSite {
	t.Helper()
	var first *llmstxt.CrawledSite
	want := ""
	for round, workers := range unlessRace([]int{1, 8, 32, 32}, []int{32}) {
		synctest.Test(t, func(t *testing.T) {
			w := w.clone()
			rng := rand.New(rand.NewPCG(uint64(round), 7))
			w.latency = func() time.Duration { return time.Duration(rng.IntN(900)) * time.Millisecond }
			o := o
			o.Workers = workers
			s := crawl(t, w, url, o)
			got := s.Render(llmstxt.Pages) + s.Render(llmstxt.Index) + fmt.Sprint(s.Skipped)
			if first == nil {
				first, want = s, got
			} else if got != want {
				t.Errorf("%d workers: another result:\n%s\nwant\n%s", workers, got, want)
			}
		})
	}
	return first
}

func paths(s *llmstxt.CrawledSite, prefix string) (n int) {
	for _, u := range urls(s) {
		if strings.HasPrefix(u, prefix) {
			n++
		}
	}
	return n
}

// word makes names without numbers, so that no two pages have one shape.
func word(i int) string { return fmt.Sprintf("%c%c%c", 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26) }

func section(w *web, dir string, n int) (links []string) {
	for i := range n {
		l := "/" + dir + "/" + word(i)
		w.pages["http://docs.test"+l] = doc(dir + " " + word(i))
		links = append(links, l)
	}
	return links
}

func TestCrawl_SitemapListsPostsFirst_LinkedDocsComeFirst(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	docs, posts := section(w, "docs", 20), section(w, "blog", 60)
	var b strings.Builder
	for _, l := range append(posts, docs...) {
		b.WriteString("<url><loc>http://docs.test" + l + "</loc></url>")
	}
	w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + b.String() + "</urlset>"}
	w.pages["http://docs.test/"] = doc("Home", docs...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if paths(s, "/docs/") != 20 || paths(s, "/blog/") != 29 {
		t.Errorf("%d docs and %d posts", paths(s, "/docs/"), paths(s, "/blog/"))
	}
}

func TestCrawl_HubWithHundreds_TakesTurns(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	api, guides, recipes := section(w, "api", 600), section(w, "guide", 12), section(w, "recipes", 12)
	w.pages["http://docs.test/api/"] = doc("Reference", api...)
	w.pages["http://docs.test/guide/"] = doc("Guides", guides...)
	w.pages["http://docs.test/recipes/"] = doc("Recipes", recipes...)
	w.pages["http://docs.test/"] = doc("Home", "/api/", "/guide/", "/recipes/")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if len(s.Pages) != 50 || paths(s, "/guide/") != 13 || paths(s, "/recipes/") != 13 {
		t.Errorf("%d guides and %d recipes in %d pages", paths(s, "/guide/"), paths(s, "/recipes/"), len(s.Pages))
	}
	// A home page that is itself an index of all.
	w.pages["http://docs.test/"] = doc("Home", append(append(api, guides...), recipes...)...)
	s = everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if paths(s, "/guide/") != 12 || paths(s, "/recipes/") != 12 {
		t.Errorf("%d guides and %d recipes", paths(s, "/guide/"), paths(s, "/recipes/"))
	}
}

func TestCrawl_ShapeBeyondItsShare_ComesLast(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range 90 {
		l := fmt.Sprintf("/node%d.html", i)
		links = append(links, l)
		w.pages["http://docs.test"+l] = doc("Section " + word(i))
	}
	links = append(links, "/guide")
	w.pages["http://docs.test/guide"] = doc("Guide", "/guide/more")
	w.pages["http://docs.test/guide/more"] = doc("More")
	w.pages["http://docs.test/"] = doc("Manual", links...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 120})
	if len(s.Pages) != 93 {
		t.Errorf("%d pages, want 93: %v", len(s.Pages), s.Stats.Skipped)
	}
	s = everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 40})
	if got := urls(s); !slices.Contains(got, "/guide/more") || len(got) != 40 {
		t.Errorf("%v", got)
	}
}

func TestCrawl_ChainOfNextLinks_CostsNoDepth(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	const chapters = 60
	for i := range chapters {
		a := doc("Chapter " + word(i))
		if i+1 < chapters {
			next := fmt.Sprintf("<link rel=next href=/ch-%s>", word(i+1))
			if i%2 == 1 {
				next = fmt.Sprintf("<a rel=next href=/ch-%s>Next</a>", word(i+1))
			}
			a.body = strings.Replace(a.body, "</main>", "</main>"+next, 1)
		}
		w.pages["http://docs.test/ch-"+word(i)] = a
	}
	w.pages["http://docs.test/"] = doc("Book", "/ch-"+word(0))
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100}); len(s.Pages) != chapters+1 {
		t.Errorf("%d pages", len(s.Pages))
	}
}

// A relation is one of several words, and a chain has two ends.
func TestCrawl_RelationsOfChains_CostNoDepth(t *testing.T) {
	for _, link := range []string{`<a rel="noopener next" href=%s>Next</a>`, `<a rel="Next prefetch" href=%s>Next</a>`, `<a rel=prev href=%s>Before</a>`, `<a rel="previous nofollow-me" href=%s>Before</a>`,
		`<link rel="prefetch next" href=%s>`, `<link rel=prev href=%s>`} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Book", "/ch-a")}}
		for c := 'a'; c <= 'h'; c++ {
			a := doc("Chapter " + string(c))
			if c < 'h' {
				a.body = strings.Replace(a.body, "<main>", fmt.Sprintf(link, "/ch-"+string(c+1))+"<main>", 1)
			}
			w.pages["http://docs.test/ch-"+string(c)] = a
		}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxDepth: 2}); len(s.Pages) != 9 {
			t.Errorf("%s: %v", link, urls(s))
		}
	}
}

func TestCrawl_ContentsInFrames_AreFollowed(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":         html(`<title>Book</title><nav><noscript><iframe class="sidebar" src="toc.html"></iframe></noscript></nav><main><h1>Book</h1><p>A book whose contents stand in a frame of their own, for those without scripts.</p></main>`),
		"http://docs.test/toc.html": html(`<title>Contents</title><ol><li><a href="one.html">One</a><li><a href="two.html">Two</a></ol>`),
		"http://docs.test/one.html": doc("One"), "http://docs.test/two.html": doc("Two"),
	}}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxDepth: 1})
	if got := urls(s); !slices.Contains(got, "/one.html") || !slices.Contains(got, "/two.html") {
		t.Errorf("%v", got)
	}
}

func TestCrawl_CanonicalInHeader_Counts(t *testing.T) {
	printed := doc("A, printed")
	printed.header = map[string]string{"Link": `</style.css>; rel=preload, </a>; rel="canonical"`}
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a?print=1", "/a"), "http://docs.test/a?print=1": printed, "http://docs.test/a": doc("A")}}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); !slices.Equal(urls(s), []string{"/", "/a"}) {
		t.Errorf("%v, %v", urls(s), s.Skipped)
	}
}

func TestCrawl_StartBelowRoot_SaysWhatIsOutside(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/docs/intro": doc("Intro", "/docs/install", "/docs/config", "/docs/intro/x"),
		"http://docs.test/docs/intro/x": doc("X")}}
	said := ""
	s := crawl(t, w, "http://docs.test/docs/intro", llmstxt.Options{Progress: func(e llmstxt.Event) {
		if strings.Contains(e.Message, "outside") {
			said = e.Message
		}
	}})
	if want := "Not crawled, because outside of http://docs.test/docs/intro: 2 links of the base page; to have them, start at http://docs.test/docs/"; said != want || len(s.Pages) != 2 {
		t.Errorf("%q, %v", said, urls(s))
	}
}

func TestCrawl_IncludeAndExclude_DecideThePages(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := append(section(w, "docs", 5), section(w, "blog", 5)...)
	w.pages["http://docs.test/docs/old/x"] = doc("Old")
	w.pages["http://docs.test/moved"] = redirect("/blog/aaa")
	w.pages["http://docs.test/"] = doc("Home", append(links, "/docs/old/x", "/moved")...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Include: []string{"/docs/**", "/moved"}, Exclude: []string{"/docs/old/**"}})
	if got := urls(s); len(got) != 6 || got[0] != "/" || paths(s, "/docs/") != 5 {
		t.Errorf("%v", got)
	}
	if r := reasons(s); r["/docs/old/x"] != llmstxt.SkipExcluded || r["/blog/aaa"] != llmstxt.SkipExcluded || r["/moved"] != llmstxt.SkipExcluded {
		t.Errorf("%v", s.Skipped)
	}
	fresh := w.clone()
	crawl(t, fresh, "http://docs.test/", llmstxt.Options{Exclude: []string{"/blog/*"}})
	for u := range fresh.hits {
		if strings.Contains(u, "/blog/") {
			t.Errorf("%s was fetched", u)
		}
	}
}

func TestCrawl_ManyRulesAndLinks_StaysWithinItsTime(t *testing.T) {
	var rules, links strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&rules, "Disallow: /x%d*y\nAllow: /z%d\n", i, i)
	}
	for i := range 5000 {
		fmt.Fprintf(&links, "<a href=/q%s/%d>x</a>", word(i), i)
	}
	w := &web{pages: map[string]answer{"http://docs.test/robots.txt": {body: "User-agent: *\n" + rules.String()}}}
	w.handler = func(r *http.Request) (answer, bool) {
		if r.URL.Path == "/robots.txt" || r.URL.Path == "/sitemap.xml" {
			return answer{}, false
		}
		return html("<title>Page " + r.URL.Path + "</title><p>Words of " + r.URL.Path + " that are long enough to be words.</p>" + links.String()), true
	}
	began := time.Now()
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 20, Timeout: 20 * time.Second})
	if d := time.Since(began); d > 42*time.Second || len(s.Pages) == 0 {
		t.Errorf("%v, %+v", d, s.Stats)
	}
}

// What one page of the base page's links leads to is asked for while another has not answered,
// and its place is behind both.
func TestCrawl_LinkOfTheBasePageIsSlow_OthersAreFollowed(t *testing.T) {
	for links := range 3 {
		synctest.Test(t, func(t *testing.T) {
			followed, once := make(chan struct{}), sync.Once{}
			w := &web{pages: map[string]answer{}}
			var next []string
			for i := range links + 1 {
				l := "/part-" + word(i)
				next = append(next, l)
				w.pages["http://docs.test"+l] = doc("Part "+word(i), "/more/"+word(i), "/more/again-"+word(i))
				w.pages["http://docs.test/more/"+word(i)] = doc("More " + word(i))
				w.pages["http://docs.test/more/again-"+word(i)] = doc("Again " + word(i))
			}
			w.pages["http://docs.test/"] = doc("Home", append(next, "/slow")...)
			w.handler = func(r *http.Request) (answer, bool) {
				switch {
				case r.URL.Path == "/slow":
					select {
					case <-followed:
					case <-r.Context().Done():
						return answer{err: r.Context().Err()}, true
					}
					return doc("Slow", "/slow/more"), true
				case r.URL.Path == "/slow/more":
					return doc("More of it"), true
				case strings.HasPrefix(r.URL.Path, "/more/") && !strings.HasSuffix(r.URL.Path, ".md"):
					once.Do(func() { close(followed) })
				}
				return answer{}, false
			}
			want := slices.Concat([]string{"/"}, next, []string{"/slow"})
			for i := range links + 1 {
				want = append(want, "/more/"+word(i))
			}
			want = append(want, "/slow/more")
			for i := range links + 1 {
				want = append(want, "/more/again-"+word(i))
			}
			if got := urls(crawl(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}
