package llmstxt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

// heldResponses is a web of home pages with links to pages. Those bodies that it hoards come
// but for their last byte, and it counts what is held of them.
type heldResponses struct {
	prefix      string // of their paths
	size        int64
	open, bytes atomic.Int64
}

func (h *heldResponses) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/html"}}, ContentLength: -1, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	switch {
	case strings.HasPrefix(r.URL.Path, h.prefix):
		h.open.Add(1)
		resp.Body = &heldBody{h: h, ctx: r.Context()}
	case r.URL.Path == "/":
		var page strings.Builder
		page.WriteString("<title>Home</title><h1>Home</h1><p>A home page that says what it is about.")
		for i := range 30 {
			fmt.Fprintf(&page, "<p><a href=/topic-%c>Topic %c</a>", 'a'+i, 'a'+i)
		}
		resp.Body = io.NopCloser(strings.NewReader(page.String()))
	default:
		resp.StatusCode, resp.Body = 404, http.NoBody
	}
	return resp, nil
}

type heldBody struct {
	h     *heldResponses
	ctx   context.Context
	given int64
	close sync.Once
}

func (b *heldBody) Read(p []byte) (int, error) {
	n := min(int64(len(p)), b.h.size-1-b.given)
	if n == 0 {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	b.given += n
	b.h.bytes.Add(n)
	return int(n), nil
}

func (b *heldBody) Close() error {
	b.close.Do(func() { b.h.open.Add(-1); b.h.bytes.Add(-b.given) })
	return nil
}

// However many crawls there are, and however large what their sites send, what is held
// of it before it is read is what docs/security.md says.
func TestCrawl_ManyCrawls_HeldInSumIsBounded(t *testing.T) {
	const crawls, small, large = 50, 256 << 10, 4
	for name, c := range map[string]struct {
		prefix string
		size   int64
		open   int64 // bodies at the same time
		limit  int64 // of their bytes
	}{
		"pages":     {"/topic-", 8 << 20, 256, (64 + 32) << 20},
		"site maps": {"/sitemap", 10 << 20, crawls, (64 + 40) << 20},
		"robots":    {"/robots.txt", 500 << 10, crawls, 64 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &heldResponses{prefix: c.prefix, size: c.size}
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				for i := range crawls {
					running.Go(func() {
						_, err := llmstxt.Crawl(ctx, fmt.Sprintf("http://site%d.test/", i), llmstxt.Options{Client: &http.Client{Transport: h}, Owner: fmt.Sprint("owner ", i%5)})
						if !errors.Is(err, context.Canceled) {
							t.Errorf("the crawl ended with %v", err)
						}
					})
				}
				synctest.Wait() // all of them wait for a site, or for their share
				if n := h.open.Load(); n != c.open {
					t.Errorf("%d bodies are held, want %d", n, c.open)
				}
				if n, want := h.bytes.Load(), (c.open-large)*small+large*(c.size-1); n > c.limit || n != want {
					t.Errorf("%d bytes are held, want %d, %d of them large", n, want, large)
				}
				cancel()
				running.Wait()
				if h.open.Load() != 0 || h.bytes.Load() != 0 {
					t.Errorf("%d bodies and %d bytes are held after the end", h.open.Load(), h.bytes.Load())
				}
			})
		})
	}
}

// A page with many links is decided on a core. What it takes to decide it, here whether
// the site answers every address with it, does not wait for that core, even when there
// is only one: all crawls would stand still.
func TestCrawl_PageOfManyLinksIsProbed_CoreIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var cores []func()
		for {
			release, err := share.Cores.Take(ended, "the test")
			if err != nil {
				break
			}
			cores = append(cores, release)
		}
		for i, release := range cores {
			if i == 0 {
				release()
			} else {
				defer release()
			}
		}
		probes := 0
		w := &web{handler: func(r *http.Request) (answer, bool) {
			if r.URL.Path == "/robots.txt" || strings.HasPrefix(r.URL.Path, "/sitemap") || strings.HasSuffix(r.URL.Path, ".md") {
				return answer{status: 404}, true
			}
			if strings.Contains(r.URL.Path, "no-such-page") {
				probes++
			}
			var b strings.Builder
			fmt.Fprintf(&b, "<title>Our shop</title><h1>Our shop</h1><p>We have nothing at %s, but ask us about all that we sell.", r.URL.Path)
			for i := range 600 {
				fmt.Fprintf(&b, "<a href=/item-%s></a>", word(i))
			}
			return html(b.String()), true
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 20})
		if s.Stats.TimedOut {
			t.Error("the crawl stood still")
		}
		if probes == 0 {
			t.Error("nothing was probed")
		}
	})
}

// While the cores read long pages, each worker has fetched one more and asks for another.
func TestCrawl_CoresAreBusy_WorkersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 6
		var cores []func()
		var asked atomic.Int64
		var links []string
		for i := range 100 {
			links = append(links, fmt.Sprintf("/topic-%c%c", 'a'+i/26, 'a'+i%26))
		}
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", links...)}}
		w.handler = func(r *http.Request) (answer, bool) {
			if !strings.HasPrefix(r.URL.Path, "/topic-") {
				return answer{}, false
			}
			if asked.Add(1) == 1 {
				for release, ok := share.Cores.Try("the test"); ok; release, ok = share.Cores.Try("the test") {
					cores = append(cores, release)
				}
			}
			return doc("Topic " + r.URL.Path), true
		}
		done := make(chan error)
		go func() {
			_, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), Workers: workers})
			done <- err
		}()
		synctest.Wait()
		if n := asked.Load(); n < 2*workers {
			t.Errorf("%d workers have asked for %d pages while the cores are busy, want %d or more", workers, n, 2*workers)
		}
		for _, release := range cores {
			release()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// While the cores read long pages, others are decided, unless they have very many links.
func TestCrawl_CoresAreBusy_PagesAreDecided(t *testing.T) {
	for links, decided := range map[int]bool{1: true, 120: true, 280: true, 320: false, 600: false} {
		synctest.Test(t, func(t *testing.T) {
			var cores []func()
			var asked atomic.Int64
			var further []string
			for i := range links {
				further = append(further, "/further-"+word(i))
			}
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/gone", "/part"), "http://docs.test/part": doc("Part", further...)}}
			w.handler = func(r *http.Request) (answer, bool) {
				switch {
				case r.URL.Path == "/gone":
					time.Sleep(time.Second) // the other page has been read
					for release, ok := share.Cores.Try("the test"); ok; release, ok = share.Cores.Try("the test") {
						cores = append(cores, release)
					}
				case strings.HasPrefix(r.URL.Path, "/further-"):
					asked.Add(1)
				}
				return answer{}, false
			}
			done := make(chan error)
			go func() {
				_, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()})
				done <- err
			}()
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := asked.Load(); n > 0 != decided {
				t.Errorf("%d links: %d pages of them are asked for while the cores are busy", links, n)
			}
			for _, release := range cores {
				release()
			}
			if err := <-done; err != nil || links > 0 && asked.Load() == 0 {
				t.Error(err, asked.Load())
			}
		})
	}
}
