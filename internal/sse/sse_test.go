package sse_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/sse"
)

// A wire is a ResponseWriter over an in-memory pipe. After a failure it fails
// for good, as net/http's own buffer does.
type wire struct {
	header http.Header
	conn   net.Conn
	failed error
}

func newWire() (*wire, net.Conn) {
	near, far := net.Pipe()
	return &wire{header: http.Header{}, conn: near}, far
}

func (w *wire) Header() http.Header                { return w.header }
func (w *wire) WriteHeader(int)                    {}
func (w *wire) FlushError() error                  { return w.failed }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }

func (w *wire) Write(p []byte) (n int, err error) {
	if w.failed == nil {
		n, w.failed = w.conn.Write(p)
	}
	return n, w.failed
}

const opening = ": the stream is open\n\n"

// open opens a stream of w and reads what every stream begins with from r.
func open(t *testing.T, w *wire, r net.Conn, limit time.Duration, onStall func()) *sse.Stream {
	t.Helper()
	begun := make(chan string, 1)
	go func() {
		b := make([]byte, len(opening))
		_, err := io.ReadFull(r, b)
		if err != nil {
			b = []byte(err.Error())
		}
		begun <- string(b)
	}()
	s, err := sse.Open(w, limit, onStall)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-begun; got != opening {
		t.Errorf("the stream begins with %q", got)
	}
	return s
}

func event(i string) []byte { return []byte("data: " + i + "\n\n") }

func TestStream_ReaderStallsAndReads_GetsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		start := time.Now()
		var at time.Duration
		s := open(t, w, r, time.Minute, func() { at = time.Since(start) })
		text := make(chan string)
		go func() {
			time.Sleep(time.Minute + sse.Grace/2)
			b, _ := io.ReadAll(r)
			text <- string(b)
		}()
		// The stall falls into the first chunk, which ends inside event 3.
		events := append(event("1"), event("2")...)
		events = append(events, event(strings.Repeat("3", 100_000))...)
		events = append(events, event("4")...)
		if err := s.Write(events); !errors.Is(err, sse.ErrStalled) {
			t.Fatalf("Write: %v", err)
		}
		if at != time.Minute || s.Ended() != sse.ErrStalled {
			t.Errorf("stalled after %v", at)
		}
		if err := s.Write(event("5")); !errors.Is(err, sse.ErrStalled) {
			t.Errorf("Write after the stall: %v", err)
		}
		if err := s.Last(event("last")); err != nil {
			t.Fatal(err)
		}
		w.conn.Close()
		if got, want := <-text, "data: 1\n\ndata: 2\n\n"+string(event(strings.Repeat("3", 100_000)))+"data: last\n\n"; got != want {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	})
}

func TestStream_ReaderStallsForGood_IsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		s := open(t, w, r, time.Minute, func() {})
		start := time.Now()
		if err := s.Write(event("1")); !errors.Is(err, sse.ErrLost) {
			t.Errorf("Write: %v", err)
		}
		if d := time.Since(start); d != time.Minute+sse.Grace {
			t.Errorf("lost after %v", d)
		}
		if err := s.Last(event("last")); err == nil {
			t.Error("the last event of a lost stream was written")
		}
	})
}

// A stream that is ended while its reader takes nothing has the grace, whatever its limit;
// a reader that comes back in that time has its event whole, and the last one.
func TestStream_EndedWhileReaderTakesNothing_HasTheGrace(t *testing.T) {
	why := errors.New("ended by request")
	for _, limit := range []time.Duration{0, time.Minute, time.Hour} {
		for _, back := range []time.Duration{time.Millisecond, sse.Grace / 2, time.Hour} {
			t.Run(limit.String()+" "+back.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, r := newWire()
					s := open(t, w, r, limit, func() {})
					start := time.Now()
					time.AfterFunc(10*time.Second, func() { s.End(why) })
					text := make(chan string, 1)
					if back < time.Hour {
						go func() {
							time.Sleep(10*time.Second + back)
							b, _ := io.ReadAll(r)
							text <- string(b)
						}()
					}
					large := event(strings.Repeat("1", 200_000))
					err := s.Write(append(large, event("2")...))
					if back == time.Hour {
						if d := time.Since(start); !errors.Is(err, sse.ErrLost) || s.Ended() != why || d != 10*time.Second+sse.Grace {
							t.Errorf("%v after %v, ended by %v", err, d, s.Ended())
						}
						return
					}
					if err != why || s.Last(event("last")) != nil {
						t.Errorf("Write: %v", err)
					}
					w.conn.Close()
					if got, want := <-text, string(large)+string(event("last")); got != want && got != string(large)+string(event("2"))+string(event("last")) {
						t.Errorf("%d bytes, want %d", len(got), len(want))
					}
				})
			})
		}
	}
}

// Between the last event and the end of the body the handler returns, past a log that
// may be slow.
func TestLast_HandlerReturnsLate_BodyCanEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		s := open(t, w, r, time.Minute, func() {})
		text := make(chan string)
		go func() {
			b, _ := io.ReadAll(r)
			text <- string(b)
		}()
		if err := s.Last(event("last")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * sse.Grace)
		if _, err := w.Write([]byte("0\r\n\r\n")); err != nil {
			t.Errorf("the server cannot end the body: %v", err)
		}
		w.conn.Close()
		if got, want := <-text, "data: last\n\n0\r\n\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A reader that had stalled has the last event, and no further time by it.
