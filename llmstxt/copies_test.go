package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What a site has beside its pages: the same ones in another form, for each visit or for
// each month, and lists for programs.

func TestCrawl_PagesInAnotherForm_AreNoPages(t *testing.T) {
	for _, form := range []string{"/print/news/tea", "/Printable/news/tea/", "/news/tea/print", "/news/tea/amp/", "/amp/news/tea"} {
		for _, slash := range []string{"", "/"} {
			w := &web{pages: map[string]answer{"http://docs.test/news/tea" + slash: doc("Tea", form), "http://docs.test/print/cards": doc("Cards that we print")}}
			w.pages["http://docs.test/"] = doc("Kettle", form, "/print/cards", "/news/tea"+slash)
			w.pages["http://docs.test"+form] = html("<title>Printing: Tea</title><p>Source: http://docs.test/news/tea</p><h1>Tea</h1><p>This page explains Tea in one honest sentence that nobody else uses.</p>")
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if len(s.Pages) != 3 || reasons(s)[form] != llmstxt.SkipDuplicate {
				t.Errorf("%s: %v, %v", form, urls(s), reasons(s))
			}
			w.pages["http://docs.test"+form] = html("<title>Printing: Tea</title><p>This page explains Tea in one honest sentence that nobody else uses.</p>")
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 3 || reasons(s)[form] != llmstxt.SkipDuplicate {
				t.Errorf("%s without a heading: %v, %v", form, urls(s), reasons(s))
			}
			// One that there is in no other form is a page.
			delete(w.pages, "http://docs.test/news/tea"+slash)
			w.pages["http://docs.test/"] = doc("Kettle", form, "/print/cards")
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 3 {
				t.Errorf("%s alone: %v, %v", form, urls(s), reasons(s))
			}
		}
	}
}

func TestCrawl_PagesNamedLikeAForm_AreKept(t *testing.T) {
	paths := []string{"/reference/print/", "/AMP/cards", "/services/print", "/guides/amp", "/print/cards"}
	for _, path := range unlessRace(paths, paths[:2]) {
		above := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(path, "/"), "/print"), "/amp")
		if above == path {
			above = "/cards"
		}
		w := &web{pages: map[string]answer{"http://docs.test" + path: doc("What it is to " + path), "http://docs.test/last": doc("Last")}}
		logo := func(name string) answer { // whose heading is the site's on each page
			return html("<title>" + name + " | Kettle</title><main><h1>Kettle</h1><p>This is what " + name + " is about, in words of its own. Nobody says so of " + name + " but we.</p></main>")
		}
		for name, other := range map[string]answer{
			"another page": doc("Above"), "missing": {status: 404, body: "none"}, "elsewhere": redirect("/last"), "only a slash": redirect(above + "/"),
			"title within": html("<title>" + path + "</title><main><p>A few words about something else, which no other page has.</p></main>"),
			"logo":         logo("this"),
		} {
			w.pages["http://docs.test"+above], w.pages["http://docs.test"+above+"/"] = other, doc("With a slash")
			if w.pages["http://docs.test"+path] = doc("What it is to " + path); name == "logo" {
				w.pages["http://docs.test"+path] = logo("that")
			}
			for _, links := range [][]string{{above, path, "/last"}, {path, above, "/last"}} {
				w.pages["http://docs.test/"] = doc("Kettle Shop", links...)
				s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
				if !slices.Contains(urls(s), path) || reasons(s)[path] != "" {
					t.Errorf("%s, %s, %v: %v, %v", path, name, links, urls(s), s.Skipped)
				}
				for n := range 4 {
					if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: n + 1}); len(s.Pages) > n+1 || len(s.Pages) < min(n+1, 3) {
						t.Errorf("%s, %s, %v: %v of at most %d pages", path, name, links, urls(s), n+1)
					}
				}
			}
		}
	}
}

func TestCrawl_FeedSentAsAPage_IsNone(t *testing.T) {
	for _, feed := range []string{
		`<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>`,
		"\ufeff\n<?xml version='1.0'?>\n<?xml-stylesheet href='a.xsl'?><!-- made by hand -->\n<feed xmlns='http://www.w3.org/2005/Atom'></feed>",
		`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>`,
		`<?xml version="1.0"?><urlset></urlset>`, `<sitemapindex><sitemap/></sitemapindex>`,
	} {
		for _, kind := range []string{"text/html", "text/plain", "application/xhtml+xml"} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Kettle", "/news/feed", "/x"), "http://docs.test/x": {body: "<?xml version='1.0'?><!DOCTYPE html>" + doc("X").body}}}
			w.pages["http://docs.test/news/feed"] = answer{body: feed, header: map[string]string{"Content-Type": kind}}
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 || reasons(s)["/news/feed"] != llmstxt.SkipType {
				t.Errorf("%s as %s: %v, %v", feed, kind, urls(s), reasons(s))
			}
		}
	}
}

