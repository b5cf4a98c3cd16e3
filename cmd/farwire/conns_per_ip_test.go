package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/preauth"
)

// dialFrom connects to the gateway from an address of loopback.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * harness.Timeout))
	return c
}

// request sends one over a connection, which stays open, and returns the status.
func request(t *testing.T, c net.Conn, path, header string) int {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\n"+header+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// ended waits until the gateway has closed a connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatalf("the connection is open: read %d bytes, %v", n, err)
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Fatal("the connection was not closed")
	}
}

// awaitClosed opens connections from an address until the gateway has closed c, which may
// become idle only now.
func awaitClosed(t *testing.T, c net.Conn, from, to string, begin time.Time) {
	t.Helper()
	for {
		dialFrom(t, from, to)
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Fatalf("an idle connection is sent something: %v", err)
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if time.Since(begin) > harness.Timeout {
			t.Fatal("an idle connection without a key stays")
		}
	}
}

func TestServe_MaxConnsPerIP_ClosesThoseWithoutAKey(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--max-conns-per-ip", "3", "--trusted-proxies", "127.0.7.1", "--socks-listen", "127.0.0.1:0")
	socks := g.Await(g.Stderr, `listening for SOCKS5" addr=(\S+)`)[1]
	// A connection that shows no key is also closed when its time is over. Only what was
	// closed before proves the bound; a machine that is too busy for that tries again.
	for try := 5; threeOf(t, g, socks, fmt.Sprint("127.0.0.", try)) >= opening.Timeout; try++ {
		if try == 7 {
			t.Fatal("connections without a key are closed when their time is over, and not for room")
		}
	}
	// A trusted proxy and loopback's own address have no bound.
	for _, from := range []string{"127.0.7.1", "127.0.0.1"} {
		var open []net.Conn
		for range 6 {
			open = append(open, dialFrom(t, from, g.Addr))
		}
		for _, c := range open {
			if status := request(t, c, "/healthz", ""); status != http.StatusOK {
				t.Errorf("from %s: status %d", from, status)
			}
		}
	}
}

// threeOf opens a connection of each of three kinds that show no key, from an address that
// may have three, and waits until those that come later have closed them. It returns the
// time from the first one to the last one's end.
func threeOf(t *testing.T, g *harness.Gateway, socks, from string) time.Duration {
	t.Helper()
	key := "X-API-Key: " + g.Key + "\r\n"
	known := dialFrom(t, from, g.Addr)
	if status := request(t, known, "/usage", key); status != http.StatusOK {
		t.Fatalf("with a key: status %d", status)
	}
	begin := time.Now()
	silent, idle := dialFrom(t, from, g.Addr), dialFrom(t, from, g.Addr)
	if status := request(t, idle, "/healthz", ""); status != http.StatusOK { // silent is accepted before it
		t.Fatalf("without a key: status %d", status)
	}
	greeted := dialFrom(t, from, socks)
	io.WriteString(greeted, "\x05\x01\x02") // that of SOCKS counts as well
	if _, err := io.ReadFull(greeted, make([]byte, 2)); err != nil {
		t.Fatalf("over SOCKS: %v", err)
	}
	dialFrom(t, from, g.Addr)
	ended(t, silent)
	// Which of the others is next depends on when the one became idle.
	awaitClosed(t, idle, from, g.Addr, begin)
	dialFrom(t, from, g.Addr)
	ended(t, greeted)
	took := time.Since(begin)
	if status := request(t, known, "/usage", key); status != http.StatusOK {
		t.Errorf("with a key, later: status %d", status)
	}
	return took
}

// Connections of the admin address count together with those of the others, until they
// show the admin key.
func TestServe_MaxConnsPerIP_HoldsForTheAdminAddress(t *testing.T) {
	t.Parallel()
	const adminKey = "admin-key-0123456789"
	g := startServe(t, "--max-conns-per-ip", "3", "--admin-listen", "127.0.0.1:0", "--admin-key", adminKey)
	admin := g.Await(g.Stderr, `(?m)^metrics at http://([^/]+)/metrics$`)[1]
	// An idle one is closed when its time is over, too: only what was closed before proves
	// the bound.
	for try := 50; oneOfAdmin(t, g, admin, adminKey, fmt.Sprint("127.0.0.", try)) >= preauth.IdleTimeout; try++ {
		if try == 52 {
			t.Fatal("an idle connection of the admin address is closed when its time is over, and not for room")
		}
	}
}

// oneOfAdmin opens a connection of the admin address that shows no key, from an address
// that may have three, and opens others until it is closed. It returns how long that took.
func oneOfAdmin(t *testing.T, g *harness.Gateway, admin, adminKey, from string) time.Duration {
	t.Helper()
	known := dialFrom(t, from, admin)
	if status := request(t, known, "/sessions", "X-API-Key: "+adminKey+"\r\n"); status != http.StatusOK {
		t.Fatalf("with the admin key: status %d", status)
	}
	begin := time.Now()
	idle := dialFrom(t, from, admin)
	if status := request(t, idle, "/metrics", ""); status != http.StatusOK {
		t.Fatalf("without the admin key: status %d", status)
	}
	awaitClosed(t, idle, from, g.Addr, begin)
	took := time.Since(begin)
	if status := request(t, known, "/sessions", "X-API-Key: "+adminKey+"\r\n"); status != http.StatusOK {
		t.Errorf("with the admin key, later: status %d", status)
	}
	return took
}

// Whoever floods from loopback, which has no bound of its own, takes at most half of
// the descriptors.
func TestServe_FloodOfConnections_LeavesDescriptorsForKeys(t *testing.T) {
	t.Parallel()
	const descriptors = 96
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--allow-private")
	limited := exec.Command(harness.Look(t, "prlimit"), append([]string{fmt.Sprintf("--nofile=%d:%[1]d", descriptors)}, cmd.Args...)...)
	limited.Env, limited.Dir = cmd.Env, cmd.Dir
	g := harness.StartGateway(t, limited)
	admin := g.Await(g.Stderr, `(?m)^metrics at http://([^/]+)/metrics$`)[1]
	var flood []net.Conn
	for n := range 200 {
		c := dialFrom(t, "127.0.0.1", []string{g.Addr, admin}[n%2])
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n") // those before it may be gone
		flood = append(flood, c)
	}
	if _, err := flood[len(flood)-1].Read(make([]byte, 1)); err != nil { // those before it have been accepted
		t.Fatal(err)
	}
	open := 0
	for _, c := range flood {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open > descriptors/2 {
		t.Errorf("%d connections without a key are open, want at most half of %d descriptors", open, descriptors)
	}
	relay := program(t, "relay", "--gateway", g.WS("/ws"), "--key", g.Key, "ws://echo.farwire.alt")
	relay.Stdin = strings.NewReader("hello\n")
	out, err := relay.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "hello") {
		t.Errorf("a relay with a key during the flood: %v: %s\n%s", err, out, g.Stderr)
	}
}

// Whoever opens a connection and says nothing is not waited for without end.
func TestServer_SilentConnections_HaveTheirTime(t *testing.T) {
	s := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 10*time.Second || s.IdleTimeout != 120*time.Second {
		t.Errorf("%v for a head, %v idle; want 10s and 2m0s", s.ReadHeaderTimeout, s.IdleTimeout)
	}
	if s.MaxHeaderBytes != 64<<10 {
		t.Errorf("a head of %d bytes, want 64 KiB", s.MaxHeaderBytes)
	}
	if n := s.HTTP2.MaxConcurrentStreams; n != 100 {
		t.Errorf("%d requests of one HTTP/2 connection at a time, want 100", n)
	}
}
