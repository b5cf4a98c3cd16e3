package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// noKeyTimeout is twice what a connection may be idle that has shown no key.
const noKeyTimeout = 40 * time.Second

// A request without a key whose body does not come holds its connection nowhere; the body
// of one with a key takes as long as it likes.
func TestServe_WithheldBody_ConnectionIsClosed(t *testing.T) {
	t.Parallel()
	came, whole := make(chan struct{}, 3), strings.Repeat("0123456789", 1000)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, len(whole)/2)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return
		}
		came <- struct{}{}
		rest, err := io.ReadAll(r.Body)
		if err != nil || string(b)+string(rest) != whole {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(target.Close)
	to := target.Listener.Addr().String()
	g := startServe(t, "--allow-private", "--agent-secret", "an-agent-secret-0123456789",
		"--admin-listen", "127.0.0.1:0", "--admin-key", "admin-key-0123456789")
	admin := g.Await(g.Stderr, `(?m)^metrics at http://([^/]+)/metrics$`)[1]

	// Those with a key send the half of their bodies before any without a key comes.
	uploads := make(map[string]net.Conn)
	for name, lines := range map[string]string{
		"path form":       "POST /to/-/http/" + to + "/ HTTP/1.1\r\nX-API-Key: " + g.Key,
		"key in the path": "POST /to/key=" + g.Key + "/http/" + to + "/ HTTP/1.1",
		"absolute": "POST http://" + to + "/ HTTP/1.1\r\nProxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte("-:"+g.Key)),
	} {
		c := dialFrom(t, "127.0.0.1", g.Addr)
		c.SetDeadline(time.Now().Add(2 * harness.Timeout))
		fmt.Fprintf(c, "%s\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", lines, to, len(whole), whole[:len(whole)/2])
		uploads[name] = c
	}
	for range uploads {
		select {
		case <-came:
		case <-time.After(harness.Timeout):
			t.Fatal("the half of a body has not come to the target")
		}
	}

	waiting := make(map[string]net.Conn)
	for listener, paths := range map[string][]string{
		g.Addr: {"/healthz", "/readyz", "/usage", "/network", "/ws", "/ws/crawl", "/amqp", "/auth/token", "/hooks/site-changed",
			"/sites", "/sessions", "/agents/attach", "/files/a", "/", "/nothing", "/to/-/http/" + to + "/", "http://" + to + "/"},
		admin: {"/metrics", "/sessions", "/debug/pprof/symbol", "/nothing"},
	} {
		for _, path := range paths {
			for kind, rest := range map[string]string{
				"withheld":           "Content-Length: 1\r\n\r\n",
				"chunked":            "Transfer-Encoding: chunked\r\n\r\n",
				"chunked, begun":     "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
				"too large":          "Content-Length: 65537\r\n\r\n",
				"too large and JSON": "Content-Type: application/json\r\nContent-Length: 262144\r\n\r\n{",
			} {
				c := dialFrom(t, "127.0.0.1", listener)
				c.SetDeadline(time.Now().Add(noKeyTimeout))
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", path, rest)
				waiting[listener+" "+path+" "+kind] = c
			}
		}
	}
	for name, c := range waiting {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: open after %v", name, noKeyTimeout)
		}
	}

	for name, c := range uploads {
		if _, err := io.WriteString(c, whole[len(whole)/2:]); err != nil {
			t.Errorf("with a key, %s: %v", name, err)
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("with a key, %s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("with a key, %s: %s", name, resp.Status)
		}
	}
}
