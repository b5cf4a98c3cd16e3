package preauth_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/farwire/farwire/internal/preauth"
)

// A headServer is a server of HTTP/1.1 that reads heads through the guard.
type headServer struct {
	addr string
	over string
	head atomic.Int64 // bytes of a head
	rest atomic.Int64 // bytes of the heads of all connections that net/http has not used
}

// serveHeads serves over TCP or TLS, as farwire serve does. Whoever watches has what net/http
// uses noted.
func serveHeads(t *testing.T, over string, watch bool, h http.HandlerFunc) *headServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &headServer{addr: ln.Addr().String(), over: over}
	g := preauth.New(preauth.Options{})
	discard := log.New(io.Discard, "", 0)
	if over == "TLS" {
		of := httptest.NewUnstartedServer(nil)
		of.StartTLS()
		of.Close()
		ln = g.ListenTLS(ln, &tls.Config{Certificates: of.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}, testTimeout, discard)
	} else {
		ln = g.Listen(ln)
	}
	server := &http.Server{
		Handler: g.Handler(h), ConnContext: g.ConnContext, ConnState: g.ConnState,
		MaxHeaderBytes: 64 << 10, ErrorLog: discard,
	}
	if watch {
		ln = &askedListener{ln, s}
	}
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served })
	return s
}

// An askedListener notes how much of what is sent net/http has read and used.
type askedListener struct {
	net.Listener
	server *headServer
}

func (l *askedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &askedConn{Conn: c, server: l.server}, nil
}

type askedConn struct {
	net.Conn
	server *headServer
	read   int // by the last Read

	mu   sync.Mutex
	used int
}

func (c *askedConn) NetConn() net.Conn { return c.Conn }

// Read notes what net/http has used: it asks for more then.
func (c *askedConn) Read(b []byte) (int, error) {
	c.note(c.read)
	n, err := c.Conn.Read(b)
	c.read = n
	return n, err
}

// Close notes that net/http reads no more.
func (c *askedConn) Close() error {
	c.note(int(c.server.head.Load()))
	return c.Conn.Close()
}

func (c *askedConn) note(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, int(c.server.head.Load())-c.used)
	c.used += n
	c.server.rest.Add(int64(-n))
}

func (s *headServer) dial(t *testing.T) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	if s.over == "TLS" {
		c, err = tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	} else {
		c, err = net.Dial("tcp", s.addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testTimeout))
	return c
}

const begun = "GET / HTTP/1.1\nHost:a\n"

// fields are as many fields of a length as pass, and some more that do not, or else 64 KiB. Each
// has a name of its own, or none has.
func fields(length int, named bool, more int) string {
	n := more + min(((128<<10)-len(begun)-500)/(192+length), (64<<10-len(begun))/length)
	var b strings.Builder
	b.WriteString(begun)
	for i := range n {
		field := "a:"
		if named {
			field = short(i) + ":"
		}
		b.WriteString(field + strings.Repeat("x", max(0, length-1-len(field))) + "\n")
	}
	return b.String()
}

// short is a name of few bytes.
func short(i int) string {
	const of = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
	name := ""
	for {
		name += string(of[i%len(of)])
		if i /= len(of); i == 0 {
			return name
		}
	}
}

// Of a head that arrives without a key no more than 128 KiB is held, TLS's own apart, whatever
// is in it and whether it comes behind an earlier request or not.
func TestGuard_HeadsThatArrive_HoldLittle(t *testing.T) {
	const (
		conns     = 16
		each      = 128 << 10
		otherwise = 12 << 10 // net/http's buffers
		buffers   = 24 << 10 // of TLS at both ends, which are one process here
	)
	long := strings.Repeat("x", 64<<10)
	heads := map[string]string{
		"a long field":        begun + "a:" + long,
		"a long request line": "GET /" + long,
		"a line and a field":  "GET /" + long[:32<<10] + " HTTP/1.1\na:" + long[:32<<10],
		"folded lines":        begun + "a:" + strings.Repeat("\n x", 800),
		"small and folded":    begun + strings.Repeat("a:\n\t\n", 440),
	}
	for _, length := range []int{3, 6, 50, 140, 160} {
		heads[fmt.Sprint("fields of ", length)] = fields(length, true, 0)
	}
	for _, length := range []int{3, 6} {
		heads[fmt.Sprint("values of ", length)] = fields(length, false, 0)
		heads[fmt.Sprint("more fields of ", length)] = fields(length, true, 5000)
		heads[fmt.Sprint("more values of ", length)] = fields(length, false, 5000)
	}
	for _, over := range []string{"TCP", "TLS"} {
		for name, head := range heads {
			for before, first := range map[string]string{"first": "", "second": "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
				t.Run(fmt.Sprint(over, " ", before, " ", name), func(t *testing.T) {
					s, head := serveHeads(t, over, true, answers), first+head
					var all []net.Conn
					for range conns {
						all = append(all, s.dial(t))
					}
					held := -heapInUse()
					s.head.Store(int64(len(head)))
					s.rest.Store(int64(conns * len(head)))
					for _, c := range all {
						go func() { // a head that is refused is not read to its end
							io.Copy(io.Discard, c)
							c.Close()
						}()
						go io.WriteString(c, head)
					}
					for s.rest.Load() > 0 {
						time.Sleep(time.Millisecond)
					}
					held += heapInUse()
					if over == "TLS" {
						held -= conns * buffers
					}
					t.Logf("%d bytes hold %d KiB", len(head), held/conns>>10)
					if held/conns > each-otherwise {
						t.Errorf("%d KiB are held", held/conns>>10)
					}
				})
			}
		}
	}
}

