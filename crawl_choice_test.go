package farwire_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// guardedSite is a site that wants a header and a cookie, and notes who brings
// them where.
func guardedSite(t *testing.T) (site *httptest.Server, seen func() map[string]http.Header) {
	var mu sync.Mutex
	headers := map[string]http.Header{}
	site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		headers[r.URL.Path] = r.Header.Clone()
		mu.Unlock()
		switch {
		case r.URL.Path == "/robots.txt" || threePages[r.URL.Path] == "":
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, threePages[r.URL.Path])
		}
	}))
	t.Cleanup(site.Close)
	return site, func() map[string]http.Header {
		mu.Lock()
		defer mu.Unlock()
		all := headers
		headers = map[string]http.Header{}
		return all
	}
}

// TestCrawl_Choice_IsFollowed: what a message chooses is what is fetched and sent.
func TestCrawl_Choice_IsFollowed(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Storage = newFolder(t, t.TempDir()) })
	site, seen := guardedSite(t)
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"exclude":["/a*"],"headers":{"Accept-Language":"de"}}`, site.URL))
	text := h.one(t, "result").Content
	if all := seen(); h.code != 1000 || strings.Contains(text, "The First Page") || !strings.Contains(text, "The Second Page") || all["/a"] != nil || all["/b"].Get("Accept-Language") != "de" {
		t.Errorf("closed with %d, the file is\n%s\nasked for %v", h.code, text, all)
	}
	if url := h.one(t, "url").Content; url == "" {
		t.Error("a crawl without secrets is not hosted")
	}
	h = w.crawled(testKey, fmt.Sprintf(`{"url":%q,"include":["/a"]}`, site.URL))
	if text := h.one(t, "result").Content; !strings.Contains(text, "The First Page") || strings.Contains(text, "The Second Page") || !strings.Contains(text, "Home of Examples") {
		t.Errorf("the file is\n%s", text)
	}
}

// TestCrawl_Secrets_NotHosted: what only this caller can see is sent to nobody
// else and kept nowhere.
func TestCrawl_Secrets_NotHosted(t *testing.T) {
	files := &memoryFiles{}
	w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = files, &memorySites{} })
	site, seen := guardedSite(t)
	for name, c := range map[string]struct{ request, header, want string }{
		"header":   {fmt.Sprintf(`{"url":%q,"headers":{"X-Secret":"hush"}`, site.URL), "X-Secret", "hush"},
		"cookie":   {fmt.Sprintf(`{"url":%q,"cookies":{"sid":"hush"}`, site.URL), "Cookie", "sid=hush"},
		"password": {fmt.Sprintf(`{"url":%q`, strings.Replace(site.URL, "//", "//me:hush@", 1)), "Authorization", "Basic bWU6aHVzaA=="},
	} {
		h := w.crawled(testKey, c.request+"}")
		all := seen()
		if h.code != 1000 || len(all) < 3 || files.saved() > 0 || h.messages[len(h.messages)-1].Type != "result" {
			t.Errorf("%s: closed with %d, %d files are hosted", name, h.code, files.saved())
		}
		if got := all["/b"].Get(c.header); got != c.want {
			t.Errorf("%s: the site was sent %q, want %q", name, got, c.want)
		}
		if text := h.one(t, "result").Content; strings.Contains(text, "hush") || !strings.Contains(text, "The Second Page") {
			t.Errorf("%s: the file is\n%s", name, text)
		}
		if logs := h.logs(); !strings.Contains(logs, "not hosted") {
			t.Errorf("%s: nothing says that the file is not hosted: %s", name, logs)
		}
		h = w.crawled(testKey, c.request+`,"enableAutoUpdate":true}`)
		if h.code != 1008 || !strings.Contains(h.one(t, "error").Content, "enableAutoUpdate") || len(seen()) > 0 {
			t.Errorf("%s: enrolled with %d", name, h.code)
		}
	}
	if log := w.log.String(); strings.Contains(log, "hush") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

// TestCrawl_Choice_Invalid: each field says what is wrong with it.
func TestCrawl_Choice_Invalid(t *testing.T) {
	long := strings.Repeat("x", 1001)
	many := func(n int, format string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return strings.Join(list, ",")
	}
	for request, want := range map[string]string{
		`"include":"/a"`:                                 "include",
		`"include":["a"]`:                                "include",
		`"include":[null]`:                               "include",
		`"exclude":["/` + long + `"]`:                    "exclude",
		`"exclude":["/a\n"]`:                             "exclude",
		`"include":[` + many(65, `"/%d"`) + `]`:          "include",
		`"exclude":[` + many(43, `"/%d/**/**/**"`) + `]`: "stars",
		`"headers":{"a b":"c"}`:                          "headers",
		`"headers":{"A":"b\r\nC: d"}`:                    "headers",
		`"headers":["A"]`:                                "headers",
		`"cookies":{"a":"b;c"}`:                          "cookies",
		`"headers":{` + many(60, `"A%d":"b"`) + `},"cookies":{` + many(41, `"a%d":"b"`) + `}`: "headers and cookies",
		`"language":"de de"`: "language",
		`"version":7`:        "version",
		`"delay":-1`:         "delay",
		`"delay":"1"`:        "delay",
		`"delay":3601`:       "delay",
		`"signals":1`:        "signals",
	} {
		if _, err := farwire.ParseCrawl([]byte(`{"url":"https://example.com/",` + request + `}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", request, err, want)
		}
	}
	for _, request := range []string{`"delay":0.25,"signals":true,"language":"pt-BR","version":"2.0"`, `"include":null,"headers":{},"cookies":null`, `"include":["**/docs/**","/a"]`, `"include":[` + many(64, `"/%d/**/**"`) + `]`} {
		if _, err := farwire.ParseCrawl([]byte(`{"url":"https://example.com/",` + request + `}`)); err != nil {
			t.Errorf("%s: %v", request, err)
		}
	}
}

