package preauth_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

// restOfBody is more than the system's buffers and net/http take of a body that no
// handler reads.
const restOfBody = 24 << 20

// sendThenRead sends a request with a body, and only then reads the answer, as many
// clients do.
func sendThenRead(c net.Conn, head string, chunked bool) (*http.Response, error) {
	if _, err := io.WriteString(c, head); err != nil {
		return nil, err
	}
	piece := strings.Repeat("x", 64<<10)
	framed := piece
	if chunked {
		framed = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
	}
	for range restOfBody / len(piece) {
		if _, err := io.WriteString(c, framed); err != nil {
			return nil, err
		}
	}
	if chunked {
		if _, err := io.WriteString(c, "0\r\n\r\n"); err != nil {
			return nil, err
		}
	}
	return http.ReadResponse(bufio.NewReader(c), nil)
}

// early answers before the end of the body, with a key or without one.
func early(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Key") != "" {
		upgrade.KeyShown(r.Context())()
	}
	if r.URL.Path == "/some" {
		_, _ = io.ReadFull(r.Body, make([]byte, 100))
	}
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	_, _ = io.WriteString(w, "too large")
}

// A client that sends all of a body before it reads gets an answer that came before.
func TestConn_AnswerBeforeTheBodysEnd_IsRead(t *testing.T) {
	t.Parallel()
	plain := serve(t, false, testTimeout, early)
	secure := httptest.NewUnstartedServer(nil)
	g, ln, _ := listenTLS(t, testTimeout, func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} })
	secure.Listener.Close()
	secure.Listener, secure.Config.Handler = ln, g.Handler(http.HandlerFunc(early))
	secure.Config.ConnContext, secure.Config.ConnState = g.ConnContext, g.ConnState
	secure.Start()
	t.Cleanup(secure.Close)
	secure.TLS = new(tls.Config) // so that dial speaks it
	for name, s := range map[string]*httptest.Server{"plain": plain, "TLS": secure} {
		for _, header := range []string{"", "Key: a\r\n", "Connection: close\r\n", "Key: a\r\nConnection: close\r\n"} {
			for _, path := range []string{"/none", "/some"} {
				for framing, chunked := range map[string]bool{fmt.Sprintf("Content-Length: %d\r\n", restOfBody): false, "Transfer-Encoding: chunked\r\n": true} {
					t.Run(fmt.Sprintf("%s %s %q %q", name, path, header, framing), func(t *testing.T) {
						t.Parallel()
						resp, err := sendThenRead(dial(t, s), "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+header+framing+"\r\n", chunked)
						if err != nil {
							t.Fatal(err)
						}
						body, err := io.ReadAll(resp.Body)
						if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "too large" {
							t.Errorf("%s %q %v", resp.Status, body, err)
						}
					})
				}
			}
		}
	}
}

// ends writes what comes until the connection is closed, and returns the error.
func ends(c net.Conn) error {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		<-pause.C
	}
}

// ask sends the head of a request and reads all of the answer: the end of the stream does
// not wait for the rest of the body.
func ask(t *testing.T, c net.Conn, header string) {
	t.Helper()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+header+"Content-Length: 1000000000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), " 413 ") {
		t.Fatalf("%q %v", answer, err)
	}
}

// A request without a key has no more time for the rest of its body than for the body.
func TestConn_RestWithoutKey_IsBounded(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, false, 2*time.Second, early))
	ask(t, c, "")
	if err := ends(c); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v", err)
	}
}

// A client that sends nothing more is not waited for.
func TestConn_RestThatDoesNotCome_IsNotWaitedFor(t *testing.T) {
	t.Parallel()
	p := listen(t, preauth.Options{BodyTimeout: time.Hour})
	ask(t, dial(t, serveOn(t, p)), "")
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(testTimeout); p.guard.Len() > 0; <-pause.C {
		if time.Now().After(end) {
			t.Fatal("the connection stays")
		}
	}
}

// serveOn serves early behind the guard of a place.
func serveOn(t *testing.T, p *place) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(p.guard.Handler(http.HandlerFunc(early)))
	s.Listener.Close()
	s.Listener = p.ln
	s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// A shutdown does not wait for what clients still send.
