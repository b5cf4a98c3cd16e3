package sse_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/sse"
)

// A clock that fires when the handler has returned leaves the writer alone, which
// net/http uses for something else then.
func TestLeave_ClockFiresLater_WriterIsLeftAlone(t *testing.T) {
	w := &countingWriter{ResponseWriter: httptest.NewRecorder()}
	s, err := sse.Open(w, time.Minute, func() {})
	if err != nil {
		t.Fatal(err)
	}
	s.Leave()
	before := w.deadlines
	s.End(errors.New("ended"))
	s.Cut()
	if w.deadlines != before {
		t.Errorf("%d deadlines were set behind the handler", w.deadlines-before)
	}
}

// A countingWriter counts the deadlines that it is given.
type countingWriter struct {
	http.ResponseWriter
	deadlines int
}

func (w *countingWriter) SetWriteDeadline(time.Time) error { w.deadlines++; return nil }
func (w *countingWriter) Unwrap() http.ResponseWriter      { return w.ResponseWriter }
