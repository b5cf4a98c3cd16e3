package llmstxt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// niceness is that of the calling thread.
func niceness(t *testing.T) int {
	t.Helper()
	n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return 20 - n // as the system call returns it
}

// spent is the processor time of this process's threads that have a niceness, and that of
// all others.
func spent(t *testing.T, nice int) (low, others time.Duration) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task + "/stat")
		if err != nil {
			continue // it has ended
		}
		spent, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(spent), &ns); err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // from the third on, proc_pid_stat(5)
		if fields[16] == fmt.Sprint(nice) {
			low += time.Duration(ns)
		} else {
			others += time.Duration(ns)
		}
	}
	return low, others
}

// processorTime is that of all threads that this process has had.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Reading pages gives way to whatever else a process does: it happens on threads of a
// lower priority, which end with the crawl. What a host's function does happens on others.
func TestCrawl_PagesAreRead_AtLowPriority(t *testing.T) {
	before := niceness(t)
	nice := min(before+10, 19)
	if nice == before {
		t.Fatal("the tests themselves have the lowest priority")
	}
	w := &web{pages: map[string]answer{"http://docs.test/": html(`<title>Home</title><h1>Home</h1><p>A page of links. <a href=/large>Large</a> <a href=/app>App</a>`)}}
	// Packed, because taking what is sent is not reading.
	large := zip(fill("<title>Large</title><h1>Large</h1><p>", "<a href=x>tt</a><ul>", ""))(4 << 20)
	w.pages["http://docs.test/large"] = answer{header: map[string]string{"Content-Encoding": "gzip"}, body: string(large)}
	w.pages["http://docs.test/app"] = html("<title>App</title><div id=root></div><script src=app.js></script>")
	var all, others time.Duration
	rendered := 0
	// The collector works on threads of its own, for what other tests have left, too.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	allBefore := processorTime(t)
	_, othersBefore := spent(t, nice)
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 1,
		Render: func(context.Context, string, string) ([]byte, error) {
			if n := niceness(t); n != before {
				t.Errorf("a page is rendered with niceness %d, want %d", n, before)
			}
			rendered++
			return []byte("<title>App</title><h1>App</h1><p>What the application shows."), nil
		},
		Progress: func(e llmstxt.Event) {
			if e.Kind == llmstxt.Committed && strings.HasSuffix(e.URL, "/large") {
				all = processorTime(t)
				_, others = spent(t, nice)
			}
		}})
	if len(s.Pages) != 3 || rendered != 1 {
		t.Errorf("%d pages, %d of them rendered, want 3 and 1", len(s.Pages), rendered)
	}
	others -= othersBefore
	if low := all - allBefore - others; low < others { // the thread that has read may have ended
		t.Errorf("threads of low priority took %v and the others %v", low, others)
	}
	for ended := time.Now().Add(10 * time.Second); ; runtime.Gosched() { // the system takes a moment to end a thread
		if low, _ := spent(t, nice); low == 0 {
			break
		}
		if time.Now().After(ended) {
			t.Fatal("a thread of low priority is left after the end")
		}
	}
}
