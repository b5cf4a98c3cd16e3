package redislimit

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// pause is how long Redis is left alone after it did not answer. One request a
// pause tries again and waits for at most the timeout.
const pause = time.Second

// A circuit keeps requests from waiting one after the other for a Redis that
// does not answer.
type circuit struct {
	log  *slog.Logger
	away atomic.Bool
	next atomic.Int64 // when to try again, on the clock below
	lost atomic.Int64 // when it went away
}

// began is the zero of a clock that nobody sets.
var began = time.Now()

// open reports whether to ask Redis: always while it answers, else once a
// pause.
func (c *circuit) open() bool {
	if !c.away.Load() {
		return true
	}
	now := int64(time.Since(began))
	next := c.next.Load()
	return now >= next && c.next.CompareAndSwap(next, now+int64(pause))
}

func (c *circuit) failed(err error) {
	now := int64(time.Since(began))
	c.next.Store(now + int64(pause))
	if c.away.CompareAndSwap(false, true) {
		c.lost.Store(now)
		c.log.Warn("Redis is away: this gateway allows its own share of the limits", "err", err)
	}
}

func (c *circuit) succeeded() {
	if c.away.CompareAndSwap(true, false) {
		c.log.Info("Redis is back: limits are shared again", "after", time.Since(began)-time.Duration(c.lost.Load()))
	}
}