func heapInUse() int {
	runtime.GC()
	runtime.GC() // what has a finalizer, and what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A head of many lines is answered before it ends, by the words that one has that has ended.
func TestGuard_HeadOfManyLines_AnsweredWhileItArrives(t *testing.T) {
	for _, over := range []string{"TCP", "TLS"} {
		for _, newline := range []string{"\n", "\r\n"} {
			c := serveHeads(t, over, false, answers).dial(t)
			if _, err := io.WriteString(c, "GET / HTTP/1.1"+newline+strings.Repeat("a: b"+newline, 1000)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(over, err)
			}
			var said struct{ Detail, Code string }
			if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != 431 ||
				said.Code != "bad_request" || said.Detail == "" || resp.Header.Get("X-Farwire-From") != "gateway" {
				t.Errorf("%s: %s, %v, %+v, %v", over, resp.Status, resp.Header, said, err)
			}
			if n, err := io.Copy(io.Discard, c); n > 0 || err != nil {
				t.Errorf("%s: %d bytes follow the answer, %v", over, n, err)
			}
		}
	}
}

// What is no head does not count: a body whose lines are short, in the same piece as its head
// or behind it, the next head on a connection that has shown a key, and what tells from
// a handler that took the connection over.
func TestGuard_LinesOfBodies_AreNotCutAsHeads(t *testing.T) {
	body := strings.Repeat("1\n", 20<<10)
	for _, over := range []string{"TCP", "TLS"} {
		for _, piece := range []int{1 << 20, 100, 1} {
			t.Run(fmt.Sprint(over, " ", piece), func(t *testing.T) {
				s := serveHeads(t, over, false, func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/over":
						conn, brw, err := http.NewResponseController(w).Hijack()
						if err == nil {
							io.CopyN(conn, brw, int64(len(body)))
							conn.Close()
						}
						return
					}
					if (r.TLS != nil) != (over == "TLS") && piece > 1 {
						t.Errorf("the request has TLS %v", r.TLS)
					}
					answers(w, r)
				})
				c, br := s.dial(t), (*bufio.Reader)(nil)
				br = bufio.NewReader(c)
				send := func(text string) {
					var r io.Reader = strings.NewReader(text)
					if piece == 1 {
						r = iotest.OneByteReader(io.LimitReader(r, 4<<10))
					}
					for {
						b := make([]byte, piece)
						n, err := r.Read(b)
						if err != nil {
							break
						}
						if _, err := c.Write(b[:n]); err != nil {
							t.Error(err)
							return
						}
					}
				}
				body := body
				if piece == 1 {
					body = body[:2<<10]
				}
				for i := range 3 {
					send(fmt.Sprintf("POST /read HTTP/1.1\r\nHost: a\r\nKey: a\r\nContent-Length: %d\r\n%s\r\n%s",
						len(body), strings.Repeat("a: b\r\n", 100), body))
					resp, err := http.ReadResponse(br, nil)
					if err != nil || resp.StatusCode != http.StatusAccepted {
						t.Fatalf("request %d: %v, %v", i, resp, err)
					}
					resp.Body.Close()
				}
				go send("GET /over HTTP/1.1\r\nHost: a\r\n\r\n" + body)
				got, err := io.ReadAll(io.LimitReader(br, int64(len(body))))
				if err != nil || !bytes.Equal(got, []byte(body)) {
					t.Errorf("%d bytes of a connection taken over, %v", len(got), err)
				}
			})
		}
	}
}
