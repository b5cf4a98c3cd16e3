// Package check knows whether a service answers, however many ask and however long the
// service thinks about it.
package check

import (
	"context"
	"sync"
	"time"
)

// A Check asks one service. It is safe for concurrent use.
type Check struct {
	// Ask is called by one goroutine at a time, with a context that ends after Timeout. A
	// panic in it is not recovered from.
	Ask     func(context.Context) error
	Timeout time.Duration // of Ask
	Every   time.Duration // how long an answer stands

	mu      sync.Mutex
	ok      bool
	at      time.Time // of the last answer; zero: there was none
	running *run
}

// A run is a call of Ask.
type run struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// OK reports whether the service answers. Whoever has waited for as long as patience, or
// has left, is told that it does not; the question goes on for those who ask later.
func (c *Check) OK(ctx context.Context, patience time.Duration) bool {
	c.mu.Lock()
	if c.running == nil && !c.at.IsZero() && time.Since(c.at) < c.Every {
		defer c.mu.Unlock()
		return c.ok
	}
	if c.running == nil {
		c.begin(ctx)
	}
	done := c.running.done
	c.mu.Unlock()

	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ok
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// begin asks the service. The lock is held.
func (c *Check) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	r := &run{cancel, make(chan struct{})}
	c.running = r
	go func() {
		defer close(r.done)
		defer cancel()
		err := c.Ask(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ok, c.at, c.running = err == nil, time.Now(), nil
	}()
}

// Close cancels the question under way and waits for its end, or for that of ctx.
func (c *Check) Close(ctx context.Context) {
	c.mu.Lock()
	r := c.running
	c.mu.Unlock()
	if r == nil {
		return
	}
	r.cancel()
	select {
	case <-r.done:
	case <-ctx.Done():
	}
}
