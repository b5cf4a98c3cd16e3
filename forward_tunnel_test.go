//lint:file-ignore SA1019 net/http has no HTTP/2 client for a connection that is dialled already

package farwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestForwardProxy_Connect_CarriesTLS(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	secure := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // all of it first: the connection stays
		rw.Write(body)
	}))
	t.Cleanup(secure.Close)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	client := w.proxied("any", testKey)
	resp, err := client.Post(secure.URL, "text/plain", strings.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != large {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	waitFor(t, func() bool { // bytes count once they are written
		sessions := slices.Collect(w.gw.Sessions())
		if len(sessions) != 1 || sessions[0].Kind != farwire.KindTunnel || sessions[0].Subject != "alice" || sessions[0].Target != strings.TrimPrefix(secure.URL, "https://") {
			t.Fatalf("%+v", sessions)
		}
		return min(sessions[0].Counters.BytesToTarget, sessions[0].Counters.BytesToClient) >= int64(len(large))
	})
	client.CloseIdleConnections()
	w.log.Await(t, "kind=tunnel subject=alice", "code=200 cause=\"\"")
}

// newTCPTarget is a target whose connections are served by the function.
func newTCPTarget(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	return harness.Conns(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(testTimeout))
		serve(c.(*net.TCPConn))
	}).Addr().String()
}

func TestForwardProxy_HalfClose_CrossesBothWays(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	// It answers once it has read all: only a half-close tells it that it has.
	after := newTCPTarget(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%d bytes", len(b))
	})
	conn, br, resp := w.connect(after, "any", testKey)
	if resp.StatusCode != 200 || resp.Header.Get("X-Farwire-Node") == "" || len(resp.TransferEncoding) > 0 || resp.Header.Get("Content-Length") != "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	io.WriteString(conn, "hello")
	conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(br); err != nil || string(b) != "5 bytes" {
		t.Errorf("%q %v", b, err)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=client", "code=200 cause=\"\"", "bytes_to_target=5 bytes_to_client=7")

	got := make(chan string, 1)
	first := newTCPTarget(t, func(c *net.TCPConn) {
		io.WriteString(c, "done")
		c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
	})
	conn, br, _ = w.connect(first, "any", testKey)
	if b, err := io.ReadAll(br); err != nil || string(b) != "done" {
		t.Errorf("%q %v", b, err)
	}
	io.WriteString(conn, "still here")
	conn.(*net.TCPConn).CloseWrite()
	if b := <-got; b != "still here" {
		t.Errorf("the target got %q", b)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=target", "cause=\"\"")
}

func TestForwardProxy_TargetReset_ResetsTheClient(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	target := newTCPTarget(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1))
		c.SetLinger(0)
	})
	conn, br, _ := w.connect(target, "any", testKey)
	io.WriteString(conn, "x")
	if b, err := io.ReadAll(br); err == nil {
		t.Errorf("a reset looks like an end: %q", b)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=target", "cause=\"target lost")
}

func TestForwardProxy_Rules_HoldForTunnels(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	other := newTCPTarget(t, func(*net.TCPConn) { t.Error("a forbidden target was dialled") })
	keys := keyFunc(func(key string) farwire.Principal {
		if key == otherKey {
			return farwire.Principal{Subject: "bob", Kinds: []farwire.Kind{farwire.KindHTTP}}
		}
		_, port, _ := net.SplitHostPort(target)
		return farwire.Principal{Subject: "alice", Allow: []string{"localhost:" + port, "127.0.0.1:" + port}}
	})
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Auth = keys })
	for _, c := range []struct {
		addr, key string
		want      int
	}{{target, testKey, 200}, {other, testKey, 403}, {target, otherKey, 403}} {
		conn, _, resp := w.connect(c.addr, "any", c.key)
		conn.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.key, resp.StatusCode, c.want)
		}
	}
}

type keyFunc func(key string) farwire.Principal

func (f keyFunc) Authenticate(_ context.Context, c farwire.Credentials) (farwire.Principal, error) {
	return f(c.Key), nil
}

func TestForwardProxy_Limits_CountTunnels(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Limits = farwire.Limits{Sessions: 1, HTTPRate: 0.001, HTTPBurst: 3} })
	for i, want := range []int{200, 429, 429, 429} {
		_, _, resp := w.connect(target, "any", testKey)
		body, code := "", "limit_reached"
		if want != 200 {
			b, _ := io.ReadAll(resp.Body)
			body = string(b)
		}
		if i == 3 {
			code = "rate_limited"
		}
		if resp.StatusCode != want || want != 200 && !strings.Contains(body, code) {
			t.Errorf("%d: %d %s", i, resp.StatusCode, body)
		}
	}
}

