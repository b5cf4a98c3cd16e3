package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/http1"
)

// What a target sends before it is asked ends the connection, whatever that is made of.
func TestRoundTrip_TargetSendsUnasked_RequestIsNotSent(t *testing.T) {
	for name, unasked := range map[string]string{"an answer": ok + "Content-Length: 5\r\n\r\nwrong", "a part of one": "H", "the end": ""} {
		for _, socket := range []bool{true, false} {
			for _, body := range []io.Reader{nil, strings.NewReader("body")} {
				t.Run(fmt.Sprintf("%s, socket %v, body %v", name, socket, body != nil), func(t *testing.T) {
					send, sent := make(chan struct{}), make(chan struct{})
					dialled, err := net.Dial("tcp", harness.Conns(t, func(target net.Conn) {
						br := bufio.NewReader(target)
						if _, err := http.ReadRequest(br); err != nil {
							t.Error(err)
						}
						io.WriteString(target, ok+"Content-Length: 4\r\n\r\nfine")
						<-send
						io.WriteString(target, unasked)
						if unasked == "" {
							target.(*net.TCPConn).CloseWrite()
						}
						close(sent)
						if n, err := io.Copy(io.Discard, br); n > 0 {
							t.Errorf("the target has %d bytes of the next request, %v", n, err)
						}
					}).Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					var raw net.Conn
					if socket {
						raw = dialled
					}
					conn := http1.NewConn(dialled, raw, func() { dialled.Close() }, func() {})
					defer conn.Close()
					resp, err := conn.RoundTrip(request(t, "GET"), http1.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if b, err := io.ReadAll(resp.Body); string(b) != "fine" || err != nil {
						t.Fatalf("%q, %v", b, err)
					}
					gone := make(chan struct{})
					conn.Rest(func() { close(gone) })
					close(send)
					<-sent
					if !socket {
						<-gone
					}
					for socket && conn.Look() == nil { // until it has come
						time.Sleep(time.Millisecond)
					}
					var had atomic.Bool
					req := request(t, "POST")
					if body != nil {
						req.ContentLength = 4
					}
					if _, err := conn.RoundTrip(req, http1.Options{Sent: &had, Body: body}); err == nil || had.Load() {
						t.Errorf("%v, sent %v", err, had.Load())
					}
				})
			}
		}
	}
}

// A target that is busy may say so as soon as it has accepted a connection: that is the
// answer to the first request.
func TestRoundTrip_TargetAnswersAtOnce_IsTheAnswerToTheFirstRequest(t *testing.T) {
	for _, socket := range []bool{true, false} {
		for _, body := range []io.Reader{nil, strings.NewReader("body")} {
			dialled, err := net.Dial("tcp", harness.Conns(t, func(target net.Conn) {
				io.WriteString(target, "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy")
				target.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, target)
			}).Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			for looks := http1.NewConn(dialled, dialled, func() {}, func() {}); looks.Look() == nil; { // until it has come
				time.Sleep(time.Millisecond)
			}
			var raw net.Conn
			if socket {
				raw = dialled
			}
			conn := http1.NewConn(dialled, raw, func() { dialled.Close() }, func() {})
			req := request(t, "POST")
			if body != nil {
				req.ContentLength = 4
			}
			resp, err := conn.RoundTrip(req, http1.Options{Body: body})
			if err != nil {
				t.Errorf("socket %v, body %v: %v", socket, body != nil, err)
				continue
			}
			if b, err := io.ReadAll(resp.Body); resp.StatusCode != 503 || string(b) != "busy" || err != nil {
				t.Errorf("socket %v, body %v: %d, %q, %v", socket, body != nil, resp.StatusCode, b, err)
			}
		}
	}
}

// What reads an idle connection that is no socket hands on what comes to the next request.
func TestRoundTrip_AfterARest_AnswerIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
			for {
				if _, err := http.ReadRequest(br); err != nil {
					return
				}
				for _, piece := range []string{"H", "TTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "bo", "dy"} {
					io.WriteString(target, piece)
				}
			}
		})
		for range 5 {
			resp, err := c.RoundTrip(request(t, "GET"), http1.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); string(b) != "body" || err != nil || !kept.Swap(false) {
				t.Errorf("%q, %v", b, err)
			}
			c.Rest(func() {})
			synctest.Wait()
		}
		c.Cut()
		<-ended
	})
}
