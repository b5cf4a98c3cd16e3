package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/farwire/farwire/internal/harness"
)

// A page is a tab with the console in it. What the browser says against the
// page fails the test: an exception, a violation of the policy, an error in
// the log that the test did not expect.
type page struct {
	t   *testing.T
	ctx context.Context
	axe runtime.ExecutionContextID // the world with axe-core; 0: not yet

	mu       sync.Mutex
	said     []string
	expected []string // parts of what may be said
}

// A device is what a person looks at the page with.
type device struct {
	width, height int64
	phone, dark   bool
}

var (
	desktop = device{width: 1280, height: 800}
	night   = device{width: 1280, height: 800, dark: true}
	phone   = device{width: 360, height: 740, phone: true}
)

// open shows an address in a tab with a profile of its own.
func open(t *testing.T, d device, url string) *page {
	t.Helper()
	p := &page{t: t}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	ctx, late := context.WithTimeoutCause(ctx, 10*harness.Timeout, errors.New("the test takes too long"))
	t.Cleanup(late)
	p.ctx = ctx
	t.Cleanup(p.collectErrors)
	p.use(d)
	// Of the tabs that are open at once each behaves as the one in front.
	call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.do(chromedp.Navigate(url))
	return p
}

func (p *page) use(d device) {
	p.t.Helper()
	scheme := "light"
	if d.dark {
		scheme = "dark"
	}
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: d.width, Height: d.height, DeviceScaleFactor: 1, Mobile: d.phone,
	})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// listen runs on the goroutine that reads the browser's messages.
func (p *page) listen(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning && e.Entry.Source != log.EntrySourceSecurity {
			return
		}
		text = fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning && e.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		args, _ := json.Marshal(e.Args)
		text = fmt.Sprintf("console %s: %s", e.Type, args)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, text)
}

// expect lets the browser say what contains one of the parts: it logs every
// answer that is an HTTP error and every socket that fails.
func (p *page) expect(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, parts...)
}

func (p *page) collectErrors() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.said {
		if !slices.ContainsFunc(p.expected, func(part string) bool { return strings.Contains(text, part) }) {
			p.t.Errorf("the browser said: %s", text)
		}
	}
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.fail(err)
	}
}

// fail ends the test with what is on the page.
func (p *page) fail(err error) {
	p.t.Helper()
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.t.Fatalf("%v; the page says:\n%.2000s", err, text)
}

// eval returns the value of an expression, awaited.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail(fmt.Errorf("%s: %w", expression, err))
	}
	return v
}

// evalIn is eval in a world of its own, over the same elements.
func evalIn[T any](p *page, world runtime.ExecutionContextID, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise, func(e *runtime.EvaluateParams) { e.ContextID = world }))
	if err != nil {
		p.fail(err)
	}
	return v
}

// loadedAnew reports whether an expression has no value because the page that was asked
// gave way to another.
func loadedAnew(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"navigated", "context was destroyed", "Cannot find context", "Promise was collected"},
		func(part string) bool { return strings.Contains(err.Error(), part) })
}

// await waits until an expression is true. A page that is loaded anew meanwhile is
// asked again.
func (p *page) await(condition string) {
	p.t.Helper()
	late := time.Now().Add(harness.Timeout)
	for {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise((done) => {
			const late = performance.now() + %d;
			(function look() {
				let ok = false;
				try { ok = Boolean(%s); } catch {}
				if (ok || performance.now() > late) done(ok); else setTimeout(look, 25);
			})();
		})`, max(1, time.Until(late).Milliseconds()), condition), chromedp.EvalAwaitPromise))
		switch {
		case loadedAnew(err) && time.Now().Before(late):
		case err != nil:
			p.fail(fmt.Errorf("%s: %w", condition, err))
		case !ok:
			p.fail(fmt.Errorf("it never came true: %s", condition))
		default:
			return
		}
	}
}

// text is what an element shows.
func (p *page) text(css string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ''`, css))
}

// says waits until an element shows a text.
func (p *page) says(css, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`document.querySelector(%q).innerText.includes(%s)`, css, quote(text)))
}

// click presses the mouse where an element is. What the page draws between the look for
// the place and the click may have moved it: a click that came elsewhere is made again.
func (p *page) click(css string) {
	p.t.Helper()
	for range 10 {
		p.await(fmt.Sprintf(`((e) => e && !e.matches(':disabled') && e.checkVisibility())(document.querySelector(%q))`, css))
		eval[any](p, fmt.Sprintf(`void (removeEventListener('click', window.sees, true), window.clicked = false,
			addEventListener('click', window.sees = (e) => { window.clicked ||= Boolean(document.querySelector(%q)?.contains(e.target)); }, true))`, css))
		p.do(chromedp.Click(chromedp.CSS(css)))
		// What it is undefined in was loaded anew, by the click.
		came, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`window.clicked !== false`))
		if err != nil && !loadedAnew(err) {
			p.fail(err)
		}
		if came || err != nil {
			return
		}
	}
	p.fail(fmt.Errorf("no click comes to %s", css))
}

// fill replaces what a field holds, as by typing, once the field can have the focus.
func (p *page) fill(css, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`((e) => e && !e.matches(':disabled') && (e.focus(), e.select?.(), document.activeElement === e))(document.querySelector(%q))`, css))
	if text == "" {
		p.press(kb.Delete)
		return
	}
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// choose picks an option of a select.
func (p *page) choose(css, value string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`[...document.querySelector(%q).options].some((o) => o.value === %s)`, css, quote(value)))
	eval[any](p, fmt.Sprintf(`void ((s) => { s.value = %s; s.dispatchEvent(new Event('change', {bubbles: true})); })(document.querySelector(%q))`, quote(value), css))
}

func (p *page) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// shot takes a picture of what is to be seen, and keeps it in the folder that
// FARWIRE_SHOTS names, for people to look at.
func (p *page) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("FARWIRE_SHOTS")
	if dir == "" {
		return
	}
	// Let a message of a feed that waits for the next frame be drawn.
	eval[any](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
	b, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.fail(err)
	}
	if _, err := png.DecodeConfig(bytes.NewReader(b)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// call sends the browser a command of its protocol.
func call[P, R any](p *page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		p.fail(fmt.Errorf("%s: %w", command.Method, err))
	}
	return r
}

func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}
