package farwire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// socks serves the world's gateway as SOCKS5 and returns the address.
func (w *world) socks() string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.gw.ServeSOCKS(ln) }()
	w.t.Cleanup(func() {
		ln.Close()
		if err := <-done; err != nil {
			w.t.Errorf("ServeSOCKS: %v", err)
		}
	})
	return ln.Addr().String()
}

func dialSOCKS(t *testing.T, server, target, user, password string) (net.Conn, error) {
	t.Helper()
	var auth *proxy.Auth
	if user != "" {
		auth = &proxy.Auth{User: user, Password: password}
	}
	through := new(keepConn)
	d, err := proxy.SOCKS5("tcp", server, auth, through)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if _, err = d.(proxy.ContextDialer).DialContext(ctx, "tcp", target); err != nil {
		return nil, err
	}
	t.Cleanup(func() { through.conn.Close() })
	return through.conn, through.conn.SetDeadline(time.Now().Add(testTimeout))
}

// A keepConn keeps the connection below a SOCKS client, which can be half-closed.
type keepConn struct{ conn net.Conn }

func (k *keepConn) Dial(network, addr string) (net.Conn, error) {
	return k.DialContext(context.Background(), network, addr)
}

func (k *keepConn) DialContext(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	k.conn, err = new(net.Dialer).DialContext(ctx, network, addr)
	return k.conn, err
}

func TestServeSOCKS_Connect_CarriesBytesBothWays(t *testing.T) {
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "hello") }))
	server := w.socks()
	target := newTCPTarget(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%s!", b)
	})
	_, port, _ := net.SplitHostPort(target)
	for _, addr := range []string{target, "localhost:" + port, "LOCALHOST:" + port} {
		conn, err := dialSOCKS(t, server, addr, "session=a", testKey)
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		io.WriteString(conn, "hello")
		conn.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(conn); err != nil || string(b) != "hello!" {
			t.Errorf("%s: %q %v", addr, b, err)
		}
	}
	w.log.Await(t, "kind=tunnel subject=alice", "target=127.0.0.1:"+port, "code=0 cause=\"\"", "bytes_to_target=5 bytes_to_client=6")
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: server, User: url.UserPassword("any", testKey)})}
	defer tr.CloseIdleConnections()
	if status, _, body := get(t, &http.Client{Transport: tr}, w.target.URL); status != 200 || body != "hello" {
		t.Errorf("%d %s", status, body)
	}
}

func TestServeSOCKS_IPv6_IsDialled(t *testing.T) {
	dialled := make(chan string, 1)
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
		o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled <- addr
			near, far := net.Pipe()
			far.Close()
			return near, nil
		}}
	})
	if _, err := dialSOCKS(t, w.socks(), "[2001:db8::1]:443", "any", testKey); err != nil {
		t.Fatal(err)
	}
	if addr := <-dialled; addr != "[2001:db8::1]:443" {
		t.Errorf("%s", addr)
	}
}

// rawSOCKS says bytes to the server and returns what it says until it closes. Behind them
// it says no more, if they end.
func rawSOCKS(t *testing.T, server, bytes string, end bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(conn, bytes)
	if end {
		conn.(*net.TCPConn).CloseWrite()
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%q: %v", bytes, err)
	}
	return string(b)
}

func TestServeSOCKS_EachFailure_HasItsReply(t *testing.T) {
	closed, err := harness.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
		exit := direct(t, agent.DirectOptions{AllowPrivate: true})
		dial := exit.DialContext
		exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "hang.test:80" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, network, addr)
		}
		o.Agents = exit
		o.Auth = keyFunc(func(string) farwire.Principal {
			return farwire.Principal{Subject: "alice", Deny: []string{"denied.test"}}
		})
	})
	server := w.socks()
	ask := func(user string, command byte, kind byte, host string, port int) string {
		request := fmt.Sprintf("\x05\x01\x02\x01%c%s%c%s\x05%c\x00%c", len(user), user, len(testKey), testKey, command, kind)
		if kind == 3 {
			request += string(rune(len(host)))
		}
		return rawSOCKS(t, server, request+host+string([]byte{byte(port >> 8), byte(port)}), false)
	}
	for _, c := range []struct {
		what, user    string
		command, kind byte
		host          string
		port          int
		want          byte
	}{
		{"forbidden", "any", 1, 3, "denied.test", 80, 2},
		{"unknown name", "any", 1, 3, "no-such-name.invalid", 80, 4},
		{"timeout", "timeout=0.05", 1, 3, "hang.test", 80, 4},
		{"refused", "any", 1, 1, "\x7f\x00\x00\x01", closed[0], 5},
		{"bind", "any", 2, 1, "\x7f\x00\x00\x01", 80, 7},
		{"udp", "any", 3, 3, "a.test", 80, 7},
		{"type of address", "any", 1, 9, "", 80, 1},
		{"no agent", "geo=XX", 1, 3, "a.test", 80, 1},
		{"bad option", "colour=red", 1, 3, "a.test", 80, 1},
		{"bad name", "any", 1, 3, "a b", 80, 1},
		{"port 0", "any", 1, 3, "a.test", 0, 1},
	} {
		if got, want := ask(c.user, c.command, c.kind, c.host, c.port), "\x05\x02\x01\x00\x05"+string(c.want)+"\x00\x01\x00\x00\x00\x00\x00\x00"; got != want {
			t.Errorf("%s: %q, want %q", c.what, got, want)
		}
	}
}

