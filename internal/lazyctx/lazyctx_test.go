package lazyctx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/lazyctx"
)

type key struct{}

// state is what anybody can see of a context.
type state struct {
	err, cause error
	done       bool
	value      any
}

func stateOf(ctx context.Context, waits bool) state {
	s := state{err: ctx.Err(), cause: context.Cause(ctx), value: ctx.Value(key{})}
	if waits {
		select {
		case <-ctx.Done():
			s.done = true
		default:
		}
	}
	return s
}

// It is what context.WithTimeout is, in each order of what can end it, whether somebody
// waits before, after or never.
func TestWithTimeout_AnyEnd_IsThatOfPackageContext(t *testing.T) {
	why := errors.New("why")
	cause := func(_, _ context.CancelFunc, parent context.CancelCauseFunc) { parent(why) }
	own := func(a, b context.CancelFunc, _ context.CancelCauseFunc) { a(); b() }
	passes := func(_, _ context.CancelFunc, _ context.CancelCauseFunc) { time.Sleep(time.Minute) }
	type step = func(a, b context.CancelFunc, parent context.CancelCauseFunc)
	for name, steps := range map[string][]step{
		"nothing": {}, "parent": {cause}, "own": {own}, "time": {passes},
		"parent, time": {cause, passes}, "time, parent": {passes, cause}, "time, own": {passes, own}, "parent, own": {cause, own},
	} {
		for from := range len(steps) + 2 { // the step before which somebody begins to wait; beyond: nobody does
			for _, least := range []time.Duration{time.Second, time.Hour} {
				synctest.Test(t, func(t *testing.T) {
					root, cut := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
					defer cut(nil)
					parent, free := context.WithTimeout(root, least)
					defer free()
					tooLate := errors.New("too late")
					got := lazyctx.WithTimeoutCause(parent, 30*time.Second, tooLate)
					want, b := context.WithTimeoutCause(parent, 30*time.Second, tooLate)
					a := got.Cancel
					defer a()
					defer b()
					for i := range len(steps) + 1 {
						if g, w := stateOf(got, i >= from), stateOf(want, i >= from); g != w {
							t.Errorf("%s, waiting from %d: after %d steps %+v, not %+v", name, from, i, g, w)
						}
						if i < len(steps) {
							steps[i](a, b, cut)
							synctest.Wait()
						}
					}
					at, _ := got.Deadline()
					if until, _ := want.Deadline(); !at.Equal(until) {
						t.Errorf("it ends at %v, not at %v", at, until)
					}
				})
			}
		}
	}
}

// What is made of it ends with it, and has its cause.
func TestWithTimeout_Children_EndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		root, cut := context.WithCancelCause(t.Context())
		late := lazyctx.WithTimeout(root, time.Minute)
		defer late.Cancel()
		child, free := context.WithCancel(late)
		defer free()
		ended := false
		context.AfterFunc(child, func() { ended = true })
		cut(why)
		synctest.Wait()
		if !ended || context.Cause(child) != why {
			t.Errorf("ended: %v, cause: %v", ended, context.Cause(child))
		}
	})
}

// A context that nobody waits for is one object.
func TestWithTimeout_WithoutWaiting_IsOneObject(t *testing.T) {
	parent, cut := context.WithCancel(t.Context())
	defer cut()
	if n := testing.AllocsPerRun(100, func() {
		ctx := lazyctx.WithTimeout(parent, time.Minute)
		if ctx.Err() != nil {
			t.Error(ctx.Err())
		}
		ctx.Cancel()
	}); n > 1 {
		t.Errorf("%v objects", n)
	}
}
