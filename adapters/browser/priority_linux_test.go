package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
)

// A browser gives way to relays: its process and all that it starts have a low priority.
func TestBrowser_Starts_AtLowPriority(t *testing.T) {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	said := filepath.Join(t.TempDir(), "niceness")
	if err := os.WriteFile(said, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(said, 0o666); err != nil { // it may run as another user
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nnice > "+said+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, browser.Options{Path: program})
	if _, err := b.Render(t.Context(), farwire.RenderPage{URL: "https://site.test/", Exit: exit}); err == nil {
		t.Fatal("a script renders pages")
	}
	got, err := os.ReadFile(said)
	if want := fmt.Sprint(max(20-raw, 10)); err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("the browser has niceness %q (%v), want %s", got, err, want)
	}
}
