package preauth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// A deadlineWriter notes how long a write may take from when its deadline is set; zero: for ever.
type deadlineWriter struct {
	http.ResponseWriter
	left time.Duration
	sets int
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error {
	w.sets++
	if w.left = 0; !t.IsZero() {
		w.left = time.Until(t)
	}
	return nil
}

func (w *deadlineWriter) Flush() {}

// The time for a piece of a stream's answer is that of the guard, shorter in a shutdown, unless the
// handler has set one or the request has shown a key; what is left at the end has one again.
func TestStreamWriter_Deadlines_AreTheHandlersOrTheGuards(t *testing.T) {
	const stall = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			over       bool          // the server shuts down
			own        time.Duration // set by the handler
			taken      bool          // back by the handler
			known      bool
			sets       bool // the guard does
			in, behind time.Duration
			atEnd      time.Duration
		}{
			"no key":                     {sets: true, in: 4 * stall, behind: 4 * stall, atEnd: 4 * stall},
			"shutdown":                   {over: true, sets: true, in: drainStall, behind: 4 * stall, atEnd: drainStall},
			"handler's own":              {own: time.Hour, in: time.Hour, behind: time.Hour, atEnd: time.Hour},
			"handler's own, in shutdown": {over: true, own: time.Hour, in: time.Hour, behind: time.Hour, atEnd: time.Hour},
			"handler's own, taken back":  {own: time.Hour, taken: true, sets: true, in: 4 * stall, behind: 4 * stall, atEnd: 4 * stall},
			"key":                        {known: true, atEnd: 4 * stall},
			"key, in shutdown":           {over: true, known: true, atEnd: drainStall},
			"key, and handler's own":     {known: true, own: time.Hour, in: time.Hour, behind: time.Hour, atEnd: time.Hour},
		} {
			g := &Guard{o: Options{StallTimeout: stall}}
			d := &deadlineWriter{ResponseWriter: httptest.NewRecorder()}
			w := g.stream(d, http.NewResponseController(d))
			if len(g.streams) != 1 {
				t.Errorf("%s: the shutdown does not know the stream", name)
			}
			if c.own > 0 {
				w.SetWriteDeadline(time.Now().Add(c.own))
			}
			if c.taken {
				w.SetWriteDeadline(time.Time{})
			}
			if c.known {
				w.lift()
			}
			d.sets = 0
			w.hurry() // nothing is being written
			if d.sets != 0 {
				t.Errorf("%s: the handler has no longer than %v", name, d.left)
			}
			g.over.Store(c.over)
			for _, write := range []func() error{w.FlushError, func() error { _, err := w.Write([]byte("x")); return err }} {
				if err := write(); err != nil {
					t.Error(err)
				}
				if d.left != c.behind || (d.sets > 0) != c.sets {
					t.Errorf("%s: behind a piece %v are left, want %v; set %d times", name, d.left, c.behind, d.sets)
				}
			}
			w.piece(func() (int, error) {
				if d.left != c.in {
					t.Errorf("%s: %v for a piece, want %v", name, d.left, c.in)
				}
				g.over.Store(true) // while it is being written
				w.hurry()
				if want := drainStall; c.sets && d.left != want {
					t.Errorf("%s: %v for a piece when the shutdown begins, want %v", name, d.left, want)
				} else if !c.sets && d.left != c.in {
					t.Errorf("%s: %v for a piece when the shutdown begins, want %v", name, d.left, c.in)
				}
				return 0, nil
			})
			g.over.Store(c.over)
			if w.end(); d.left != c.atEnd || len(g.streams) != 0 {
				t.Errorf("%s: %v at the end, want %v; %d streams are known", name, d.left, c.atEnd, len(g.streams))
			}
		}
	})
}
