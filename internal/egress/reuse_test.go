package egress_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
)

// serveLong answers each request with "fine", and those for /more with what would be
// the answer to the next one behind it.
func serveLong(l net.Listener, more string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			br := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				io.Copy(io.Discard, req.Body)
				answer := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
				if req.URL.Path == "/more" {
					answer += more
				}
				io.WriteString(c, answer)
			}
		}()
	}
}

func TestConns_AnswerLongerThanItsLength_ReachesNoOtherRequest(t *testing.T) {
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certs.Certificate())

	for name, c := range map[string]struct{ scheme, more string }{
		"http":                   {"http", smuggled},
		"http, more than a read": {"http", strings.Repeat(smuggled, 1000)},
		"https":                  {"https", smuggled},
		"https, many records":    {"https", strings.Repeat(smuggled, 1000)},
		"a part of an answer":    {"http", "HTTP/1.1 200 OK\r\nContent-Le"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			addr := l.Addr().String()
			if c.scheme == "https" {
				l = tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates})
			}
			go serveLong(l, c.more)
			conns := &egress.Conns{RootCAs: roots}
			defer conns.Close()
			exit := agent.Exit{DialContext: new(net.Dialer).DialContext}
			ask := func(path string) string {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, "GET", c.scheme+"://"+addr+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)})
				if err != nil {
					return err.Error()
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					return err.Error()
				}
				return string(body)
			}
			for i := range 30 {
				if got := ask("/more"); got != "fine" {
					t.Fatalf("request %d: %s", i, got)
				}
				if got := ask("/fine"); got != "fine" {
					t.Fatalf("the one behind request %d: %s", i, got)
				}
			}
		})
	}
}

// What Connection names beside "close" is told, so that it can be left out.
func TestConns_ConnectionNamesMoreThanClose_IsKept(t *testing.T) {
	for name, tt := range map[string]struct{ head, want string }{
		"close alone":         {"Connection: close\r\n", "close"},
		"a name behind":       {"Connection: close, X-Hop\r\n", "close, X-Hop"},
		"a name before":       {"X-A: 1\r\nconnection:\tX-Hop,CLOSE\r\nX-B: 2\r\n", "X-Hop,CLOSE"},
		"two lines":           {"Connection: X-Hop\r\nConnection: close\r\n", "X-Hop|close"},
		"a folded line":       {"Connection: close,\r\n X-Hop\r\nX-A: 1\r\n 2\r\n", "close, X-Hop"},
		"bare line feeds":     {"Connection: close, X-Hop\nX-A: 1\n", "close, X-Hop"},
		"long fields":         {"X-A: " + strings.Repeat("a", 9000) + "\r\nConnection: close, X-Hop\r\n", "close, X-Hop"},
		"none":                {"X-A: Connection: close\r\n", ""},
		"not to be closed":    {"Connection: X-Hop\r\n", "X-Hop"},
		"behind early hints":  {"\x00HTTP/1.1 103 Early Hints\r\nConnection: X-Early\r\n\r\n\x00Connection: close, X-Hop\r\n", "close, X-Hop"},
		"in the body, not it": {"\r\nConnection: close, X-Hop\r\n\r\n", ""},
	} {
		for _, cut := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("%s, in pieces of %d", name, cut), func(t *testing.T) {
				t.Parallel()
				_, early, _ := strings.Cut(tt.head, "\x00")
				early, head, found := strings.Cut(early, "\x00")
				if !found {
					head = tt.head
				}
				answer := early + "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n" + head + "\r\n" + strings.Repeat("b", 60)
				if got := connectionOf(t, answer, cut); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// connectionOf returns the Connection fields of an answer on a connection that has been
// used before; each of its pieces is a read of its own. With cut 0 it comes at once.
func connectionOf(t *testing.T, answer string, cut int) string {
	t.Helper()
	conns := &egress.Conns{}
	var serving sync.WaitGroup
	exit := agent.Exit{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() {
			defer far.Close()
			for br := bufio.NewReader(far); ; {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				rest, size := answer, cut
				if req.URL.Path == "/first" {
					rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-First\r\n\r\n"
				}
				if size == 0 {
					size = len(rest)
				}
				for piece := range slices.Chunk([]byte(rest), size) {
					if _, err := far.Write(piece); err != nil {
						return // the client has all that it wants
					}
				}
			}
		})
		return near, nil
	}}
	defer serving.Wait()
	defer conns.Close()
	ask := func(path string) (fields []string, reused bool) {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		req, err := http.NewRequestWithContext(ctx, "GET", "http://a.example"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.Header["Connection"], reused
	}
	// A machine that is busy does not keep every connection.
	for {
		ask("/first")
		if fields, reused := ask("/"); reused {
			return strings.Join(fields, "|")
		}
	}
}

// A halfWriter writes all but the last byte of each write, once it is told to.
type halfWriter struct {
	net.Conn
	on   bool
	left []byte
}

func (c *halfWriter) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	c.left = append(c.left, b[len(b)-1])
	_, err := c.Conn.Write(b[:len(b)-1])
	return len(b), err
}

// What comes behind an answer in a record of its own, whole or not, when that answer is read
// to its end, is not the answer to the next request.
func TestConns_UnaskedRecordBehindAnAnswer_ConnectionIsNotUsedAgain(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certs.Certificate())
	for _, part := range []bool{false, true} {
		t.Run(fmt.Sprintf("a part of it %v", part), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			both := make(chan struct{})
			go func() {
				for {
					raw, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						half := &halfWriter{Conn: raw}
						c := tls.Server(half, &tls.Config{Certificates: certs.TLS.Certificates})
						defer c.Close()
						br := bufio.NewReader(c)
						for range 2 {
							if _, err := http.ReadRequest(br); err != nil {
								return
							}
							if half.on {
								raw.Write(half.left)
								t.Error("the connection had another request")
								both <- struct{}{}
								return
							}
							io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
							half.on = part
							io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
							both <- struct{}{}
						}
						t.Error("the connection had another request")
					}()
				}
			}()
			exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
			if err != nil {
				t.Fatal(err)
			}
			conns := &egress.Conns{RootCAs: roots}
			defer conns.Close()
			for i := range 20 {
				req, err := http.NewRequest("GET", "https://"+l.Addr().String()+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute), Timeout: context.DeadlineExceeded})
				if err != nil {
					t.Fatal(err)
				}
				<-both // the record behind has come
				if b, err := io.ReadAll(resp.Body); string(b) != "fine" || err != nil {
					t.Fatalf("request %d: %q, %v", i, b, err)
				}
				resp.Body.Close()
			}
		})
	}
}
