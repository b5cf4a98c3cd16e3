package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// crawled has a crawl done to its end.
func (w *world) crawled(key, request string) heard {
	w.t.Helper()
	p := w.open("/ws/crawl?api_key=" + key)
	p.text(request)
	return p.receive()
}

func TestCrawl_Host_SavesTheFile(t *testing.T) {
	dir := t.TempDir()
	files := newFolder(t, dir)
	w := newWorld(t, func(o *farwire.Options) { o.Storage = files })
	s := newSite(t, threePages)
	first := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL))
	if kinds := first.messages[len(first.messages)-2:]; kinds[0].Type != "result" || kinds[1].Type != "url" || kinds[1].WebhookSecret != "" {
		t.Errorf("the last messages are %v", kinds)
	}
	url := first.one(t, "url").Content
	name, ok := strings.CutPrefix(url, "https://gw.example.com/files/")
	if !ok || !regexp.MustCompile(`^llms/[0-9a-f]{32}/127\.0\.0\.1-[0-9a-f]{32}/llms\.txt$`).MatchString(name) {
		t.Errorf("hosted at %s", url)
	}
	if got := bodyOf(t, serveFile(files, "GET", "/"+name)); got != first.one(t, "result").Content {
		t.Errorf("the file holds %q", got)
	}
	// The same tenant's file of the same site is replaced; no other one is.
	other := newSite(t, threePages)
	for what, c := range map[string]struct {
		key, url string
		same     bool
	}{
		"again":               {testKey, s.URL + "/", true},
		"another tenant":      {otherKey, s.URL, false},
		"another port":        {testKey, other.URL, false},
		"another page of it":  {testKey, s.URL + "/a", false},
		"by a name":           {testKey, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), false},
		"with a fragment":     {testKey, s.URL + "/#top", true},
		"in another spelling": {testKey, strings.Replace(s.URL, "http:", "HTTP:", 1) + "/./", true},
	} {
		if got := w.crawled(c.key, fmt.Sprintf(`{"url":%q,"format":"index"}`, c.url)).one(t, "url").Content; (got == url) != c.same {
			t.Errorf("%s: hosted at %s", what, got)
		}
	}
	if hidden, err := filepath.Glob(filepath.Join(dir, "llms", "*", "*", ".*.new")); err != nil || len(hidden) > 0 {
		t.Errorf("left behind: %v, %v", hidden, err)
	}
}

// brokenStorage cannot save.
type brokenStorage struct{}

func (brokenStorage) Save(context.Context, farwire.File) (string, error) {
	return "", errors.New("disk /dev/sdx is full")
}

func TestCrawl_StorageUnavailable_ResultIsSent(t *testing.T) {
	sites := &memorySites{}
	w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = brokenStorage{}, sites })
	s := newSite(t, threePages)
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL))
	if h.code != 1000 || h.one(t, "result").Content == "" || !strings.Contains(h.logs(), "could not be hosted") {
		t.Errorf("got %+v", h)
	}
	w.wantLog(`level=WARN .*disk /dev/sdx is full`)
	// Who enrols the site learns of the trouble behind the result, and what was
	// enrolled all the same: a recrawl will host the file, and nobody else tells
	// the secret.
	request := fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, s.URL)
	h = w.crawled(testKey, request)
	h.one(t, "result")
	h.wantError(t, 1011, "internal error")
	got := sites.only(t)
	if m := h.one(t, "error"); len(m.WebhookSecret) < 20 || m.WebhookSecret != got.WebhookSecret || m.BaseURL != got.BaseURL {
		t.Errorf("got %+v, enrolled %+v", m, got)
	}
	// Once.
	if m := w.crawled(testKey, request).one(t, "error"); m.WebhookSecret != "" || m.BaseURL != got.BaseURL {
		t.Errorf("told again: %+v", m)
	}
}

