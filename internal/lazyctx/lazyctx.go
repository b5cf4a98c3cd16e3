// Package lazyctx makes contexts with a deadline that cost nothing until somebody waits.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is context.WithTimeout.
func WithTimeout(parent context.Context, timeout time.Duration) *Context {
	return WithTimeoutCause(parent, timeout, nil)
}

// WithTimeoutCause is context.WithTimeoutCause.
func WithTimeoutCause(parent context.Context, timeout time.Duration, cause error) *Context {
	c := &Context{parent: parent, deadline: time.Now().Add(timeout), cause: cause}
	if d, ok := parent.Deadline(); ok && d.Before(c.deadline) {
		c.deadline, c.inherited = d, true
	}
	return c
}

// A Context stands for one of package context's, which it makes when that is needed: it
// has neither a timer nor a channel, and its parent does not know of it, until Done is
// called, which who answers at once never does. Cancel must be called.
type Context struct {
	parent    context.Context
	deadline  time.Time
	inherited bool  // the deadline is the parent's
	cause     error // once the time is over; nil: that it is

	mu       sync.Mutex
	real     context.Context // nil: nobody has needed one
	stop     context.CancelFunc
	canceled bool // while there was none
}

// Deadline is that of the parent, if it is earlier.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Done has package context make what Context stands for.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.make()
	return c.real.Done()
}

// make makes the real one; c.mu is held.
func (c *Context) make() {
	switch {
	case c.real != nil:
	case c.canceled: // which its parent may be by now, and that would count
		c.real, c.stop = context.WithCancel(context.WithoutCancel(c.parent))
		c.stop()
	case c.inherited:
		c.real, c.stop = context.WithCancel(c.parent)
	default:
		c.real, c.stop = context.WithDeadlineCause(c.parent, c.deadline, c.cause)
	}
}

// Err is as package context has it.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		switch {
		case c.canceled:
			return context.Canceled
		case c.parent.Err() == nil && (c.inherited || time.Now().Before(c.deadline)):
			return nil
		}
		c.make() // it has ended, and stays so
	}
	return c.real.Err()
}

// Value leads package context to the real one, so that contexts below need no goroutine,
// and context.Cause finds what it looks for.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return c.parent.Value(key)
}

// Cancel ends the context.
func (c *Context) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	if c.real != nil {
		c.stop()
	}
}
