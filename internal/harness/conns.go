package harness

import (
	"net"
	"sync"
	"testing"
)

// Conns serves each connection to loopback with a function until the test ends. A
// connection is closed behind its function.
func Conns(t testing.TB, serve func(net.Conn)) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ServeConns(t, ln, serve)
	return ln
}

// ServeConns is Conns for a listener, which it closes. When the test ends, what is open
// is closed, and the functions have returned.
func ServeConns(t testing.TB, ln net.Listener, serve func(net.Conn)) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var ended bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			if ended {
				c.Close()
			}
			mu.Unlock()
			wg.Go(func() {
				serve(c)
				mu.Lock()
				defer mu.Unlock()
				delete(open, c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		ended = true
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}
