package llmstxt_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

// takeResults takes all that the process has for what is read of pages but a few, and
// returns what gives one back.
func takeResults(t *testing.T, leave int) (release func()) {
	t.Helper()
	var taken []func()
	for i := 0; ; i++ {
		give, ok := share.Results.Try(fmt.Sprint("owner ", i%3))
		if !ok {
			break
		}
		taken = append(taken, give)
	}
	t.Cleanup(func() {
		for _, give := range taken {
			give()
		}
	})
	for range leave {
		taken[0]()
		taken = taken[1:]
	}
	return taken[0]
}

// rooms is a site of pages that link to each other.
func rooms() *web {
	return &web{latency: func() time.Duration { return 50 * time.Millisecond }, handler: func(r *http.Request) (answer, bool) {
		if strings.HasSuffix(r.URL.Path, ".md") || strings.HasSuffix(r.URL.Path, ".txt") || strings.HasSuffix(r.URL.Path, ".xml") {
			return answer{status: 404}, true
		}
		var page strings.Builder
		fmt.Fprintf(&page, "<title>Room %s</title><h1>Room %[1]s</h1><p>A room at %[1]s that is described here.", r.URL.Path)
		for i := range 26 {
			fmt.Fprintf(&page, "<p><a href=/room-%c>Room %[1]c</a>", 'a'+i)
		}
		return html(page.String()), true
	}}
}

// Where there is little room for what is read of pages, a crawl asks for one at a time,
// and the file is the same.
func TestCrawl_LittleRoomForResults_SameFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := rooms()
		want := crawl(t, free, "http://docs.test/", llmstxt.Options{})
		takeResults(t, 2)
		w := rooms()
		got := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if got.Render(llmstxt.Index) != want.Render(llmstxt.Index) || got.Stats.Limited {
			t.Errorf("another file:\n%s", got.Render(llmstxt.Index))
		}
		// Seven are those for the base page's Markdown and for site maps in other places.
		if w.most > 7 || free.most <= 7 {
			t.Errorf("%d requests at the same time, and %d where there is room", w.most, free.most)
		}
		if share.Results.Busy() {
			t.Error("somebody still waits")
		}
	})
}

// Without any room a crawl ends with what it has, and says so.
func TestCrawl_NoRoomForResults_EndsWithWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takeResults(t, 1)
		var notes []string
		began := time.Now()
		s := crawl(t, rooms(), "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes = append(notes, e.Message) }})
		if len(s.Pages) != 1 || !s.Stats.Limited || !strings.Contains(strings.Join(notes, "\n"), "no more room for what is read") {
			t.Errorf("%d pages, %+v, notes: %q", len(s.Pages), s.Stats, notes)
		}
		if waited := time.Since(began); waited < 10*time.Second || waited > 20*time.Second {
			t.Errorf("it ended after %v", waited)
		}
	})
}

// A crawl begins when there is room for its first page.
func TestCrawl_NoRoomForTheFirstPage_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := takeResults(t, 0)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		w := rooms()
		go func() {
			_, err := llmstxt.Crawl(ctx, "http://docs.test/", llmstxt.Options{Client: w.client()})
			ended <- err
		}()
		synctest.Wait()
		if len(w.log) != 0 {
			t.Error("it has begun")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		release()
		if s := crawl(t, rooms(), "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 1 {
			t.Errorf("%d pages", len(s.Pages))
		}
	})
}

