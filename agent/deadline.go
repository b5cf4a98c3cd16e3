package agent

import (
	"sync"
	"time"
)

// A deadline is one of a connection's two. It keeps the time itself and tells
// the stream only once it has passed, for two reasons: a deadline that moves
// with every message costs no new timer, and the reader can keep one from
// passing while it takes bytes, when the multiplexer would lose its update of
// the window.
type deadline struct {
	apply func(time.Time) error // the stream's, which knows none or one long passed

	mu     sync.Mutex
	until  time.Time
	passed bool
	final  bool // passed for good
	timer  *time.Timer
}

var longPassed = time.Unix(1, 0)

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.final {
		return
	}
	d.until = t
	left := time.Until(t)
	switch {
	case !t.IsZero() && left <= 0:
		d.pass()
		return
	case d.passed:
		d.passed = false
		_ = d.apply(time.Time{}) // an ended stream has no use for it
	}
	switch {
	case t.IsZero():
		if d.timer != nil {
			d.timer.Stop()
		}
	case d.timer == nil:
		d.timer = time.AfterFunc(left, d.fire)
	default:
		d.timer.Reset(left)
	}
}

// fire is the timer's call, which may be late and for an earlier time.
func (d *deadline) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.until.IsZero() && !time.Now().Before(d.until) {
		d.pass()
	}
}

// pass wakes all that wait on the stream. The caller holds mu.
func (d *deadline) pass() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.passed = true
	_ = d.apply(longPassed) // an ended stream wakes everybody itself
}

// end makes the deadline pass for good.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.final = true
	d.pass()
}

// stop lets the timer go, at the end of the connection.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.final = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
