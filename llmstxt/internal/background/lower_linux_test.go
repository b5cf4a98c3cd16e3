package background_test

import (
	"os/exec"
	"sync"
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

// A process that is to die with its parent outlives the threads of low priority, also
// where one of these started it when it was like all others.
func TestThreads_End_ProcessesStay(t *testing.T) {
	const processes = 8
	died := make(chan error, processes)
	var kill []func() error
	for range processes {
		started := make(chan error)
		cmd := exec.Command("sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		go func() { started <- cmd.Start() }()
		if err := <-started; err != nil {
			t.Fatal(err)
		}
		kill = append(kill, cmd.Process.Kill)
		go func() { died <- cmd.Wait() }()
	}
	for range 50 {
		var threads background.Threads
		var calls sync.WaitGroup
		for range 4 * processes {
			calls.Go(func() { threads.Do(func() {}) })
		}
		calls.Wait()
		threads.Close()
	}
	select {
	case err := <-died:
		t.Errorf("a process has ended: %v", err)
		died <- err
	default:
	}
	for _, k := range kill {
		k() // it may have ended, which has been told
	}
	for range kill {
		<-died
	}
}
