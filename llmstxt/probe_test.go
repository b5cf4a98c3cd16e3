package llmstxt_test

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// everywhere is a site with two pages that answers every other address alike, by what page
// makes of the address's path.
func everywhere(page func(p string) answer, links ...string) *web {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", append([]string{"/a-pot"}, append(links, "/b-pot")...)...), "http://docs.test/a-pot": doc("A pot"), "http://docs.test/b-pot": doc("B pot")}}
	w.pages["http://docs.test/robots.txt"], w.pages["http://docs.test/sitemap.xml"] = answer{status: 404}, answer{status: 404}
	w.handler = func(r *http.Request) (answer, bool) {
		if _, ok := w.pages[r.URL.String()]; ok || strings.HasSuffix(r.URL.Path, ".md") {
			return answer{}, false
		}
		return page(r.URL.Path), true
	}
	return w
}

func TestCrawl_AnswerToEveryAddress_IsLeftOut(t *testing.T) {
	swahili := func(text func(p string) string) func(string) answer {
		return func(p string) answer {
			return html("<title>Kwaheri</title><main><h1>Samahani sana</h1><p>" + text(p) + "</p></main>")
		}
	}
	words := func(p string) string {
		s := strings.ReplaceAll(path.Base(p), "-", " ")
		return strings.ToUpper(s[:1]) + s[1:]
	}
	for name, c := range map[string]struct {
		page func(p string) answer
		dead []string
	}{
		"the path":               {swahili(func(p string) string { return "Hakuna kitu hapa kwenye " + p + " kwa sasa, tafadhali rudi." }), []string{"/docs/old-guide", "/x/gone"}},
		"one address":            {swahili(func(p string) string { return "Hakuna kitu hapa kwenye " + p + " kwa sasa, tafadhali rudi." }), []string{"/docs/old-guide"}},
		"the path without slash": {swahili(func(p string) string { return p[1:] + " haipatikani hapa kwa sasa, tafadhali rudi nyumbani." }), []string{"/docs/old"}},
		"the last segment": {swahili(func(p string) string {
			return "Hakuna ukurasa “" + path.Base(p) + "” hapa, tafadhali rudi nyumbani."
		}), []string{"/docs/old-guide"}},
		"its words":           {swahili(func(p string) string { return "Hakuna ukurasa wa " + words(p) + " hapa, tafadhali rudi nyumbani." }), []string{"/docs/old-guide", "/docs/older-guide"}},
		"no part of the path": {swahili(func(p string) string { return "Hakuna ukurasa kama huu hapa, tafadhali rudi nyumbani." }), []string{"/docs/old-guide", "/docs/older-guide", "/c"}},
		"a heading": {func(p string) answer {
			return html("<title>Acme</title><main><h1>Nothing found</h1><p>Try the search in the header, it knows what there is.</p></main>")
		}, []string{"/c"}},
		"a redirect": {func(p string) answer {
			if p == "/oh/404.html" {
				return html("<title>Acme</title><main><p>Hakuna kitu hapa kwa sasa, tafadhali rudi nyumbani.</p></main>")
			}
			return redirect("/oh/404.html")
		}, []string{"/c", "/docs/old"}},
		"a redirect to a page": {func(p string) answer {
			if p == "/error" {
				return html("<title>Oops</title><main><h1>Oops</h1><p>Something is wrong with what you asked for.</p></main>")
			}
			return redirect("/error")
		}, []string{"/c"}},
	} {
		w := everywhere(c.page, c.dead...)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", "/a-pot", "/b-pot"}) || s.Stats.Skipped[llmstxt.SkipNotFound] != len(c.dead) || s.Stats.Pages != 3 {
			t.Errorf("%s: %v, %v", name, got, s.Skipped)
		}
	}
}

// A page that only looks so stays: the site knows what it has not.
func TestCrawl_ShortPagesThatAreThere_Stay(t *testing.T) {
	w := everywhere(func(string) answer { return answer{status: 404} }, "/docs/old-guide", "/docs/older-guide", "/c-pot", "/d-pot", "/nothing")
	for _, p := range []string{"/docs/old-guide", "/docs/older-guide"} {
		w.pages["http://docs.test"+p] = html("<title>Guides</title><main><h1>Guides</h1><p>The text of " + path.Base(p) + " is being written, come back later.</p></main>")
	}
	for _, p := range []string{"/c-pot", "/d-pot"} {
		w.pages["http://docs.test"+p] = html("<title>Pots</title><main><h1>Pots</h1><p>This part is being written, come back later.</p></main>")
	}
	w.pages["http://docs.test/nothing"] = html("<title>Search</title><main><h1>Nothing found</h1><p>That is what the search says where it knows of no page.</p></main>")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); len(got) != 7 || s.Stats.Skipped[llmstxt.SkipNotFound] != 0 || reasons(s)["/d-pot"] != llmstxt.SkipDuplicate {
		t.Errorf("%v, %v", got, s.Skipped)
	}
	crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if n := probes(w); n != 1 {
		t.Errorf("an address that cannot exist was asked for %d times, want once", n)
	}
}