func TestLast_ReaderHadStalled_GraceIsNotRenewed(t *testing.T) {
	for _, back := range []time.Duration{time.Second, sse.Grace / 2, sse.Grace - time.Millisecond} {
		t.Run(back.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, r := newWire()
				start := time.Now()
				s := open(t, w, r, time.Minute, func() {})
				text := make(chan string)
				go func() {
					time.Sleep(time.Minute + back)
					b := make([]byte, len(event("1"))+len(event("last")))
					n, _ := io.ReadFull(r, b)
					text <- string(b[:n])
				}()
				if err := s.Write(event("1")); !errors.Is(err, sse.ErrStalled) {
					t.Fatalf("Write: %v", err)
				}
				if err := s.Last(event("last")); err != nil {
					t.Fatal(err)
				}
				if got, want := <-text, string(event("1"))+string(event("last")); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				// The reader takes nothing again: the server cannot end the body.
				if _, err := w.Write([]byte("0\r\n\r\n")); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the end of the body: %v", err)
				}
				if d := time.Since(start); d != time.Minute+sse.Grace {
					t.Errorf("the connection is held for %v", d)
				}
			})
		})
	}
}

func TestStream_SlowReader_GoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		s := open(t, w, r, time.Minute, func() { t.Error("stalled") })
		big := event(strings.Repeat("x", 1<<20))
		go func() {
			buf := make([]byte, 64<<10)
			for {
				time.Sleep(50 * time.Second)
				if _, err := io.ReadFull(r, buf); err != nil {
					return
				}
			}
		}()
		if err := s.Write(big); err != nil {
			t.Error(err)
		}
		w.conn.Close()
	})
}

func TestCut_WriteUnderWay_Fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWire()
		s := open(t, w, r, -1, nil)
		time.AfterFunc(time.Hour, s.Cut)
		start := time.Now()
		if err := s.Write(event("1")); !errors.Is(err, sse.ErrLost) || time.Since(start) != time.Hour {
			t.Errorf("Write: %v after %v", err, time.Since(start))
		}
		w.failed = nil
		if err := s.Write(event("2")); err == nil {
			t.Error("a write after the cut went through")
		}
		if err := s.Last(event("3")); err == nil {
			t.Error("a last event after the cut went through")
		}
	})
}

func TestOpen_WriterCannotFlush_HeaderStays(t *testing.T) {
	rec := httptest.NewRecorder()
	w := struct{ http.ResponseWriter }{rec}
	w.Header().Set("Content-Type", "text/plain")
	if _, err := sse.Open(w, 0, nil); !errors.Is(err, sse.ErrCannotFlush) {
		t.Fatalf("Open: %v", err)
	}
	if h := w.Header(); len(h) != 1 || h.Get("Content-Type") != "text/plain" {
		t.Errorf("header: %v", h)
	}
}

func TestWriter_BehindUnwrap_Flushes(t *testing.T) {
	done := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sse.Open(harness.OnlyUnwrap{Inner: harness.OnlyUnwrap{Inner: w}}, time.Minute, func() {})
		if err == nil {
			err = s.Comment()
		}
		<-r.Context().Done() // what is above has come through
		done <- err
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 100)
	n, err := io.ReadAtLeast(resp.Body, buf, len(opening+": still here\n\n"))
	if err != nil || string(buf[:n]) != opening+": still here\n\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-cache, no-transform" {
		t.Errorf("Cache-Control %q", got)
	}
	resp.Body.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A holder keeps what is written until it is flushed, and then looks for a
// Flusher in the next layer alone, as chi's Compress does.
type holder struct {
	http.ResponseWriter
	held []byte
}

func (h *holder) Write(p []byte) (int, error) { h.held = append(h.held, p...); return len(p), nil }
func (h *holder) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *holder) Flush() {
	if len(h.held) == 0 {
		return
	}
	h.ResponseWriter.Write(h.held)
	h.held = nil
	if f, ok := h.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// A flusher below cannot flush by itself.
type flushFails struct{ http.ResponseWriter }

func (d flushFails) FlushError() error           { return http.ErrNotSupported }
func (d flushFails) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// A demanding layer panics where the one below has no Flush, as gin's does.
type demanding struct{ http.ResponseWriter }

func (d demanding) Flush()                      { d.ResponseWriter.(http.Flusher).Flush() }
func (d demanding) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func TestOpen_LayersThatFlushInPart_ArriveAtOnce(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"a holder above a layer without Flush": func(w http.ResponseWriter) http.ResponseWriter {
			return &holder{ResponseWriter: harness.OnlyUnwrap{Inner: w}}
		},
		"a layer whose Flush panics": func(w http.ResponseWriter) http.ResponseWriter { return demanding{harness.OnlyUnwrap{Inner: w}} },
		"a layer whose Flush fails":  func(w http.ResponseWriter) http.ResponseWriter { return flushFails{harness.OnlyUnwrap{Inner: w}} },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := sse.Open(wrap(w), time.Minute, func() {})
				<-r.Context().Done() // until the client has read what was flushed
				done <- err
			}))
			defer srv.Close()
			resp, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, len(opening))
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != opening {
				t.Errorf("read %q, %v", b, err)
			}
			resp.Body.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpen_NoLayerFlushes_Fails(t *testing.T) {
	rec := httptest.NewRecorder()
	w := flushFails{struct{ http.ResponseWriter }{rec}}
	if _, err := sse.Open(w, 0, nil); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("Open: %v", err)
	}
}
