package llmstxt_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

func TestCrawl_BaseRedirects_ScopeFollows(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":                redirect("https://www.docs.test/en/start"),
		"https://www.docs.test/en/start":   doc("Start", "/en/start/a", "/de/b", "http://docs.test/", "http://www.docs.test/en/start/c"),
		"https://www.docs.test/en/start/a": doc("A"),
		"https://www.docs.test/en/start/c": doc("C"),
		"https://www.docs.test/robots.txt": {body: "User-agent: *\nDisallow: /en/start/secret"},
	}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if s.BaseURL != "https://www.docs.test/en/start" || len(s.Pages) != 3 {
		t.Errorf("%s: %v", s.BaseURL, urls(s))
	}
	if w.asked("https://www.docs.test/robots.txt") != 1 {
		t.Error("the new host's robots.txt was not read")
	}
	// Within its scope a base page may move without taking the scope along.
	w = &web{pages: map[string]answer{
		"http://docs.test/":      redirect("/en/"),
		"http://docs.test/en/":   doc("English", "/other", "/"),
		"http://docs.test/other": doc("Other"),
	}}
	s = crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); !slices.Equal(got, []string{"/en/", "/other"}) || len(s.Skipped) > 0 {
		t.Errorf("pages %v, skipped %v", got, s.Skipped)
	}
}

func TestCrawl_CanonicalLinks_OnePageIsKept(t *testing.T) {
	page := func(title, canonical string, links ...string) answer {
		a := doc(title, links...)
		a.body = strings.Replace(a.body, "</head>", "<link rel=canonical href='"+canonical+"'></head>", 1)
		return a
	}
	for name, tt := range map[string]struct {
		pages map[string]answer
		want  []string
	}{
		"stands back": {map[string]answer{"/": doc("Home", "/a?x=1"), "/a?x=1": page("A", "/a", "/b"), "/a": page("A", "/a", "/b"), "/b": doc("B")},
			[]string{"/", "/a", "/b"}},
		"missing": {map[string]answer{"/": doc("Home", "/a?x=1", "/b"), "/a?x=1": page("A", "/nowhere", "/c"), "/b": doc("B"), "/c": doc("C")},
			[]string{"/", "/b", "/a?x=1", "/c"}},
		"leads back": {map[string]answer{"/": doc("Home", "/a"), "/a": page("A", "/a.html"), "/a.html": redirect("/a")},
			[]string{"/", "/a"}},
		"has led here": {map[string]answer{"/": doc("Home", "/a", "/b"), "/a": redirect("/a/"), "/a/": page("A", "/a", "/c"), "/b": redirect("/b/"), "/b/": page("B", "/b"), "/c": redirect("/c/"), "/c/": page("C", "/c")},
			[]string{"/", "/a/", "/b/", "/c/"}},
		"has led here and is linked": {map[string]answer{"/": doc("Home", "/a/", "/a", "/b", "/b/"), "/a": redirect("/a/"), "/a/": page("A", "/a"), "/b": redirect("/x"), "/x": redirect("/b/"), "/b/": page("B", "/b")},
			[]string{"/", "/a/", "/b/"}},
		"circle":         {map[string]answer{"/": doc("Home", "/a"), "/a": page("A", "/b"), "/b": page("B", "/a")}, []string{"/", "/b"}},
		"file URL":       {map[string]answer{"/": doc("Home", "/a"), "/a": page("A", "file:///usr/share/doc/a.html")}, []string{"/", "/a"}},
		"other host":     {map[string]answer{"/": doc("Home", "/a"), "/a": page("A", "https://elsewhere.test/a")}, []string{"/", "/a"}},
		"all to home":    {map[string]answer{"/": page("Home", "/", "/a", "/b"), "/a": page("A", "/"), "/b": page("B", "/")}, []string{"/", "/a", "/b"}},
		"base elsewhere": {map[string]answer{"/": page("Home", "/start", "/a"), "/start": page("Home", "/start", "/a"), "/a": doc("A")}, []string{"/", "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{}}
			for k, v := range tt.pages {
				w.pages["http://docs.test"+k] = v
			}
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, tt.want) {
				t.Errorf("pages %v, want %v; skipped %v", got, tt.want, s.Skipped)
			}
		})
	}
}

