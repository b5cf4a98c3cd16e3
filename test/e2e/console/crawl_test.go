package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/farwire/farwire/internal/harness"
)

// site serves pages, each of which links to all. The page at a path waits for
// the channel of its name, when there is one.
func site(t *testing.T, titles map[string]string, waits map[string]chan struct{}) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		title, ok := titles[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if wait := waits[r.URL.Path]; wait != nil {
			select {
			case <-wait:
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>%s</title><main><h1>%s</h1><p>This page says what there is to know about %s, in a sentence of its own.</p><ul>", title, title, title)
		for path := range titles {
			fmt.Fprintf(w, `<li><a href="%s">%s</a></li>`, path, path)
		}
		fmt.Fprint(w, "</ul></main>")
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL + "/"
}

var manual = map[string]string{
	"/": "The Harbour Manual", "/anchors": "Anchors and chains", "/berths": "Berths", "/cranes": "Cranes, and how to ask for one",
	"/fees": "Fees", "/pilots": "Pilots and tugs", "/tides": "Tides and weather", "/waste": "Waste",
}

func TestCrawl_Site_ShowsProgressAndFiles(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	url := site(t, manual, map[string]chan struct{}{"/waste": hold})
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.click("#tab-crawl")
	p.fill("#crawl-url", url)
	p.fill("#crawl-pages", "8")
	p.choose("#crawl-through", "agent:local")
	p.click("#crawl-form .more summary")
	p.click("#crawl-full")
	p.click("#crawl-markdown")
	p.click("#crawl-start")

	// One page keeps the crawl waiting: the bar stands where it is.
	p.await(`document.querySelector('#crawl-progress').value >= 1 && document.querySelector('#crawl-progress').max === 8`)
	p.says("#crawl-progress-text", "of at most 8")
	p.says("#crawl-feed", "Crawling page 1/8...")
	if at := eval[int](p, `document.querySelector('#crawl-progress').value`); at > 7 {
		t.Errorf("the bar stands at %d of 8, and one page has not come", at)
	}
	p.shot("crawl-running")
	close(hold)
	p.says("#crawl-status", "Done.")
	p.says("#crawl-facts", "8 pages")
	p.says("#crawl-rendered", "Anchors and chains")
	if level := eval[string](p, `document.querySelector('#crawl-rendered .level-1').innerText`); level != "The Harbour Manual" {
		t.Errorf("the file is headed %q", level)
	}
	links := eval[[]string](p, `[...document.querySelectorAll('#crawl-rendered a')].map((a) => a.href + ' ' + a.rel + ' ' + a.target)`)
	if len(links) != 9 || links[0] != url+" noopener noreferrer _blank" {
		t.Errorf("the links are %q", links)
	}
	p.shot("crawl")

	// The text, the download and the hosted file are the same.
	p.click("#view-source")
	source := eval[string](p, `document.querySelector('#crawl-source pre').textContent`)
	if !strings.HasPrefix(source, "# The Harbour Manual\n") || !eval[bool](p, `document.querySelector('#crawl-rendered').hidden`) {
		t.Errorf("the text is %.100q", source)
	}
	p.shot("crawl-text")
	if got := p.download("#crawl-download", "llms.txt"); got != source {
		t.Errorf("the download is %.100q", got)
	}
	hosted := eval[string](p, `document.querySelector('#crawl-hosted a').href`)
	if status, body := harness.Get(t, hosted); status != http.StatusOK || body != source {
		t.Errorf("%s: %d %.100q", hosted, status, body)
	}
	// So are the files beside it.
	p.says("#crawl-hosted .files summary", "8 Markdown files")
	for css, want := range map[string]string{
		"#crawl-hosted .copy-line:nth-of-type(2) a": "# The Harbour Manual\nSource: " + url,
		"#crawl-hosted .files li:nth-of-type(1) a":  "# The Harbour Manual\n\n",
	} {
		address := eval[string](p, `document.querySelector('`+css+`').href`)
		if status, body := harness.Get(t, address); status != http.StatusOK || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %d %.100q, want %q", address, status, body, want)
		}
	}
	p.click("#crawl-copy")
	p.await(`document.querySelector('#crawl-copy').innerText !== 'Copy'`)
}

// download clicks and returns the file that comes of it.
func (p *page) download(css, name string) string {
	p.t.Helper()
	dir := p.t.TempDir()
	// Other tests' tabs of this browser may download meanwhile.
	frame := call(p, cdppage.GetFrameTree, cdp.Empty{}).FrameTree.Frame.ID
	done := make(chan struct{}, 1)
	guid := ""
	state := func(e any) {
		switch e := e.(type) {
		case *browser.EventDownloadWillBegin:
			if e.FrameID == frame {
				guid = e.GUID
			}
		case *browser.EventDownloadProgress:
			if e.GUID == guid && e.State == browser.DownloadProgressStateCompleted {
				select {
				case done <- struct{}{}:
				default:
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	if err := chromedp.ListenBrowser(ctx, state); err != nil {
		p.fail(err)
	}
	enabled := true
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: &enabled,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	}); err != nil {
		p.fail(err)
	}
	p.click(css)
	select {
	case <-done:
	case <-p.ctx.Done():
		p.fail(errors.New("nothing was downloaded"))
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

func TestCrawl_Stopped_ShowsWhatItHas(t *testing.T) {
	t.Parallel()
	url := site(t, manual, map[string]chan struct{}{"/waste": make(chan struct{})})
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.click("#tab-crawl")
	p.fill("#crawl-url", url)
	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-progress').value >= 1`)
	p.click("#crawl-start")
	p.says("#crawl-status", "Stopped.")
	g.Await(g.Stderr, `kind=crawl .*ended_by=client`)
	if notice := p.text("#crawl-notice"); notice != "" {
		t.Errorf("stopping is called trouble: %s", notice)
	}
}

func TestCrawl_Refused_IsShown(t *testing.T) {
	t.Parallel()
	url := site(t, manual, nil)
	forbidden := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			fmt.Fprint(w, "User-agent: *\nDisallow: /\n")
		}
	}))
	t.Cleanup(forbidden.Close)
	free, guarded := harness.Serve(t, "--allow-private", "--crawl-max-pages", "20", "--rate", "1000"), harness.Serve(t)
	p := open(t, desktop, free.HTTP("/"))
	p.enter(free.Key)
	p.click("#tab-crawl")
	for _, c := range []struct{ url, pages, title string }{
		{"docs.example.com", "10", "A site begins with http:// or https://."},
		{"http://:80/", "10", "That is not the address of a site."},
		{url, "21", "That is more pages than this gateway allows."},
		{url, "0", "The request cannot be served as it is."},
		{"http://127.0.0.1:1/", "10", "Nothing listens at that address."},
		{forbidden.URL + "/", "10", "The site asks not to be crawled."},
		{url + "nothing-here", "10", "The first page could not be fetched."},
	} {
		p.fill("#crawl-url", c.url)
		p.fill("#crawl-pages", c.pages)
		p.click("#crawl-start")
		p.says("#crawl-notice", c.title)
		p.await(`!document.querySelector('#crawl-fields').disabled`)
	}
	p = open(t, desktop, guarded.HTTP("/"))
	p.enter(guarded.Key)
	p.click("#tab-crawl")
	p.fill("#crawl-url", url)
	p.click("#crawl-start")
	p.says("#crawl-notice", "The agent does not go to that address.")
}

// What a site says of itself is text in the file, and text in the page.
func TestCrawl_HostileSite_IsShownAsText(t *testing.T) {
	t.Parallel()
	url := site(t, map[string]string{
		"/":  `Innocent &lt;img src=x onerror=document.title='owned'&gt;`,
		"/a": `[press me](javascript:document.title='owned') &lt;script&gt;document.title='owned'&lt;/script&gt;`,
		"/b": `&lt;svg onload=document.title='owned'&gt; [x](data:text/html,owned)`,
	}, nil)
	g := harness.Serve(t, "--allow-private")
	for _, layout := range []string{"pages", "index"} {
		p := open(t, desktop, g.HTTP("/"))
		p.enter(g.Key)
		p.click("#tab-crawl")
		p.fill("#crawl-url", url)
		p.click("#crawl .more summary")
		p.choose("#crawl-format", layout)
		p.click("#crawl-start")
		p.says("#crawl-status", "Done.")
		p.says("#crawl-rendered", "onerror")
		p.says("#crawl-rendered", "javascript:")
		if bad := eval[[]string](p, `[...document.querySelectorAll('#crawl-rendered *')].filter((e) => /^(img|script|svg|iframe)$/i.test(e.tagName) || (e.href && !/^https?:/.test(e.href))).map((e) => e.outerHTML)`); len(bad) > 0 {
			t.Errorf("layout %s: the site has put into the page: %q", layout, bad)
		}
		if title := eval[string](p, `document.title`); title != "Crawl · Farwire" {
			t.Errorf("layout %s: the site has changed the page: %s", layout, title)
		}
	}
}

// The log links to its pages, each page has its outcome, and a second crawl is
// compared with the first.
func TestCrawl_SecondOfASite_IsComparedWithTheFirst(t *testing.T) {
	t.Parallel()
	titles := map[string]string{"/": "The Harbour Manual", "/berths": "Berths", "/fees": "Fees"}
	var now atomic.Pointer[map[string]string]
	now.Store(&titles)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		title, ok := (*now.Load())[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `<!doctype html><title>%s</title><main><h1>%s</h1><p>This page says what there is to know about %s, in a sentence of its own.</p><a href="/berths">1</a><a href="/fees">2</a><a href="/tides">3</a></main>`, title, title, title)
	}))
	t.Cleanup(server.Close)
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/#crawl"))
	p.enter(g.Key)
	p.fill("#crawl-url", server.URL)
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")
	p.await(fmt.Sprintf(`document.querySelector('#crawl-feed .row a[href="%s/fees"]')`, server.URL))
	p.click("#view-pages")
	p.says("#crawl-outcomes", "3 pages in the file, 1 left out.")
	p.says("#crawl-outcomes", "status "+server.URL+"/tides HTTP 404 Not Found")
	p.shot("crawl-outcomes")
	p.click("#view-changes")
	p.says("#crawl-changes", "Crawl it again")

	now.Store(&map[string]string{"/": "The Harbour Manual", "/berths": "Berths and moorings", "/tides": "Tides"})
	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-changes').textContent.includes('1 page new, 1 gone, 1 changed.')`)
	p.click("#view-changes")
	for css, want := range map[string]string{".fresh": "/tides", ".gone": "/fees", ".changed ins": "Berths and moorings", ".changed del": "Berths"} {
		p.says("#crawl-changes "+css, want)
	}
	p.shot("crawl-changes")
}
