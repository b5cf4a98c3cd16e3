package console

import (
	"fmt"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/farwire/farwire/internal/harness"
)

func TestNetwork_AgentAttaches_IsShown(t *testing.T) {
	t.Parallel()
	const secret = "agent-secret-0123456789"
	g := harness.Serve(t, "--agent-secret", secret, "--local-agent", "fra1:DE", "--allow-private")
	p := open(t, desktop, g.HTTP("/#network"))
	p.enter(g.Key)
	p.says("#network-rows", "fra1")
	p.says("#network-rows", "DE · Germany")
	p.says("#network-rows", "available")
	p.says("#network-count", "1 agent")

	// An agent that attaches appears by itself, in the lists of the other
	// panels too, with its round-trip time.
	remote := harness.Start(t, harness.Farwire(t, "agent", "--gateway", "http://"+g.Addr, "--secret", secret, "--slug", "at1", "--country", "AT"))
	p.says("#network-rows", "at1")
	p.await(`/AT · Austria\s+available\s+\d+\s+[\d.]+ ms/.test(document.querySelector('#network-rows').innerText)`)
	options := eval[string](p, `[...document.querySelector('#relay-through').options].map((o) => o.text).join('; ')`)
	for _, want := range []string{"Any agent", "AT · Austria (1 agent)", "DE · Germany (1 agent)", "at1 · AT", "fra1 · DE"} {
		if !strings.Contains(options, want) {
			t.Errorf("the list lacks %s: %s", want, options)
		}
	}

	// Sessions and usage follow what the person does.
	p.click("#tab-relay")
	p.choose("#relay-through", "geo:DE")
	p.fill("#relay-url", "ws://echo.farwire.alt")
	p.click("#relay-connect")
	p.says("#relay-status", "Connected through farwire-fra1")
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)
	p.click("#tab-network")
	p.await(`/1 open\s+1 in all/.test(document.querySelector('#usage-cards').innerText)`)
	p.says("#usage-subject", "key-1")
	p.await(`/\d+ of 10/.test(document.querySelector('#usage-cards').innerText)`)
	for _, want := range []string{`HTTP requests\s+0 running\s+0 in all; at most 1000 at a time`, `Tunnels\s+0 open\s+0 in all; at most 1000 at a time`,
		`HTTP requests and tunnels left\s+500 of 500\s+100 more each second`} {
		p.await(`/` + want + `/.test(document.querySelector('#usage-cards').innerText)`)
	}
	p.shot("network")

	// An agent that was chosen and has gone stays chosen, and says so.
	p.click("#tab-relay")
	p.click("#relay-connect")
	p.choose("#relay-through", "agent:at1")
	p.click("#tab-network")
	remote.Signal(harness.Terminate)
	p.await(`!document.querySelector('#network-rows').innerText.includes('at1')`)
	p.click("#tab-relay")
	p.await(`document.querySelector('#relay-through').selectedOptions[0].text === 'at1 (not attached)'`)
	p.click("#relay-connect")
	p.says("#relay-notice", "No agent fits your choice right now.")
}

// pollFast has the page's timers run twenty times as fast from its next load on, or as fast
// as window.haste says then, but for those of 20 seconds and more: these are limits, and
// a busy machine must keep them.
func (p *page) pollFast() {
	p.t.Helper()
	call(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `{ const real = setTimeout; window.haste = 20; window.setTimeout = (f, ms = 0, ...rest) => real(f, ms < 20000 ? ms / window.haste : ms, ...rest); }`,
	})
	p.do(chromedp.Reload())
}

// Nobody looks, nobody asks: what the page uses up of the limit is seen in it.
func TestNetwork_NotShown_AsksNothing(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.pollFast()
	p.enter(g.Key)
	p.click("#tab-network")
	p.says("#network-rows", "local")
	// When each request began: it is told of when it has ended, which may be later.
	eval[any](p, `void (window.asked = [], new PerformanceObserver((list) => { window.asked.push(...list.getEntries().filter((e) => /network$|usage$/.test(e.name)).map((e) => e.startTime)); }).observe({type: 'resource'}))`)
	p.await(`window.asked.length >= 4`)
	p.click("#tab-relay")
	p.await(`document.querySelector('#network').hidden`)
	left := eval[float64](p, `performance.now()`)
	eval[any](p, `new Promise((done) => setTimeout(() => done(null), 19000))`)
	if asked := eval[int](p, fmt.Sprintf(`window.asked.filter((began) => began > %f).length`, left)); asked != 0 {
		t.Errorf("%d requests for a panel that is not shown", asked)
	}
}

func TestNetwork_NoAgents_IsShown(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--local-agent", "none", "--agent-secret", "agent-secret-0123456789")
	p := open(t, desktop, g.HTTP("/#network"))
	p.enter(g.Key)
	p.says("#network-empty", "farwire agent --gateway")
	p.shot("network-empty")
}

// An agent is tried, a session is ended, and what is shown goes grey when the
// gateway has fallen silent.
func TestNetwork_GatewayUnreachable_TablesTurnGrey(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.expect("net::ERR_") // however a request ends that comes while the gateway goes
	p.pollFast()
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt")
	p.click("#tab-network")
	p.says("#sessions-rows", "echo.farwire.alt")
	p.says("#network-rows [data-column=Links]", "-") // a gateway's name is its host's with four digits
	// The tables are drawn anew at each look, so a click must not look for its place first.
	eval[any](p, `void document.querySelector("#network-rows [data-agent=local]").click()`)
	p.await(`/ms echo, [\d.]+ ms to connect/.test(document.querySelector('#network-rows [data-column=Try]').innerText)`)
	p.shot("network-sessions")
	eval[any](p, `void document.querySelector('#sessions-rows button').click()`)
	p.await(`document.querySelector('#sessions-table').hidden`)
	p.click("#tab-relay")
	p.says("#relay-feed .row:last-child", "ended by request")
	p.says("#relay-status", "Not connected.")
	p.click("#tab-network")
	p.says("#network-fresh", "As of")
	g.Stop()
	p.says("#network-fresh", "Last answer at")
	p.await(`document.querySelector('#network').matches('.stale')`)
	p.shot("network-stale")
}

// A long name and what a try says leave the words of the other columns whole.
func TestNetwork_LongNameTried_BreaksNoOtherWord(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--local-agent", "an-agent-whose-name-is-as-long-as-a-name-may-be-in-this-network:DE")
	p := open(t, desktop, g.HTTP("/#network"))
	p.enter(g.Key)
	p.click("#network-rows button")
	p.await(`document.querySelector('#network-rows .try').innerText.includes('echo')`)
	for _, width := range []int64{1440, 1000, 700} {
		p.use(device{width: width, height: 800})
		p.await(fmt.Sprintf(`innerWidth === %d`, width))
		broken := eval[[]string](p, `[...document.querySelectorAll('#network-table :is(thead th, .pill)')].flatMap((e) => {
			const text = e.firstChild;
			return text.nodeType !== Node.TEXT_NODE ? [] : [...text.data.matchAll(/\S+/g)].filter((word) => {
				const range = new Range();
				range.setStart(text, word.index);
				range.setEnd(text, word.index + word[0].length);
				return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
			}).map(([word]) => word);
		})`)
		if len(broken) > 0 {
			t.Errorf("%d wide: words are broken: %q", width, broken)
		}
		if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > int(width) {
			t.Errorf("%d wide: the page takes %d", width, wide)
		}
	}
}