// Calendars and facets are endless; the rest of the site must still be found.
func TestCrawl_EndlessLinks_RestIsFound(t *testing.T) {
	w := &web{}
	w.handler = func(r *http.Request) (answer, bool) {
		p := r.URL.Path
		switch {
		case p == "/":
			return doc("Home", "/calendar/2024/1/1", "/shop?color=1", "/deep/", "/guide"), true
		case strings.HasPrefix(p, "/calendar/"):
			var y, m, d int
			fmt.Sscanf(p, "/calendar/%d/%d/%d", &y, &m, &d)
			return doc("Day "+p, fmt.Sprintf("/calendar/%d/%d/%d", y, m, d+1), fmt.Sprintf("/calendar/%d/%d/%d", y+1, m, d)), true
		case p == "/shop":
			q := r.URL.RawQuery
			return doc("Shop "+q, "/shop?"+q+"&size="+fmt.Sprint(len(q)), "/shop?color="+fmt.Sprint(len(q)+1)), true
		case strings.HasPrefix(p, "/deep/"):
			return doc("Deep "+p, p+"deep/", p+"x/"), true
		case p == "/guide":
			return doc("Guide", "/guide/a", "/guide/b", "/guide/c"), true
		case strings.HasPrefix(p, "/guide/"):
			return doc("Guide " + p), true
		}
		return answer{}, false
	}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 200})
	got := urls(s)
	for _, want := range []string{"/guide", "/guide/a", "/guide/b", "/guide/c"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s was not found", want)
		}
	}
	if s.Stats.Skipped[llmstxt.SkipPattern] == 0 || s.Stats.Skipped[llmstxt.SkipURL] == 0 || s.Stats.Fetched > 600 {
		t.Errorf("%d pages, %+v", len(got), s.Stats)
	}
	if last := slices.Index(got, "/guide/c"); last > 100 {
		t.Errorf("/guide/c comes as page %d", last)
	}
}

// Sites whose pages have addresses of one shape and name each other: all of them come, and
// those of other shapes before what is beyond the share.
func TestCrawl_PagesOfOneShapeNameEachOther_AllCome(t *testing.T) {
	const n = 90
	for name, c := range map[string]struct {
		base string
		at   func(i int) string
		next func(i int) []int // to which a page links, beside its own list
	}{
		"index.php?page=": {"/", func(i int) string { return fmt.Sprintf("/index.php?page=topic%c%c", 'a'+i/26, 'a'+i%26) }, nil},
		"?p=":             {"/", func(i int) string { return fmt.Sprintf("/?p=%d", i) }, nil},
		"title=":          {"/wiki/index.php", func(i int) string { return fmt.Sprintf("/wiki/index.php?title=Topic_%c%c", 'A'+i/26, 'A'+i%26) }, nil},
		"doku.php?id=":    {"/doku.php?id=start", func(i int) string { return fmt.Sprintf("/doku.php?id=topic:%c%c", 'a'+i/26, 'a'+i%26) }, nil},
		"a chain":         {"/node0.html", func(i int) string { return fmt.Sprintf("/node%d.html", i+1) }, func(i int) []int { return []int{i - 1, i + 1} }},
	} {
		w := &web{}
		w.handler = func(r *http.Request) (answer, bool) {
			key := r.URL.RequestURI()
			if key == c.base {
				first := []string{c.at(0)}
				if c.next == nil {
					first = append(first, c.at(1), c.at(2), "/other")
				}
				return doc("Home", first...), true
			}
			for i := range n {
				if key != c.at(i) {
					continue
				}
				var links []string
				next := []int{2*i + 1, 2*i + 2, 0}
				if c.next != nil {
					next = c.next(i)
				}
				for _, j := range next {
					if j >= 0 && j < n {
						links = append(links, c.at(j))
					}
				}
				return doc("Topic "+string(rune('a'+i/26))+string(rune('a'+i%26)), links...), true
			}
			if key == "/other" || strings.HasPrefix(key, "/guide/") {
				return doc("Other "+key, "/guide/a", "/guide/b"), true
			}
			return answer{}, false
		}
		s := everyWay(t, w, "http://docs.test"+c.base, llmstxt.Options{MaxPages: 100})
		got := urls(s)
		for i := range n {
			if !slices.Contains(got, c.at(i)) {
				t.Errorf("%s: %s is missing; skipped %v", name, c.at(i), s.Skipped)
				break
			}
		}
		if at := slices.Index(got, "/guide/b"); c.next == nil && c.base == "/" && (at < 0 || at > 60) {
			t.Errorf("%s: /guide/b is page %d", name, at)
		}
	}
}

