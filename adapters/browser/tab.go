package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
)

// A tab shows one page, in a browser context of its own: no cookie, no cache
// and no password of one page is there for another.
type tab struct {
	b     *Browser
	wire  *wire
	way   *route // nil: the browser is a service's
	agent string // User-Agent; empty: the browser's own
	url   *url.URL
	limit time.Duration

	session
	frame   cdp.FrameID // the main one
	world   runtime.ExecutionContextID
	traffic *traffic
}

// cleanupTimeout is how long each piece of work after a page may take when the page's
// own time is over.
const cleanupTimeout = 2 * time.Second

// show opens the tab, waits until the page has settled, and reads it.
func (t *tab) show(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timed, stop := context.WithTimeoutCause(ctx, t.limit, errTimeOver)
	defer stop()
	tidy, err := t.open(timed, cancel)
	defer tidy()
	if err != nil {
		return nil, err
	}
	if err := t.navigate(timed); err != nil {
		return nil, ofPage(err)
	}
	if err := t.settle(timed); err != nil && !errors.Is(err, errTimeOver) {
		return nil, err
	}
	html, err := t.read(ctx, timed)
	return html, ofPage(err)
}

// ofPage makes what goes wrong in a tab that was opened an error of the page:
// a service that says no to one page, or whose page is never still, works.
func ofPage(err error) error {
	var page *pageError
	if err == nil || errors.As(err, &page) || errors.Is(err, errLost) {
		return err
	}
	return &pageError{"the page could not be shown", err}
}

var (
	errTimeOver        = errors.New("time is over")
	errCrashed         = &pageError{"the page crashed its tab", nil}
	errTooManyRequests = &pageError{"the page makes too many requests", nil}
)

// open makes the browser context and the tab in it. Tidy must be called, even
// after an error. fail ends the page from elsewhere.
func (t *tab) open(ctx context.Context, fail context.CancelCauseFunc) (tidy func(), err error) {
	var todo []func(context.Context) error
	tidy = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		var failed error
		for _, do := range todo {
			failed = errors.Join(failed, do(ctx))
		}
		if failed != nil {
			t.b.o.Logger.Debug("tab not tidied", "err", failed)
		}
	}
	whole := session{wire: t.wire}
	params := target.CreateBrowserContextParams{DisposeOnDetach: new(true)}
	if t.way != nil {
		params.ProxyServer, params.ProxyBypassList = "http://"+t.way.proxy.addr.String(), "<-loopback>"
	}
	own, err := call(ctx, whole, target.CreateBrowserContext, params)
	if err != nil && t.way != nil {
		return tidy, err
	}
	// A service has a browser for each connection, and need not allow contexts.
	if err == nil {
		todo = append(todo, func(ctx context.Context) error {
			_, err := call(ctx, whole, target.DisposeBrowserContext, target.DisposeBrowserContextParams(own))
			return err
		})
	}
	made, err := call(ctx, whole, target.CreateTarget, target.CreateTargetParams{URL: "about:blank", BrowserContextID: own.BrowserContextID, Hidden: hidden(t.way)})
	if err != nil {
		return tidy, err
	}
	// Before its context, or Chromium ends where a hidden tab has a renderer at that moment.
	todo = slices.Insert(todo, 0, func(ctx context.Context) error {
		_, err := call(ctx, whole, target.CloseTarget, target.CloseTargetParams(made))
		return err
	})
	attached, err := call(ctx, whole, target.AttachToTarget, target.AttachToTargetParams{TargetID: made.TargetID, Flatten: new(true)})
	if err != nil {
		return tidy, err
	}
	t.session = session{wire: t.wire, id: attached.SessionID}
	t.frame = cdp.FrameID(made.TargetID)
	t.traffic = newTraffic(t, fail)
	todo = append(todo, func(context.Context) error { t.traffic.stop(); return nil })
	t.traffic.start(ctx)
	return tidy, t.prepare(ctx, own.BrowserContextID)
}

// hidden makes a local tab one without a window: at a third of the cost, and
// without the frames that framesScript makes up for.
func hidden(way *route) *bool {
	if way == nil {
		return nil
	}
	return new(true)
}

