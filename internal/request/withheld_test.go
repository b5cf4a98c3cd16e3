package request_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/request"
)

// A single is a listener that has one connection.
type single struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// A body that does not come ends the connection in its time, also when it is refused
// unread, and the server has no bounds of its own.
func TestBody_Withheld_ConnectionIsClosed(t *testing.T) {
	for name, lines := range map[string]string{
		"withheld":             "Content-Type: application/json\r\nContent-Length: 1\r\n",
		"chunked":              "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
		"too large":            "Content-Type: application/json\r\nContent-Length: 65537\r\n",
		"another type":         "Content-Type: text/plain\r\nContent-Length: 1\r\n",
		"another type, chunks": "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
		"compressed":           "Content-Encoding: gzip\r\nContent-Length: 1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				l := &single{make(chan net.Conn, 1), make(chan struct{})}
				l.conns <- server
				s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := request.Body(t.Context(), w, r); err == nil {
						t.Error("the body has come")
					}
					w.WriteHeader(http.StatusBadRequest)
				})}
				served := make(chan error, 1)
				go func() { served <- s.Serve(l) }()
				client.SetDeadline(time.Now().Add(2 * opening.Timeout))
				if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: x\r\n"+lines+"\r\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, client); err != nil {
					t.Errorf("the connection is open after %v: %v", 2*opening.Timeout, err)
				}
				client.Close()
				close(l.ended)
				<-served
			})
		})
	}
}

// A body that is too large is told with the limit that it exceeds, a middleware's too.
func TestBody_TooLarge_NamesTheLimit(t *testing.T) {
	for _, c := range []struct {
		middleware int64
		size       int
		want       string
	}{
		{0, 64<<10 + 1, "the body is larger than 64 KiB"},
		{1 << 20, 64<<10 + 1, "the body is larger than 64 KiB"},
		{64 << 10, 64<<10 + 1, "the body is larger than 64 KiB"},
		{1000, 1001, "the body is larger than the 1000 bytes that this server allows"},
		{1000, 64<<10 + 1, "the body is larger than the 1000 bytes that this server allows"},
	} {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(strings.Repeat(" ", c.size)))) // no length is announced
		w := httptest.NewRecorder()
		if c.middleware > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, c.middleware)
		}
		if _, err := request.Body(t.Context(), w, r); err == nil || err.Error() != c.want {
			t.Errorf("%d bytes where %d are allowed: %v, want %s", c.size, c.middleware, err, c.want)
		}
	}
}
