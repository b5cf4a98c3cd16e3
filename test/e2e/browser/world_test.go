//go:build unix

package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/agent"
)

// A world is a site that an exit reaches by the name site.test, and a browser.
// The exit reaches other.test, too, which is the same server; whatever else it
// is asked for is up to the guard, and that allows public addresses alone.
type world struct {
	t    testing.TB
	tmp  string // all that the browser's processes write is below
	site *httptest.Server
	exit agent.Exit
	*browser.Browser

	mu    sync.Mutex
	asked []string // paths that the site was asked for
}

func newWorld(t testing.TB, pages map[string]http.HandlerFunc, edit ...func(*browser.Options)) *world {
	t.Helper()
	// Short, because a socket's path must be.
	tmp, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	// Under root the browser runs as another user, who must be able to pass.
	if err := os.Chmod(tmp, 0o711); err != nil {
		t.Fatal(err)
	}
	if setter, ok := t.(interface{ Setenv(string, string) }); ok {
		setter.Setenv("TMPDIR", tmp)
	}
	w := &world{t: t, tmp: tmp}
	w.site = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked = append(w.asked, r.URL.Path)
		w.mu.Unlock()
		page, found := pages[r.URL.Path]
		if !found {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		page(rw, r)
	}))
	w.exit = exitTo(w.site.Listener.Addr().String())
	o := browser.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, e := range edit {
		e(&o)
	}
	if w.Browser, err = browser.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		processesOf(tmp) // has the groups remembered
		w.Close()
		w.site.CloseClientConnections()
		w.site.Close()
		if left := processesOf(tmp); len(left) > 0 {
			t.Errorf("processes left behind: %v", left)
			killAll(left)
		}
		if entries, err := os.ReadDir(tmp); err != nil || len(entries) > 0 {
			t.Errorf("files left behind: %v, %v", entries, err)
		}
		os.RemoveAll(tmp)
	})
	return w
}

// patient is for pages that settle by themselves, however busy the machine is.
func patient(o *browser.Options) { o.Timeout = time.Minute }

// exitTo is an exit with the guard of everyone, but for the names of the site.
func exitTo(site string) agent.Exit {
	guarded, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		panic(err) // no options are set, so none can be wrong
	}
	return agent.Exit{
		ID: "farwire-test", Slug: "test", Country: "ZZ",
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			switch addr {
			case "site.test:80", "other.test:80":
				return new(net.Dialer).DialContext(ctx, "tcp", site)
			}
			return guarded.DialContext(ctx, network, addr)
		},
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == "site.test" {
				return []netip.Addr{netip.MustParseAddr("203.0.113.7")}, nil
			}
			return guarded.Resolve(ctx, host)
		},
	}
}

// show renders a page of the site.
func (w *world) show(path string) (farwire.Rendered, error) {
	return w.Render(context.Background(), farwire.RenderPage{URL: "http://site.test" + path, Exit: w.exit})
}

// paths returns what the site was asked for, how often.
func (w *world) paths() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, p := range w.asked {
		n[p]++
	}
	return n
}

// page answers with HTML.
func page(html string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<!doctype html><title>Page</title><body>"+html)
	}
}

func detail(err error) string {
	var d interface{ Detail() string }
	if errors.As(err, &d) {
		return d.Detail()
	}
	return fmt.Sprint(err)
}

// words is as much text as makes a page.
var words = strings.Repeat("These are the words of the page. ", 12)

// A canary sits where no page may get to.
type canary struct {
	port string
	hits atomic.Int64
}

func newCanary(t testing.TB) *canary {
	t.Helper()
	c := new(canary)
	var tcp net.Listener
	var udp net.PacketConn
	for tries := 1; udp == nil; tries++ {
		var err error
		if tcp, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		c.port = strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port)
		if udp, err = net.ListenPacket("udp4", "127.0.0.1:"+c.port); err != nil { // somebody else may have that one
			tcp.Close()
			if tries == 100 {
				t.Fatal(err)
			}
		}
	}
	listeners := []io.Closer{tcp, udp}
	var wg sync.WaitGroup
	accept := func(ln net.Listener) {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.hits.Add(1)
			conn.Close()
		}
	}
	wg.Go(func() { accept(tcp) })
	if six, err := net.Listen("tcp6", "[::1]:"+c.port); err == nil { // where there is IPv6
		listeners = append(listeners, six)
		wg.Go(func() { accept(six) })
	}
	wg.Go(func() {
		b := make([]byte, 2048)
		for {
			if _, _, err := udp.ReadFrom(b); err != nil {
				return
			}
			c.hits.Add(1)
		}
	})
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close()
		}
		wg.Wait()
	})
	return c
}

// groups has the process groups that processesOf has seen of each folder.
var groups sync.Map

// processesOf returns the ids of a browser's first process and all of its helpers: those
// whose command line or environment names the folder, and those that are, or once were, in
// a process group with one of them. Some helpers write their names over both.
func processesOf(tmp string) (pids []int) {
	seen, _ := groups.LoadOrStore(tmp, new(sync.Map))
	ours := seen.(*sync.Map)
	named := namedBy(tmp)
	for _, pid := range named {
		if group, err := syscall.Getpgid(pid); err == nil && group != syscall.Getpgrp() {
			ours.Store(group, true)
		}
	}
	for pid := range allProcesses() {
		group, err := syscall.Getpgid(pid)
		if _, is := ours.Load(group); slices.Contains(named, pid) || err == nil && is && !isZombie(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// namedBy returns the ids of those whose command line or environment names a browser's
// folder below tmp.
func namedBy(tmp string) (pids []int) {
	for pid := range allProcesses() {
		// Both are empty for those that only wait to be reaped.
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			if err == nil && bytes.Contains(text, []byte("="+tmp+"/farwire-browser-")) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// allProcesses yields the ids of all processes but this one.
func allProcesses() iter.Seq[int] {
	return func(yield func(int) bool) {
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && !yield(pid) {
				return
			}
		}
	}
}

// isZombie reports whether a process only waits to be reaped.
func isZombie(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err != nil || len(line) == 0
}

// leader returns the process that is the browser itself: it has the wire, which its
// helpers have not. A shell script that started it has the same command line.
func leader(t testing.TB, tmp string) int {
	t.Helper()
	found := 0
	for _, pid := range processesOf(tmp) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(line, []byte("--remote-debugging-pipe")) && !bytes.Contains(line, []byte("--type=")) && !bytes.Contains(line, []byte("/bin/sh\x00")) {
			found = pid
		}
	}
	if found == 0 {
		t.Fatal("no browser runs")
	}
	return found
}

func killAll(pids []int) {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

// residentMemory returns how many bytes the browser's processes hold in all,
// files apart.
func residentMemory(t testing.TB, tmp string) (sum int64) {
	t.Helper()
	for _, pid := range processesOf(tmp) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
				n, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += n << 10
			}
		}
	}
	return sum
}