func TestGuard_Shutdown_EndsWhatLingers(t *testing.T) {
	t.Parallel()
	p := listen(t, preauth.Options{})
	s := serveOn(t, p)
	s.Config.RegisterOnShutdown(p.guard.Shutdown)
	c := dial(t, s)
	ask(t, c, "Key: a\r\n")
	end := make(chan error, 1)
	go func() { end <- ends(c) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it would linger for 30
	defer cancel()
	if err := s.Config.Shutdown(ctx); err != nil {
		t.Errorf("the shutdown: %v", err)
	}
	<-end
}

// Nor does it wait for a body that does not come and that its handler has left.
func TestGuard_ShutdownWithABodyWithheld_Ends(t *testing.T) {
	for name, header := range map[string]string{"with a key": "Key: a\r\n", "without": ""} {
		for framing, rest := range map[string]string{"length": "Content-Length: 10\r\n\r\n", "begun": "Content-Length: 10\r\n\r\na", "chunked": "Transfer-Encoding: chunked\r\n\r\n"} {
			for _, before := range []bool{false, true} { // whether the handler returns before the shutdown begins
				t.Run(fmt.Sprintf("%s, %s, before %v", name, framing, before), func(t *testing.T) {
					t.Parallel()
					p := listen(t, preauth.Options{BodyTimeout: time.Hour})
					served, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
					s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(left)
						p.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							close(served)
							<-leave
							early(w, r)
						})).ServeHTTP(w, r)
					}))
					s.Listener.Close()
					s.Listener = p.ln
					s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
					down := make(chan struct{})
					s.Config.RegisterOnShutdown(func() { p.guard.Shutdown(); close(down) })
					s.Start()
					t.Cleanup(s.Close)
					c := dial(t, s)
					if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+header+rest); err != nil {
						t.Fatal(err)
					}
					<-served
					if before {
						close(leave)
						<-left
					}
					ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
					defer cancel()
					ended := make(chan error, 1)
					go func() { ended <- s.Config.Shutdown(ctx) }()
					<-down
					if !before {
						close(leave)
					}
					if err := <-ended; err != nil {
						t.Errorf("the shutdown: %v", err)
					}
					if answer, err := io.ReadAll(c); !strings.Contains(string(answer), "413") {
						t.Errorf("%q %v", answer, err)
					}
				})
			}
		}
	}
}

// A body that does not come keeps no connection when somebody still reads it whom the handler
// has left behind, as an HTTP client does whose target answers early.
func TestHandler_BodyWithheldFromAReaderLeftBehind_ConnectionEnds(t *testing.T) {
	for framing, rest := range map[string]string{"length": "Content-Length: 10\r\n\r\na", "chunked": "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"} {
		for _, header := range []string{"Key: a\r\n", ""} {
			t.Run(fmt.Sprintf("%s, %q", framing, header), func(t *testing.T) {
				t.Parallel()
				p := listen(t, preauth.Options{BodyTimeout: time.Second})
				read := make(chan struct{})
				s := httptest.NewUnstartedServer(p.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Key") != "" {
						upgrade.KeyShown(r.Context())()
					}
					http.NewResponseController(w).EnableFullDuplex()
					w.Header().Set("Connection", "close")
					begun := make(chan struct{})
					go func() {
						defer close(read)
						io.ReadFull(r.Body, make([]byte, 1))
						close(begun)
						io.Copy(io.Discard, r.Body)
					}()
					<-begun
					for range 100 {
						runtime.Gosched() // mostly it waits by now
					}
					w.WriteHeader(http.StatusTeapot)
				})))
				s.Listener.Close()
				s.Listener = p.ln
				s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
				s.Start()
				t.Cleanup(s.Close)
				c := dial(t, s)
				if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+header+rest); err != nil {
					t.Fatal(err)
				}
				if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), "418") {
					t.Errorf("%q %v", answer, err)
				}
				<-read
			})
		}
	}
}

// A handler that panics has its connection cut: what it has written of an answer must not
// look whole.
func TestConn_HandlerPanics_IsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, false, testTimeout, func(w http.ResponseWriter, r *http.Request) {
		upgrade.KeyShown(r.Context())()
		_, _ = io.ReadFull(r.Body, make([]byte, 64<<10)) // more has arrived
		panic(http.ErrAbortHandler)
	})
	c := dial(t, s)
	sent := make(chan error, 1)
	go func() {
		_, err := sendThenRead(c, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", restOfBody), false)
		sent <- err
	}()
	if err := <-sent; !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sends all: %v", err)
	}
}
