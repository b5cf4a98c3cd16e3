package egress

import (
	"sync"
	"sync/atomic"
	"time"
)

// started is what times of an IdleClock count from.
var started = time.Now()

// An IdleClock ends what moves no byte for a while. A nil IdleClock has no limit.
type IdleClock struct {
	limit time.Duration
	last  atomic.Int64 // when a byte moved

	mu    sync.Mutex
	timer *time.Timer
	cut   func() // nil: stopped
}

// NewIdleClock starts a clock that calls cut once, when no byte has moved for limit.
func NewIdleClock(limit time.Duration, cut func()) *IdleClock {
	c := &IdleClock{limit: limit, cut: cut}
	c.Touch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(limit, c.check)
	return c
}

// Touch says that bytes move now.
func (c *IdleClock) Touch() {
	if c != nil {
		c.last.Store(int64(time.Since(started)))
	}
}

func (c *IdleClock) check() {
	c.mu.Lock()
	cut := c.cut
	left := c.limit - time.Since(started) + time.Duration(c.last.Load())
	switch {
	case cut == nil:
	case left > 0:
		c.timer.Reset(left)
		cut = nil
	default:
		c.cut = nil
	}
	c.mu.Unlock()
	if cut != nil {
		cut()
	}
}

// Stop stops the clock. What still holds it holds nothing else.
func (c *IdleClock) Stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.cut = nil
}