// What an address gets that cannot exist is asked for once a page has come that is compared
// with it, while others before that are on their way. Without such a page it is not.
func TestCrawl_PageInDoubtWaits_NowhereIsAskedMeanwhile(t *testing.T) {
	long := strings.Repeat("<p>The lid of a kettle keeps the steam in, and the handle of a kettle keeps the hand cool.</p>", 40)
	for name, c := range map[string]struct {
		page  answer
		asked bool
	}{
		"title of the base page": {html("<title>Home</title><main><h1>Lids</h1><p>All about /thin and what it holds.</p></main>"), true},
		"no word of its address": {html("<title>Kwaheri</title><main><h1>Samahani</h1><p>Hakuna kitu hapa kwa sasa, tafadhali rudi nyumbani.</p></main>"), true},
		"nothing is there":       {html("<title>Search</title><main><h1>Nothing found</h1><p>Try the search in the header, it knows what there is.</p></main>"), true},
		"a long page":            {html("<title>Home</title><main><h1>Lids</h1>" + long + "</main>"), false},
		"it forbids to be shown": {html("<title>Home</title><meta name=robots content=noindex><main><h1>Lids</h1><p>All about lids.</p></main>"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := html("<title>Slow</title><main><h1>Slow</h1>" + long + "</main>")
				asked, once := make(chan struct{}), sync.Once{}
				w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/slow", "/thin"), "http://docs.test/thin": c.page}}
				w.handler = func(r *http.Request) (answer, bool) {
					switch {
					case strings.Contains(r.URL.Path, "no-such-page"):
						once.Do(func() { close(asked) })
					case r.URL.Path == "/slow":
						select {
						case <-asked:
						case <-time.After(10 * time.Second):
						}
						return slow, true
					}
					return answer{}, false
				}
				began := time.Now()
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if waited := time.Since(began) >= 10*time.Second; waited == c.asked || (probes(w) == 1) != c.asked {
					t.Errorf("asked for %d times, after the page before: %v; %v", probes(w), waited, urls(s))
				}
			})
		})
	}
}

// One worker has no request to spare: what the pages before need comes first, if what cannot exist gets no answer.
func TestCrawl_OneWorker_NowhereWaitsForThePagesBefore(t *testing.T) {
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/thin"), "http://docs.test/a": doc("Part"),
				"http://docs.test/thin": html("<title>Home</title><main><h1>Lids</h1><p>All about /thin and what it holds.</p></main>")}}
			var twin atomic.Bool
			w.handler = func(r *http.Request) (answer, bool) {
				if r.URL.Path == "/a.md" {
					twin.Store(true)
				}
				if strings.Contains(r.URL.Path, "no-such-page") && !twin.Load() {
					t.Error("the page before has not been asked for in Markdown")
				}
				return answer{}, false
			}
			crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 1})
			if probes(w) != 1 || !twin.Load() {
				t.Errorf("asked for %d times, %t", probes(w), twin.Load())
			}
		})
	}
}

// probes is how often a site was asked for an address that cannot exist.
func probes(w *web) (n int) {
	for _, r := range w.log {
		if strings.Contains(r.URL.Path, "no-such-page") && !strings.HasSuffix(r.URL.Path, ".md") {
			n++
		}
	}
	return n
}

// Where a site leads those who are lost to a page of its own, that page is there.
func TestCrawl_NowhereLeadsToAPage_ThePageStays(t *testing.T) {
	short := func(title, text string) answer {
		return html("<title>Acme</title><main><h1>" + title + "</h1><p>" + text + "</p><a href=/a-pot>A pot</a></main>")
	}
	for name, c := range map[string]struct {
		to   string
		page answer
	}{
		"names its path": {"/en/docs/", short("Docs", "All of /en/docs/ is here, choose one.")},
		"as it is":       {"/start", short("Nothing found", "Choose one of what there is, or go home.")},
	} {
		w := everywhere(func(string) answer { return redirect(c.to) }, c.to, "/gone-for-good")
		w.pages["http://docs.test"+c.to] = c.page
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", "/a-pot", c.to, "/b-pot"}) || reasons(s)["/gone-for-good"] != llmstxt.SkipRedirect {
			t.Errorf("%s: %v, %v", name, got, s.Skipped)
		}
	}
	// Two that say the same are one page, and that one stays.
	w := everywhere(func(string) answer { return redirect("/start") }, "/start", "/begin")
	w.pages["http://docs.test/start"] = short("Begin", "Choose one of what there is, or go home.")
	w.pages["http://docs.test/begin"] = w.pages["http://docs.test/start"]
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 || reasons(s)["/begin"] != llmstxt.SkipDuplicate {
		t.Errorf("%v, %v", urls(s), s.Skipped)
	}
}

