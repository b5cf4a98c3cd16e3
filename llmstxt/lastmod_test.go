package llmstxt_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// dated gives a web a sitemap with the lastmod of each page, by path.
func dated(w *web, lastmod map[string]string) {
	var b strings.Builder
	b.WriteString(`<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	var paths []string
	for p := range lastmod {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		fmt.Fprintf(&b, "<url><loc>http://docs.test%s</loc>", p)
		if at := lastmod[p]; at != "" {
			fmt.Fprintf(&b, "<lastmod>%s</lastmod>", at)
		}
		b.WriteString("</url>")
	}
	b.WriteString("</urlset>")
	w.pages["http://docs.test/sitemap.xml"] = answer{header: map[string]string{"Content-Type": "text/xml"}, body: b.String()}
}

const week = 7 * 24 * time.Hour

// TestTrustLastmod_TruthfulSitemap_SameFile has sites that change at random and whose
// sitemaps tell the truth, as exactly as they like: the file is always the one
// that a crawl without records makes.
func TestTrustLastmod_TruthfulSitemap_SameFile(t *testing.T) {
	spared, seeds := 0, unlessRace(uint64(8), 1)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			w := validating(linkGraph(seed, 80), "ETag")
			lastmod := map[string]string{}
			stamp := func(p string) {
				switch rng.IntN(4) {
				case 0:
					lastmod[p] = time.Now().UTC().Format("2006-01-02")
				case 1:
					delete(lastmod, p)
				default:
					lastmod[p] = time.Now().In(time.FixedZone("", 3600)).Format(time.RFC3339)
				}
			}
			var paths []string
			for u := range w.pages {
				if p := strings.TrimPrefix(u, "http://docs.test"); p != "/robots.txt" && p != "/" {
					paths = append(paths, p)
				}
			}
			slices.Sort(paths)
			for _, p := range paths {
				time.Sleep(time.Duration(rng.IntN(3600)) * time.Second)
				stamp(p)
			}
			dated(w, lastmod)
			var before []llmstxt.Page
			for round := range 12 {
				time.Sleep(time.Duration(1+rng.IntN(40)) * time.Hour)
				for range rng.IntN(3) {
					p := paths[rng.IntN(len(paths))]
					w.pages["http://docs.test"+p] = doc(fmt.Sprintf("Topic of round %d", round), paths[rng.IntN(len(paths))])
					stamp(p)
				}
				dated(w, lastmod)
				site := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: before, TrustLastmod: week})
				fresh := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if site.Render(llmstxt.Pages) != fresh.Render(llmstxt.Pages) || site.Render(llmstxt.Index) != fresh.Render(llmstxt.Index) {
					t.Fatalf("seed %d, round %d: with dates another file than without", seed, round)
				}
				if site.Stats.Spared > site.Stats.Unchanged || round == 0 && site.Stats.Spared > 0 {
					t.Errorf("%+v", site.Stats)
				}
				spared += site.Stats.Spared
				before = site.Pages
			}
		})
	}
	if spared < 12*int(seeds) {
		t.Errorf("only %d pages were not asked for: nothing was tried", spared)
	}
}

// TestLastmod_TrustedForATime_SparesRequests says whose word is taken.
func TestLastmod_TrustedForATime_SparesRequests(t *testing.T) {
	ago := func(d time.Duration) string { return time.Now().UTC().Add(-d).Format(time.RFC3339) }
	honest := func(i int) string { return ago(week + time.Duration(i)*time.Hour + time.Minute) }
	for name, tt := range map[string]struct {
		lastmod func(i int) string
		wait    time.Duration
		trust   time.Duration
		spared  int
	}{
		"honest":            {honest, 5 * time.Hour, week, 20},
		"not asked to":      {honest, 5 * time.Hour, 0, 0},
		"too long ago":      {honest, week, week, 0},
		"just not too long": {honest, week - time.Second, week, 20},
		"none":              {func(int) string { return "" }, 5 * time.Hour, week, 0},
		"always the same":   {func(int) string { return "2020-02-03" }, 5 * time.Hour, week, 0},
		"mostly the same": {func(i int) string {
			if i < 12 {
				return "2020-02-03T04:05:06Z"
			}
			return honest(i)
		}, 5 * time.Hour, week, 8},
		"now":           {func(int) string { return ago(0) }, 5 * time.Hour, week, 0},
		"to come":       {func(i int) string { return ago(-time.Duration(i+1) * time.Hour) }, 5 * time.Hour, week, 0},
		"a year":        {func(i int) string { return fmt.Sprint(1990 + i) }, 5 * time.Hour, week, 0},
		"a month":       {func(i int) string { return fmt.Sprintf("20%02d-01", i) }, 5 * time.Hour, week, 0},
		"days":          {func(i int) string { return fmt.Sprintf("2020-01-%02d", i+1) }, 5 * time.Hour, week, 20},
		"half an hour":  {func(i int) string { return ago(30*time.Minute + time.Duration(i)*time.Second) }, 5 * time.Hour, week, 0},
		"two hours":     {func(i int) string { return ago(2*time.Hour + time.Duration(i)*time.Second) }, 5 * time.Hour, week, 20},
		"yesterday":     {func(i int) string { return ago(20*time.Hour + time.Duration(i)*time.Second)[:19] }, 5 * time.Hour, week, 0}, // without a time zone
		"a midnight":    {func(i int) string { return ago(0)[:10] + fmt.Sprintf("T00:00:%02dZ", i) }, 5 * time.Hour, week, 0},
		"what is wrong": {func(int) string { return "last tuesday" }, 5 * time.Hour, week, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(30*365*24*time.Hour + 11*time.Hour) // it is about 2030
				w := &web{pages: map[string]answer{}}
				lastmod, links := map[string]string{}, []string{}
				for i := range 20 {
					p := fmt.Sprintf("/%c", 'a'+i)
					links, lastmod[p] = append(links, p), tt.lastmod(i)
					w.pages["http://docs.test"+p] = doc("Topic " + p)
				}
				lastmod["/"] = ago(1000 * time.Hour)
				w.pages["http://docs.test/"] = doc("Home", links...)
				dated(validating(w, "ETag"), lastmod)
				first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				time.Sleep(tt.wait)
				again := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: first.Pages, TrustLastmod: tt.trust})
				if again.Stats.Spared != tt.spared || again.Stats.Unchanged != 21 || again.Stats.Fetched != 21-tt.spared {
					t.Errorf("%d pages were not asked for, want %d: %+v", again.Stats.Spared, tt.spared, again.Stats)
				}
				if w.asked("http://docs.test/") != 2 {
					t.Error("the base page was not asked for")
				}
			})
		})
	}
}

// TestMisdated_ChangesBehindItsLastmod_IsFound: a page that changes behind its lastmod is found when it is
// asked for after all, and its word is not taken again.
func TestMisdated_ChangesBehindItsLastmod_IsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]answer{}}
		lastmod, links := map[string]string{}, []string{}
		for i := range 25 {
			p := fmt.Sprintf("/%c", 'a'+i)
			links, lastmod[p] = append(links, p), fmt.Sprintf("1999-01-%02d", i+1)
			w.pages["http://docs.test"+p] = doc("Topic " + p)
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		dated(validating(w, "ETag"), lastmod)
		site := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		next := func(wait time.Duration) {
			time.Sleep(wait)
			site = crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: site.Pages, TrustLastmod: week})
		}
		misdated := func() (n int) {
			for _, p := range site.Pages {
				if p.Misdated {
					n++
				}
			}
			return n
		}
		w.pages["http://docs.test/c"] = doc("Another topic")
		if next(time.Hour); site.Stats.Spared != 25 || misdated() != 0 {
			t.Errorf("%+v", site.Stats)
		}
		if next(week); site.Stats.Spared != 0 || misdated() != 1 || !strings.Contains(site.Render(llmstxt.Pages), "Another topic") {
			t.Errorf("%d marked, %+v", misdated(), site.Stats)
		}
		if next(time.Hour); site.Stats.Spared != 24 {
			t.Errorf("%+v", site.Stats)
		}
		// Two of 25 are too many.
		w.pages["http://docs.test/d"] = doc("Yet another topic")
		next(week)
		if next(time.Hour); site.Stats.Spared != 0 || misdated() != 2 {
			t.Errorf("%d marked, %+v", misdated(), site.Stats)
		}
	})
}

// TestDelisted_LeftTheSitemap_IsCounted counts pages that are gone from a sitemap that can be believed
// to be all there is.
func TestDelisted_LeftTheSitemap_IsCounted(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	lastmod, links := map[string]string{}, []string{}
	for i := range 10 {
		p := fmt.Sprintf("/%c", 'a'+i)
		links, lastmod[p] = append(links, p), ""
		w.pages["http://docs.test"+p] = doc("Topic " + p)
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	dated(w, lastmod)
	first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	for _, p := range []string{"/a", "/b", "/c"} {
		delete(w.pages, "http://docs.test"+p)
	}
	delisted := func(o llmstxt.Options) int {
		o.Previous = first.Pages
		return crawl(t, w, "http://docs.test/", o).Stats.Delisted
	}
	if n := delisted(llmstxt.Options{}); n != 0 {
		t.Errorf("%d pages are listed all the same", n)
	}
	delete(lastmod, "/a")
	delete(lastmod, "/b")
	delete(lastmod, "/j") // is there, and linked
	dated(w, lastmod)
	if n := delisted(llmstxt.Options{}); n != 2 {
		t.Errorf("%d pages, want 2", n)
	}
	sitemap := w.pages["http://docs.test/sitemap.xml"]
	for name, a := range map[string]answer{"gone": {status: 404}, "in trouble": {status: 503}, "empty": {body: "<urlset></urlset>"}, "cut": {body: sitemap.body[:len(sitemap.body)/2]}} {
		w.pages["http://docs.test/sitemap.xml"] = a
		if n := delisted(llmstxt.Options{Retries: -1}); n != 0 {
			t.Errorf("%s: %d pages", name, n)
		}
	}
}

// TestGone_Status410_IsCounted counts pages that say of themselves that they are gone for good,
// with and without a sitemap.
func TestGone_Status410_IsCounted(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b", "/c")}}
	for _, p := range []string{"/a", "/b", "/c"} {
		w.pages["http://docs.test"+p] = doc("Topic " + p)
	}
	first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	w.pages["http://docs.test/a"] = answer{status: 410}
	w.pages["http://docs.test/b"] = answer{status: 404}
	w.pages["http://docs.test/"] = doc("Home", "/a", "/b", "/c", "/never")
	w.pages["http://docs.test/never"] = answer{status: 410}
	again := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: first.Pages})
	if s := again.Stats; s.Gone != 1 || s.Delisted != 0 || s.Pages != 2 {
		t.Errorf("%+v", s)
	}
	dated(w, map[string]string{"/c": ""})
	again = crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: first.Pages})
	if s := again.Stats; s.Gone != 1 || s.Delisted != 0 || s.Pages != 2 {
		t.Errorf("with a sitemap: %+v", s)
	}
}

// TestCrawl_PanicInAGoroutine_ReachesTheCaller: what panics in a goroutine of Crawl can be recovered by
// whoever called it.
func TestCrawl_PanicInAGoroutine_ReachesTheCaller(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": html(shell), "http://docs.test/b": doc("B")}}
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "no browser here") {
			t.Errorf("recovered %v", v)
		}
	}()
	crawl(t, w, "http://docs.test/", llmstxt.Options{Render: func(context.Context, string, string) ([]byte, error) { panic("no browser here") }})
	t.Error("nothing was thrown")
}