func TestCrawl_Enrol_RegistersTheSite(t *testing.T) {
	sites := &memorySites{}
	files := newFolder(t, t.TempDir())
	w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = files, sites })
	s := newSite(t, threePages)
	request := fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true,"recrawlIntervalMinutes":360,"maxPages":2,"descLength":300,"format":"index","useBrightdata":false,"geo":"de"}`, s.URL)
	h := w.crawled(testKey, request)
	m := h.one(t, "url")
	got := sites.only(t)
	if h.code != 1000 || len(m.WebhookSecret) < 20 || m.WebhookSecret != got.WebhookSecret || got.HostedURL != m.Content {
		t.Errorf("got %+v, enrolled %+v", h, got)
	}
	if got.Subject != "alice" || got.BaseURL != s.URL+"/" || got.Interval != 6*time.Hour || len(got.Hash) != 64 ||
		got.Options != (farwire.SiteOptions{MaxPages: 2, DescLength: 300, Format: "index", Geo: "de"}) {
		t.Errorf("enrolled %+v", got)
	}
	if pages, err := sites.Pages(t.Context(), got.ID); err != nil || got.Version != 1 || len(pages) != 2 {
		t.Errorf("version %d with %d pages, %v", got.Version, len(pages), err)
	}
	if m.BaseURL != got.BaseURL {
		t.Errorf("the client was told of %q", m.BaseURL)
	}
	if d := got.NextCrawl.Sub(got.LastCrawl); d != 6*time.Hour {
		t.Errorf("the next crawl is %v after this one", d)
	}
	if !strings.Contains(h.logs(), "Enrolled "+s.URL+"/") || strings.Contains(h.logs(), m.WebhookSecret) {
		t.Errorf("logs:\n%s", h.logs())
	}
	// The secret is told once.
	if m := w.crawled(testKey, request).one(t, "url"); m.WebhookSecret != "" {
		t.Errorf("told again: %+v", m)
	}
	sites.setUnavailable(errUnavailable)
	h = w.crawled(testKey, request)
	h.one(t, "result")
	h.wantError(t, 1011, "internal error")
}

// A model answers with what the function makes of the text.
type model func(llmstxt.Part) (string, error)

func (m model) Enhance(_ context.Context, p llmstxt.Part) (string, error) { return m(p) }

func TestCrawl_Enhance_UsesTheModel(t *testing.T) {
	s := newSite(t, threePages)
	request := fmt.Sprintf(`{"url":%q,"llmEnhance":true,"format":"index"}`, s.URL)
	plain := newWorld(t)
	without := plain.crawled(testKey, request)
	if without.code != 1000 || !strings.Contains(without.logs(), "No language model is configured") {
		t.Errorf("got %+v", without)
	}
	original := without.one(t, "result").Content
	for name, c := range map[string]struct {
		model   model
		changed bool
	}{
		"rewords": {func(p llmstxt.Part) (string, error) {
			if p.Layout != "index" || len(p.Pages) == 0 || !strings.Contains(p.Pages[0].Text, "page") {
				t.Errorf("asked %+v", p)
			}
			return strings.Replace(p.Text, "The first page has", "It has", 1), nil
		}, true},
		"adds a URL": {func(p llmstxt.Part) (string, error) {
			return p.Text + "- [Evil](https://evil.example/): Obey.\n", nil
		}, false},
		"fails": {func(llmstxt.Part) (string, error) { return "", errors.New("429 from 10.0.0.9") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) { o.Crawl.Enhance = c.model })
			h := w.crawled(testKey, request)
			got := h.one(t, "result").Content
			if h.code != 1000 || (got != original) != c.changed || strings.Contains(got+h.logs(), "evil.example") || strings.Contains(h.logs(), "10.0.0.9") {
				t.Errorf("got %+v", h)
			}
			// The operator is told what clients are not.
			if told := strings.Contains(w.log.String(), "language model without an answer"); told != (name == "fails") ||
				told != strings.Contains(w.log.String(), `err="429 from 10.0.0.9"`) {
				t.Errorf("log:\n%s", w.log)
			}
		})
	}
}

// A thriftyModel wants small parts.
type thriftyModel struct{ model }

func (thriftyModel) PartSize() int { return 1 }

func TestCrawl_ModelHasAPartSize_CutsPartsToIt(t *testing.T) {
	s := newSite(t, threePages)
	var mu sync.Mutex
	var parts []llmstxt.Part
	w := newWorld(t, func(o *farwire.Options) {
		o.Crawl.Enhance = thriftyModel{func(p llmstxt.Part) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, p)
			return p.Text, nil
		}}
	})
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"llmEnhance":true,"descLength":300}`, s.URL))
	if len(parts) != 3 || h.code != 1000 || strings.Contains(h.logs(), "keeps its own text") {
		t.Errorf("%d parts, %+v", len(parts), h)
	}
	for _, p := range parts {
		if len(p.Pages) != 1 || p.Layout != "pages" || p.TextLimit != 300 {
			t.Errorf("asked %+v", p)
		}
	}
}

// A browser answers with a page of its own.
type browser func(farwire.RenderPage) (farwire.Rendered, error)

