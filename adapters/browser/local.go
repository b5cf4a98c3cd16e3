package browser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"

	"github.com/farwire/farwire"
)

// local is the one browser of this process: started for the first page, and
// again when it has died; replaced after a number of pages or when it has
// grown; ended when there are no pages for a while.
type local struct {
	turn chan struct{} // held while a browser is started

	mu      sync.Mutex
	proxies []*proxy  // that listen
	current *chromium // nil: none runs
	failed  error     // of the last start, for a while
	until   time.Time
}

// A chromium is a browser with its proxy.
type chromium struct {
	*process
	proxy *proxy

	// These belong to local.mu.
	pages   int // ever
	open    int // now
	retired bool
	idle    *time.Timer
}

const (
	// What a tab may take before it is killed, and a browser before it is
	// replaced, in bytes.
	tabMemory     = 512 << 20
	browserMemory = 1 << 30

	watchEvery = 250 * time.Millisecond
	// A browser that could not be started is not tried again for this long.
	startPause = 30 * time.Second
	// One that would have to run as root is not tried again, and not warned of,
	// while this process lives.
	rootPause = 100 * 365 * 24 * time.Hour
	// One that answers nothing for this long hangs.
	pingTimeout = 10 * time.Second
)

// showLocal shows a page in the local browser. When that dies meanwhile, the
// page is tried once more.
func (b *Browser) showLocal(ctx context.Context, u *url.URL, p farwire.RenderPage) (shown farwire.Rendered, err error) {
	if p.Exit.DialContext == nil {
		return shown, &pageError{"no exit", nil}
	}
	for try := 0; ; try++ {
		var c *chromium
		if c, err = b.chromium(ctx); err != nil {
			return shown, err
		}
		var bytes int64
		shown.HTML, bytes, err = b.showIn(ctx, c, u, p)
		shown.Bytes += bytes
		b.release(c)
		if err == nil || ctx.Err() != nil || try > 0 || !errors.Is(err, errLost) {
			return shown, err
		}
		b.o.Logger.DebugContext(ctx, "browser crashed; trying the page again", "target", u.Host, "err", err,
			"exit", c.cmd.ProcessState, "output", c.output)
	}
}

func (b *Browser) showIn(ctx context.Context, c *chromium, u *url.URL, p farwire.RenderPage) (html []byte, bytes int64, err error) {
	way := c.proxy.open(p.Exit.DialContext)
	defer func() { bytes = way.close() }()
	t := &tab{b: b, wire: c.wire, agent: c.agent, way: way, url: u, limit: b.o.Timeout}
	html, err = t.show(ctx)
	if err != nil && ctx.Err() == nil && !c.alive(ctx) {
		b.o.Logger.DebugContext(ctx, "browser ended: it does not answer", "err", err)
		c.end()
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return html, 0, err
}

// chromium returns the browser that runs, or starts one. Each is given back
// with release.
func (b *Browser) chromium(ctx context.Context) (*chromium, error) {
	l := &b.local
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	c := l.current
	if c != nil && c.dead() {
		l.current, c = nil, nil
	}
	if c != nil {
		c.take()
		l.mu.Unlock()
		return c, nil
	}
	if time.Now().Before(l.until) {
		defer l.mu.Unlock()
		return nil, l.failed
	}
	l.mu.Unlock()

	c, err := b.startChromium(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l.failed, l.until = &pageError{"the browser does not start", err}, time.Now().Add(startPause)
		if errors.Is(err, errRoot) {
			l.until = time.Now().Add(rootPause)
		}
		b.o.Logger.WarnContext(ctx, "no browser: pages keep their static form", "err", err)
		return nil, l.failed
	}
	c.take()
	l.current = c
	return c, nil
}

// Listeners returns the addresses on which this process listens for its browsers, as
// [agent.DirectOptions.Listeners] and an exit of the same process need them: nobody but
// a browser has to dial them. They change as browsers come and go. It may be called from
// several goroutines at once.
func (b *Browser) Listeners() []net.Addr {
	b.local.mu.Lock()
	defer b.local.mu.Unlock()
	all := make([]net.Addr, len(b.local.proxies))
	for i, p := range b.local.proxies {
		all[i] = p.addr
	}
	return all
}

// listen makes the proxy of a browser. Whoever called it calls silence.
func (l *local) listen() (*proxy, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := newProxy()
	if err == nil {
		l.proxies = append(l.proxies, p)
	}
	return p, err
}

// silence closes a proxy.
func (l *local) silence(p *proxy) {
	p.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proxies = slices.DeleteFunc(l.proxies, func(other *proxy) bool { return other == p })
}

func (b *Browser) startChromium(ctx context.Context) (*chromium, error) {
	proxy, err := b.local.listen()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, b.path, proxy.addr.String(), b.o.Path != "")
	if err != nil {
		b.local.silence(proxy)
		return nil, err
	}
	b.starts.Add(1)
	c := &chromium{process: p, proxy: proxy}
	b.wg.Add(1) // the caller's page is in it, so it is not at zero
	go func() {
		defer b.wg.Done()
		defer b.local.silence(proxy)
		b.watch(c)
	}()
	return c, nil
}

