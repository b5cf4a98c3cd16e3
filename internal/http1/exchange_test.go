package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/http1"
)

// Requests look as those of net/http do.
func TestRoundTrip_Requests_AreWrittenAsNetHTTPDoes(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "X!#~"} {
		for _, address := range []string{"http://a.example", "http://a.example:81/a%2Fb?c=d", "http://[::1]:80/?", "http://a.example/ä"} {
			for _, body := range []string{"", "short", strings.Repeat("long", 3000)} {
				req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header = http.Header{"X-B": {"2", " 3 "}, "X-A": {""}, "User-Agent": {"u"}, "Accept": {"*/*"}, "Content-Length": {"7"}, "Transfer-Encoding": {"gzip"}, "Host": {"b"}, "Trailer": {"X"}}
				o := http1.Options{}
				if body != "" {
					req.ContentLength = int64(len(body))
					o.Body = strings.NewReader(body)
					req.Body = io.NopCloser(strings.NewReader(body))
				}
				s := &script{text: ok + "Content-Length: 0\r\n\r\n"}
				conn, _ := over(s)
				if _, err := conn.RoundTrip(req, o); err != nil {
					t.Fatal(err)
				}
				var want strings.Builder
				if err := req.Write(&want); err != nil {
					t.Fatal(err)
				}
				if got := s.request(); got != want.String() {
					t.Errorf("got\n%.400s\nwant\n%.400s", got, want.String())
				}
			}
		}
	}
	req := request(t, "OPTIONS")
	req.URL = &url.URL{Scheme: "http", Host: "a.example", Opaque: "*"}
	s := &script{text: ok + "Content-Length: 0\r\n\r\n"}
	conn, _ := over(s)
	if _, err := conn.RoundTrip(req, http1.Options{}); err != nil || !strings.HasPrefix(s.request(), "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n") {
		t.Errorf("%v: %s", err, s.request())
	}
}

// A body whose length is not known goes in chunks, and its trailers behind it.
func TestRoundTrip_BodyOfUnknownLength_GoesInChunks(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		for _, body := range []string{"", "b", strings.Repeat("body", 100_000)} {
			got := make(chan *http.Request, 1)
			conn, err := net.Dial("tcp", harness.Conns(t, func(c net.Conn) {
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(req.Body)
				if err != nil {
					t.Error(err)
				}
				req.Body = io.NopCloser(bytes.NewReader(b))
				got <- req
				io.WriteString(c, ok+"Content-Length: 0\r\n\r\n")
			}).Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := http1.NewConn(conn, conn, func() { conn.Close() }, func() {})
			req := request(t, method)
			req.ContentLength = -1
			req.Trailer = http.Header{"X-T": {"1"}, "X-None": nil, "Content-Length": {"9"}}
			resp, err := c.RoundTrip(req, http1.Options{Body: strings.NewReader(body)})
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(err)
			}
			seen := <-got
			if b, _ := io.ReadAll(seen.Body); string(b) != body {
				t.Errorf("%s: %d of %d bytes", method, len(b), len(body))
			}
			plain := method == "GET" && body == ""
			if chunked := len(seen.TransferEncoding) == 1; chunked == plain || !plain && (seen.Trailer.Get("X-T") != "1" || len(seen.Trailer) != 2) {
				t.Errorf("%s of %d bytes: %v, trailers %v", method, len(body), seen.TransferEncoding, seen.Trailer)
			}
		}
	}
}

// Names of trailers are in order, so that equal requests look the same.
func TestRoundTrip_SeveralTrailers_AreInOrder(t *testing.T) {
	req := request(t, "POST")
	req.ContentLength, req.Trailer = -1, http.Header{}
	var names []string
	var sent strings.Builder
	for c := 'A'; c <= 'L'; c++ {
		name := "X-" + string(c)
		names = append(names, name)
		req.Trailer[name] = []string{"v"}
		sent.WriteString(name + ": v\r\n")
	}
	s := &script{text: ok + "Content-Length: 0\r\n\r\n"}
	conn, _ := over(s)
	if _, err := conn.RoundTrip(req, http1.Options{Body: strings.NewReader("body")}); err != nil {
		t.Fatal(err)
	}
	if got := s.request(); !strings.Contains(got, "Trailer: "+strings.Join(names, ",")+"\r\n") || !strings.HasSuffix(got, "\r\n0\r\n"+sent.String()+"\r\n") {
		t.Errorf("sent %q", got)
	}
}

