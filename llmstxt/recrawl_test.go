package llmstxt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// validating makes a web send validators and honour them.
func validating(w *web, header string) *web {
	tag := func(body string) string {
		h := fnv.New64()
		h.Write([]byte(body))
		return fmt.Sprintf(`"%x"`, h.Sum64())
	}
	pages := w.pages
	w.handler = func(r *http.Request) (answer, bool) {
		a, ok := pages[r.URL.String()]
		if !ok || a.status != 0 {
			return a, ok
		}
		v := tag(a.body)
		if header == "Last-Modified" {
			v = "Mon, 02 Jan 2006 15:04:05 GMT"
		}
		ask := map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}[header]
		if ask != "" && r.Header.Get(ask) == v {
			return answer{status: http.StatusNotModified}, true
		}
		a.header = map[string]string{header: v}
		return a, true
	}
	return w
}

// saved is a site's pages as a database would give them back, but for the time
// of the crawl.
func saved(t *testing.T, s *llmstxt.CrawledSite) []llmstxt.Page {
	t.Helper()
	b, err := json.Marshal(s.Pages)
	if err != nil {
		t.Fatal(err)
	}
	var out []llmstxt.Page
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		if out[i].Asked.IsZero() {
			t.Errorf("%s was never asked for", out[i].URL)
		}
		out[i].Asked = time.Time{}
	}
	return out
}

func TestRecrawl_PageUnchanged_IsNotAsked(t *testing.T) {
	for _, header := range []string{"ETag", "Last-Modified", "X-None"} {
		t.Run(header, func(t *testing.T) {
			w := validating(linkGraph(7, 120), header)
			first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
			again := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: saved(t, first)})
			if got, want := again.Stats.Unchanged, len(first.Pages); got != want {
				t.Errorf("%d pages unchanged of %d", got, want)
			}
			if again.Render(llmstxt.Pages) != first.Render(llmstxt.Pages) || again.Render(llmstxt.Index) != first.Render(llmstxt.Index) {
				t.Error("an unchanged site gives another file")
			}
			if !reflect.DeepEqual(saved(t, again), saved(t, first)) || !reflect.DeepEqual(again.Skipped, first.Skipped) {
				t.Error("an unchanged site gives other records")
			}
			if header == "X-None" {
				return
			}
			// All but what changed comes from the records, and the file is the one
			// that a crawl without records gives.
			if header == "ETag" {
				changed := first.Pages[4].URL
				w.pages[changed] = doc("Changed topic", "/paa", "/pzz")
				again = crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: saved(t, first)})
				fresh := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if again.Render(llmstxt.Pages) != fresh.Render(llmstxt.Pages) || again.Render(llmstxt.Index) != fresh.Render(llmstxt.Index) {
					t.Error("with records another file than without")
				}
				if !strings.Contains(again.Render(llmstxt.Pages), "Changed topic") || again.Stats.Unchanged < len(again.Pages)-3 {
					t.Errorf("%+v", again.Stats)
				}
			}
		})
	}
}

// Records of another length of excerpt hold other words; they are not used.
func TestRecrawl_OtherExcerptLength_RecordsAreNotUsed(t *testing.T) {
	w := validating(linkGraph(7, 30), "ETag")
	first := crawl(t, w, "http://docs.test/", llmstxt.Options{DescLength: 100})
	again := crawl(t, w, "http://docs.test/", llmstxt.Options{DescLength: 300, Previous: saved(t, first)})
	if again.Stats.Unchanged != 0 {
		t.Errorf("%d records used", again.Stats.Unchanged)
	}
	if fresh := crawl(t, w, "http://docs.test/", llmstxt.Options{DescLength: 300}); fresh.Render(llmstxt.Pages) != again.Render(llmstxt.Pages) {
		t.Error("with records another file than without")
	}
}

const shell = `<!doctype html><title>App</title><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/app.js"></script>`

