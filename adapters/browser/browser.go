// Package browser shows pages that have no words without their scripts, for
// [farwire.CrawlOptions.Render].
//
//	pages, err := browser.New(browser.Options{})
//	defer pages.Close()
//	gw, err := farwire.New(farwire.Options{Crawl: farwire.CrawlOptions{Render: pages}})
//
// A page is shown by a browser service, when there is one ([Options.RemoteURL])
// and the crawl allows it, else by a Chromium that this process starts and ends.
//
// # What a local page can reach
//
// Chromium's requests go through a proxy of this package on loopback, which asks
// for a password that only the page's own browser context knows and dials
// through the page's exit:
//
//	tab ── pipe (CDP) ──────────────── this process
//	 │                                      │
//	 └─ CONNECT, GET ── proxy on loopback ──┴── Exit.DialContext ── the site
//
// So a page is seen from the exit's country, the exit's guard judges every
// address, and one that redirects to the inside of a network gets no further
// than a fetch of the crawl would. What could go around a proxy is off: QUIC,
// WebRTC over UDP, look-ups of names, exceptions for loopback. Images, fonts and
// media are not loaded, nor are frames; dialogs are dismissed, downloads and
// windows refused. Each page has a browser context of its own, and leaves
// nothing behind for the next.
//
// # Speaking to the browser
//
// The commands are cdproto's and the transports chromedp's, but not its tabs.
// Those can await an element that is inserted late, reliably; but they take in
// every console message of a page and have one queue for them that, when full,
// blocks all tabs of the browser for good: twenty thousand calls of console.log
// are enough. Pages here are anyone's, so a session listens to the few events
// that it needs, reads them where they arrive, and never blocks the others.
package browser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire"
)

// Options says which browsers there are and what a page may cost. The zero
// value is a Chromium found on PATH. A negative number is an error of New.
type Options struct {
	// Path of Chromium or Chrome, or its name on PATH. Empty: the first of
	// chromium-headless-shell, chrome-headless-shell, chromium, chromium-browser,
	// google-chrome and google-chrome-stable that is on PATH; without one there is
	// no local browser. A headless shell is Chromium without its windows, and shows a
	// page for half the processor time. [None] turns it off.
	//
	// Where this process is root the browser runs as the user nobody, with its
	// sandbox. Only one that is named here runs as root without its sandbox when
	// that is not possible; any other is left out, with one warning.
	Path string

	// RemoteURL is the WebSocket address of a browser service that speaks CDP
	// (Bright Data's Scraping Browser): ws:// or wss://, with the user's name
	// and password in it. It is used for pages whose RenderPage.Remote is set.
	// Empty: none.
	RemoteURL string

	// Tabs is how many pages are shown at once; others wait. Zero: 4.
	Tabs int

	// Timeout is the longest that one page is looked at; what it has by then
	// counts. A browser service is given four times as long, because solving
	// what keeps robots out takes it a while. Zero: 15 s.
	Timeout time.Duration

	// MaxBytes of a page's HTML are returned. Zero: 4 MiB.
	MaxBytes int

	// Recycle is how many pages a local browser shows before it is replaced.
	// Zero: 200.
	Recycle int

	// Idle is how long a local browser without pages is kept. Zero: 1 minute.
	Idle time.Duration

	// Logger gets a warning when a browser cannot be used. Nil: slog.Default().
	Logger *slog.Logger
}

// None, as [Options.Path], means no local browser.
const None = "none"

const (
	defaultTabs     = 4
	defaultTimeout  = 15 * time.Second
	defaultMaxBytes = 4 << 20
	defaultRecycle  = 200
	defaultIdle     = time.Minute

	// A browser service gets this many times Options.Timeout.
	remoteTimeoutFactor = 4
)

var names = []string{
	"chromium-headless-shell", "chrome-headless-shell",
	"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
}

// A Browser shows pages. It is a [farwire.Renderer], safe for concurrent use;
// the caller that made it closes it.
type Browser struct {
	o    Options
	path string // of the local browser; empty: none
	tabs *turns // one tab for each page under way

	local  local
	remote remote

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // pages, and browsers until they have ended

	rendered, failed, byRemote, starts atomic.Int64
	bytes, nanos                       atomic.Int64
}

var _ farwire.Renderer = (*Browser)(nil)

// New returns a Browser, which starts nothing before the first page. It fails
// when a value of o is not valid or the browser that o.Path names is not there.
// One that has no browser at all is valid, too: its Render always fails, with
// [farwire.ErrNoBrowser].
func New(o Options) (*Browser, error) {
	b := &Browser{o: o}
	for _, n := range []struct {
		field string
		value int64
	}{{"Tabs", int64(o.Tabs)}, {"Timeout", int64(o.Timeout)}, {"MaxBytes", int64(o.MaxBytes)}, {"Recycle", int64(o.Recycle)}, {"Idle", int64(o.Idle)}} {
		if n.value < 0 {
			return nil, fmt.Errorf("browser: Options.%s is negative", n.field)
		}
	}
	b.o.Tabs = cmp.Or(o.Tabs, defaultTabs)
	b.o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	b.o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	b.o.Recycle = cmp.Or(o.Recycle, defaultRecycle)
	b.o.Idle = cmp.Or(o.Idle, defaultIdle)
	if b.o.Logger == nil {
		b.o.Logger = slog.Default()
	}
	var err error
	if b.path, err = find(o.Path); err != nil {
		return nil, fmt.Errorf("browser: Options.Path: %w", err)
	}
	if o.RemoteURL != "" {
		// The address holds a password, so no error shows it.
		u, err := url.Parse(o.RemoteURL)
		if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
			return nil, errors.New("browser: Options.RemoteURL is not the address of a WebSocket; write it as wss://user:password@host:port")
		}
	}
	b.tabs = newTurns(b.o.Tabs)
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	b.local.turn = make(chan struct{}, 1)
	return b, nil
}