// A facet's combinations link to each other without end. They fill no list that others need.
func TestCrawl_CombinationsOfAFacet_KeepNothingOut(t *testing.T) {
	const chain = 40
	for _, c := range []struct {
		maxPages int
		from     string // where the combinations are linked
		head     string // of their pages
	}{
		{50, "/shop", "<meta name=robots content=noindex>"}, {80, "/shop", ""}, {50, "/guide", ""},
	} {
		w := &web{}
		facets := func(seed int) (links []string) {
			for i := range 300 {
				links = append(links, fmt.Sprintf("/shop?c=%d&s=%d", seed*300+i, i%7))
			}
			return links
		}
		w.handler = func(r *http.Request) (answer, bool) {
			p := r.URL.Path
			var c1, at int
			fmt.Sscanf(r.URL.RawQuery, "c=%d", &c1)
			switch {
			case p == "/":
				return doc("Home", "/shop?c=1&s=1", "/guide/a"+word(0)), true
			case p == "/shop" && c.from == p:
				return inHead(doc("Shop "+word(c1%5000)+" "+word(c1/5000), facets(c1)...), c.head), true
			case strings.HasPrefix(p, "/guide/a"):
				for at < chain && p != "/guide/a"+word(at) {
					at++
				}
				if at == chain {
					return answer{}, false
				}
				links := []string{"/guide/a" + word(at+1)}
				if c.from == "/guide" {
					links = append(facets(at), links...)
				}
				if at == chain-1 {
					links = nil
				}
				return doc("Step "+word(at), links...), true
			}
			return answer{}, false
		}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: c.maxPages, MaxDepth: 2 * chain})
		if n := paths(s, "/guide/a"); n != chain {
			t.Errorf("%d pages at most, from %s: %d pages of the chain, want %d; %+v", c.maxPages, c.from, n, chain, s.Stats)
		}
	}
}

// TestCrawl_NoIndex_IsKept takes what headers and meta elements forbid all robots, or this one.
func TestCrawl_NoIndex_IsKept(t *testing.T) {
	header := func(v string) answer {
		return answer{header: map[string]string{"X-Robots-Tag": v}, body: "<h1>A page</h1><p>" + v}
	}
	meta := func(name, content string) answer {
		return answer{body: `<meta name="` + name + `" content="` + content + `"><h1>A page</h1><p>` + name + content}
	}
	for name, c := range map[string]struct {
		page answer
		kept bool
	}{
		"header":                  {header("noindex"), false},
		"header, none":            {header("none"), false},
		"header, us":              {header("Farwire: noindex"), false},
		"header, other":           {header("otherbot: noindex"), true},
		"header, other then us":   {header("otherbot: nofollow, farwire: noindex"), false},
		"header, us then other":   {header("farwire: nofollow, otherbot: noindex"), true},
		"header, date":            {header("unavailable_after: 25 Jun 2010 15:00:00 PST"), true},
		"header, date before":     {header("unavailable_after: Friday, 25-Jun-10 15:00:00 GMT, noindex"), false},
		"header, value before":    {header("max-snippet:-1, noindex"), false},
		"header, values before":   {header("max-image-preview: large, max-video-preview:-1, NOINDEX"), false},
		"header, other and value": {header("otherbot: max-snippet:-1, noindex"), true},
		"meta":                    {meta("robots", "noindex, follow"), false},
		"meta, us":                {meta("FarWire", "max-snippet:20, noindex"), false},
		"meta, other":             {meta("otherbot", "noindex"), true},
		"meta, no robot":          {meta("keywords", "none"), true},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/page"), "http://docs.test/page": c.page}}
		got := slices.Contains(urls(crawl(t, w, "http://docs.test/", llmstxt.Options{})), "/page")
		if got != c.kept {
			t.Errorf("%s: kept %v", name, got)
		}
	}
}

