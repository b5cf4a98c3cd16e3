package llmstxt_test

import (
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
		// Six are those for the Markdown of the first three pages.
		if w.most > 6 || free.most <= 6 {
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
