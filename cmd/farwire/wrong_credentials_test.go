package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Ten wrong credentials of one address in a minute are ten on all listeners and endpoints
// together, and no right one is refused for them.
func TestServe_WrongCredentials_CountTogether(t *testing.T) {
	t.Parallel()
	const adminKey, agentSecret = "admin-key-0123456789", "an-agent-secret-0123456789"
	g := startServe(t, "--api-keys", "alice="+aliceKey, "--admin-listen", "127.0.0.1:0", "--admin-key", adminKey,
		"--agent-secret", agentSecret, "--socks-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.0/8")
	admin := g.Await(g.Stderr, `(?m)^metrics at http://([^/]+)/metrics$`)[1]
	socks := g.Await(g.Stderr, `listening for SOCKS5" addr=(\S+)`)[1]
	// ask returns the status of an answer to somebody whom a trusted proxy names.
	ask := func(from, addr, lines, body string) int {
		t.Helper()
		conn := dialFrom(t, "127.0.0.1", addr)
		defer conn.Close()
		fmt.Fprintf(conn, "%sHost: 127.0.0.1\r\nX-Forwarded-For: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", lines, from, len(body), body)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const wrong = "wrong-wrong-wrong-wrong"
	surfaces := []struct {
		name, addr, lines, body string
		status                  int
	}{
		{"a key", g.Addr, "GET /usage HTTP/1.1\r\nX-API-Key: " + wrong + "\r\n", "", 403},
		{"an agent's secret", g.Addr, "GET /agents/attach HTTP/1.1\r\nAuthorization: Bearer " + wrong + "\r\n", "", 401},
		{"a webhook's secret", g.Addr, "POST /hooks/site-changed HTTP/1.1\r\nContent-Type: application/json\r\n", `{"base_url":"https://a.test/","webhook_secret":"` + wrong + `"}`, 404},
		{"the admin key", admin, "GET /sessions HTTP/1.1\r\nX-API-Key: " + wrong + "\r\n", "", 403},
		{"a path form's key", g.Addr, "GET /to/key=" + wrong + "/http/a.test/ HTTP/1.1\r\n", "", 403},
	}
	for n := range 2 {
		for _, s := range surfaces {
			if got := ask("198.51.100.1", s.addr, s.lines, s.body); got != s.status {
				t.Errorf("%s, number %d: %d, want %d", s.name, n+1, got, s.status)
			}
		}
	}
	for _, s := range surfaces {
		if got := ask("198.51.100.1", s.addr, s.lines, s.body); got != 429 {
			t.Errorf("%s after ten wrong ones of all kinds: %d, want 429", s.name, got)
		}
		if got := ask("198.51.100.2", s.addr, s.lines, s.body); got != s.status {
			t.Errorf("%s from elsewhere: %d, want %d", s.name, got, s.status)
		}
	}
	for name, got := range map[string]int{
		"a key":         ask("198.51.100.1", g.Addr, "GET /usage HTTP/1.1\r\nX-API-Key: "+aliceKey+"\r\n", ""),
		"the admin key": ask("198.51.100.1", admin, "GET /sessions HTTP/1.1\r\nX-API-Key: "+adminKey+"\r\n", ""),
	} {
		if got != 200 {
			t.Errorf("%s that is right from there: %d", name, got)
		}
	}
	// Of SOCKS the address is the connection's.
	for range 10 {
		conn := dialFrom(t, "127.0.0.1", socks)
		io.WriteString(conn, "\x05\x01\x02\x01\x01u\x17"+wrong)
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if got := ask("127.0.0.1", g.Addr, surfaces[0].lines, ""); got != 429 {
		t.Errorf("a key after ten wrong ones over SOCKS: %d, want 429", got)
	}
	g.Stop()
	if log := g.Stderr.String(); strings.Contains(log, wrong) || !strings.Contains(log, "client=198.51.100.1") {
		t.Errorf("the log:\n%s", log)
	}
}
