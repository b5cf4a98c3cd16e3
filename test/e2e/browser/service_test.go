//go:build unix

package browser

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
)

// service starts a Chromium as a browser service has one, and returns the
// address of its WebSocket. It finds site.test at addr.
func service(t *testing.T, addr string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; scripts/deps installs it", err)
	}
	dir, err := os.MkdirTemp("", "e2e-service-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+dir,
		"--remote-debugging-port=0", "--host-resolver-rules=MAP site.test "+addr, "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		os.RemoveAll(dir)
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "DevTools listening on "); found {
			return url
		}
	}
	t.Fatalf("the service does not start: %v", lines.Err())
	return ""
}

// TestService_Given_NoBrowserIsStarted shows pages in a browser somewhere else, and the one here is not
// started.
func TestService_Given_NoBrowserIsStarted(t *testing.T) {
	var o browser.Options
	w := newWorld(t, map[string]http.HandlerFunc{
		"/late":  page(nav + later(1500)),
		"/fine":  page(`<p>All is well. ` + words + `</p><img src=/image.png>`),
		"/moves": page(`<script>location.href = "http://other.test/"</script>`),
	}, func(given *browser.Options) { o = *given })
	o.RemoteURL = service(t, w.site.Listener.Addr().String())
	b, err := browser.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for path, want := range map[string]string{"/late": "What comes late. ", "/fine": "All is well. "} {
		shown, err := b.Render(t.Context(), farwire.RenderPage{URL: "http://site.test" + path, Exit: w.exit, Remote: true})
		if err != nil || !strings.Contains(string(shown.HTML), want) || shown.By != "a browser service" {
			t.Errorf("%s: by %q: %v, %.300s", path, shown.By, err, shown.HTML)
		}
	}
	if shown, err := b.Render(t.Context(), farwire.RenderPage{URL: "http://site.test/moves", Exit: w.exit, Remote: true}); detail(err) != "the page leads to http://other.test" || shown.By != "a browser service" {
		t.Errorf("%v by %q", err, shown.By)
	}
	if w.paths()["/image.png"] != 0 {
		t.Error("an image was loaded")
	}
	if s := b.Stats(); s.Remote != 2 || s.Rendered != 2 || s.Starts != 0 {
		t.Errorf("%+v", s)
	}
	// What does not ask for the service is not shown there.
	shown, err := b.Render(t.Context(), farwire.RenderPage{URL: "http://site.test/fine", Exit: w.exit})
	if err != nil || shown.By != "a local Chromium" {
		t.Errorf("%v by %q", err, shown.By)
	}
}
