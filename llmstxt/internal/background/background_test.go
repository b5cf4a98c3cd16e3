package background_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/llmstxt/internal/background"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestThreads_ManyAtOnce_EachRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var threads background.Threads
		var calls sync.WaitGroup
		var mu sync.Mutex
		ran := 0
		for range 8 {
			calls.Go(func() {
				for range 20 {
					threads.Do(func() { mu.Lock(); ran++; mu.Unlock() })
				}
			})
		}
		calls.Wait()
		if ran != 160 {
			t.Errorf("%d functions ran, want 160", ran)
		}
		threads.Close()
	})
}

// A function that waits for another one holds no thread that the other needs.
func TestThreads_DoInDo_Returns(t *testing.T) {
	var threads background.Threads
	defer threads.Close()
	inner := false
	threads.Do(func() { threads.Do(func() { inner = true }) })
	if !inner {
		t.Error("the inner function did not run")
	}
}

func TestThreads_Panic_IsOneOfDo(t *testing.T) {
	var threads background.Threads
	defer threads.Close()
	defer func() {
		err, ok := recover().(error)
		if !ok || !strings.HasPrefix(err.Error(), "oops") || !strings.Contains(err.Error(), "background_test.go") {
			t.Errorf("Do panics with %v", err)
		}
		ran := false
		if threads.Do(func() { ran = true }); !ran {
			t.Error("nothing runs after a panic")
		}
	}()
	threads.Do(func() { panic("oops") })
}

func TestThreads_Goexit_IsOneOfDo(t *testing.T) {
	var threads background.Threads
	defer threads.Close()
	after := false
	var caller sync.WaitGroup
	caller.Go(func() {
		threads.Do(func() { runtime.Goexit() })
		after = true
	})
	caller.Wait()
	if after {
		t.Error("Do returned")
	}
}

func TestThreads_NeverUsed_CloseReturns(t *testing.T) {
	var threads background.Threads
	threads.Close()
}
