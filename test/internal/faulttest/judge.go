package faulttest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// check holds the end of a session against what it must be.
func (f *network) check(s *session) {
	c := s.client
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.result
	wrong := f.count(s)
	if f.outlived(s) {
		r.Survivors++
	}
	switch {
	case c.closed != nil && c.err == nil && c.closed.code == 1000:
		f.finished(s, wrong)
	case c.closed != nil && c.err == nil && c.closed.code == 1013 && strings.Contains(c.closed.reason, "agent"):
		r.Closed++
		f.checkLimit(s, wrong)
	case c.closed == nil && errors.Is(c.err, errInside):
		r.Cut++
		f.checkLimit(s, wrong)
	default:
		wrong("at the client: %+v, %v", c.closed, c.err)
	}
}

// count adds what a session has carried, and returns what says that something is wrong
// with it.
func (f *network) count(s *session) (wrong func(format string, args ...any)) {
	c, t, r := s.client, s.target, &f.result
	r.Frames += c.in.next + t.in.next
	r.Bytes += c.in.bytes + t.in.bytes
	wrong = func(format string, args ...any) {
		r.Wrong = append(r.Wrong, fmt.Sprintf("session %d through %s: ", s.id, s.node)+fmt.Sprintf(format, args...))
	}
	if c.in.next > t.sent.Load() || t.in.next > c.sent.Load() {
		wrong("more has arrived than was sent: %d of %d, %d of %d", c.in.next, t.sent.Load(), t.in.next, c.sent.Load())
	}
	if t.err != nil && !errors.Is(t.err, errInside) && !errors.Is(t.err, errOutside) {
		wrong("at the target: %v", t.err)
	}
	return wrong
}

// finished judges a session that was closed with 1000.
func (f *network) finished(s *session, wrong func(string, ...any)) {
	c, t := s.client, s.target
	f.result.Finished++
	switch {
	case !f.stopped:
		wrong("closed by itself: 1000 %q", c.closed.reason)
	case t.closed == nil || t.closed.code != 1000 || t.err != nil:
		wrong("the target had %+v, %v instead of 1000", t.closed, t.err)
	case c.in.next != t.sent.Load() || t.in.next != c.sent.Load():
		wrong("bytes are missing: the client has %d frames of %d, the target %d of %d",
			c.in.next, t.sent.Load(), t.in.next, c.sent.Load())
	}
}

// checkLimit checks that a session was lost because its agent was killed, and in
// time.
func (f *network) checkLimit(s *session, wrong func(string, ...any)) {
	var last time.Time
	for _, at := range f.kills[s.node] {
		if at.Before(s.client.at) {
			last = at
		}
	}
	took := s.client.at.Sub(last)
	switch {
	case last.IsZero():
		wrong("lost, though its agent was not killed: %+v, %v", s.client.closed, s.client.err)
	case took > f.Limit:
		wrong("lost %v after the kill of its agent", took)
	default:
		f.result.Slowest = max(f.result.Slowest, took)
	}
}

// outlived reports whether another agent was killed while the session was open.
func (f *network) outlived(s *session) bool {
	for node, kills := range f.kills {
		for _, at := range kills {
			if node != s.node && at.After(s.began) && at.Before(s.client.at) {
				return true
			}
		}
	}
	return false
}
