// Package sse writes server-sent events (the HTML standard, section 9.2) to an
// HTTP response.
//
// A [Stream] is told what has been read only by the connection taking its
// bytes. So it gives each piece of the answer a deadline of its own, says when
// a reader has taken nothing for too long, and then, or when it is ended, leaves a
// short grace in which a reader that comes back can still be told why.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upgrade"
)

var (
	// ErrStalled: the reader has taken nothing for the stream's limit. What was
	// written ends with a whole event, and [Stream.Last] may add one more.
	ErrStalled error = fault.New(fault.Stalled, "the reader stalled")

	// ErrLost: the connection takes no more. Errors that wrap it say why.
	ErrLost = errors.New("the reader is gone")

	// ErrCannotFlush: the ResponseWriter holds everything back until the
	// handler returns. Where Open returns it without a Stream, nothing has been written.
	ErrCannotFlush error = fault.New(fault.Internal, "the server cannot stream: the response cannot be flushed")
)

const (
	// Grace is how long after a stall, or after [Stream.End], a reader that comes back is
	// still told.
	Grace = 5 * time.Second

	// The server ends the body when the handler has returned, which until then may
	// write to a slow log: with the deadline of the last event the client would see
	// a broken stream. A reader that had stalled has had its time.
	returning = time.Minute

	// The deadline is renewed for each chunk of this many bytes.
	chunk = 64 << 10
)

// A Stream is an answer made of events. It is for one goroutine, but for
// [Stream.End] and [Stream.Cut].
type Stream struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	flushers upgrade.Flushers

	limit   time.Duration
	onStall func()
	timer   *time.Timer
	ending  atomic.Pointer[ending] // nil: it goes on
	cut     atomic.Bool
	midway  bool // the last bytes written do not end an event

	mu   sync.Mutex
	gone bool // the handler returns: the writer is nobody's
}

// An ending says why a stream ends, and by when what is still to be said must be out.
type ending struct {
	why error
	by  time.Time
}

// Open answers with 200, the header of an event stream and a comment line, all
// flushed at once, or returns ErrCannotFlush, wrapped with the type that is in
// the way. A middleware that compresses flushes nothing
// while nothing is written, hence the comment. After any other error the Stream
// is there, for [Stream.Last].
//
// When the reader takes nothing for limit while bytes wait for it, onStall is
// called, once, from another goroutine; a limit of zero or less means no limit.
// Deadlines that the server or another handler set for writing are replaced. A
// ResponseWriter without deadlines is written to without.
func Open(w http.ResponseWriter, limit time.Duration, onStall func()) (*Stream, error) {
	s := &Stream{w: w, rc: http.NewResponseController(w), limit: limit, onStall: onStall}
	if s.flushers = upgrade.FlushersOf(w); len(s.flushers) == 0 {
		return nil, fmt.Errorf("%w: the middleware's %s hides http.Flusher", ErrCannotFlush, upgrade.Innermost(w))
	}
	h := w.Header()
	// Without a charset some clients decode text as ISO 8859-1, and a proxy that
	// may transform an answer collects it to compress it.
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would collect the events
	w.WriteHeader(http.StatusOK)     // else a router's own status goes out: gin's NoRoute begins with 404
	err := s.Write([]byte(": the stream is open\n\n"))
	if err == nil {
		err = s.Flush()
	}
	return s, err
}

// unflushed tells a middleware that cannot flush from a reader that is gone.
func unflushed(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("%w: %w", ErrCannotFlush, err)
	}
	return lost(err)
}

func lost(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// Ended returns why the stream ends: ErrStalled when the reader has taken nothing for the
// limit, or what End was given. Nil: it goes on.
func (s *Stream) Ended() error {
	if e := s.ending.Load(); e != nil {
		return e.why
	}
	return nil
}

// End ends the stream: what is being written has the grace to go out to the end of its
// event, and [Stream.Last] what is left of it. Only the first call counts, and none after
// a stall. It may be called from any goroutine until the handler returns.
func (s *Stream) End(why error) {
	if s.ending.CompareAndSwap(nil, &ending{why, time.Now().Add(Grace)}) {
		s.keepEnding()
	}
}

// Write sends whole events, or in several calls the pieces of one, and does
// not flush. After a stall or End it goes on to the end of the event that it is in,
// and then returns ErrStalled, or what End was given.
func (s *Stream) Write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), chunk)
		if why := s.Ended(); why != nil {
			if !s.midway {
				return why
			}
			if end := bytes.Index(p, []byte("\n\n")); end >= 0 {
				p = p[:end+2]
				n = min(n, len(p))
			}
		}
		if err := s.write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	if !s.midway {
		return s.Ended()
	}
	return nil
}

func (s *Stream) write(p []byte) error {
	s.renew()
	s.watch()
	_, err := s.w.Write(p)
	s.unwatch()
	s.midway = !bytes.HasSuffix(p, []byte("\n\n"))
	return lost(err)
}

// Flush hands what was written to the connection.
func (s *Stream) Flush() error {
	s.renew()
	s.watch()
	err := s.flushers.Flush()
	s.unwatch()
	if err == nil && !s.midway {
		return s.Ended()
	}
	return unflushed(err)
}

// Comment sends a line that parsers ignore, for proxies that cut a silent
// connection, and flushes.
func (s *Stream) Comment() error {
	if err := s.Write([]byte(": still here\n\n")); err != nil {
		return err
	}
	return s.Flush()
}

// Last sends a last event and flushes, within what is left of the grace after a
// stall or End. When the stream was left inside an event it sends nothing: a truncated
// event must never look complete.
func (s *Stream) Last(event []byte) error {
	if s.midway {
		return errors.New("the last event is not whole")
	}
	s.End(nil) // from here on nothing renews the deadline
	if _, err := s.w.Write(event); err != nil {
		return lost(err)
	}
	if err := s.flushers.Flush(); err != nil {
		return unflushed(err)
	}
	if s.Ended() != ErrStalled {
		s.deadline(returning)
		s.staysCut()
	}
	return nil
}

// Cut makes a write that is under way, and every later one, fail. It may be
// called from any goroutine until the handler returns.
func (s *Stream) Cut() {
	s.cut.Store(true)
	s.deadline(-time.Hour)
}

// renew gives the reader its full time again, unless the stream ends.
func (s *Stream) renew() {
	switch {
	case s.ending.Load() != nil:
	case s.limit <= 0:
		s.setDeadline(time.Time{}) // of the server's WriteTimeout
	default:
		s.deadline(s.limit + Grace)
	}
	s.keepEnding()
}

// keepEnding undoes what a new deadline may have done to that of an ending.
func (s *Stream) keepEnding() {
	if e := s.ending.Load(); e != nil {
		s.setDeadline(e.by)
	}
	s.staysCut()
}

// staysCut undoes what a new deadline may have done to a cut.
func (s *Stream) staysCut() {
	if s.cut.Load() {
		s.deadline(-time.Hour)
	}
}

func (s *Stream) deadline(d time.Duration) { s.setDeadline(time.Now().Add(d)) }

func (s *Stream) setDeadline(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		// A writer without deadlines can still stream; what it cannot do is end a
		// write that hangs.
		_ = s.rc.SetWriteDeadline(at)
	}
}

// Leave must be called before the handler returns: a clock that fires later leaves the
// writer alone.
func (s *Stream) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

func (s *Stream) watch() {
	if s.limit <= 0 || s.ending.Load() != nil {
		return
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(s.limit, func() {
			s.onStall()
			s.End(ErrStalled)
		})
		return
	}
	s.timer.Reset(s.limit)
}

func (s *Stream) unwatch() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
