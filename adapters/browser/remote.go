package browser

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/chromedp/cdproto"
	wsock "github.com/chromedp/chromedp/remote"

	"github.com/farwire/farwire"
)

// remote is what is known of the browser service.
type remote struct {
	mu    sync.Mutex
	down  error // why it is not asked
	until time.Time
}

// A service that has failed is not asked again for this long.
const remotePause = time.Minute

// An outage is why the service does not show a page that another browser may.
type outage struct {
	why string // in words for a client
	err error
}

func (o *outage) Error() string { return fmt.Sprintf("browser service: %s: %v", o.why, o.err) }
func (o *outage) Unwrap() error { return o.err }

// showRemote has the service show the page: one connection, one page. The
// service fetches the page from where it stands, so the guard of the exit that
// the page was meant for is asked whether that is an address for callers.
func (b *Browser) showRemote(ctx context.Context, u *url.URL, p farwire.RenderPage) (farwire.Rendered, error) {
	const silent = "the browser service does not answer"
	shown := farwire.Rendered{By: "a browser service"}
	b.remote.mu.Lock()
	down, until := b.remote.down, b.remote.until
	b.remote.mu.Unlock()
	if time.Now().Before(until) {
		return shown, &outage{silent, down}
	}
	if p.Exit.Resolve == nil {
		return shown, &outage{"the exit cannot check addresses for a browser service", errors.New("no Resolve")}
	}
	if _, err := resolve(ctx, p, u.Hostname()); err != nil {
		return shown, &pageError{"the page's address is not allowed or not known", err}
	}
	html, err := b.askRemote(ctx, u)
	var page *pageError
	var no *cdproto.Error
	switch {
	case err == nil:
		shown.HTML = html
		return shown, nil
	case ctx.Err() != nil:
		return shown, context.Cause(ctx)
	case errors.As(err, &page) && errors.As(err, &no):
		// Some services have lists of sites that they do not show. Others' pages
		// are not to suffer for one that is there.
		return shown, &outage{"the browser service refuses the page", err}
	case errors.As(err, &page):
		return shown, err
	}
	b.remote.mu.Lock()
	b.remote.down, b.remote.until = err, time.Now().Add(remotePause)
	b.remote.mu.Unlock()
	b.o.Logger.WarnContext(ctx, "browser service not used for a while", "for", remotePause, "err", err)
	return shown, &outage{silent, err}
}

func resolve(ctx context.Context, p farwire.RenderPage, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return p.Exit.Resolve(ctx, host)
}

func (b *Browser) askRemote(ctx context.Context, u *url.URL) ([]byte, error) {
	// Whatever else it does, a service that works takes a connection in the
	// time that a whole page has elsewhere.
	dialling, cancel := context.WithTimeout(ctx, b.o.Timeout)
	conn, err := wsock.DialContext(dialling, b.o.RemoteURL)
	cancel()
	if err != nil {
		return nil, withoutAddress(err)
	}
	w := newWire(conn)
	defer w.close()
	t := &tab{b: b, wire: w, url: u, limit: remoteTimeoutFactor * b.o.Timeout}
	return t.show(ctx)
}

// withoutAddress takes the service's address, and with it the password, out of
// an error.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
