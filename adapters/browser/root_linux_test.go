package browser_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
)

// TestRender_ProcessIsRoot_BrowserIsNotUnlessNamed starts a browser that notes as whom it
// was started and ends. One that was merely found on PATH, the headless shell before
// others, is never root and never without its sandbox; of a process that is root, one that
// was named is tried so in the end.
func TestRender_ProcessIsRoot_BrowserIsNotUnlessNamed(t *testing.T) {
	dir, err := os.MkdirTemp("", "farwire-browser-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	starts, program := filepath.Join(dir, "starts"), filepath.Join(dir, "chromium-headless-shell")
	script := "#!/bin/sh\necho \"uid=$(id -u) $*\" >>" + starts + "\nexit 1\n"
	other := "#!/bin/sh\necho chromium >>" + starts + "\nexit 1\n"
	for name, text := range map[string]string{starts: "", program: script, filepath.Join(dir, "chromium"): other} {
		if err := os.WriteFile(name, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o777); err != nil { // another user writes and runs them
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	root := os.Geteuid() == 0
	for _, named := range []bool{false, true} {
		var log bytes.Buffer
		o := browser.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if named {
			o.Path = program
		}
		b, err := browser.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(starts, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Render(t.Context(), farwire.RenderPage{URL: "https://site.test/", Exit: exit}); err == nil {
			t.Error("a browser that ends at once has shown a page")
		}
		b.Close()
		noted, err := os.ReadFile(starts)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(noted)), "\n")
		want := 1
		if root && named {
			want = 2
		}
		if len(lines) != want || strings.Count(log.String(), "level=WARN") != 1 {
			t.Errorf("named %v: started %d times, want %d; log:\n%s", named, len(lines), want, &log)
		}
		for i, line := range lines {
			asRoot, open := strings.HasPrefix(line, "uid=0 "), strings.Contains(line, "--no-sandbox")
			if allowed := root && named && i == 1; asRoot != allowed || open != allowed {
				t.Errorf("named %v, start %d: %s", named, i+1, line)
			}
		}
	}
}