// The only dead link of a site leads to no page, whatever the answer says.
func TestCrawl_OneDeadLinkInUnknownWords_IsNoPage(t *testing.T) {
	for _, says := range []string{"<h1>Houston?</h1><p>We have looked under the sofa as well.</p>", "<h2>Samahani</h2><p>Kwa sasa hakuna kitu hapa, tafadhali rudi.</p>", "<p>That one has wandered off. Try the menu, or go back to where you were.</p>"} {
		nothing := html("<title>Acme</title><main>" + says + "</main>")
		w := everywhere(func(string) answer { return nothing }, "/gone", "/about")
		w.pages["http://docs.test/"] = html("<title>Acme</title><main><h1>Acme</h1><p>Pots of all kinds for tea, and the <a href=/gone>old list</a>.</p><a href=/about>About</a><a href=/a-pot>A pot</a></main>")
		w.pages["http://docs.test/about"] = html("<title>Acme</title><main><h1>About</h1><p>Two potters and a cat who make pots.</p></main>")
		delete(w.pages, "http://docs.test/gone")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := strings.Join(kept(s), " "); got != "/ /a-pot /about" || reasons(s)["/gone"] != llmstxt.SkipNotFound {
			t.Errorf("%s: %s; %v", says, got, reasons(s))
		}
	}
}

// Only a page that names its address as no title does gives reason to ask for another.
func TestCrawl_PagesWithTheWordsOfTheirPath_GiveNoReasonToAsk(t *testing.T) {
	for p, text := range map[string]string{"/docs/install": "How to install it.", "/docs/2.0/tea": "All about tea.", "/tea-pots/care": "Care of pots."} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", p)}}
		w.pages["http://docs.test"+p] = html("<title>Acme</title><main><h1>" + path.Base(p) + "</h1><p>" + text + "</p></main>")
		if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 || probes(w) != 0 {
			t.Errorf("%s: %d pages, asked for %d times", p, len(s.Pages), probes(w))
		}
	}
}

// A site may make a page of any address. Then those that it links to are its pages.
func TestCrawl_AnyAddressHasAPage_PagesStay(t *testing.T) {
	for name, text := range map[string]string{
		"last segment": "<title>Page %[2]s</title><main><h1>Page %[2]s</h1><p>What page %[2]s has to say is said on no other page.</p></main>",
		"path":         "<title>%[1]s</title><main><h1>%[1]s</h1><p>The words of %[1]s stand here, and nowhere else.</p></main>",
	} {
		for _, n := range []int{2, 5, 40} {
			w := everywhere(func(p string) answer { return html(fmt.Sprintf(text, p, path.Base(p))) })
			var links []string
			for i := range n {
				links = append(links, fmt.Sprintf("/pots/pot-%d", 10+i))
			}
			w.pages = map[string]answer{"http://docs.test/": doc("Home", links...), "http://docs.test/robots.txt": {status: 404}, "http://docs.test/sitemap.xml": {status: 404}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 30})
			if want := min(n+1, 30); len(s.Pages) != want || s.Stats.Pages != want {
				t.Errorf("%s: %d of %d pages, %v", name, len(s.Pages), want, s.Skipped)
			}
		}
	}
}

// Dead links take no room from pages.
func TestCrawl_ManyDeadLinks_PagesFillTheFile(t *testing.T) {
	var links []string
	w := everywhere(func(p string) answer {
		return html("<title>Kwaheri</title><main><h1>Samahani sana</h1><p>Hakuna kitu hapa kwenye " + p + " kwa sasa, tafadhali rudi.</p></main>")
	})
	for i := range 40 {
		links = append(links, fmt.Sprintf("/pots/pot-%d", i))
		w.pages["http://docs.test"+links[len(links)-1]] = doc(fmt.Sprintf("Pot number %d", i))
		if i%4 == 3 {
			links = append(links, fmt.Sprintf("/pots/broken-%d", i))
		}
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 30})
	if len(s.Pages) != 30 || slices.ContainsFunc(urls(s), func(u string) bool { return strings.Contains(u, "broken") }) {
		t.Errorf("%d pages, %v", len(s.Pages), s.Skipped)
	}
}

// A page whose canonical address gets what every address gets is there in its place.
func TestCrawl_CanonicalAddressIsDead_PageStays(t *testing.T) {
	for _, first := range []string{"/shop/tea", "/shop/tea?c=1"} {
		w := everywhere(func(p string) answer {
			return html("<title>Kwaheri</title><main><h1>Samahani sana</h1><p>Hakuna kitu hapa kwenye " + p + " kwa sasa, tafadhali rudi.</p></main>")
		}, first, "/shop/tea?c=1", "/shop/tea")
		w.pages["http://docs.test/shop/tea?c=1"] = html("<title>Tea</title><link rel=canonical href=/shop/tea><main><h1>Tea</h1><p>It comes in bags of a hundred grams, and keeps for a year.</p></main>")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Contains(got, "/shop/tea?c=1") || slices.Contains(got, "/shop/tea") || len(got) != 4 {
			t.Errorf("%s first: %v, %v", first, got, s.Skipped)
		}
	}
}