func TestNewest_SiteMaps_ReturnsTheLatestLastmod(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/robots.txt": {body: "Sitemap: http://docs.test/maps.xml"},
		"http://docs.test/maps.xml":   {body: `<sitemapindex><sitemap><loc>/a.xml</loc></sitemap><sitemap><loc>/missing.xml</loc></sitemap></sitemapindex>`},
		"http://docs.test/a.xml":      {body: `<urlset><url><loc>/guide/a</loc><lastmod>2024-01-02</lastmod></url><url><loc>/blog/b</loc><lastmod>2025-01-02</lastmod></url></urlset>`},
	}}
	got, err := llmstxt.Newest(t.Context(), "http://docs.test/guide/", llmstxt.Options{Client: w.client()})
	if err != nil || got.Format(time.DateOnly) != "2024-01-02" {
		t.Errorf("%v, %v", got, err)
	}
	w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nDisallow: /"}
	if _, err := llmstxt.Newest(t.Context(), "http://docs.test/guide/", llmstxt.Options{Client: w.client()}); !errors.Is(err, llmstxt.ErrRobots) {
		t.Errorf("got %v", err)
	}
}

func TestCrawl_BaseElementAndMovedFiles_AreFollowed(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/robots.txt":       redirect("/files/robots.txt"),
		"http://docs.test/files/robots.txt": {body: "User-agent: *\nDisallow: /sub/no\nSitemap: /files/map.xml"},
		"http://docs.test/files/map.xml":    redirect("/map2.xml"),
		"http://docs.test/map2.xml":         {body: "<urlset><url><loc>/listed</loc></url></urlset>"},
		"http://docs.test/listed":           doc("Listed"),
		"http://docs.test/":                 html("<title>Home</title><base href=/sub/><p>Words of the home page.<a href=a>a</a><a href=no>no</a><area href=b>"),
		"http://docs.test/sub/a":            doc("A"),
		"http://docs.test/sub/b":            doc("B"),
		"http://docs.test/sub/no":           doc("No"),
	}}
	if got := urls(crawl(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/sub/a", "/sub/b", "/listed"}) {
		t.Errorf("pages %v", got)
	}
}

// A site map that lists more in one section than waits at a time has lost something.
func TestCrawl_SectionLongerThanItsList_IsLimited(t *testing.T) {
	for _, workers := range unlessRace([]int{1, 16}, []int{16}) {
		for n, limited := range map[int]bool{5000: false, 5100: true} {
			var links []string
			for i := range n {
				links = append(links, "/docs/"+word(i)) // which are all missing
			}
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home"), "http://docs.test/sitemap.xml": siteMap(links...)}}
			said := false
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 2000, Workers: workers, Progress: func(e llmstxt.Event) {
				said = said || e.Message == "Maximum pages limit reached"
			}})
			if s.Stats.Limited != limited || said != limited || s.Stats.Skipped[llmstxt.SkipStatus] != 5000 {
				t.Errorf("%d workers, %d: limited %v, said %v, %v", workers, n, s.Stats.Limited, said, s.Stats.Skipped)
			}
		}
	}
}