func TestForwardProxy_Drain_LetsTunnelsRunAndThenCutsThem(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	w := newProxyWorld(t, http.NotFoundHandler())
	conn, br, _ := w.connect(target, "any", testKey)
	ctx, cut := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- w.gw.Shutdown(ctx) }()
	for !w.gw.Stats().Draining {
		time.Sleep(time.Millisecond)
	}
	if _, _, resp := w.connect(target, "any", testKey); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if status, _, _ := get(t, w.proxied("any", testKey), w.target.URL); status != 503 {
		t.Errorf("%d", status)
	}
	io.WriteString(conn, "x")
	if b, err := br.ReadByte(); err != nil || b != 'x' {
		t.Errorf("%q %v", b, err)
	}
	cut()
	if err := <-drained; err != context.Canceled {
		t.Errorf("%v", err)
	}
	if _, err := br.ReadByte(); err == nil || err == io.EOF {
		t.Errorf("a cut looks like an end: %v", err)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=gateway", "draining")
}

func TestForwardProxy_EndSession_CutsTheTunnel(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	w := newProxyWorld(t, http.NotFoundHandler())
	_, br, _ := w.connect(target, "any", testKey)
	if n := w.gw.EndWhere(func(s farwire.Session) bool { return s.Kind == farwire.KindTunnel }, "ended by request"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if _, err := br.ReadByte(); err == nil || err == io.EOF {
		t.Errorf("%v", err)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=gateway", "ended by request")
}

func TestForwardProxy_IdleTimeout_EndsTheTunnel(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	w := newProxyWorld(t, http.NotFoundHandler())
	_, br, _ := w.connect(target, "idle_timeout=0.1", testKey)
	if _, err := br.ReadByte(); err == nil {
		t.Error("a byte")
	}
	w.log.Await(t, "kind=tunnel", "ended_by=gateway", "idle timeout")
}

func TestForwardProxy_EarlyBytes_ReachTheTarget(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	w := newProxyWorld(t, http.NotFoundHandler())
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\nearly", target, proxyBasic("any", testKey))
	conn.SetDeadline(time.Now().Add(testTimeout))
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	echo := make([]byte, len("early"))
	if _, err := io.ReadFull(br, echo); err != nil || string(echo) != "early" {
		t.Errorf("%q %v", echo, err)
	}
}

// What a client has sent behind a CONNECT is meant for the target. Where there is no tunnel
// it is nobody's request.
func TestForwardProxy_ConnectFailsWithBytesBehindIt_NoneIsARequest(t *testing.T) {
	asked := make(chan string, 9)
	dials := make(chan struct{}, 1)
	w := newProxyWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }), func(o *farwire.Options) {
		o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			if addr == "hang.test:443" {
				dials <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("connection refused")}
		}}
	})
	w.server.Config.Handler = w.gw.ForwardProxy(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	for _, c := range []struct{ target, user, status, says string }{
		{"gone.test:443", "any", "502", `"target_unreachable"`},
		{"gone.test", "any", "400", `"bad_request"`},
		{"gone.test:443", "geo=XX", "502", `"agent_unavailable"`},
		{"hang.test:443", "timeout=0.05", "504", `"target_timeout"`},
		{"hang.test:443", "any", "400", "closed its side of the connection"}, // this one is half-closed
	} {
		conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(testTimeout))
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\nGET /early HTTP/1.1\r\nHost: x\r\n\r\n", c.target, proxyBasic(c.user, testKey))
		if c.target == "hang.test:443" {
			<-dials
		}
		if strings.HasPrefix(c.says, "closed") {
			conn.(*net.TCPConn).CloseWrite()
		}
		answers, err := io.ReadAll(conn)
		if text := string(answers); err != nil || !strings.HasPrefix(text, "HTTP/1.1 "+c.status) || !strings.Contains(text, c.says) || strings.Count(text, "HTTP/1.1 ") != 1 {
			t.Errorf("%s as %s: %q, %v", c.target, c.user, answers, err)
		}
	}
	w.log.Await(t, "kind=tunnel", "ended_by=client code=0", `cause="the client left"`)
	select {
	case uri := <-asked:
		t.Errorf("%s was asked for", uri)
	default:
	}
	if strings.Contains(w.log.String(), "WARN") {
		t.Errorf("an operator is warned: %s", w.log)
	}
}