func TestRender_PagesWithoutText_AreRendered(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": html(shell), "http://docs.test/a": html(shell), "http://docs.test/b": html(shell + "<!-- b -->"), "http://docs.test/static": doc("Static")}}
	var mu sync.Mutex
	asked := map[string]string{}
	var notes []string
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{
		Progress: func(e llmstxt.Event) {
			if e.Kind == llmstxt.Note {
				notes = append(notes, e.Message)
			}
		},
		Render: func(_ context.Context, url, reason string) ([]byte, error) {
			mu.Lock()
			asked[url] = reason
			mu.Unlock()
			if strings.HasSuffix(url, "/b") {
				return nil, errors.New("browser gone from 10.0.0.1")
			}
			return []byte(doc("Rendered "+url, "/a", "/b", "/static").body), nil
		},
	})
	if len(asked) != 3 || asked["http://docs.test/static"] != "" {
		t.Errorf("asked for %v", asked)
	}
	if s.Stats.Rendered != 2 || !s.Pages[0].Rendered || !strings.HasPrefix(s.Pages[0].Excerpt, "This page explains Rendered") {
		t.Errorf("%+v, %q", s.Stats, s.Pages[0].Excerpt)
	}
	log := strings.Join(notes, "\n")
	if !strings.Contains(log, "Rendered http://docs.test/a: score") || !strings.Contains(log, "Could not render http://docs.test/b") || strings.Contains(log, "10.0.0.1") {
		t.Errorf("log:\n%s", log)
	}
}

// Which pages have words of their own is decided without a browser.
func TestRecrawl_PageNeedsABrowser_IsDecidedWithoutOne(t *testing.T) {
	words := strings.Repeat("<p>Some words of this page that anyone can read without any script at all.</p>", 8)
	for name, tt := range map[string]struct {
		page string
		want bool
	}{
		"empty root":            {shell, true},
		"root by vite":          {`<title>x</title><script type=module src=/x.js></script><div id=app></div>`, true},
		"root that says wait":   {`<title>x</title><div id="app">Loading...</div><script>window.$docsify = {}</script><script src="//cdn.test/docsify.js"></script>`, true},
		"root of another name":  {`<title>Swagger UI</title><div id="swagger-ui"></div><script src="./swagger-ui-bundle.js"></script><script src="./swagger-initializer.js"></script>`, true},
		"element of its own":    {`<title>x</title><app-root>Please wait while we load…</app-root><script src=main.js type=module></script>`, true},
		"body alone":            {`<title>x</title><script src=bundle.js></script>`, true},
		"empty without scripts": {`<title>x</title><div id=root></div>`, false},
		"one sentence":          {`<title>x</title><p>This page says one thing, in a sentence of some seventy letters.</p><script src=/count.js></script>`, false},
		"plea and few words":    {`<title>x</title><noscript>Please turn on JavaScript.</noscript><div class=x>Loading…</div><script>` + strings.Repeat("x();", 500) + `</script>`, true},
		"static":                {`<title>x</title><h1>x</h1>` + words, false},
		"static with scripts":   {`<title>x</title><h1>x</h1>` + words + strings.Repeat("<script src=/x.js></script>", 30), false},
		"prerendered":           {`<title>x</title><noscript>enable JavaScript</noscript><div id=root><h1>x</h1>` + words + `</div><script src=/x.js></script>`, false},
		"short page":            {`<title>x</title><h1>x</h1><p>Short.</p>`, false},
		"short, with a counter": {`<title>x</title><h1>x</h1><p>Short.</p><script src=/count.js></script>`, false},
		"only links":            {`<title>x</title><h1>x</h1>` + strings.Repeat("<a href=/a>a</a><a href=/b>b</a><a href=/c>c</a><a href=/d>d</a><a href=/e>e</a><a href=/f>f</a>", 2) + "<script src=/x.js></script>", false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			one(t, tt.page, llmstxt.Options{Render: func(context.Context, string, string) ([]byte, error) {
				asked = true
				return nil, errors.New("none")
			}})
			if asked != tt.want {
				t.Errorf("asked: %t", asked)
			}
		})
	}
}
