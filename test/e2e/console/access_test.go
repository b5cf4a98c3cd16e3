package console

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/farwire/farwire/internal/harness"
)

// fillAll fills all panels with what a person would have in them.
func (p *page) fillAll(site string) {
	p.t.Helper()
	p.relayTo("ws://echo.farwire.alt")
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)
	p.click("#relay-feed .row:last-child button")
	p.click("#relay-another")
	p.click("#relay .more summary")
	p.click("#tab-http")
	p.fill("#http-url", "http://echo.farwire.alt/")
	p.click("#http-send")
	p.says("#http-status", "Done.")
	p.click("#http .more summary")
	p.click("#tab-amqp")
	p.fill("#amqp-host", "127.0.0.1")
	p.fill("#amqp-port", "1")
	p.click("#amqp-start")
	p.says("#amqp-notice", "Nothing listens at that address.")
	p.click("#amqp .more summary")
	p.click("#tab-crawl")
	p.fill("#crawl-url", site)
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")
	p.click("#crawl .more summary")
	p.click("#tab-network")
	p.says("#network-rows", "local")
}

var panels = []string{"relay", "http", "amqp", "crawl", "network"}

// Whatever can be operated has a name, and axe-core finds nothing to complain
// of: in either theme, on either device, with something in every panel.
func TestPage_Axe_FindsNothing(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	complain := func(where string, rules ...string) {
		t.Helper()
		for _, finding := range p.violations(rules...) {
			t.Errorf("%s: %s", where, finding)
		}
	}
	complain("welcome")
	p.enter(g.Key)
	p.fillAll(site(t, manual, nil))
	for _, panel := range panels {
		p.click("#tab-" + panel)
		// The elements are the same in all; what can differ is asked for in each.
		for _, look := range []struct {
			name  string
			d     device
			rules []string
		}{
			{"desktop", device{width: 1440, height: 900}, nil},
			{"dark", device{width: 1440, height: 900, dark: true}, []string{"color-contrast"}},
			{"phone", device{width: 375, height: 740, phone: true}, []string{"target-size", "scrollable-region-focusable"}},
			{"phone-dark", device{width: 375, height: 740, phone: true, dark: true}, []string{"color-contrast"}},
		} {
			p.use(look.d)
			complain(look.name+" "+panel, look.rules...)
			p.shot(look.name + "-" + panel)
		}
		p.use(desktop)
	}
	p.click("#tab-relay")
	p.click("#relay-sockets [role=tab]") // the one that stands
	complain("connected")
	p.code("#relay-code")
	complain("a dialog")
	p.click("#code-close")

	// And both would find something.
	eval[any](p, `(() => { const b = document.createElement('button'); const i = document.createElement('img'); i.src = 'data:,'; document.querySelector('main').append(b, i); return null; })()`)
	found := strings.Join(p.violations(), "\n")
	for _, want := range []string{"a button has no name", "image-alt", "button-name"} {
		if !strings.Contains(found, want) {
			t.Errorf("nobody minds %s: %s", want, found)
		}
	}
}

// controls are the roles whose purpose must be told.
var controls = []string{"button", "checkbox", "combobox", "link", "menuitem", "progressbar", "region", "searchbox", "spinbutton", "tab", "tablist", "tabpanel", "textbox", "DisclosureTriangle"}

// violations are what keeps a person from using the page, by axe-core's rules: those
// that are named, else all.
func (p *page) violations(rules ...string) (found []string) {
	p.t.Helper()
	seen := 0
	for _, n := range call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if n.Ignored || n.Role == nil || !slices.Contains(controls, text(n.Role)) {
			continue
		}
		seen++
		if text(n.Name) == "" {
			found = append(found, fmt.Sprintf("a %s has no name", text(n.Role)))
		}
	}
	if seen < 3 {
		found = append(found, fmt.Sprintf("only %d controls are to be found", seen))
	}

	// The policy keeps scripts of others out of the page, axe-core too; so it
	// runs in a world of its own, over the same elements.
	if p.axe == 0 {
		script, err := os.ReadFile(filepath.Join(harness.NPM(p.t), "axe-core", "axe.min.js"))
		if err != nil {
			p.t.Fatal(err)
		}
		frame := call(p, cdppage.GetFrameTree, cdp.Empty{}).FrameTree.Frame.ID
		p.axe = call(p, cdppage.CreateIsolatedWorld, cdppage.CreateIsolatedWorldParams{FrameID: frame, WorldName: "axe"}).ExecutionContextID
		evalIn[any](p, p.axe, string(script)+`;null`)
	}
	options := `rules: {'target-size': {enabled: true}}`
	if len(rules) > 0 {
		list, err := json.Marshal(rules)
		if err != nil {
			p.t.Fatal(err)
		}
		options = `runOnly: ` + string(list)
	}
	for _, v := range evalIn[[]struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}](p, p.axe, `axe.run(document, {resultTypes: ['violations'], `+options+`}).then((r) => r.violations.map(({id, help, nodes}) => ({ID: id, Help: help, Nodes: nodes.map((n) => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`) {
		for _, n := range v.Nodes {
			found = append(found, fmt.Sprintf("%s: %s\n%.200s\n%s", v.ID, v.Help, n.HTML, n.FailureSummary))
		}
	}
	return found
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if err := json.Unmarshal(v.Value, &s); err != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

