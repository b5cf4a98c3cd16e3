package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/recrawltest"
)

// recrawl500 kills gateways that recrawl on one database, which is away for a
// while, too.
func recrawl500(ctx context.Context, s *soak) (figures string, err error) {
	dir, err := os.MkdirTemp("", "farwire-soak-files-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	o := recrawltest.Options{
		Folder: dir, Program: program, Gateways: 4, Sites: 500, Interval: time.Minute,
		Lease: time.Second, Poll: time.Second / 4, For: s.lasting, KillEvery: 2 * time.Second, Frozen: 3 * time.Second,
		JudgeLateness: true,
	}
	var r recrawltest.Result
	err = serving(func(t testing.TB) error {
		db := harness.Postgres(t)
		o.Database = db.URL
		o.Outage = func() time.Duration {
			began := time.Now()
			db.Stop()
			time.Sleep(10 * time.Second)
			db.Start()
			return time.Since(began)
		}
		r, err = recrawltest.Run(ctx, o)
		return err
	})
	figures = fmt.Sprintf("%d sites, each every %v, %d gateways for %v; a lease lasts %v, a poll %v; every %v one is killed, or stopped for %v:\n%v",
		o.Sites, o.Interval, o.Gateways, o.For, o.Lease, o.Poll, o.KillEvery, o.Frozen, r)
	return figures, err
}

// serving runs what starts services, which are made for tests, and ends them.
func serving(run func(testing.TB) error) error {
	t := &serviceTest{}
	done := make(chan struct{})
	var err error
	go func() { // FailNow ends its goroutine
		defer close(done)
		defer t.cleanUp()
		err = run(t)
	}()
	<-done
	if t.Failed() {
		return fmt.Errorf("%s", t.said)
	}
	return err
}

// A serviceTest is as much of a test as services need.
type serviceTest struct {
	testing.TB // nil: whatever else is called panics

	mu     sync.Mutex
	undo   []func()
	failed bool
	said   string
}

func (t *serviceTest) Helper() {}

func (t *serviceTest) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = append(t.undo, f)
}

// cleanUp cleans up, the newest first.
func (t *serviceTest) cleanUp() {
	t.mu.Lock()
	undo := t.undo
	t.undo = nil
	t.mu.Unlock()
	for _, f := range slices.Backward(undo) {
		f()
	}
}

func (t *serviceTest) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

func (t *serviceTest) fail(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed, t.said = true, t.said+text+"\n"
}

func (t *serviceTest) Error(args ...any)                 { t.fail(fmt.Sprint(args...)) }
func (t *serviceTest) Errorf(format string, args ...any) { t.fail(fmt.Sprintf(format, args...)) }
func (t *serviceTest) Fatal(args ...any)                 { t.fail(fmt.Sprint(args...)); t.FailNow() }
func (t *serviceTest) Fatalf(format string, args ...any) {
	t.fail(fmt.Sprintf(format, args...))
	t.FailNow()
}

func (t *serviceTest) FailNow() {
	t.fail("")
	runtime.Goexit()
}

func (t *serviceTest) Logf(format string, args ...any) { log.Printf(format, args...) }
