package preauth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

// An unread answer is larger than what systems buffer.
const unread = 32 << 20

// serveLarge answers with more than is buffered, to the key shown or not as the request
// says, and tells how each handler ended.
func serveLarge(t *testing.T, over2 bool, timeout time.Duration) (*httptest.Server, chan error) {
	t.Helper()
	return serveLargeTo(t, preauth.Options{StallTimeout: timeout}, over2)
}

func serveLargeTo(t *testing.T, o preauth.Options, over2 bool) (*httptest.Server, chan error) {
	t.Helper()
	p := listen(t, o)
	ended := make(chan error, 200)
	s := httptest.NewUnstartedServer(p.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Key") != "" {
			upgrade.KeyShown(r.Context())()
		}
		_, err := io.Copy(w, bytes.NewReader(make([]byte, unread)))
		ended <- err
	})))
	s.Listener.Close()
	s.Listener = p.ln
	s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
	s.Config.RegisterOnShutdown(p.guard.Shutdown)
	if s.EnableHTTP2 = over2; over2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, ended
}

// wantCut awaits the end of a handler that could not write its answer.
func wantCut(t *testing.T, ended chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the answer was written")
		}
	case <-time.After(testTimeout):
		t.Error("the handler goes on")
	}
}

// A client that opens a stream of HTTP/2 and gives it no window holds its handler for a
// while only, though its connection answers.
func TestHandler_StreamUnread_IsEnded(t *testing.T) {
	t.Parallel()
	s, ended := serveLarge(t, true, 500*time.Millisecond)
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(c, http2.ClientPreface)
	framer := http2.NewFramer(c, bufio.NewReader(c))
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	for reset := false; !reset; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			reset = frame.StreamID == 1
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.DataFrame:
			t.Errorf("%d bytes come without a window", len(frame.Data()))
		}
	}
	wantCut(t, ended)
}

// A client that reads slowly gets all of an answer, and so does one that has shown a key
// and rests for as long as it likes.
func TestHandler_AnswerReadSlowly_ComesWhole(t *testing.T) {
	const timeout = 8 * time.Second
	for _, over2 := range []bool{false, true} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("HTTP/2 %v, known %v", over2, known), func(t *testing.T) {
				t.Parallel()
				s, ended := serveLarge(t, over2, timeout)
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				pause, piece := timeout/12, int64(unread/24)
				if known {
					req.Header.Set("Key", "a")
					pause, piece = 2*timeout, unread
				}
				resp, err := s.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if over2 != (resp.ProtoMajor == 2) {
					t.Fatalf("over %s", resp.Proto)
				}
				var read int64
				for err == nil {
					if read < unread {
						time.Sleep(pause) // a slow reader, who is not waited for
					}
					var n int64
					n, err = io.CopyN(io.Discard, resp.Body, piece)
					read += n
				}
				if !errors.Is(err, io.EOF) || read != unread {
					t.Errorf("%d bytes come, %v", read, err)
				}
				if err := <-ended; err != nil {
					t.Errorf("the handler: %v", err)
				}
			})
		}
	}
}

// Nor does a shutdown wait for one, wherever its answer waits for a window: in a write, in a
// flush, or behind its handler.
func TestGuard_ShutdownWithAStreamUnread_Ends(t *testing.T) {
	large := func(w http.ResponseWriter) error {
		_, err := io.Copy(w, bytes.NewReader(make([]byte, unread)))
		return err
	}
	flush := func(w http.ResponseWriter) error {
		io.WriteString(w, "answer")
		return http.NewResponseController(w).Flush()
	}
	tail := func(w http.ResponseWriter) error { _, err := io.WriteString(w, "answer"); return err }
	for name, answer := range map[string]func(http.ResponseWriter) error{"write": large, "flush": flush, "tail": tail} {
		for _, during := range []bool{false, true} { // whether the handler answers when the shutdown has begun
			t.Run(fmt.Sprintf("%s, during %v", name, during), func(t *testing.T) {
				t.Parallel()
				p := listen(t, preauth.Options{StallTimeout: time.Hour})
				served, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
				s := httptest.NewUnstartedServer(p.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(left)
					close(served)
					<-leave
					answer(w)
				})))
				s.Listener.Close()
				s.Listener = p.ln
				s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
				down := make(chan struct{})
				s.Config.RegisterOnShutdown(func() { p.guard.Shutdown(); close(down) })
				s.EnableHTTP2 = true
				s.StartTLS()
				t.Cleanup(s.Close)
				f := dialFramed(t, s)
				id := f.ask("GET")
				<-served
				if !during {
					close(leave)
					f.refused(id) // its answer has begun
				}
				if name == "tail" && !during {
					<-left
				}
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- s.Config.Shutdown(ctx) }()
				<-down
				if during {
					close(leave)
				}
				if err := <-ended; err != nil {
					t.Errorf("the shutdown: %v", err)
				}
				<-left
			})
		}
	}
}
