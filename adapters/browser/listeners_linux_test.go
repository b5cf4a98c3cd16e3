package browser_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/internal/harness"
)

// What listens for a browser is told of for as long as it listens.
func TestListeners_BrowserComesAndGoes_AreReported(t *testing.T) {
	path, proxy := harness.SilentBrowser(t)
	b := newBrowser(t, browser.Options{Path: path})
	if got := b.Listeners(); len(got) != 0 {
		t.Errorf("before the first page: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Render(ctx, farwire.RenderPage{URL: "https://site.test/", Exit: exit})
		ended <- err
	}()
	addr := proxy()
	if got := b.Listeners(); len(got) != 1 || got[0].String() != addr {
		t.Errorf("a browser was given the proxy %s, and told of are %v", addr, got)
	}
	resp, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusProxyAuthRequired {
		t.Errorf("a client without credentials gets %s", resp.Status)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("a page came of a browser that says nothing")
	}
	if got := b.Listeners(); len(got) != 0 {
		t.Errorf("after the browser: %v", got)
	}
}