func TestCrawl_CalendarWithoutEnd_IsNoPage(t *testing.T) {
	for _, form := range []string{"/calendar?month=%d-%02d", "/?year=%d&month=%d", "/events/month/%d-%02d/", "/events/?tribe-bar-date=%d-%02d-01", "/kalender/%d-%d"} {
		w := &web{pages: map[string]answer{"http://docs.test/hall": doc("Hall")}}
		w.pages["http://docs.test/"] = doc("Town", fmt.Sprintf(form, 2025, 3), "/hall")
		w.handler = func(r *http.Request) (answer, bool) {
			var year, month int
			if n, err := fmt.Sscanf(r.URL.RequestURI(), form, &year, &month); n < 2 {
				return answer{}, err == nil
			}
			next := fmt.Sprintf(form, year+month/12, month%12+1)
			return html(fmt.Sprintf("<title>%d-%02d - Town</title><main><h1>Events in %d-%02d</h1><p>Nothing is planned for %d-%02d.</p><a href=%q>Next month</a></main>", year, month, year, month, year, month, next)), true
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 10})
		if len(s.Pages) != 2 {
			t.Errorf("%s: %v", form, urls(s))
		}
	}
	// Notes of what has changed are pages, and so is a day that says something.
	for _, page := range []string{"/changelog/2025-03", "/releases/2025-03-01", "/list?month=3"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Town", page), "http://docs.test" + page: html("<title>March</title><main><h1>March</h1><ul><li>The hall is heated.</ul></main>")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", page, reasons(s))
		}
	}
}

func TestCrawl_NumberOfAVisitInTheQuery_IsNotOfThePage(t *testing.T) {
	for _, name := range []string{"sid", "s", "sessionid", "osCsid", "PHPSESSID"} {
		w, visits := &web{}, 0
		w.handler = func(r *http.Request) (answer, bool) {
			w.mu.Lock()
			visits++
			id := fmt.Sprintf("%032x", visits*7919*7919)
			w.mu.Unlock()
			var links []string
			for _, p := range []string{"/mugs", "/pots", "/lids"} {
				links = append(links, p+"?"+name+"="+id)
			}
			switch p := r.URL.Path; p {
			case "/":
				return doc("Kettle Shop", links...), true
			case "/mugs", "/pots", "/lids":
				return doc(strings.Trim(p, "/"), links...), true
			}
			return answer{}, false
		}
		if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); strings.Join(urls(s), " ") != "/ /mugs /pots /lids" || len(s.Skipped) > 0 {
			t.Errorf("%s: %v, %v", name, urls(s), s.Skipped)
		}
	}
}

// Addresses that a slash or the name of an index tells apart are one page's, though it
// says something else at each visit.
func TestCrawl_SlashAndIndexWithTokens_PageIsOne(t *testing.T) {
	for name, body := range map[string]string{
		"in the text":         "<main><h1>Tea</h1><p>" + gadget + "</p><p>Request %d, served at 10:11:%02d</p></main>",
		"in a short page":     "<h1>Tea</h1><p>Soon.</p><footer>Request %d, served at 10:11:%02d on a machine of ours</footer>",
		"without any heading": "<p>" + gadget + "</p><p>Request %d, served at 10:11:%02d</p>",
	} {
		for _, links := range [][]string{{"/a", "/a/"}, {"/a/", "/a"}, {"/a/index.html", "/a"}, {"/a/", "/a/index.htm"}, {"/a", "/a/index.php", "/a/"}, {"/index.html"}} {
			var visits atomic.Int64
			w := &web{pages: map[string]answer{"http://docs.test/b": doc("B"), "http://docs.test/b/": doc("Another B")}}
			w.handler = func(r *http.Request) (answer, bool) {
				n := visits.Add(1)
				said := fmt.Sprintf(body, 7000+n, n%60)
				switch {
				case r.URL.Path == "/" || r.URL.Path == "/index.html":
					said = "<a href=/b>B</a> <a href=/b/>Other B</a>" + said
					for _, l := range links {
						said += " <a href=" + l + ">Tea</a>"
					}
					return html("<title>Home</title>" + strings.ReplaceAll(said, "<h1>Tea</h1>", "<h1>Home</h1>")), true
				case strings.HasPrefix(r.URL.Path, "/a"):
					return html("<title>Tea</title>" + said), true
				}
				return answer{}, false
			}
			want := 4
			if len(links) == 1 {
				want = 3
			}
			for _, workers := range unlessRace([]int{1, 8, 32}, []int{32}) {
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: workers})
				if got := urls(s); len(got) != want || !slices.Contains(got, "/b") || !slices.Contains(got, "/b/") {
					t.Errorf("%s, %v: %v, %v", name, links, got, s.Skipped)
				}
			}
		}
	}
}
