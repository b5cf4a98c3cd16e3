package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// through asks for a target's front page by the path form.
func through(t *testing.T, g *harness.Gateway, target string) (status int, body string) {
	t.Helper()
	return harness.Get(t, g.HTTP("/to/-/http/"+target+"/"), "X-API-Key", g.Key)
}

// What the exit of this process may not dial is refused, and named by its flag.
func TestServe_GuardFlags_DecideWhatIsDialled(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the target") }))
	t.Cleanup(target.Close)
	addr := target.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags   []string
		target  string
		refused string // empty: the target answers
	}{
		"without a flag":  {nil, addr, "--allow-private"},
		"allowed":         {[]string{"--allow-private", "--allow-ports", "1," + port}, addr, ""},
		"another port":    {[]string{"--allow-private", "--allow-ports", "1-2"}, addr, "--allow-ports"},
		"the port 25":     {[]string{"--allow-private"}, "127.0.0.1:25", "--allow-ports"},
		"denied":          {[]string{"--allow-private", "--deny", "127.0.0.0/30"}, addr, "target refused"},
		"denied nearby":   {[]string{"--allow-private", "--deny", "127.0.0.4/30"}, addr, ""},
		"denied by name":  {[]string{"--allow-private", "--deny", "127.0.0.0/8,::1/128"}, "localhost:" + port, "target refused"},
		"on-link is less": {[]string{"--allow-on-link"}, addr, "--allow-private"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startServe(t, c.flags...)
			status, body := through(t, g, c.target)
			switch {
			case c.refused == "" && (status != http.StatusOK || body != "the target"):
				t.Errorf("%d %s", status, body)
			case c.refused != "" && (status != http.StatusForbidden || !strings.Contains(body, `"code":"target_forbidden"`) || !strings.Contains(body, c.refused)):
				t.Errorf("%d %s, want a refusal with %q", status, body, c.refused)
			}
		})
	}
}

// No flag lets the exit of this process reach a listener of this process.
func TestServe_OwnListeners_AreNeverDialled(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--allow-private", "--allow-on-link", "--allow-ports", "1-65535", "--admin-listen", "127.0.0.1:0", "--socks-listen", "127.0.0.1:0")
	admin := g.Await(g.Stderr, `(?m)^metrics at http://(\S+)/metrics$`)[1]
	socks := g.Await(g.Stderr, `listening for SOCKS5" addr=(\S+)`)[1]
	for _, addr := range []string{g.Addr, admin, socks} {
		port := addr[strings.LastIndexByte(addr, ':')+1:]
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
			if status, body := through(t, g, host+":"+port); status != http.StatusForbidden || !strings.Contains(body, `"code":"target_forbidden"`) {
				t.Errorf("%s:%s: %d %s", host, port, status, body)
			}
		}
	}
}

// The clocks of the relay are flags.
func TestServe_RelayClocks_AreFlags(t *testing.T) {
	t.Parallel()
	g := startServe(t, "--allow-private", "--keepalive", "50ms", "--stall-timeout", "200ms")
	reading, ended := make(chan bool, 2), make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		if <-reading {
			c.Read(r.Context())
		} else {
			<-ended
		}
	}))
	t.Cleanup(target.Close)
	t.Cleanup(func() { close(ended) })
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	t.Cleanup(cancel)
	pinged := make(chan struct{}, 100)
	open := func(reads bool) *websocket.Conn {
		t.Helper()
		reading <- reads
		url := fmt.Sprintf("%s?api_key=%s&url=ws%s/", g.WS("/ws"), g.Key, strings.TrimPrefix(target.URL, "http"))
		c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{OnPingReceived: func(context.Context, []byte) bool {
			select {
			case pinged <- struct{}{}:
			default:
			}
			return true
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c
	}
	quiet := open(true).CloseRead(ctx)
	select {
	case <-pinged:
	case <-quiet.Done():
		t.Error("the session ended before a ping came")
	case <-time.After(20 * time.Second): // without the flag the first one comes after 25
		t.Error("no ping came")
	}

	stalled := open(false)
	told := make(chan error, 1)
	go func() {
		_, _, err := stalled.Read(ctx)
		told <- err
	}()
	message := make([]byte, 1<<20)
	for stalled.Write(ctx, websocket.MessageBinary, message) == nil {
	}
	if err := <-told; websocket.CloseStatus(err) != 1013 {
		t.Errorf("behind a target that reads nothing: %v, want 1013", err)
	}
}

// TestServe_AllowInsecure_IsAFlag: only with the flag may a request leave a certificate unverified.
func TestServe_AllowInsecure_IsAFlag(t *testing.T) {
	for want, flags := range map[int][]string{http.StatusBadRequest: nil, http.StatusOK: {"--allow-insecure"}} {
		g := startServe(t, append(flags, "--allow-private")...)
		body := fmt.Sprintf(`{"host":"127.0.0.1","port":%s,"username":"u","password":"p","exchange":"x","ssl":true,"insecure":true}`,
			harness.FreeAddr(t)[len("127.0.0.1:"):])
		req, err := http.NewRequest(http.MethodPost, g.HTTP("/amqp"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"X-Api-Key": {g.Key}, "Content-Type": {"application/json"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || strings.Contains(string(answer), "--allow-insecure") != (want != http.StatusOK) {
			t.Errorf("%v: got %s, %v: %s", flags, resp.Status, err, answer)
		}
	}
}
