// Package background runs functions on threads that give way to the other threads of
// a process.
package background

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// Threads run functions at a low priority. A goroutine that computes for a long time
// has a thread, and a core, to itself: when the system wakes another thread of the
// process on that core, it lets the one that computes go on for more than a
// millisecond, which is ten times what a message takes through a relay. Go cannot
// change that, the system's scheduler can (Linux; elsewhere the priority is as always).
//
// The zero value is ready to use and has no thread. It is safe for concurrent use.
type Threads struct {
	mu     sync.Mutex
	jobs   chan *job // to the thread that waits
	idle   bool      // a thread waits, or will take the job that is in jobs
	closed bool
	wg     sync.WaitGroup
}

type job struct {
	f        func()
	done     chan struct{}
	panicked any
	stack    []byte
	returned bool
}

// Do runs f on a thread of low priority and returns when f has. What f panics with is
// what Do panics with, as an error that has f's stack. f may wait, and call Do.
func (t *Threads) Do(f func()) {
	j := &job{f: f, done: make(chan struct{})}
	t.mu.Lock()
	if t.jobs == nil {
		t.jobs = make(chan *job, 1)
	}
	if t.idle {
		t.idle = false
		t.jobs <- j
	} else {
		t.wg.Go(func() { alone(func() { t.run(j) }) })
	}
	t.mu.Unlock()
	<-j.done
	switch {
	case j.panicked != nil:
		panic(fmt.Errorf("%v\n\n%s", j.panicked, j.stack))
	case !j.returned:
		runtime.Goexit() // as f did
	}
}

// Close ends the threads and waits until they have. There may be no Do at the same
// time, nor later.
func (t *Threads) Close() {
	t.mu.Lock()
	t.closed = true
	if t.idle {
		t.idle = false
		close(t.jobs)
	}
	t.mu.Unlock()
	t.wg.Wait()
}

// run does jobs, and goes on while no other thread waits.
func (t *Threads) run(j *job) {
	for j != nil {
		j.run()
		t.mu.Lock()
		if t.idle || t.closed {
			t.mu.Unlock()
			return
		}
		t.idle = true
		t.mu.Unlock()
		j = <-t.jobs
	}
}

func (j *job) run() {
	defer close(j.done)
	defer func() {
		if j.panicked = recover(); j.panicked != nil {
			j.stack = debug.Stack()
		}
	}()
	j.f()
	j.returned = true
}
