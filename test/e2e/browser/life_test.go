//go:build unix

package browser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/internal/harness"
)

// proxyOf returns the address of a browser's proxy, which stands on its command
// line for all to see.
func proxyOf(t *testing.T, pid int) string {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, found := bytes.Cut(line, []byte("--proxy-server=http://")); found {
		if end := bytes.IndexAny(rest, "\x00 "); end > 0 {
			return string(rest[:end])
		}
	}
	t.Fatalf("no proxy in %q", line)
	return ""
}

// A browser that dies is started again, and the page under way is loaded again.
func TestBrowser_Dies_IsReplaced(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, map[string]http.HandlerFunc{
		"/fine": page(`<p>All is well. ` + words + `</p>`),
		"/slow": page(`<p>` + words + `</p><script>fetch("/api").then(() => { document.body.append("All is done.") })</script>`),
		"/api": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		},
	}, patient)
	fine := func(when string) {
		t.Helper()
		if shown, err := w.show("/fine"); err != nil || !strings.Contains(string(shown.HTML), "All is well. ") {
			t.Errorf("%s: %v, %.200s", when, err, shown.HTML)
		}
	}
	fine("at first")
	if len(processesOf(w.tmp)) < 5 {
		t.Fatalf("processes: %v; this test looks for the wrong ones", processesOf(w.tmp))
	}
	syscall.Kill(leader(t, w.tmp), syscall.SIGKILL)
	fine("after SIGKILL")

	type result struct {
		shown farwire.Rendered
		err   error
	}
	done := make(chan result, 1)
	go func() {
		shown, err := w.show("/slow")
		done <- result{shown, err}
	}()
	eventually(t, "a page under way", time.Minute, func() bool { return w.paths()["/api"] == 1 })
	syscall.Kill(leader(t, w.tmp), syscall.SIGKILL)
	eventually(t, "the page a second time", time.Minute, func() bool { return w.paths()["/api"] == 2 })
	close(gate)
	if r := <-done; r.err != nil || !strings.Contains(string(r.shown.HTML), "All is done.") {
		t.Errorf("a page under way: %v, %.200s", r.err, r.shown.HTML)
	}
	if n := w.Stats().Starts; n != 3 {
		t.Errorf("%d starts, want 3", n)
	}
}

// A browser that hangs is noticed, ended and started again.
func TestBrowser_Hangs_IsReplaced(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": page(`<p>All is well. ` + words + `</p>`)}, func(o *browser.Options) { o.Timeout = 15 * time.Second })
	if _, err := w.show("/"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(leader(t, w.tmp), syscall.SIGSTOP)
	if shown, err := w.show("/"); err != nil || !strings.Contains(string(shown.HTML), "All is well. ") {
		t.Errorf("%v, %.200s", err, shown.HTML)
	}
	if n := w.Stats().Starts; n != 2 {
		t.Errorf("%d starts, want 2", n)
	}
}

// When a tab dies, only its own page fails.
func TestTab_Dies_OnlyItsPageFails(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/waits": page(`<script>fetch("/api")</script>`),
		"/api":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"/fine":  page(`<p>All is well. ` + words + `</p>`),
	}, patient)
	done := make(chan error, 1)
	go func() {
		_, err := w.show("/waits")
		done <- err
	}()
	eventually(t, "a page", time.Minute, func() bool { return w.paths()["/api"] == 1 })
	for _, pid := range processesOf(w.tmp) {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(line, []byte("--type=renderer")) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if err := <-done; detail(err) != "the page crashed its tab" {
		t.Errorf("got %v", err)
	}
	if _, err := w.show("/fine"); err != nil {
		t.Error(err)
	}
	if n := w.Stats().Starts; n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
}

// TestBrowser_ManyPagesThenIdle_IsReplacedAndEnded counts pages, then waits.
func TestBrowser_ManyPagesThenIdle_IsReplacedAndEnded(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": page(`<p>` + words + `</p>`)}, func(o *browser.Options) { o.Recycle, o.Idle, o.Timeout = 2, time.Second, time.Minute })
	for n, want := range []int64{1, 1, 2, 2, 3} {
		if _, err := w.show("/"); err != nil {
			t.Fatal(err)
		}
		if s := w.Stats(); s.Starts != want {
			t.Errorf("page %d: %d starts, want %d", n+1, s.Starts, want)
		}
	}
	eventually(t, "the idle browser to end", time.Minute, func() bool { return len(processesOf(w.tmp)) == 0 })
	if _, err := w.show("/"); err != nil {
		t.Error(err)
	}
}