// watch looks after a browser until it has ended: a tab that takes too much
// memory is killed, and a browser that has grown is replaced. Tabs run at a low
// priority, so that scripts that never end keep a core busy only while nobody
// else wants it, the browser's own process among others.
func (b *Browser) watch(c *chromium) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	polite := map[int]bool{} // renderers that have been lowered
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		b.local.mu.Lock()
		open := c.open
		b.local.mu.Unlock()
		if open == 0 {
			continue
		}
		total := int64(0)
		for _, m := range members(c.cmd.Process.Pid) {
			total += m.memory
			if m.renderer && !polite[m.pid] {
				polite[m.pid] = true
				m.lower()
			}
			if m.renderer && m.memory > tabMemory {
				b.o.Logger.Debug("tab killed: it uses too much memory", "bytes", m.memory)
				m.kill()
			}
		}
		if total > browserMemory {
			b.local.mu.Lock()
			if !c.retired {
				b.o.Logger.Debug("browser replaced: it uses too much memory", "bytes", total, "pages", c.pages)
			}
			b.local.retire(c)
			b.local.mu.Unlock()
		}
	}
}

// take counts a page in. The caller holds local.mu.
func (c *chromium) take() {
	c.open++
	c.pages++
	if c.idle != nil {
		c.idle.Stop()
	}
}

func (b *Browser) release(c *chromium) {
	l := &b.local
	l.mu.Lock()
	defer l.mu.Unlock()
	c.open--
	if c.pages >= b.o.Recycle || b.ctx.Err() != nil {
		l.retire(c)
	}
	switch {
	case c.open > 0:
	case c.retired:
		c.kill()
	default:
		c.idle = time.AfterFunc(b.o.Idle, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if c.open == 0 {
				l.retire(c)
				c.kill()
			}
		})
	}
}

// retire lets a browser have no more pages. The caller holds local.mu.
func (l *local) retire(c *chromium) {
	c.retired = true
	if l.current == c {
		l.current = nil
	}
}

// shut ends the browser, whatever it is doing.
func (l *local) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.current; c != nil {
		if c.idle != nil {
			c.idle.Stop()
		}
		l.retire(c)
		if c.open == 0 {
			c.kill()
		}
	}
}

// kill ends the browser without waiting.
func (c *chromium) kill() {
	if !c.dead() {
		signalGroup(c.cmd.Process.Pid)
	}
}

func (c *chromium) dead() bool {
	select {
	case <-c.wire.lost:
		return true
	case <-c.done:
		return true
	default:
		return false
	}
}

// alive reports whether the browser answers.
func (c *chromium) alive(ctx context.Context) bool {
	if c.dead() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, err := call(ctx, session{wire: c.wire}, browser.GetVersion, cdp.Empty{})
	return err == nil || ctx.Err() == context.Canceled
}
