package preauth_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// dialFrom opens a connection for HTTP/1.1 from an address of loopback.
func dialFrom(t *testing.T, s *httptest.Server, from string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if s.TLS != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	c.SetDeadline(time.Now().Add(testTimeout))
	return c
}

// beginHead sends a head of so many bytes without its end.
func beginHead(t *testing.T, c net.Conn, size int) {
	t.Helper()
	field := "a: " + strings.Repeat("x", 59) + "\r\n"
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat(field, size/len(field))); err != nil {
		t.Fatal(err)
	}
}

// endHead ends it, and reports whether it is answered.
func endHead(c net.Conn) bool {
	_, err := io.WriteString(c, "\r\n")
	if err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted
}

// What net/http holds of a head that arrives is up to eighteen times what was sent, so few
// connections of a network may send a large one at a time.
func TestGuard_LargeHeadsThatDoNotEnd_AreFew(t *testing.T) {
	for _, over := range []string{"TCP", "TLS"} {
		t.Run(over, func(t *testing.T) {
			s := serve(t, over == "TLS", time.Minute, answers)
			var small, loopback, large []net.Conn
			for range 20 {
				small = append(small, dialFrom(t, s, "127.0.0.2"))
				beginHead(t, small[len(small)-1], 2<<10)
				loopback = append(loopback, dialFrom(t, s, "127.0.0.1"))
				beginHead(t, loopback[len(loopback)-1], 8<<10)
			}
			gone := make(chan int, 17)
			for i := range 17 {
				c := dialFrom(t, s, "127.0.0.2")
				large = append(large, c)
				beginHead(t, c, 8<<10)
				go func() {
					// None is answered before its end, so this returns when it is closed.
					if _, err := c.Read(make([]byte, 1)); err != nil {
						gone <- i
					}
				}()
			}
			closed := map[int]bool{<-gone: true}
			// There is always room for one that ends its head.
			for i := range 2 {
				c := dialFrom(t, s, "127.0.0.2")
				beginHead(t, c, 32<<10)
				if !endHead(c) {
					t.Fatal("a large head is not answered")
				}
				if i == 0 { // the next one finds its place
					closed[<-gone] = true
				}
			}
			for i, c := range large {
				if !closed[i] {
					if _, err := fmt.Fprint(c, "\r\n"); err != nil {
						t.Errorf("connection %d: %v", i, err)
					}
				}
			}
			for _, c := range append(small, loopback...) {
				if !endHead(c) {
					t.Error("a head is cut that is small, or from loopback")
				}
			}
			if len(closed) != 2 {
				t.Errorf("%v are closed", closed)
			}
		})
	}
}

// What arrives behind a head is no head.
func TestGuard_BodiesThatArrive_AreNotCutAsHeads(t *testing.T) {
	s := serve(t, false, time.Minute, answers)
	var all []net.Conn
	for range 20 {
		c := dialFrom(t, s, "127.0.0.2")
		all = append(all, c)
		fmt.Fprintf(c, "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", 20<<10+2, strings.Repeat("x", 20<<10))
	}
	for _, c := range all {
		if !endHead(c) {
			t.Error("a body is cut")
		}
	}
}