func TestServeSOCKS_CredentialsMissingOrInvalid_IsRefused(t *testing.T) {
	target := newTCPTarget(t, func(*net.TCPConn) { t.Error("an open proxy") })
	w := newProxyWorld(t, http.NotFoundHandler())
	open := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Auth = nil })
	for _, world := range []*world{w, open} {
		server := world.socks()
		for _, password := range []string{"", "wrong-key-0123456789"} {
			if _, err := dialSOCKS(t, server, target, "any", password); err == nil {
				t.Errorf("%q is let in", password)
			}
		}
		if _, err := dialSOCKS(t, server, target, "", ""); err == nil {
			t.Error("nobody is let in")
		}
		for say, want := range map[string]string{"\x05\x01\x00": "\x05\xff", "\x05\x00": "\x05\xff", "\x04\x01": "\x00\x5b\x00\x00\x00\x00\x00\x00", "\x16\x03\x01": "", "\x05\x01\x02\x01\x01a\x01b": "\x05\x02\x01\x01"} {
			if got := rawSOCKS(t, server, say, true); got != want {
				t.Errorf("%q: %q, want %q", say, got, want)
			}
		}
		if got := rawSOCKS(t, server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "speaks SOCKS5") {
			t.Errorf("a request of HTTP: %q", got)
		}
	}
}

// After ten wrong passwords a further one is as wrong, and is told so (RFC 1929, section 2).
func TestServeSOCKS_ManyWrongPasswords_EachIsRefused(t *testing.T) {
	server := newProxyWorld(t, http.NotFoundHandler()).socks()
	for i := range 13 {
		password := fmt.Sprintf("wrong-key-%010d", i)
		say := fmt.Sprintf("\x05\x01\x02\x01\x03any%c%s\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", len(password), password)
		if got := rawSOCKS(t, server, say, true); got != "\x05\x02\x01\x01" {
			t.Errorf("number %d: %q", i+1, got)
		}
	}
}

func TestServeSOCKS_Guard_HoldsForEverySpelling(t *testing.T) {
	canary := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the guard let a request through") })
	w := newProxyWorld(t, canary, func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{}) })
	server := w.socks()
	_, port, _ := net.SplitHostPort(w.host())
	for _, host := range guardSpellings {
		if _, err := dialSOCKS(t, server, net.JoinHostPort(strings.Trim(host, "[]"), port), "any", testKey); err == nil {
			t.Errorf("%s was dialled", host)
		}
	}
}

func TestServeSOCKS_Drain_LetsTunnelsRunAndThenCutsThem(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	server := w.socks()
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	running, err := dialSOCKS(t, server, target, "any", testKey)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	io.WriteString(silent, "\x05\x01\x02")
	if _, err := io.ReadFull(silent, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	ctx, cut := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- w.gw.Shutdown(ctx) }()
	silent.SetDeadline(time.Now().Add(testTimeout))
	if _, err := silent.Read(make([]byte, 1)); err == nil || isDeadline(err) {
		t.Errorf("a client without credentials stays: %v", err)
	}
	if _, err := dialSOCKS(t, server, target, "any", testKey); err == nil {
		t.Error("a tunnel began while draining")
	}
	io.WriteString(running, "x")
	if n, err := running.Read(make([]byte, 1)); n != 1 {
		t.Errorf("%v", err)
	}
	cut()
	if err := <-drained; err != context.Canceled {
		t.Errorf("%v", err)
	}
	if _, err := running.Read(make([]byte, 1)); err == nil || err == io.EOF || isDeadline(err) {
		t.Errorf("%v", err)
	}
}

func isDeadline(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// While its target is dialled a client may leave, or send what is for the target.
func TestServeSOCKS_Dialling_ClientIsListenedTo(t *testing.T) {
	dialling, proceed := make(chan struct{}), make(chan struct{})
	exit := direct(t, agent.DirectOptions{AllowPrivate: true})
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialling <- struct{}{}
		select {
		case <-proceed:
			return dial(ctx, network, addr)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Agents = exit })
	server := w.socks()
	begin := func(early string) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(testTimeout))
		host, port, err := net.SplitHostPort(w.host())
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "\x05\x01\x02\x01\x00%c%s\x05\x01\x00\x03%c%s%s%s", len(testKey), testKey, len(host), host, []byte{byte(n >> 8), byte(n)}, early)
		if _, err := io.ReadFull(conn, make([]byte, len("\x05\x02\x01\x00"))); err != nil {
			t.Fatal(err)
		}
		<-dialling
		return conn
	}

	begin("").Close()
	left := func(n int) func() bool {
		return func() bool { return strings.Count(w.log.String(), "ended_by=client ") == n }
	}
	waitUntil(t, "the end of the session", left(1))
	begin("bytes for the target").Close()
	waitUntil(t, "the end of the session that has sent something", left(2))

	conn := begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	close(proceed)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "HTTP/1.1 404") {
		t.Errorf("%q, %v", answer, err)
	}
}