func TestRoundTrip_InvalidRequest_IsNotSent(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"method":                   func(r *http.Request) { r.Method = "GET /" },
		"host":                     func(r *http.Request) { r.Host = "a\r\nb" },
		"no host":                  func(r *http.Request) { r.Host, r.URL.Host = "", "" },
		"address":                  func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "a", Opaque: "/a\r\nX: y"} },
		"address with a blank":     func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "a", Opaque: "/a HTTP/1.1"} },
		"name of a header":         func(r *http.Request) { r.Header["X: y"] = []string{"z"} },
		"header":                   func(r *http.Request) { r.Header["X"] = []string{"y\r\nz: a"} },
		"User-Agent":               func(r *http.Request) { r.Header["User-Agent"] = []string{"y\nz"} },
		"User-Agent, the 2nd line": func(r *http.Request) { r.Header["User-Agent"] = []string{"y", "z\r"} },
	} {
		s := &script{text: ok + "\r\n"}
		conn, kept := over(s)
		req := request(t, "GET")
		change(req)
		var sent atomic.Bool
		if _, err := conn.RoundTrip(req, http1.Options{Sent: &sent}); err == nil || sent.Load() || s.request() != "" || kept.Load() || !s.closed.Load() {
			t.Errorf("%s: %v, sent %q", name, err, s.request())
		}
	}
}

// pipe returns a Conn to a target that serve plays.
func pipe(serve func(target net.Conn, br *bufio.Reader)) (c *http1.Conn, kept *atomic.Bool, ended chan struct{}) {
	near, far := net.Pipe()
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		defer far.Close()
		serve(far, bufio.NewReader(far))
	}()
	c, kept = over(near)
	return c, kept, ended
}

// endless is a body that has always more, each second, until it is closed.
type endless struct{ closed atomic.Bool }

func (e *endless) Read(b []byte) (int, error) {
	if time.Sleep(time.Second); e.closed.Load() {
		return 0, io.ErrUnexpectedEOF
	}
	return len(b), nil
}

// end waits for who reads it.
func (e *endless) end() {
	e.closed.Store(true)
	time.Sleep(2 * time.Second)
}

func TestRoundTrip_AnswerBeforeTheEndOfTheBody_ConnectionEnds(t *testing.T) {
	for _, answer := range []string{ok + "Content-Length: 0\r\n\r\n", ok + "Content-Length: 4\r\n\r\nbody", chunked + "\r\n0\r\n\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
				go io.WriteString(target, answer)
				io.Copy(io.Discard, br)
			})
			req := request(t, "POST")
			req.ContentLength = -1
			body := new(endless)
			resp, err := c.RoundTrip(req, http1.Options{Body: body})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Error(err)
			}
			<-ended // the target sees the end
			body.end()
			if kept.Load() {
				t.Error("the connection is kept")
			}
		})
	}
}

func TestRoundTrip_Expect_BodyWaitsForTheTarget(t *testing.T) {
	const done = ok + "Content-Length: 0\r\n\r\n"
	for name, tt := range map[string]struct {
		first string // what the target sends to the head
		waits time.Duration
		sent  bool // the body
	}{
		"a 100":           {"HTTP/1.1 100 Continue\r\n\r\n", 0, true},
		"a 100, at last":  {"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", 0, true},
		"nothing":         {"", http1.ContinueWait, true},
		"hints":           {"HTTP/1.1 103 Hints\r\n\r\n", http1.ContinueWait, true},
		"an answer":       {"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", 0, false},
		"an empty answer": {done, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var came time.Duration
			c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
				req, err := http.ReadRequest(br)
				if err != nil {
					t.Error(err)
					return
				}
				go io.WriteString(target, tt.first)
				b, err := io.ReadAll(req.Body)
				came = time.Since(began)
				if sent := string(b) == "body" && err == nil; sent != tt.sent {
					t.Errorf("%s: the target has %q, %v", name, b, err)
				}
				if tt.sent {
					io.WriteString(target, done)
				}
				io.Copy(io.Discard, br)
			})
			req := request(t, "POST")
			req.Header.Set("Expect", "100-Continue")
			req.ContentLength = 4
			if _, err := c.RoundTrip(req, http1.Options{Body: strings.NewReader("body")}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if kept.Load() != tt.sent || tt.sent && came != tt.waits {
				t.Errorf("%s: kept %v, the body came after %v", name, kept.Load(), came)
			}
			c.Cut()
			<-ended
		})
	}
}

