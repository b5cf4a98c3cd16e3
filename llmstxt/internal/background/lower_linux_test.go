package background_test

import (
	"syscall"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/background"
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

// What is computed gives way to whatever else the process does; what comes after it on
// other threads is as before.
func TestThreads_Functions_RunAtLowPriority(t *testing.T) {
	before := niceness(t)
	want := min(before+10, 19)
	var threads background.Threads
	for range 3 {
		inside := 0
		threads.Do(func() { inside = niceness(t) })
		if inside != want {
			t.Errorf("a function runs with niceness %d, want %d", inside, want)
		}
	}
	threads.Close()
	for range 100 {
		after := make(chan int)
		go func() { after <- niceness(t) }()
		if n := <-after; n != before {
			t.Fatalf("a goroutine runs with niceness %d, want %d", n, before)
		}
	}
}
