package harness

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SilentBrowser returns the path of a program that is started as a Chromium is and
// answers nothing until its pipe is closed, and a function that waits until it has been
// started and returns the address of the proxy that it was given.
func SilentBrowser(t testing.TB) (path string, proxy func() string) {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "proxy")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	told, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { told.Close() })
	path = filepath.Join(dir, "chromium")
	script := fmt.Sprintf(`#!/bin/sh
for flag; do
	case $flag in --proxy-server=http://*) echo "${flag#--proxy-server=http://}" >%q || exit 1 ;; esac
done
exec cat <&3 >/dev/null
`, fifo)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, func() string {
		t.Helper()
		if err := told.SetReadDeadline(time.Now().Add(Timeout)); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(told).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
}