// TestBrowser_ManyPages_TabsAreBounded has many pages and two tabs.
func TestBrowser_ManyPages_TabsAreBounded(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": page(`<p>` + words + `</p>`)}, func(o *browser.Options) { o.Tabs, o.Timeout = 2, time.Minute })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.show("/"); err != nil {
				t.Error(err)
			}
		})
	}
	most := 0
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-time.After(5 * time.Millisecond):
			most = max(most, w.Stats().Active)
		}
	}
	if s := w.Stats(); most != 2 || s.Rendered != 8 || s.Starts != 1 {
		t.Errorf("%d at once, %+v", most, s)
	}
}

// The end of the context ends a page at once, in whatever state it is.
func TestRender_ContextEnds_TabIsClosed(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/loops": page(`<p>` + words + `</p><script>fetch("/api"); setTimeout(() => { for (;;); }, 100)</script>`),
		"/api":   func(http.ResponseWriter, *http.Request) {},
		"/hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}, func(o *browser.Options) { o.Timeout = time.Hour })
	for path, sign := range map[string]string{"/loops": "/api", "/hangs": "/hangs"} {
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := w.Render(ctx, farwire.RenderPage{URL: "http://site.test" + path, Exit: w.exit})
			done <- err
		}()
		eventually(t, "the page", time.Minute, func() bool { return w.paths()[sign] > 0 })
		left := time.Now()
		leave()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		if took := time.Since(left); took > harness.Timeout { // and not an hour
			t.Errorf("%s: it took %v", path, took)
		}
	}
}

// A browser that does not start is tried once and not for each page.
func TestBrowser_DoesNotStart_IsTriedOnce(t *testing.T) {
	tmp := t.TempDir()
	path := filepath.Join(tmp, "chromium")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho started >>"+tmp+"/starts\necho missing library >&2\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	b, err := browser.New(browser.Options{Path: path, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 3 {
		if _, err := b.Render(t.Context(), farwire.RenderPage{URL: "http://site.test/", Exit: exitTo("127.0.0.1:1")}); detail(err) != "the browser does not start" {
			t.Errorf("got %v", err)
		}
	}
	starts, err := os.ReadFile(tmp + "/starts")
	if err != nil || string(starts) != "started\n" {
		t.Errorf("starts: %q, %v", starts, err)
	}
	if !strings.Contains(said.String(), "missing library") || strings.Count(said.String(), "WARN") != 1 {
		t.Errorf("log: %s", &said)
	}
}

// showing is this test binary as a program that shows a page without end.
func showing(site string) int {
	b, err := browser.New(browser.Options{Timeout: time.Hour, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_, err = b.Render(context.Background(), farwire.RenderPage{URL: "http://site.test/", Exit: exitTo(site)})
	fmt.Println(err)
	return 1
}

// The program is killed while it shows a page whose scripts never end, so that it
// cannot tidy up.
func TestBrowser_ProgramKilled_NoProcessStays(t *testing.T) {
	asked := make(chan struct{}, 10)
	w := newWorld(t, map[string]http.HandlerFunc{
		"/":     page(`<p>` + words + `</p><script>fetch("/api"); setTimeout(() => { for (;;); }, 100)</script>`),
		"/api":  func(http.ResponseWriter, *http.Request) { asked <- struct{}{} },
		"/fine": page(`<p>All is well. ` + words + `</p>`),
	})
	cmd := exec.Command(os.Args[0], "showing", w.site.Listener.Addr().String())
	cmd.Env = append(os.Environ(), "TMPDIR="+w.tmp)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		killAll(processesOf(w.tmp))
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	select {
	case <-asked:
	case <-time.After(2 * time.Minute):
		t.Fatal("the page was not shown")
	}
	if n := len(processesOf(w.tmp)); n < 5 {
		t.Fatalf("%d processes; this test looks for the wrong ones", n)
	}
	cmd.Process.Kill()
	eventually(t, "the browser's processes to end", time.Minute, func() bool { return len(processesOf(w.tmp)) == 0 })

	// What it left in the temporary folder goes when the next browser starts.
	left, err := filepath.Glob(w.tmp + "/farwire-browser-*")
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	if _, err := w.show("/fine"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", left[0], err)
	}
}
