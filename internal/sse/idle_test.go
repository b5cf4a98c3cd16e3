package sse_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/sse"
)

// A reader has stalled when bytes wait for it. Between events, however long, none do, and
// each event has the full limit.
func TestStream_NothingToWrite_NeverStalls(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, time.Minute, -1} {
		synctest.Test(t, func(t *testing.T) {
			w, r := newWire()
			s := open(t, w, r, limit, func() { t.Errorf("%v: stalled", limit) })
			text := make(chan string)
			go func() {
				b, _ := io.ReadAll(r)
				text <- string(b)
			}()
			want := ""
			for _, pause := range []time.Duration{limit / 2, limit, limit + sse.Grace, 100 * limit, time.Hour} {
				time.Sleep(pause)
				if err := s.Write(event(pause.String())); err != nil {
					t.Fatalf("%v: %v after %v: %v", limit, s.Ended(), pause, err)
				}
				time.Sleep(pause)
				if err := s.Comment(); err != nil {
					t.Fatalf("%v: %v after %v: %v", limit, s.Ended(), pause, err)
				}
				want += string(event(pause.String())) + ": still here\n\n"
			}
			w.conn.Close()
			if got := <-text; got != want {
				t.Errorf("%v: got %q, want %q", limit, got, want)
			}
		})
	}
}

// A slowFlush holds what is written until the flush, as net/http's buffer does.
type slowFlush struct {
	*wire
	held []byte
}

func (w *slowFlush) Write(p []byte) (int, error) { w.held = append(w.held, p...); return len(p), nil }

func (w *slowFlush) FlushError() error {
	_, err := w.wire.Write(w.held)
	w.held = nil
	return err
}

// What a server holds back waits for the reader in the flush.
func TestFlush_ReaderTakesNothing_Stalls(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			near, r := newWire()
			w := &slowFlush{wire: near}
			stalled := make(chan time.Time, 1)
			begun := make(chan struct{})
			go func() {
				io.ReadFull(r, make([]byte, len(opening)))
				close(begun)
			}()
			s, err := sse.Open(w, time.Minute, func() { stalled <- time.Now() })
			if err != nil {
				t.Fatal(err)
			}
			<-begun
			if err := s.Write(event("1")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pause)
			start := time.Now()
			if err := s.Flush(); !errors.Is(err, sse.ErrLost) || s.Ended() != sse.ErrStalled {
				t.Errorf("Flush: %v, ended by %v", err, s.Ended())
			}
			if d := time.Since(start); d != time.Minute+sse.Grace {
				t.Errorf("lost after %v", d)
			}
			if d := (<-stalled).Sub(start); d != time.Minute {
				t.Errorf("stalled after %v", d)
			}
		})
	}
}

// A stream that ends or stalls during a flush says so at once.
func TestFlush_StreamEnds_SaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("ended by request")
		w, r := newWire()
		s := open(t, w, r, time.Minute, func() {})
		s.End(why)
		s.End(errors.New("a second reason"))
		if err := s.Flush(); err != why {
			t.Errorf("Flush: %v", err)
		}
		if err := s.Comment(); err != why {
			t.Errorf("Comment: %v", err)
		}
		if err := s.Write(event("1")); err != why {
			t.Errorf("Write: %v", err)
		}
	})
}

// An event whose end never came is not completed by the last one.
func TestLast_StreamLeftInsideAnEvent_SendsNothing(t *testing.T) {
	for _, part := range []string{"data: half", "data: half\n", strings.Repeat("x", 100_000)} {
		synctest.Test(t, func(t *testing.T) {
			w, r := newWire()
			s := open(t, w, r, time.Minute, func() {})
			text := make(chan string)
			go func() {
				b, _ := io.ReadAll(r)
				text <- string(b)
			}()
			if err := s.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
			if err := s.Last(event("last")); err == nil {
				t.Errorf("a last event was sent behind %.20q", part)
			}
			w.conn.Close()
			if got := <-text; got != part {
				t.Errorf("%d bytes, want %d", len(got), len(part))
			}
		})
	}
}

// The deadline that a server set for the whole answer does not end a stream.
func TestOpen_ServerHasAWriteTimeout_IsReplaced(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w, r := newWire()
			w.SetWriteDeadline(time.Now().Add(time.Second)) // as http.Server.WriteTimeout does
			s := open(t, w, r, limit, func() {})
			go func() {
				time.Sleep(time.Minute)
				io.Copy(io.Discard, r)
			}()
			if err := s.Write(event("1")); err != nil {
				t.Errorf("limit %v: %v", limit, err)
			}
			w.conn.Close()
		})
	}
}

// nginx collects an answer that does not say this.
func TestOpen_Header_ForbidsProxiesToCollect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		open(t, w, r, time.Minute, func() {})
		for name, want := range map[string]string{"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-transform"} {
			if got := w.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		w.conn.Close()
	})
}
