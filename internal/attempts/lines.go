package attempts

import (
	"sync"
	"time"
)

// Lines bounds how often the log has one kind of line, which somebody else can cause as
// often as they like. Ten in a minute are written, and then one a second. The zero Lines is
// ready for use and safe for concurrent use.
type Lines struct {
	mu          sync.Mutex
	since, last time.Time
	count       int // since then
	left        int
}

// Next reports whether a line is written now, and how many were left out before it.
func (l *Lines) Next(now time.Time) (left int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.count = now, 0
	}
	if l.count++; l.count > PerMinute && now.Sub(l.last) < time.Second {
		l.left++
		return 0, false
	}
	left, l.left, l.last = l.left, 0, now
	return left, true
}
