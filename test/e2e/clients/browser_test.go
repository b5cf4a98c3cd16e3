package clients

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"

	"github.com/farwire/farwire/internal/harness"
)

// chromium starts a headless Chromium and returns a tab in it. Events of the tab go
// to listen.
func chromium(t *testing.T, listen func(event any), flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	profile, err := os.MkdirTemp("", "farwire-clients-")
	if err != nil {
		t.Fatal(err)
	}
	// Processes of the browser may write there a moment after it has ended.
	t.Cleanup(func() {
		for late := time.Now().Add(harness.Timeout); ; time.Sleep(10 * time.Millisecond) {
			if err := os.RemoveAll(profile); err == nil {
				return
			} else if time.Now().After(late) {
				t.Error(err)
				return
			}
		}
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(profile))
	if os.Geteuid() == 0 {
		// Chromium refuses to run its sandbox for root. It loads nothing here but
		// pages of this machine.
		options = append(options, chromedp.NoSandbox)
	}
	ctx, late := context.WithTimeout(context.Background(), 4*harness.Timeout)
	t.Cleanup(late)
	allocator, end := chromedp.NewExecAllocator(ctx, append(options, flags...)...)
	t.Cleanup(end)
	tab, leave := chromedp.NewContext(allocator, chromedp.WithListener(listen))
	t.Cleanup(func() {
		stopped := time.AfterFunc(harness.Timeout, leave)
		defer stopped.Stop()
		if err := chromedp.Cancel(tab); err != nil {
			t.Errorf("Chromium does not end: %v", err)
		}
	})
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("Chromium does not start; scripts/deps installs it: %v", err)
	}
	return tab
}

// A browser whose every connection leaves through the proxy, over http and https,
// loads a page of 300 files whole.
func TestProxy_Chromium_LoadsAPageOf300Files(t *testing.T) {
	var served atomic.Int64
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, "<!doctype html><title>page</title><script>let ran = 0</script>")
			for n := range 300 {
				fmt.Fprintf(rw, "<script src=/file/%d.js></script>", n)
			}
		case strings.HasPrefix(r.URL.Path, "/file/"):
			served.Add(1)
			rw.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(rw, "ran++")
		default:
			rw.WriteHeader(http.StatusNotFound)
		}
	}), "--http-rate", "20") // the burst is the default
	events := make(chan any, 10_000)
	tab := chromium(t, func(event any) {
		switch event.(type) {
		case *fetch.EventRequestPaused, *fetch.EventAuthRequired:
			events <- event
		}
	}, chromedp.ProxyServer("http://"+w.gateway.Addr), chromedp.Flag("proxy-bypass-list", "<-loopback>"), chromedp.IgnoreCertErrors)
	var asked atomic.Int64
	answer := func(event any) error {
		var err error
		switch e := event.(type) {
		case *fetch.EventRequestPaused:
			_, err = chromedp.Call(tab, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
		case *fetch.EventAuthRequired:
			asked.Add(1)
			_, err = chromedp.Call(tab, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: &fetch.AuthChallengeResponse{
				Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "session=browser", Password: w.gateway.Key,
			}})
		}
		return err
	}
	// One goroutine answers, until the test ends: events may come for as long as the
	// tab lives, also while it is closed.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case event := <-events:
				if err := answer(event); err != nil {
					t.Logf("the browser no longer waits: %v", err)
				}
			case <-stop:
				return
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	yes := true
	if _, err := chromedp.Call(tab, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &yes}); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{w.http, w.https} {
		served.Store(0)
		if err := chromedp.Do(tab, chromedp.Navigate(page)); err != nil {
			t.Fatal(err)
		}
		ran, err := chromedp.Run(tab, chromedp.Evaluate[int]("ran"))
		if err != nil || ran != 300 || served.Load() != 300 {
			t.Errorf("%s: %d of 300 files ran, the target served %d: %v", page, ran, served.Load(), err)
		}
	}
	if asked.Load() == 0 {
		t.Error("the browser was not asked for credentials")
	}
	w.gateway.Await(w.gateway.Stderr, `kind=http .*target=`+strings.TrimPrefix(w.http, "http://"))
	resp, err := http.Get(w.gateway.HTTP("/sessions?api_key=" + w.gateway.Key))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	running, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(running), `"kind":"tunnel"`) {
		t.Errorf("the page over https is not in a tunnel: %s %v", running, err)
	}
}
