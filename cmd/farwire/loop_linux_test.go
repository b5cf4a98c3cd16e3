package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// The event loop carries relays whose clients come over TLS, so that they cost no
// goroutine.
func TestServe_TLS_RelaysHaveNoGoroutines(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
	defer cancel()
	target := harness.Target(t, harness.Echo)
	s := serveSecured(t, "--allow-private", "--rate", "1000", "--admin-listen", "127.0.0.1:0")
	profiles := s.Await(s.Stderr, `(?m)^profiles at (http://\S+/debug/pprof/)$`)[1]
	tr := &http.Transport{TLSClientConfig: s.ca.Client()}
	defer tr.CloseIdleConnections()

	const relays = 40
	var before int
	for i := range relays + 1 {
		if i == 1 { // the first has started whatever all share
			before = goroutines(t, profiles)
		}
		c, _, err := websocket.Dial(ctx, "wss://"+s.addr+"/ws?api_key="+aliceKey+"&url="+target,
			&websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		say := fmt.Sprint("through a loop ", i)
		write(t, ctx, c, websocket.MessageText, say)
		if _, b, err := c.Read(ctx); err != nil || string(b) != say {
			t.Fatalf("%q came back as %q, %v", say, b, err)
		}
	}
	if more := goroutines(t, profiles) - before; more > relays/2 {
		t.Errorf("%d relays run in %d goroutines", relays, more)
	}
}

// goroutines says how many a program has that serves its profiles there.
func goroutines(t *testing.T, profiles string) int {
	t.Helper()
	_, body := harness.Get(t, profiles+"goroutine?debug=1")
	m := regexp.MustCompile(`^goroutine profile: total (\d+)\n`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no profile: %.200s", body)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
