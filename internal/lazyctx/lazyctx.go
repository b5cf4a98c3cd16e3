// Package lazyctx makes contexts with a deadline that cost nothing until somebody waits.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is context.WithTimeout. It has neither a timer nor a channel, and its parent
// does not know of it, until Done is called, which who answers at once never does.
func WithTimeout(parent context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	c := &lazy{parent: parent, deadline: time.Now().Add(timeout)}
	if d, ok := parent.Deadline(); ok && d.Before(c.deadline) {
		c.deadline = d
	}
	return c, c.cancel
}

// A lazy context stands for one of package context's, which it makes when that is needed.
type lazy struct {
	parent   context.Context
	deadline time.Time

	mu       sync.Mutex
	real     context.Context // nil: nobody has needed one
	stop     context.CancelFunc
	canceled bool // while there was none
}

func (c *lazy) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *lazy) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.make()
	return c.real.Done()
}

// make makes the real one; c.mu is held.
func (c *lazy) make() {
	switch {
	case c.real != nil:
	case c.canceled: // which its parent may be by now, and that would count
		c.real, c.stop = context.WithCancel(context.WithoutCancel(c.parent))
		c.stop()
	default:
		c.real, c.stop = context.WithDeadline(c.parent, c.deadline)
	}
}

func (c *lazy) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		switch {
		case c.canceled:
			return context.Canceled
		case c.parent.Err() == nil && time.Now().Before(c.deadline):
			return nil
		}
		c.make() // it has ended, and stays so
	}
	return c.real.Err()
}

// Value leads package context to the real one, so that contexts below need no goroutine,
// and context.Cause finds what it looks for.
func (c *lazy) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return c.parent.Value(key)
}

func (c *lazy) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	if c.real != nil {
		c.stop()
	}
}