func find(path string) (string, error) {
	switch path {
	case None:
		return "", nil
	case "":
		for _, name := range names {
			if found, err := exec.LookPath(name); err == nil {
				return found, nil
			}
		}
		return "", nil
	}
	return exec.LookPath(path)
}

// Render shows a page and returns its document once it has settled, or as it
// is when its time is over. Its errors are llmstxt.DetailedErrors, which say
// what a caller may know. ctx ends it early.
func (b *Browser) Render(ctx context.Context, p farwire.RenderPage) (farwire.Rendered, error) {
	if b.path == "" && (b.o.RemoteURL == "" || !p.Remote) {
		return farwire.Rendered{}, farwire.ErrNoBrowser
	}
	u, err := pageURL(p.URL)
	if err != nil {
		return farwire.Rendered{}, err
	}
	if err := b.enter(); err != nil {
		return farwire.Rendered{}, err
	}
	defer b.wg.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })()
	if err := b.tabs.take(ctx, p.Owner); err != nil {
		return farwire.Rendered{}, err
	}
	defer b.tabs.give(p.Owner)
	began := time.Now()
	shown, err := b.show(ctx, u, p)
	shown.Time = time.Since(began)
	b.nanos.Add(int64(shown.Time))
	b.bytes.Add(shown.Bytes)
	if err != nil {
		b.failed.Add(1)
		b.o.Logger.DebugContext(ctx, "page not rendered", "target", u.Host, "err", err)
		return shown, err
	}
	b.rendered.Add(1)
	return shown, nil
}

// show has a browser service show the page, or else the local browser.
func (b *Browser) show(ctx context.Context, u *url.URL, p farwire.RenderPage) (farwire.Rendered, error) {
	by := "a local Chromium"
	if p.Remote && b.o.RemoteURL != "" {
		shown, err := b.showRemote(ctx, u, p)
		if err == nil {
			b.byRemote.Add(1)
		}
		var out *outage
		if !errors.As(err, &out) {
			return shown, err
		}
		if b.path == "" {
			return farwire.Rendered{}, &pageError{out.why, err}
		}
		by += ", because " + out.why
	}
	shown, err := b.showLocal(ctx, u, p)
	shown.By = by
	return shown, err
}

// pageURL checks that an address is a page's. What a browser can also open,
// files and its own settings, does not concern a caller.
func pageURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, &pageError{"not an http or https URL", nil}
	}
	u.User = nil
	return u, nil
}

func (b *Browser) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.wg.Add(1)
	return nil
}

// String says which browsers there are, for people: no password is in it.
func (b *Browser) String() string {
	service := ""
	if u, err := url.Parse(b.o.RemoteURL); err == nil && u.Host != "" {
		service = "a browser service at " + u.Host
	}
	switch {
	case service == "" && b.path == "":
		return "no browser"
	case service == "":
		return "the browser " + b.path
	case b.path == "":
		return service
	}
	return service + ", else the browser " + b.path
}

// Close ends the browsers and the pages under way. When it returns, no process
// and no goroutine is left.
func (b *Browser) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel(errClosed)
	b.local.shut()
	b.wg.Wait()
	return nil
}

// Stats are counters since [New].
type Stats struct {
	Rendered int64         // pages shown
	Failed   int64         // pages that were not
	Remote   int64         // of Rendered, by the browser service
	Starts   int64         // times that a local browser was started
	Time     time.Duration // that browsers spent on pages
	Bytes    int64         // that local browsers took from the network
	Active   int           // pages under way now
	Waiting  int           // pages that wait for a tab now
}

// Stats returns the counters as they are now.
func (b *Browser) Stats() Stats {
	active, waiting := b.tabs.counts()
	return Stats{
		Rendered: b.rendered.Load(), Failed: b.failed.Load(), Remote: b.byRemote.Load(), Starts: b.starts.Load(),
		Time: time.Duration(b.nanos.Load()), Bytes: b.bytes.Load(),
		Active: active, Waiting: waiting,
	}
}

// A pageError is why a page was not shown: in words that anyone may read, and
// in full.
type pageError struct {
	detail string
	err    error
}

func (e *pageError) Error() string {
	if e.err == nil {
		return "browser: " + e.detail
	}
	return fmt.Sprintf("browser: %s: %v", e.detail, e.err)
}

// Detail says what a caller may know.
func (e *pageError) Detail() string { return e.detail }

func (e *pageError) Unwrap() error { return e.err }

var errClosed error = &pageError{"the browser is closed", nil}

// sameSite reports whether a page may move from one host to another and still
// be the page that was asked for.
func sameSite(a, b string) bool {
	bare := func(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }
	return bare(a) == bare(b)
}