func TestRoundTrip_ContextEnds_ConnectionIsCut(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		body   io.Reader
	}{
		"before the answer": {"", nil}, "within the head": {ok, nil}, "within the body": {ok + "Content-Length: 9\r\n\r\nbody", nil},
		"while a body is sent": {"", new(endless)}, "while both are": {chunked + "\r\n4\r\nbody\r\n", new(endless)},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
				if _, err := http.ReadRequest(br); err != nil {
					t.Error(err)
				}
				go io.WriteString(target, tt.answer)
				io.Copy(io.Discard, br)
			})
			ctx, cancel := context.WithCancel(t.Context())
			req := request(t, "POST").WithContext(ctx)
			req.ContentLength = -1
			time.AfterFunc(time.Minute, cancel)
			began := time.Now()
			resp, err := c.RoundTrip(req, http1.Options{Body: tt.body})
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if err == nil || time.Since(began) != time.Minute || kept.Load() {
				t.Errorf("%s: after %v: %v", name, time.Since(began), err)
			}
			<-ended
			if body, ok := tt.body.(*endless); ok {
				body.end()
			}
		})
	}
}

// A method that has no body mostly may have one that is slow to begin. Its client may wait
// for the head of the answer.
func TestRoundTrip_BodyDoesNotBegin_HeadIsSent(t *testing.T) {
	for _, begins := range []bool{true, false} {
		for _, method := range []string{"GET", "DELETE"} {
			synctest.Test(t, func(t *testing.T) {
				client, write := io.Pipe()
				c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
					req, err := http.ReadRequest(br)
					if err != nil {
						t.Error(err)
						return
					}
					io.WriteString(target, ok+"Content-Length: 4\r\n\r\n")
					if b, err := io.ReadAll(req.Body); begins != (string(b) == "hello" && err == nil) {
						t.Errorf("the target has %q, %v", b, err)
					}
					io.WriteString(target, "body")
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(time.Minute, cancel).Stop()
				req := request(t, method).WithContext(ctx)
				req.ContentLength = -1
				began := time.Now()
				resp, err := c.RoundTrip(req, http1.Options{Body: client})
				if err != nil || time.Since(began) > time.Second {
					t.Fatalf("after %v: %v", time.Since(began), err)
				}
				if begins {
					io.WriteString(write, "hello")
					write.Close()
				}
				if b, err := io.ReadAll(resp.Body); begins != (string(b) == "body" && err == nil) || begins != kept.Load() {
					t.Errorf("%q, %v, kept %v", b, err, kept.Load())
				}
				if !begins && time.Since(began) != time.Minute {
					t.Errorf("the end of the context cut it after %v", time.Since(began))
				}
				write.Close()
				c.Cut()
				<-ended
			})
		}
	}
}

// The body of a request may be what is not valid; its error is the exchange's.
func TestRoundTrip_BodyFails_SaysItsError(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		length int64
		body   io.Reader
		want   string
	}{
		"an error":  {-1, io.MultiReader(strings.NewReader("bo"), errorReader{broken}), "broken"},
		"too short": {4, strings.NewReader("bo"), "has 2 bytes"},
		"too long":  {4, strings.NewReader("body and more"), "longer than the 4"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) { io.Copy(io.Discard, br) })
			req := request(t, "PUT")
			req.ContentLength = tt.length
			if _, err := c.RoundTrip(req, http1.Options{Body: tt.body}); err == nil || !strings.Contains(err.Error(), tt.want) || kept.Load() {
				t.Errorf("%s: %v", name, err)
			}
			<-ended
		})
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
