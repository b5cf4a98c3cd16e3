package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A client that sends all of a body before it reads is told what the gateway and a target
// say before its end, and a drain does not wait for what it still sends.
func TestServe_AnswerBeforeTheBodysEnd_IsRead(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	defer target.Close()
	g := harness.Serve(t, "--allow-private")
	const size = 24 << 20 // more than the systems' buffers take
	ask := func(path, key string) net.Conn {
		c, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(harness.Timeout))
		_, err = io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: "+key+"\r\nContent-Length: "+strconv.Itoa(size)+"\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	through := "/to/-/http/" + strings.TrimPrefix(target.URL, "http://") + "/"
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{through, g.Key, http.StatusTeapot}, {through, "not-the-key-of-anybody", http.StatusForbidden},
		{"/amqp", g.Key, http.StatusRequestEntityTooLarge}, {"/nothing", "", http.StatusNotFound},
	} {
		conn := ask(c.path, c.key)
		if _, err := io.Copy(conn, strings.NewReader(strings.Repeat("x", size))); err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
		} else if resp.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.path, resp.Status, c.status)
		}
	}
	conn := ask(through, g.Key)
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pause := time.NewTicker(10 * time.Millisecond); ; <-pause.C {
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	g.Signal(harness.Terminate)
	if status := g.Status(); status != 0 {
		t.Errorf("the gateway exits with %d\n%s", status, g.Stderr)
	}
	<-ended
}

// Bodies that do not come keep no drain, whatever a request has shown, asks for, and was
// answered.
func TestServe_BodiesWithheld_DrainIsClean(t *testing.T) {
	g := harness.Serve(t, "--allow-private")
	key := "X-API-Key: " + g.Key + "\r\n"
	for _, c := range []struct{ line, headers string }{
		{"POST /amqp", ""}, {"POST /amqp", key}, {"POST /auth/token", key}, {"POST /hooks/site-changed", ""},
		{"POST /nothing", ""}, {"GET /usage", key}, {"GET /network", key}, {"GET /sites", key}, {"GET /files/x", ""},
		{"DELETE /sessions/x", key}, {"POST /to/-/http/127.0.0.1:1/", key}, {"POST /to/-/http/127.0.0.1/", "X-API-Key: wrong-wrong-wrong\r\n"},
	} {
		for _, rest := range []string{"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n"} {
			conn, err := net.Dial("tcp", g.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.line+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+c.headers+rest); err != nil {
				t.Fatal(err)
			}
		}
	}
	g.Signal(harness.Terminate)
	if status := g.Status(); status != 0 {
		t.Errorf("the gateway exits with %d\n%s", status, g.Stderr)
	}
}