// TestCrawl_Signals_Refused: a site that asks not to be an input is not, when
// the caller wants that.
func TestCrawl_Signals_Refused(t *testing.T) {
	w := newWorld(t)
	site := newSite(t, map[string]string{"/robots.txt": "User-agent: *\nContent-Signal: ai-input=no\nAllow: /\n", "/": threePages["/"]})
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"signals":true}`, site.URL))
	if h.code != 1011 || !strings.Contains(h.one(t, "error").Content, "ai-input=no") {
		t.Errorf("closed with %d: %v", h.code, h.messages)
	}
	if h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, site.URL)); h.code != 1000 {
		t.Errorf("without signals it closed with %d", h.code)
	}
}

// TestCrawl_PagesLost_AreReported: a site that does not serve all of its pages.
func TestCrawl_PagesLost_AreReported(t *testing.T) {
	w := newWorld(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		if threePages[r.URL.Path] == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, threePages[r.URL.Path])
	}))
	defer site.Close()
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, site.URL))
	if lost := h.one(t, "result").Lost; h.code != 1000 || lost == nil || *lost != 1 {
		t.Errorf("closed with %d, lost %v", h.code, lost)
	}
	whole := newSite(t, threePages)
	if lost := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, whole.URL)).one(t, "result").Lost; lost == nil || *lost != 0 {
		t.Errorf("of a whole site %v are lost", lost)
	}
}

// TestRecrawl_Choice_Repeated: a recrawl makes the same choice.
func TestRecrawl_Choice_Repeated(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		h := c.crawled(testKey, `{"url":"http://site.test/","enableAutoUpdate":true,"recrawlIntervalMinutes":60,"exclude":["/c","/d*"],"delay":0.01,"language":"en","headers":{"Accept-Language":"en"}}`)
		if h.code != 1000 {
			c.t.Fatalf("enrolled: %+v", h)
		}
		c.seen = len(c.sites.committed())
		original := c.hosted()
		c.site.counts()
		done := c.next()
		asked, _ := c.site.counts()
		if done.Site.Failures != 0 || c.hosted() != original || asked["/c"] > 0 || asked["/d"] > 0 || asked["/e"] == 0 {
			c.t.Errorf("asked for %v, committed %+v", asked, done.Site)
		}
	})
}

// TestCrawl_Enrol_KeepsEachField: what a message says and what it leaves out is what recrawls
// repeat.
func TestCrawl_Enrol_KeepsEachField(t *testing.T) {
	const week = 7 * 24 * time.Hour
	byDefault := farwire.SiteOptions{MaxPages: 50, DescLength: 500, Format: "pages", Remote: true}
	with := func(change func(*farwire.SiteOptions)) farwire.SiteOptions {
		o := byDefault
		change(&o)
		return o
	}
	s := newSite(t, threePages)
	for more, want := range map[string]farwire.SiteOptions{
		``: byDefault,
		`,"maxPages":null,"descLength":null,"format":null,"useBrightdata":null,"recrawlIntervalMinutes":null,"llmEnhance":null`: byDefault,
		`,"maxPages":3`:                      with(func(o *farwire.SiteOptions) { o.MaxPages = 3 }),
		`,"descLength":100`:                  with(func(o *farwire.SiteOptions) { o.DescLength = 100 }),
		`,"format":"index"`:                  with(func(o *farwire.SiteOptions) { o.Format = "index" }),
		`,"llmEnhance":true`:                 with(func(o *farwire.SiteOptions) { o.Enhance = true }),
		`,"useBrightdata":false`:             with(func(o *farwire.SiteOptions) { o.Remote = false }),
		`,"geo":"DE,at"`:                     with(func(o *farwire.SiteOptions) { o.Geo = "DE,at" }),
		`,"agent":"de1,at5"`:                 with(func(o *farwire.SiteOptions) { o.Agent = "de1,at5" }),
		`,"include":["/a","/b*"]`:            with(func(o *farwire.SiteOptions) { o.Include = "/a\n/b*" }),
		`,"exclude":["/x","/y"]`:             with(func(o *farwire.SiteOptions) { o.Exclude = "/x\n/y" }),
		`,"headers":{"accept-language":"x"}`: with(func(o *farwire.SiteOptions) { o.Header = "Accept-Language: x" }),
		`,"language":"pt-BR"`:                with(func(o *farwire.SiteOptions) { o.Language = "pt-BR" }),
		`,"version":"2.0"`:                   with(func(o *farwire.SiteOptions) { o.Version = "2.0" }),
		`,"delay":0.015`:                     with(func(o *farwire.SiteOptions) { o.Delay = 0.015 }),
		`,"signals":true`:                    with(func(o *farwire.SiteOptions) { o.Signals = true }),
		`,"full":true`:                       with(func(o *farwire.SiteOptions) { o.Full = true }),
		`,"markdown":true`:                   with(func(o *farwire.SiteOptions) { o.Markdown = true }),
	} {
		sites := &memorySites{}
		w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = &memoryFiles{}, sites })
		if h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true%s}`, s.URL, more)); h.code != 1000 {
			t.Fatalf("%s: got %+v", more, h)
		}
		got := sites.only(t)
		if got.Options != want || got.Interval != week {
			t.Errorf("%s: enrolled %+v, crawled every %v", more, got.Options, got.Interval)
		}
		asked, err := farwire.AskedChoice(fmt.Appendf(nil, `{"url":%q%s}`, s.URL, more))
		asked.Cookies = nil // a site has none
		if repeated := farwire.RepeatedChoice(got.Options); err != nil || !reflect.DeepEqual(repeated, asked) {
			t.Errorf("%s: recrawls choose %+v, the request %+v, %v", more, repeated, asked, err)
		}
	}
}