func (b browser) Render(_ context.Context, p farwire.RenderPage) (farwire.Rendered, error) {
	return b(p)
}

const shell = `<!doctype html><html><head><title>App</title></head><body><div id="root"></div><script src="/app.js"></script><noscript>You need to enable JavaScript to run this app.</noscript><!-- %s --></body></html>`

func TestCrawl_Render_UsesTheBrowser(t *testing.T) {
	s := newSite(t, map[string]string{"/": fmt.Sprintf(shell, "/"), "/next": fmt.Sprintf(shell, "/next"), "/bad": fmt.Sprintf(shell, "/bad")})
	var mu sync.Mutex
	asked := map[string]farwire.RenderPage{}
	w := newWorld(t, func(o *farwire.Options) {
		o.Crawl.Render = browser(func(p farwire.RenderPage) (farwire.Rendered, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[p.URL] = p
			r := farwire.Rendered{By: "a browser of the test", Time: 500 * time.Millisecond, Bytes: 1000}
			if strings.HasSuffix(p.URL, "/bad") {
				return r, renderError{errors.New("no memory at 10.0.0.1")}
			}
			r.HTML = []byte(page("App", "What the app says once its scripts have run is this sentence.", "/next", "/bad"))
			return r, nil
		})
	})
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"useBrightdata":false}`, s.URL))
	r := h.one(t, "result")
	if !strings.Contains(r.Content, "once its scripts have run") {
		t.Errorf("got %+v", h)
	}
	if p := asked[s.URL+"/"]; len(asked) != 3 || p.Remote || p.Exit.ID != testAgent || p.Exit.DialContext == nil {
		t.Errorf("asked %+v", asked)
	}
	if r.Stats.Rendered != 2 || r.Stats.RenderSeconds != 1.5 || r.Stats.RenderBytes != 3000 {
		t.Errorf("stats: %+v", r.Stats)
	}
	logs := h.logs()
	if strings.Count(logs, "shown in a browser of the test") != 1 {
		t.Errorf("the browser is to be named once:\n%s", logs)
	}
	for _, want := range []string{"Rendered " + s.URL + "/next: score ", "Could not render " + s.URL + "/bad (score ", "): the tab ran out of memory; using", "Rendered 2 pages in 1.5 s"} {
		if !strings.Contains(logs, want) {
			t.Errorf("no %q in\n%s", want, logs)
		}
	}
	if strings.Contains(logs, "10.0.0.1") {
		t.Errorf("an address is shown:\n%s", logs)
	}
}

// renderError says in its Detail what a client may know.
type renderError struct{ error }

func (renderError) Detail() string { return "the tab ran out of memory" }

func TestCrawl_BrowserMissing_SaysSoOnce(t *testing.T) {
	s := newSite(t, map[string]string{"/": fmt.Sprintf(shell, "/") + `<a href="/next">next</a>`, "/next": fmt.Sprintf(shell, "/next")})
	w := newWorld(t)
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL))
	if h.code != 1000 || strings.Count(h.logs(), "No browser is configured") != 1 {
		t.Errorf("got %+v", h)
	}
	// A Renderer may find out only when it is asked.
	with := newWorld(t, func(o *farwire.Options) {
		o.Crawl.Render = browser(func(farwire.RenderPage) (farwire.Rendered, error) {
			return farwire.Rendered{}, fmt.Errorf("exec: %w", farwire.ErrNoBrowser)
		})
	})
	h = with.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL))
	if h.code != 1000 || strings.Count(h.logs(), "No browser is configured") != 1 || !strings.Contains(h.logs(), "no browser;") {
		t.Errorf("got %+v", h)
	}
	s = newSite(t, threePages)
	if h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL)); strings.Contains(h.logs(), "browser") {
		t.Errorf("a site that needs no browser: %+v", h)
	}
}

// TestCrawl_LimitExceeded_IsRefused has two pages a day, and one crawl at a time.
func TestCrawl_LimitExceeded_IsRefused(t *testing.T) {
	s := newSite(t, threePages)
	request := fmt.Sprintf(`{"url":%q,"maxPages":3}`, s.URL)
	t.Run("pages a day", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Limits.PagesPerDay = 5 })
		if h := w.crawled(testKey, request); h.code != 1000 || h.one(t, "result").Stats.Pages != 3 {
			t.Errorf("got %+v", h)
		}
		// One that fails costs nothing.
		w.crawled(testKey, fmt.Sprintf(`{"url":"%s/missing","maxPages":2}`, s.URL))
		h := w.crawled(testKey, request)
		if h.code != 1000 || h.one(t, "result").Stats.Pages != 2 || !strings.Contains(h.logs(), "Of your 5 pages a day 2 can still be crawled") {
			t.Errorf("got %+v", h)
		}
		h = w.crawled(testKey, request)
		if refusal := h.one(t, "error").Content; h.code != 1008 || !strings.HasPrefix(refusal, "limit reached: 5 pages a day; try again in 24h") {
			t.Errorf("got %+v", h)
		}
		if h := w.crawled(otherKey, request); h.code != 1000 {
			t.Errorf("another caller got %+v", h)
		}
	})
	t.Run("pages of a crawl that is left", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Limits.PagesPerDay = 5 })
		hanging := newSite(t, map[string]string{"/": page("Home", "A page that links to one which never comes.", "/never"), "/never": "hang"})
		p := w.crawl(fmt.Sprintf(`{"url":%q,"maxPages":4}`, hanging.URL))
		hanging.wait(t, hanging.hung)
		waitFor(t, func() bool { return w.gw.Stats().CrawlPages[farwire.PageWritten] == 1 })
		p.close(1000, "")
		p.receive()
		waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindCrawl].Active == 0 })
		if u := w.usage(t); *u.Pages.Today != 1 {
			t.Errorf("%d pages were counted, want the one that was crawled", *u.Pages.Today)
		}
	})
	t.Run("crawls at a time", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Limits.Crawls = 1 })
		hanging := newSite(t, map[string]string{"/": "hang"})
		p := w.crawl(fmt.Sprintf(`{"url":%q}`, hanging.URL))
		hanging.wait(t, hanging.hung)
		w.crawled(testKey, request).wantError(t, 1008, "limit reached: 1 crawl session at a time")
		p.close(1000, "")
		p.wantClose(1000, "")
		waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindCrawl].Active == 0 })
		if h := w.crawled(testKey, request); h.code != 1000 {
			t.Errorf("afterwards: %+v", h)
		}
	})
	t.Run("requests", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Limits = farwire.Limits{Rate: 1e-9, Burst: 1} })
		w.crawled(testKey, request)
		w.crawled(testKey, request).wantError(t, 1008, "rate limit exceeded")
	})
}

// TestCrawl_CallerNamedByTheHost_NeedsNoKey needs no key, but the host's own origin.
func TestCrawl_CallerNamedByTheHost_NeedsNoKey(t *testing.T) {
	w := newWorld(t)
	s := newSite(t, threePages)
	host := http.NewServeMux()
	host.Handle("GET /ws/crawl", nameCaller(w.gw.Crawl()))
	inner := w.also(host)
	p := inner.open("/ws/crawl")
	p.text(fmt.Sprintf(`{"url":%q}`, s.URL))
	if h := p.receive(); h.code != 1000 {
		t.Errorf("got %+v", h)
	}
	w.wantLog("kind=crawl subject=host-user")
	if p := inner.try("/ws/crawl", "Origin: https://evil.example"); p.resp.StatusCode != 403 {
		t.Errorf("a foreign page got %s", p.resp.Status)
	}
	p = inner.open("/ws/crawl?api_key=wrong-wrong-wrong-wrong")
	p.wantClose(1008, "Unauthorized")
}

// TestCrawl_LargeResult_IsAnnounced is announced, for clients that refuse large messages.
func TestCrawl_LargeResult_IsAnnounced(t *testing.T) {
	pages := map[string]string{}
	var links []string
	for i := range 26 * 26 {
		path := fmt.Sprintf("/%c%c/index", 'a'+i/26, 'a'+i%26)
		links = append(links, path)
		var text strings.Builder
		for j := range 30 {
			fmt.Fprintf(&text, "Sentence %d of %s has words such as %x that stand nowhere else. ", j, path, i*1000+j)
		}
		pages[path] = page("Page "+path, text.String())
	}
	pages["/"] = page("Home", "A home page with a great number of links to other pages.", links...)
	w, s := newWorld(t), newSite(t, pages)
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":1000,"descLength":2000}`, s.URL))
	r := h.one(t, "result")
	if len(r.Content) < 1<<20 || h.code != 1000 {
		t.Fatalf("a result of %d bytes and %d pages, closed with %d", len(r.Content), r.Stats.Pages, h.code)
	}
	if before := h.messages[len(h.messages)-2]; before.Type != "log" || !strings.Contains(before.Content, "some clients refuse more than 1048576") {
		t.Errorf("before the result: %v", before)
	}
}
