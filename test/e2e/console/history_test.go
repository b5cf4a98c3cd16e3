package console

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/farwire/farwire/internal/harness"
)

// Targets and messages of earlier are the tab's: they are there after a reload, and not
// on the device. A target's password is shown nowhere. While a relay runs, how much
// comes is drawn as a line.
func TestHistory_Reload_IsKeptInTheTabAlone(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.relayTo("ws://user:secret@echo.farwire.alt/earlier")
	p.fill("#relay-text", "said before")
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)
	// The page does not show the password.
	p.says("#relay-target", "ws://echo.farwire.alt/earlier")
	p.says("#relay-feed .row:nth-child(1)", "ws://echo.farwire.alt/earlier through")
	if text := eval[string](p, `document.body.innerText`); strings.Contains(text, "secret") {
		t.Errorf("the page shows %s", text)
	}
	// One point a second, and the higher the more frames.
	p.await(`document.querySelector('#relay .rate:not([hidden]) polyline').getAttribute('points').split(' ').some((point) => Number(point.split(',')[1]) < 19)`)
	p.await(`document.querySelector('#relay .rate:not([hidden]) polyline').getAttribute('points').split(' ').length >= 2`)

	p.do(chromedp.Reload())
	p.enter(g.Key)
	p.await(`[...document.querySelector('#relay-targets').options].map((o) => o.value).join() === 'ws://echo.farwire.alt/earlier'`)
	p.await(`[...document.querySelector('#relay-sent').options].some((o) => o.text === 'said before')`)
	if kept := eval[string](p, `JSON.stringify({...localStorage})`); kept != "{}" {
		t.Errorf("the device keeps %s", kept)
	}

	p.click("#tab-network")
	p.says("#network-rows", "local")
	// The gateway's own exit has no address that a gateway has seen.
	if exit := eval[string](p, `(() => {
		const table = document.querySelector('#network-rows').closest('table');
		const column = [...table.tHead.rows[0].cells].findIndex((c) => c.textContent === 'Exit');
		return column < 0 ? 'no column' : table.tBodies[0].rows[0].cells[column].textContent;
	})()`); exit != "—" {
		t.Errorf("in the column Exit stands %q", exit)
	}
}