// On the narrowest of phones nothing is wider than the screen, and what is to
// be pressed is large enough for a thumb.
func TestPage_NarrowPhone_FitsTheScreen(t *testing.T) {
	t.Parallel()
	url := site(t, manual, nil)
	g := harness.Serve(t, "--allow-private")
	p := open(t, phone, g.HTTP("/"))
	fits := func(where string) {
		t.Helper()
		wide := eval[[]string](p, `[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.spoken, .skip, thead') && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.tagName + '#' + e.id + '.' + e.className)`)
		if scroll := eval[int](p, `document.documentElement.scrollWidth`); scroll > int(phone.width) || len(wide) > 0 {
			t.Errorf("%s is %d wide on a screen of %d: %q", where, scroll, phone.width, wide)
		}
		// A checkbox is pressed on its label.
		small := eval[[]string](p, `[...document.querySelectorAll('button, input, select, textarea, summary, .check, .about a')].filter((e) => e.checkVisibility() && !e.matches('[type=checkbox]') && Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width) < 24).map((e) => e.outerHTML.slice(0, 80))`)
		if len(small) > 0 {
			t.Errorf("%s: too small to press: %q", where, small)
		}
	}
	fits("welcome")
	p.shot("phone-welcome")
	p.enter(g.Key)
	for _, panel := range panels {
		p.click("#tab-" + panel)
		fits("empty " + panel)
	}
	p.click("#tab-relay")
	p.fillAll(url)
	for _, panel := range panels {
		p.click("#tab-" + panel)
		fits(panel)
	}
}

// Everything is done with the keyboard alone, and one always sees where one is.
func TestPage_KeyboardAlone_OperatesEverything(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--allow-private")
	url := site(t, manual, nil)
	p := open(t, desktop, g.HTTP("/"))
	p.await(`document.activeElement.id === 'key'`)
	p.do(chromedp.KeyEvent(g.Key + kb.Enter))
	p.await(`document.activeElement.id === 'tab-relay'`)

	var visited []string
	at := func() string {
		return eval[string](p, `((e) => e.id || e.className || e.tagName)(document.activeElement)`)
	}
	// to presses Tab until the element has the focus.
	to := func(id string) {
		t.Helper()
		for range 60 {
			if at() == id {
				return
			}
			p.press(kb.Tab)
			visited = append(visited, at())
			ring := eval[string](p, `((s) => s.outlineStyle + ' ' + s.outlineWidth)(getComputedStyle(document.activeElement))`)
			if strings.HasPrefix(ring, "none") {
				t.Errorf("the focus on %s cannot be seen: %s", at(), ring)
			}
		}
		t.Fatalf("Tab does not lead to %s, but over %q", id, visited)
	}
	to("relay-url")
	p.do(chromedp.KeyEvent("ws://echo.farwire.alt"))
	to("relay-connect")
	p.press(kb.Enter)
	p.says("#relay-status", "Connected")
	to("relay-text")
	p.press("a", chromedp.ModifierCtrl)
	p.do(chromedp.KeyEvent("by keyboard"))
	to("relay-send")
	p.press(" ")
	p.awaitRows("relay-feed", 3)
	to("filter")
	to("line") // the first row that can be opened
	p.press(kb.Enter)
	p.says("#relay-feed .detail", "by keyboard")

	// Back to the tabs and along them.
	eval[any](p, `void document.querySelector('#tab-relay').focus()`)
	for _, move := range []struct{ key, tab string }{
		{kb.ArrowRight, "tab-http"}, {kb.ArrowLeft, "tab-relay"}, {kb.ArrowLeft, "tab-network"},
		{kb.Home, "tab-relay"}, {kb.End, "tab-network"}, {kb.ArrowLeft, "tab-crawl"},
	} {
		p.press(move.key)
		if got := at(); got != move.tab {
			t.Fatalf("the focus is on %s, want %s", got, move.tab)
		}
		p.await(fmt.Sprintf(`!document.getElementById(%q).hidden`, strings.TrimPrefix(move.tab, "tab-")))
	}
	to("crawl-url")
	p.do(chromedp.KeyEvent(url))
	p.press(kb.Enter)
	p.says("#crawl-status", "Done.")
	to("view-rendered")
	p.press(kb.ArrowRight)
	p.await(`!document.querySelector('#crawl-source').hidden`)
}

// The trap for violations works: a page that breaks its policy is told on.
func TestPage_PolicyViolated_IsSeen(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.expect("Content Security Policy", "This document requires 'Trusted")
	seen := func(part string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.said, func(text string) bool { return strings.Contains(text, part) })
	}
	for name, breach := range map[string]string{
		"inline script": `(() => { const s = document.createElement('script'); try { s.textContent = 'window.owned = true'; } catch { return 'refused'; } document.body.append(s); return window.owned ? 'ran' : 'refused'; })()`,
		"markup":        `(() => { try { document.body.insertAdjacentHTML('beforeend', '<b>owned</b>'); return 'ran'; } catch { return 'refused'; } })()`,
		"elsewhere":     `fetch('http://127.0.0.1:1/').then(() => 'ran', () => 'refused')`,
		"inline style":  `(() => { const d = document.createElement('style'); d.append('body { color: red }'); document.head.append(d); return getComputedStyle(document.body).color === 'rgb(255, 0, 0)' ? 'ran' : 'refused'; })()`,
	} {
		if got := eval[string](p, breach); got != "refused" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for late := time.Now().Add(harness.Timeout); !seen("Content Security Policy"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("the browser said nothing of it")
		}
	}
}
