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
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

const testTimeout = time.Minute

// serve serves a handler behind a guard.
func serve(t *testing.T, over2 bool, timeout time.Duration, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	p := listen(t, preauth.Options{BodyTimeout: timeout})
	s := httptest.NewUnstartedServer(p.guard.Handler(h))
	s.Listener.Close()
	s.Listener = p.ln
	s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
	if s.EnableHTTP2 = over2; over2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// dial opens a connection to a server.
func dial(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	if s.TLS != nil {
		c, err = tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	} else {
		c, err = net.Dial("tcp", s.Listener.Addr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testTimeout))
	return c
}

// answers shows a key for those who say so, and answers as the path says.
func answers(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Key") != "" {
		upgrade.KeyShown(r.Context())()
	}
	switch r.URL.Path {
	case "/unread":
	case "/read":
		io.Copy(io.Discard, r.Body)
	case "/close":
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(http.StatusAccepted)
}

// A body that does not come is waited for as long as the bound says, whatever the handler
// does with it, and the answer comes all the same. With a key the bound begins when the
// handler has left the body.
func TestHandler_WithheldBody_AnsweredAndClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, false, 2*time.Second, answers)
	asked := make(map[string]*bufio.Reader)
	answered := func(name string) bool {
		t.Helper()
		resp, err := http.ReadResponse(asked[name], nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return false
		}
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %s", name, resp.Status)
		}
		return true
	}
	for _, path := range []string{"/unread", "/read", "/close"} {
		for kind, rest := range map[string]string{
			"withheld":       "Content-Length: 1\r\n\r\n",
			"chunked":        "Transfer-Encoding: chunked\r\n\r\n",
			"chunked, begun": "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
			"begun":          "Content-Length: 100000\r\n\r\na",
			"large":          "Content-Length: 1000000\r\n\r\n",
		} {
			for _, shown := range []string{"never", "before", "now"} {
				if shown == "now" && path == "/read" { // which takes its time
					continue
				}
				c, name, key := dial(t, s), fmt.Sprintf("%s, %s, key shown %s", path, kind, shown), ""
				asked[name] = bufio.NewReader(c)
				switch shown {
				case "before": // by an earlier request, such as another client's of a proxy
					io.WriteString(c, "POST /read HTTP/1.1\r\nHost: x\r\nKey: a\r\nContent-Length: 1\r\n\r\na")
					answered(name)
				case "now":
					key = "Key: a\r\n"
				}
				io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+key+rest)
			}
		}
	}
	for name, r := range asked {
		if !answered(name) {
			continue
		}
		if _, err := r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is open: %v", name, err)
		}
	}
}

// Over HTTP/2 the bound is the request's, and the connection serves others.
func TestHandler_WithheldBodyOverHTTP2_Answered(t *testing.T) {
	s := serve(t, true, 100*time.Millisecond, answers)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for range 2 {
		body, withheld := io.Pipe()
		defer withheld.Close()
		req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/read", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s %s", resp.Proto, resp.Status)
		}
	}
}

// withholdBody withholds a body and returns when its connection is closed, the bound's time
// later.
func withholdBody(t *testing.T, s *httptest.Server) {
	t.Helper()
	c := dial(t, s)
	io.WriteString(c, "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection without a key stays open")
	}
}

// A body whose request has shown a key comes as slowly as it likes, over HTTP/2 as well,
// and so does the answer.
func TestHandler_KeyShown_BodyTakesItsTime(t *testing.T) {
	for _, over2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", over2), func(t *testing.T) {
			t.Parallel()
			s := serve(t, over2, 3*time.Second, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Key") == "" {
					answers(w, r)
					return
				}
				upgrade.KeyShown(r.Context())()
				rc := http.NewResponseController(w)
				if r.ProtoMajor == 1 {
					rc.EnableFullDuplex()
				}
				rc.Flush()
				b := make([]byte, 1)
				for {
					n, err := r.Body.Read(b)
					w.Write(b[:n])
					rc.Flush()
					if err == io.EOF {
						return
					} else if err != nil {
						panic(http.ErrAbortHandler)
					}
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			body, send := io.Pipe()
			defer send.Close()
			req, err := http.NewRequestWithContext(ctx, "POST", s.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Key", "a")
			resp, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if over2 != (resp.ProtoMajor == 2) {
				t.Fatalf("over %s", resp.Proto)
			}
			io.WriteString(send, "a")
			if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			withholdBody(t, s)
			io.WriteString(send, "b")
			send.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "b" {
				t.Errorf("the rest is %q, %v", b, err)
			}
		})
	}
}

// The deadlines of a connection that was hijacked are its owner's: none is left from
// before, and a key that is shown later, or the handler's end, changes none.
func TestHandler_Hijacked_DeadlinesAreItsOwners(t *testing.T) {
	early, owned := make(chan error, 1), make(chan net.Conn, 1)
	s := serve(t, false, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/hijack") {
			answers(w, r)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			early <- err
			return
		}
		c.SetReadDeadline(time.Unix(1, 0))
		upgrade.KeyShown(r.Context())()
		_, err = c.Read(make([]byte, 1))
		c.SetReadDeadline(time.Time{})
		early <- err
		owned <- c
	})
	client := dial(t, s)
	io.WriteString(client, "POST /hijack HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
	if err := <-early; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("with a deadline that has passed the owner reads %v", err)
	}
	server := <-owned
	defer server.Close()
	withholdBody(t, s) // the time of the bound has passed
	io.WriteString(client, "a")
	b := make([]byte, 1)
	if _, err := io.ReadFull(server, b); err != nil {
		t.Errorf("after the time of the bound: %v", err)
	}
	if _, err := server.Write(b); err != nil {
		t.Errorf("after the time of the bound: %v", err)
	}
	if _, err := io.ReadFull(client, b); err != nil {
		t.Errorf("the client, after the time of the bound: %v", err)
	}
}

// net/http hands the preface of HTTP/2 (RFC 9113, section 3.4) to a handler as a request, over a
// connection of HTTP/1.1. TestMain finds what is left of it when the connection has ended.
func TestHandler_PrefaceOfHTTP2WithoutTLS_LeavesNothing(t *testing.T) {
	s := serve(t, false, testTimeout, answers)
	for range 3 {
		c := dial(t, s)
		io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 202 ") {
			t.Errorf("%q, %v", b, err)
		}
	}
}
