package egress_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
)

// A deafConn is a connection to a target that takes some bytes of a request, then none,
// and answers a while after that.
type deafConn struct {
	takes  int // bytes
	after  time.Duration
	answer []string // in parts, each as long after the one before

	deaf   chan struct{} // closed when a write has failed
	once   sync.Once
	closed chan struct{}
	end    sync.Once
	parts  chan string
}

func newDeafConn(takes int, after time.Duration, answer ...string) *deafConn {
	c := &deafConn{takes: takes, after: after, answer: answer, deaf: make(chan struct{}), closed: make(chan struct{}), parts: make(chan string)}
	go func() {
		defer close(c.parts)
		select {
		case <-c.deaf:
		case <-c.closed:
			return
		}
		for _, part := range c.answer {
			select {
			case <-time.After(c.after):
			case <-c.closed:
				return
			}
			select {
			case c.parts <- part:
			case <-c.closed:
				return
			}
		}
		if len(c.answer) == 0 {
			<-c.closed
		}
	}()
	return c
}

func (c *deafConn) Write(b []byte) (int, error) {
	if c.takes -= len(b); c.takes >= 0 {
		return len(b), nil
	}
	c.once.Do(func() { close(c.deaf) })
	return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
}

func (c *deafConn) Read(b []byte) (int, error) {
	select {
	case part, ok := <-c.parts:
		if !ok {
			return 0, io.EOF
		}
		return copy(b, part), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *deafConn) Close() error                     { c.end.Do(func() { close(c.closed) }); return nil }
func (c *deafConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *deafConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *deafConn) SetDeadline(time.Time) error      { return nil }
func (c *deafConn) SetReadDeadline(time.Time) error  { return nil }
func (c *deafConn) SetWriteDeadline(time.Time) error { return nil }

func TestConns_TargetReadsNoFurther_ItsAnswerArrives(t *testing.T) {
	const unauthorized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\n"
	for name, c := range map[string]struct {
		after  time.Duration
		answer []string
		status int
		body   string
		failed time.Duration // after which there is an error; 0: the answer is whole
	}{
		"answer at once":             {0, []string{unauthorized + "deny"}, 401, "deny", 0},
		"answer underway":            {300 * time.Millisecond, []string{unauthorized + "deny"}, 401, "deny", 0},
		"answer in parts":            {900 * time.Millisecond, []string{"HTTP/1.1 401 Unauth", "orized\r\nContent-Length: 4\r\n", "\r\nde", "ny"}, 401, "deny", 0},
		"answer up to the close":     {700 * time.Millisecond, []string{"HTTP/1.1 413 Too Large\r\n\r\n", "too", " ", "large"}, 413, "too large", 0},
		"answer in chunks":           {700 * time.Millisecond, []string{"HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\ntoo\r\n", "0\r\n\r\n"}, 413, "too", 0},
		"no answer":                  {0, nil, 0, "", time.Second},
		"close without an answer":    {0, []string{""}, 0, "", 0},
		"answer that comes too late": {3 * time.Second, []string{unauthorized + "deny"}, 0, "", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := newDeafConn(4<<10, c.after, c.answer...)
				exit := agent.Exit{ID: "x", DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
				conns := new(egress.Conns)
				defer conns.Close()
				req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://a.example/", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = 1 << 20
				begun := time.Now()
				resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute),
					Body: egress.NewBody(strings.NewReader(strings.Repeat("a", 1<<20)))})
				if c.status == 0 {
					if fault.ClassOf(err) != fault.TargetLost || time.Since(begun) != c.failed {
						t.Errorf("after %v: %v", time.Since(begun), err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != c.status || string(body) != c.body {
					t.Errorf("%s, %q, %v", resp.Status, body, err)
				}
				resp.Body.Close()
			})
		})
	}
}

// TestConns_TargetClosesKeptConnection_UnsentRequestIsRepeated has the target close a
// kept connection at the moment when a request takes it.
func TestConns_TargetClosesKeptConnection_UnsentRequestIsRepeated(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PATCH", "PUT"} {
		for _, body := range []string{"", "short", strings.Repeat("long", 1<<20)} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var accepted []net.Conn
			var mu sync.Mutex
			server := &http.Server{
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, err := io.ReadAll(r.Body)
					if err != nil {
						panic(http.ErrAbortHandler)
					}
					w.Write(b)
				}),
				ConnContext: func(ctx context.Context, c net.Conn) context.Context {
					mu.Lock()
					defer mu.Unlock()
					accepted = append(accepted, c)
					return ctx
				},
			}
			go server.Serve(l)
			conns := new(egress.Conns)
			var dialled net.Conn
			exit := agent.Exit{DialContext: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
				dialled, err = new(net.Dialer).DialContext(ctx, network, addr)
				return dialled, err
			}}
			ask := func(ctx context.Context) (string, error) {
				req, err := http.NewRequestWithContext(ctx, method, "http://"+l.Addr().String(), nil)
				if err != nil {
					t.Fatal(err)
				}
				o := egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)}
				if body != "" {
					req.ContentLength = int64(len(body))
					o.Body = egress.NewBody(strings.NewReader(body))
				}
				resp, err := conns.RoundTrip(req, o)
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				return string(got), err
			}
			if _, err := ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			closed := false
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
				if !i.Reused {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				accepted[0].Close()
				for err := error(nil); err != io.EOF; { // until the end has come
					time.Sleep(time.Millisecond)
					if failed := netio.Raw(dialled).Control(func(fd uintptr) { err = netio.Silent(fd) }); failed != nil {
						t.Fatal(failed)
					}
				}
				closed = true
			}})
			got, err := ask(ctx)
			if err != nil || !closed || got != body {
				t.Errorf("%s of %d bytes: %d bytes, %v; the connection was kept: %v", method, len(body), len(got), err, closed)
			}
			if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			conns.Close()
		}
	}
}
