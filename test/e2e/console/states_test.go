package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// sound holds what is shown now to axe-core, and on a dark phone to what can differ
// there, to the size of its targets and of the screen.
func (p *page) sound(state string) {
	p.t.Helper()
	for _, look := range []struct {
		name  string
		d     device
		rules []string
	}{
		{"desktop", desktop, nil},
		{"phone", device{width: 375, height: 740, phone: true, dark: true}, []string{"color-contrast", "target-size", "scrollable-region-focusable"}},
	} {
		p.use(look.d)
		for _, finding := range p.violations(look.rules...) {
			p.t.Errorf("%s, %s: %s", state, look.name, finding)
		}
		p.shot("state-" + state + "-" + look.name)
	}
	wide := eval[[]string](p, `[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.spoken, .skip, thead, .scroll, pre') && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.tagName + '#' + e.id + '.' + e.className)`)
	if scroll := eval[int](p, `document.documentElement.scrollWidth`); scroll > 375 || len(wide) > 0 {
		p.t.Errorf("%s is %d wide on a screen of 375: %q", state, scroll, wide)
	}
	small := eval[[]string](p, `[...document.querySelectorAll('button, input, select, textarea, summary, .check')].filter((e) => e.checkVisibility() && !e.matches('[type=checkbox]') && Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width) < 24).map((e) => e.outerHTML.slice(0, 80))`)
	if len(small) > 0 {
		p.t.Errorf("%s: too small to press: %q", state, small)
	}
	broken := eval[[]string](p, `[...document.querySelectorAll('button')].filter((e) => {
		const range = document.createRange();
		range.selectNodeContents(e);
		return e.checkVisibility() && /^\w+$/.test(e.innerText) && new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1;
	}).map((e) => e.outerHTML.slice(0, 80))`)
	if len(broken) > 0 {
		p.t.Errorf("%s: a word is broken: %q", state, broken)
	}
	p.use(desktop)
}

// What is seen of a relay only after something was done: refusals, several sockets, a
// filter, the menu of files and the ways to read a frame.
func TestAccessibility_StatesOfARelay_Pass(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.fill("#key", "not the key of anybody")
	p.expect("403")
	p.click("#enter")
	p.says("#key-notice", "does not know this key")
	p.sound("key-refused")
	p.enter(g.Key)
	p.fill("#relay-url", "ws://127.0.0.1:1/")
	p.click("#relay-connect")
	p.says("#relay-notice", "The agent does not go to that address.")
	p.sound("relay-refused")
	p.relayTo("ws://echo.farwire.alt/one")
	p.click("#relay-another")
	p.relayTo("ws://echo.farwire.alt/two")
	p.fill("#relay-text", `{"of": ["two"]}`)
	p.click("#relay-send")
	p.says("#relay-feed section:not([hidden]) .row:last-child", "two")
	const front = "#relay-feed section:not([hidden]) "
	p.click(front + ".row:last-child button.line")
	eval[any](p, fmt.Sprintf(`void [...document.querySelectorAll('%s.views button')].find((b) => b.innerText === 'Hex').click()`, front))
	p.click(front + ".menu summary")
	p.sound("relay-sockets-frame-files")
	p.click(front + ".menu summary")
	p.fill(front+".filter", "nothing has this")
	p.await(fmt.Sprintf(`[...document.querySelectorAll('%s.row')].every((row) => !row.checkVisibility())`, front))
	p.sound("relay-filter")
}

// The outcomes of a crawl, what has changed since the last one, and sites with theirs.
func TestAccessibility_StatesOfACrawl_Pass(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[map[string]string]
	now.Store(&map[string]string{"/": "The Harbour Manual", "/berths": "Berths", "/fees": "Fees"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		title, ok := (*now.Load())[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `<!doctype html><title>%[1]s</title><main><h1>%[1]s</h1><p>This page says what there is to know about %[1]s, in a sentence of its own.</p><a href="/berths">1</a><a href="/fees">2</a><a href="/tides">3</a></main>`, title)
	}))
	t.Cleanup(server.Close)
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	p := open(t, desktop, g.HTTP("/#crawl"))
	p.enter(g.Key)
	p.fill("#crawl-url", "http://127.0.0.1:1/")
	p.click("#crawl-start")
	p.says("#crawl-notice", "Nothing listens at that address.")
	p.fill("#crawl-url", server.URL)
	p.click("#crawl-update")
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")
	p.await(`!document.querySelector('#sites').hidden`)
	p.click("#view-pages")
	p.sound("crawl-outcomes")
	now.Store(&map[string]string{"/": "The Harbour Manual", "/berths": "Berths and moorings", "/tides": "Tides"})
	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-changes').textContent.includes('1 page new, 1 gone, 1 changed.')`)
	p.click("#view-changes")
	for i := range eval[int](p, `document.querySelectorAll('#sites-rows button').length`) {
		said := eval[string](p, fmt.Sprintf(`document.querySelectorAll('#sites-rows button')[%d].innerText`, i))
		if said == "Changes" {
			eval[any](p, fmt.Sprintf(`void document.querySelectorAll('#sites-rows button')[%d].click()`, i))
		}
	}
	p.sound("crawl-changes-sites")
}

// Sessions that can be ended, an agent that was tried, and a gateway that is silent.
func TestAccessibility_StatesOfTheNetwork_Pass(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.expect("net::ERR_") // however a request ends that comes while the gateway goes
	p.pollFast()
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt")
	p.click("#tab-network")
	p.says("#sessions-rows", "echo.farwire.alt")
	eval[any](p, `void document.querySelector("#network-rows [data-agent=local]").click()`)
	p.await(`/ms echo/.test(document.querySelector('#network-rows [data-column=Try]').innerText)`)
	// From here on the tables are drawn when they are asked to: what is judged stays.
	eval[any](p, `void (window.haste = 1 / 20, document.querySelector('#network-rows tr').dataset.before = '')`)
	p.click("#network-refresh")
	p.await(`document.querySelector('#network-rows tr:not([data-before])') && /ms echo/.test(document.querySelector('#network-rows [data-column=Try]').innerText)`)
	p.sound("network-sessions")
	g.Stop()
	p.click("#network-refresh")
	p.await(`document.querySelector('#network').matches('.stale')`)
	p.sound("network-silent")
}