// prepare sets up the tab before it has any page. A service may refuse some of
// it: its browser is its own affair, and what a page can do in there, too.
func (t *tab) prepare(ctx context.Context, own cdp.BrowserContextID) error {
	none := new(int64(0))
	steps := []func() error{
		step(ctx, t.session, page.Enable, page.EnableParams{}),
		step(ctx, t.session, inspector.Enable, cdp.Empty{}),
		step(ctx, t.session, network.Enable, network.EnableParams{MaxTotalBufferSize: none, MaxResourceBufferSize: none, MaxPostDataSize: none}),
		step(ctx, t.session, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*"}}, HandleAuthRequests: new(t.way != nil)}),
		step(ctx, t.session, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: pageScript}),
		step(ctx, session{wire: t.wire}, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorDeny, BrowserContextID: own}),
	}
	if t.agent != "" {
		steps = append(steps,
			step(ctx, t.session, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: framesScript}),
			step(ctx, t.session, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 800, DeviceScaleFactor: 1}),
			step(ctx, t.session, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: t.agent}),
			step(ctx, t.session, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}))
	}
	results := make(chan error, len(steps))
	for _, s := range steps {
		go func() { results <- s() }()
	}
	var failed error
	for range steps {
		if err := <-results; err != nil && (t.way != nil || errors.Is(err, errLost) || ctx.Err() != nil) {
			failed = err
		}
	}
	return failed
}

func step[P, R any](ctx context.Context, s session, c cdp.Command[P, R], params P) func() error {
	return func() error {
		_, err := call(ctx, s, c, params)
		return err
	}
}

// navigate goes to the page and waits for its first bytes.
func (t *tab) navigate(ctx context.Context) error {
	went, err := call(ctx, t.session, page.Navigate, page.NavigateParams{URL: t.url.String()})
	switch {
	case errors.Is(err, errTimeOver):
		return &pageError{"the page did not answer in time", err}
	case err != nil:
		return err
	case went.IsDownload:
		return &pageError{"the page is a download", nil}
	case went.ErrorText != "":
		return &pageError{"the page could not be loaded", errors.New(went.ErrorText)}
	}
	return nil
}

// evaluate runs a script in a world of its own, where the page's scripts
// cannot change what the language and the document offer.
func (t *tab) evaluate(ctx context.Context, script string, into any) error {
	for fresh := false; ; fresh = true {
		if t.world == 0 || fresh {
			world, err := call(ctx, t.session, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: t.frame, WorldName: worldName})
			if err != nil {
				return err
			}
			t.world = world.ExecutionContextID
		}
		got, err := call(ctx, t.session, runtime.Evaluate, runtime.EvaluateParams{Expression: script, ContextID: t.world, ReturnByValue: new(true)})
		if err != nil {
			// The page may have gone elsewhere, and its world with it.
			if fresh || ctx.Err() != nil || errors.Is(err, errLost) {
				return err
			}
			continue
		}
		if got.ExceptionDetails != nil {
			return fmt.Errorf("script: %s", got.ExceptionDetails.Text)
		}
		return json.Unmarshal(got.Result.Value, into)
	}
}

// read returns the document as it is. It has what is left of the page's time, and
// tidyTimeout at least; scripts that do not end by then are ended, and it is read
// once more.
func (t *tab) read(ctx, timed context.Context) ([]byte, error) {
	var doc struct {
		URL  string `json:"url"`
		HTML string `json:"html"`
	}
	script := fmt.Sprintf("(%s)(%d)", readScript, t.b.o.MaxBytes)
	until := func(end time.Time) error {
		ctx, cancel := context.WithDeadlineCause(ctx, end, errTimeOver)
		defer cancel()
		return t.evaluate(ctx, script, &doc)
	}
	end := time.Now().Add(cleanupTimeout)
	if left, ok := timed.Deadline(); ok && left.After(end) {
		end = left
	}
	err := until(end)
	if errors.Is(err, errTimeOver) && ctx.Err() == nil {
		if err = t.silence(ctx); err == nil {
			err = until(time.Now().Add(cleanupTimeout))
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errTimeOver):
		return nil, &pageError{"the page's scripts never end", err}
	case err != nil:
		return nil, &pageError{"the page could not be read", err}
	}
	at, err := url.Parse(doc.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" {
		return nil, &pageError{"the page could not be loaded", fmt.Errorf("the tab shows %q", doc.URL)}
	}
	if elsewhere := t.traffic.left(); elsewhere != "" && len(doc.HTML) < emptyPage {
		return nil, &pageError{"the page leads to " + elsewhere, nil}
	}
	return clip(doc.HTML, t.b.o.MaxBytes), nil
}

// silence ends the page's scripts, and lets it run no more.
func (t *tab) silence(ctx context.Context) error {
	if err := tell(ctx, t.session, runtime.TerminateExecution, cdp.Empty{}); err != nil {
		return err
	}
	return tell(ctx, t.session, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// emptyPage is the size of a document, in bytes, that has hardly more than its
// head.
const emptyPage = 1000

// clip cuts a text to a number of bytes, and no character in two.
func clip(s string, most int) []byte {
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return []byte(strings.ToValidUTF8(s, "\ufffd"))
}