// What the site maps list is counted in the process's share, and given back.
func TestCrawl_SiteMapsListMuch_CountsAmongAllCrawls(t *testing.T) {
	var b strings.Builder
	b.WriteString("<urlset>")
	for i := range 1000 {
		fmt.Fprintf(&b, "<url><loc>http://docs.test/p/%d?%s</loc></url>", i, strings.Repeat("x", 1500))
	}
	b.WriteString("</urlset>")
	crawlIt := func(t *testing.T) (s *llmstxt.CrawledSite, notes string) {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Docs</title><h1>Docs</h1><p>All about gadgets and their parts."), "http://docs.test/sitemap.xml": {body: b.String()}}}
		s = crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 400, KeepRoom: true, Owner: "one", Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
		return s, notes
	}
	const full = "There is no room for more of what the site maps list"
	synctest.Test(t, func(t *testing.T) {
		s, notes := crawlIt(t)
		if strings.Contains(notes, full) || s.Stats.Fetched < 900 {
			t.Errorf("%+v, notes: %.300s", s.Stats, notes)
		}
		if n := share.Results.Held("one"); n < 1 {
			t.Errorf("%d pieces are held before Close", n)
		}
		s.Close()
		s.Close()
		if n := share.Results.Held("one"); n != 0 {
			t.Errorf("%d pieces are held after Close", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		takeResults(t, 4)
		s, notes := crawlIt(t)
		if !strings.Contains(notes, full) || s.Stats.Fetched >= 900 || s.Stats.Fetched < 2 {
			t.Errorf("%+v, notes: %.300s", s.Stats, notes)
		}
		s.Close()
		if n := share.Results.Held("one"); n != 0 {
			t.Errorf("%d pieces are held after Close", n)
		}
	})
}

// A crawl that is over offers no more links, however many a page has.
func TestCrawl_EndsWhileLinksAreOffered_StopsThere(t *testing.T) {
	var page strings.Builder
	page.WriteString("<title>Links</title><h1>Links</h1><p>Very many links are here to follow.")
	for i := range 4900 {
		fmt.Fprintf(&page, "<a href=/z%d>x</a> ", i)
	}
	w := &web{pages: map[string]answer{"http://docs.test/": html(page.String()), "http://docs.test/robots.txt": {body: "User-agent: *\nDisallow: /z\n"}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	skipped := 0
	_, err := llmstxt.Crawl(ctx, "http://docs.test/", llmstxt.Options{Client: w.client(), MaxPages: 1000, Progress: func(e llmstxt.Event) {
		if e.Kind == llmstxt.Skipped {
			if skipped++; skipped == 100 {
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) || skipped < 100 || skipped > 200 {
		t.Errorf("%d links were looked at, %v", skipped, err)
	}
}

// One page of more than 256 KiB is read at a time in a process, whether it is as large
// when it is sent or when it is unpacked.
func TestCrawl_AnotherLargePageIsRead_Waits(t *testing.T) {
	page := func(size int) string {
		const head = "<title>Docs</title><h1>Docs</h1><p>All about gadgets and their parts."
		return head + strings.Repeat(" ", size-len(head))
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(page(256<<10 + 1))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		page  answer
		waits bool
	}{
		"256 KiB": {html(page(256 << 10)), false},
		"more":    {html(page(256<<10 + 1)), true},
		"packed":  {answer{header: map[string]string{"Content-Encoding": "gzip"}, body: packed.String()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release, err := share.LargePages.Take(t.Context(), "another")
				if err != nil {
					t.Fatal(err)
				}
				defer release()
				w := &web{pages: map[string]answer{"http://docs.test/": c.page}}
				var pages int
				ended := make(chan error, 1)
				go func() {
					s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), MaxPages: 1})
					if err == nil {
						pages = len(s.Pages)
					}
					ended <- err
				}()
				time.Sleep(time.Minute)
				synctest.Wait()
				if waits := len(ended) == 0; waits != c.waits || share.LargePages.Busy() != c.waits {
					t.Errorf("it waits: %v, want %v", waits, c.waits)
				}
				release()
				if err := <-ended; err != nil || pages != 1 {
					t.Errorf("%d pages, %v", pages, err)
				}
			})
		})
	}
}

// A crawl reads its site maps when it is one of the 64 that do so at a time.
func TestCrawl_ManyOthersReadSiteMaps_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []func()
		for {
			release, ok := share.SiteMaps.Try(fmt.Sprint("owner ", len(taken)))
			if !ok {
				break
			}
			defer release()
			taken = append(taken, release)
		}
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home"), "http://docs.test/listed": doc("Listed"),
			"http://docs.test/sitemap.xml": {body: "<urlset><url><loc>http://docs.test/listed</loc></url></urlset>"}}}
		ended := make(chan int, 1)
		go func() {
			s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()})
			if err != nil {
				t.Error(err)
				s = &llmstxt.CrawledSite{}
			}
			ended <- len(s.Pages)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.asked("http://docs.test/sitemap.xml"); n != 0 || len(ended) > 0 || !share.SiteMaps.Busy() {
			t.Errorf("with %d others its site map was asked for %d times", len(taken), n)
		}
		taken[0]()
		if pages := <-ended; pages != 2 {
			t.Errorf("%d pages, want that of the site map too", pages)
		}
	})
}
