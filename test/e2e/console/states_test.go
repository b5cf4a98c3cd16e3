package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// sound holds what is shown now to axe-core, and in the dark and on a phone to what can
// differ there: contrast, the size of its targets and of the screen.
func (p *page) sound(state string) {
	p.t.Helper()
	for _, look := range []struct {
		name  string
		d     device
		rules []string
	}{
		{"desktop", device{width: 1440, height: 900}, nil},
		{"dark", device{width: 1440, height: 900, dark: true}, []string{"color-contrast"}},
		{"phone-light", device{width: 375, height: 740, phone: true}, []string{"color-contrast"}},
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
	// What is only spoken takes no room below the last line either.
	if below := eval[float64](p, `document.documentElement.scrollHeight - Math.max(innerHeight, document.querySelector('#about').getBoundingClientRect().bottom + scrollY)`); below > 1 {
		p.t.Errorf("%s: the page goes on for %.0f pixels below its end", state, below)
	}
	// What is too long for its place ends with dots, which only text in the very element does.
	cut := eval[[]string](p, `[...document.querySelectorAll('main *')].filter((e) => e.checkVisibility() && !e.closest('.spoken, thead, svg, .scroll') && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1
		&& getComputedStyle(e).overflowX !== 'visible' && getComputedStyle(e).overflowX !== 'auto' && !e.matches('input, select, textarea')
		&& !(getComputedStyle(e).textOverflow === 'ellipsis' && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))).map((e) => e.outerHTML.slice(0, 120))`)
	if len(cut) > 0 {
		p.t.Errorf("%s: cut off: %q", state, cut)
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
	p.relayTo("ws://echo.farwire.alt/two/of-a-name/that-is-longer-than-its-tab/can-be")
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
	p.fill(front+".filter", "two")
	p.click(front + "button[aria-pressed]")
	for range 100 {
		eval[any](p, `void document.querySelector('#relay-send').click()`)
	}
	p.says(front+".total", "200 waiting")
	p.sound("relay-paused")
	p.click(front + "button[aria-pressed]")
	p.await(fmt.Sprintf(`document.querySelectorAll('%s.row').length > 200`, front))
	p.sound("relay-many-rows")
	p.code("#relay-code")
	p.sound("relay-code")
}

// Whose key is remembered can have it forgotten.
func TestAccessibility_KeyRemembered_Passes(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.fill("#key", g.Key)
	p.click("#remember")
	p.sound("key-to-be-remembered")
	p.click("#enter")
	p.says("#leave", "Forget key")
	p.sound("key-remembered")
}

// The headers of an answer, a request that is under way, one that was refused.
func TestAccessibility_StatesOfARequest_Pass(t *testing.T) {
	t.Parallel()
	url := api(t)
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	p := open(t, desktop, g.HTTP("/#http"))
	p.expect("(Bad Gateway)")
	p.enter(g.Key)
	p.fill("#http-url", url+"/echo")
	p.click("#http-send")
	p.says("#http-status", "Done.")
	p.click("#http-headers-count")
	p.says("#http-head", "x-of-the-target")
	p.sound("http-headers")
	p.code("#http-code")
	p.sound("http-code")
	p.click("#code-close")
	p.fill("#http-url", url+"/slow")
	p.click("#http-send")
	p.says("#http-status", "Receiving")
	p.sound("http-under-way")
	p.click("#http-send")
	p.fill("#http-url", "http://127.0.0.1:1/")
	p.says("#http-status", "Stopped.")
	p.click("#http-send")
	p.says("#http-notice", "Nothing listens at that address.")
	p.sound("http-refused")
}

// Messages of a broker, one of them open, and more that wait.
func TestAccessibility_StatesOfAMQP_Pass(t *testing.T) {
	t.Parallel()
	n := startBroker(t)
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
	p.fill("#amqp-key", "states.#")
	p.click("#amqp-start")
	p.says("#amqp-status", "Streaming through")
	publish := func() {
		if err := n.Publish(map[string]amqp091.Publishing{
			"states.of.a.key.that.is.longer.than.its.column": {ContentType: "application/json", MessageId: "m-1", Headers: amqp091.Table{"source": "exchange-a"}, Body: []byte(`{"price": 98231.50}`)},
			"states.raw": {Body: []byte{0xff, 0xfe, 0, 'h', 'i'}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 15 {
		publish()
	}
	p.awaitRows("amqp-feed", 30)
	eval[any](p, `void document.querySelector('#amqp-feed .row:last-child button.line').click()`)
	p.sound("amqp-rows")
	p.click("#amqp-feed button[aria-pressed]")
	publish()
	p.says("#amqp-feed .total", "2 waiting")
	p.sound("amqp-paused")
	p.code("#amqp-code")
	p.sound("amqp-code")
	p.click("#code-close")
	p.click("#amqp-start")
	p.says("#amqp-status", "Stopped.")
}

// A crawl that runs: its bar, its log, its fields that rest.
func TestAccessibility_CrawlThatRuns_Passes(t *testing.T) {
	t.Parallel()
	url := site(t, manual, map[string]chan struct{}{"/waste": make(chan struct{})})
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	p := open(t, desktop, g.HTTP("/#crawl"))
	p.enter(g.Key)
	p.fill("#crawl-url", url)
	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-progress').value >= 1`)
	p.sound("crawl-running")
	p.code("#crawl-code")
	p.sound("crawl-code")
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
	p.await(`document.querySelector('#network-rows [data-agent=local]')`)
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
