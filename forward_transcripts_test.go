package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A proxyTranscript is a conversation with the forward proxy as its client sees it,
// with what the target is asked, compared with a file in testdata; -update writes the
// file anew.
type proxyTranscript struct {
	t     *testing.T
	conn  net.Conn
	br    *bufio.Reader
	lines []string
}

// namedTargets is an exit that knows three names: echo.test, which says what it is
// told, site.test, which answers requests and notes them, and gone.test, which refuses.
func namedTargets(t *testing.T) (exit agent.Exit, asked chan string) {
	asked = make(chan string, 1)
	addrs := map[string]string{
		"echo.test:7": newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) }),
		"site.test:80": newTCPTarget(t, func(c *net.TCPConn) {
			var head bytes.Buffer
			br := bufio.NewReader(io.TeeReader(c, &head))
			if req, err := http.ReadRequest(br); err == nil {
				io.Copy(io.Discard, req.Body)
			}
			asked <- head.String()
			io.WriteString(c, "HTTP/1.1 404 Not Here\r\nContent-Type: text/plain\r\nSet-Cookie: sid=1; Domain=site.test\r\n"+
				"Location: http://site.test/other\r\nStrict-Transport-Security: max-age=1\r\nConnection: close\r\nContent-Length: 7\r\n\r\nnothing")
		}),
	}
	return agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		switch host, _, _ := net.SplitHostPort(addr); {
		case addrs[addr] != "":
			return new(net.Dialer).DialContext(ctx, network, addrs[addr])
		case host == "gone.test":
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: syscall.ECONNREFUSED}
		}
		return nil, &agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("an address of the agent's own network")}
	}}, asked
}

func (tr *proxyTranscript) note(line string) { tr.lines = append(tr.lines, line) }

// send sends the lines of a head.
func (tr *proxyTranscript) send(lines ...string) {
	for _, l := range lines {
		tr.note("> " + l)
	}
	io.WriteString(tr.conn, strings.Join(lines, "\r\n")+"\r\n\r\n")
}

// receive reads a head, without its Date, and as much of a body as it announces.
func (tr *proxyTranscript) receive() {
	tr.t.Helper()
	length := 0
	for {
		line, err := tr.br.ReadString('\n')
		if err != nil {
			tr.t.Fatalf("%v; so far\n%s", err, strings.Join(tr.lines, "\n"))
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		if strings.HasPrefix(line, "Date: ") {
			continue
		}
		fmt.Sscanf(line, "Content-Length: %d", &length)
		tr.note("< " + line)
	}
	if length > 0 {
		body := make([]byte, length)
		if _, err := io.ReadFull(tr.br, body); err != nil {
			tr.t.Fatal(err)
		}
		tr.note("< " + strings.TrimSpace(string(body)))
	}
}

// sendText and hearText are what passes a tunnel; sayBytes and hearBytes are SOCKS.
func (tr *proxyTranscript) sendText(text string) {
	tr.note("> text " + text)
	io.WriteString(tr.conn, text)
}

func (tr *proxyTranscript) receiveText(n int) { tr.note("< text " + string(tr.read(n))) }

func (tr *proxyTranscript) sendBytes(what string, b ...byte) {
	tr.note(fmt.Sprintf("> %-12s % x", what, b))
	tr.conn.Write(b)
}

func (tr *proxyTranscript) receiveBytes(what string, n int) {
	tr.t.Helper()
	tr.note(fmt.Sprintf("< %-12s % x", what, tr.read(n)))
}

func (tr *proxyTranscript) read(n int) []byte {
	tr.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(tr.br, b); err != nil {
		tr.t.Fatalf("%v; so far\n%s", err, strings.Join(tr.lines, "\n"))
	}
	return b
}

// end notes how the other side ends.
func (tr *proxyTranscript) end() {
	switch b, err := io.ReadAll(tr.br); {
	case len(b) > 0:
		tr.note(fmt.Sprintf("< more: %q", b))
	case err == nil:
		tr.note("< end")
	default:
		tr.note("< reset")
	}
}

func (tr *proxyTranscript) halfClose() {
	tr.note("> end")
	tr.conn.(*net.TCPConn).CloseWrite()
}

func (tr *proxyTranscript) compare(name string) {
	tr.t.Helper()
	compareTranscript(tr.t, filepath.Join("testdata", "proxy", name+".txt"), tr.lines)
}

// compareTranscript compares a conversation with a file, or writes the file anew.
func compareTranscript(t testing.TB, file string, lines []string) {
	t.Helper()
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the conversation was\n%s\nwant\n%s", file, got, want)
	}
}

func TestForwardProxy_Transcripts_StayTheSame(t *testing.T) {
	exit, asked := namedTargets(t)
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Agents = exit })
	socks := w.socks()
	begin := func(t *testing.T, addr string) *proxyTranscript {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(testTimeout))
		return &proxyTranscript{t: t, conn: conn, br: bufio.NewReader(conn)}
	}
	http1 := func(t *testing.T) *proxyTranscript { return begin(t, w.server.Listener.Addr().String()) }
	credentials := "Proxy-Authorization: " + proxyBasic("any", testKey)

	t.Run("connect", func(t *testing.T) {
		tr := http1(t)
		tr.send("CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", credentials)
		tr.receive()
		tr.sendText("hello")
		tr.receiveText(5)
		tr.halfClose()
		tr.end()
		tr.compare("connect")
	})
	for name, lines := range map[string][]string{
		"connect-key-missing":  {"CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", "X-API-Key: " + testKey},
		"connect-key-invalid":  {"CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", "Proxy-Authorization: " + proxyBasic("any", "key-of-nobody-0123456789")},
		"connect-no-port":      {"CONNECT echo.test HTTP/1.1", "Host: echo.test", credentials},
		"connect-no-agent":     {"CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", "Proxy-Authorization: " + proxyBasic("geo=AT;session=a", testKey)},
		"connect-options":      {"CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", "Proxy-Authorization: " + proxyBasic("country=AT", testKey)},
		"connect-refused":      {"CONNECT gone.test:443 HTTP/1.1", "Host: gone.test:443", credentials},
		"connect-forbidden":    {"CONNECT 10.0.0.1:22 HTTP/1.1", "Host: 10.0.0.1:22", credentials},
		"absolute-key-missing": {"GET http://site.test/ HTTP/1.1", "Host: site.test", "Authorization: Bearer " + testKey},
		"absolute-refused":     {"GET http://gone.test/ HTTP/1.1", "Host: gone.test", credentials},
		"absolute-scheme":      {"GET ftp://site.test/ HTTP/1.1", "Host: site.test", credentials},
	} {
		t.Run(name, func(t *testing.T) {
			tr := http1(t)
			tr.send(lines...)
			tr.receive()
			tr.compare(name)
		})
	}
	t.Run("absolute", func(t *testing.T) {
		tr := http1(t)
		tr.send("GET http://site.test//a%2Fb/../c;d?e|f HTTP/1.1", "Host: other.test", credentials, "Proxy-Connection: keep-alive", "Cookie: own=1",
			"Origin: http://page.test", "X-Forwarded-For: 192.0.2.7", "Authorization: Basic eDp5", "Connection: X-Mine", "X-Mine: 1")
		tr.receive()
		for line := range strings.SplitSeq(strings.TrimSpace(<-asked), "\r\n") {
			tr.note("target < " + line)
		}
		tr.compare("absolute")
	})

	user := func(name, password string) []byte {
		return append(append(append([]byte{1, byte(len(name))}, name...), byte(len(password))), password...)
	}
	named := func(command byte, host string, port byte) []byte {
		return append(append([]byte{5, command, 0, 3, byte(len(host))}, host...), 0, port)
	}
	greet := func(t *testing.T) *proxyTranscript {
		tr := begin(t, socks)
		tr.sendBytes("methods", 5, 2, 0, 2)
		tr.receiveBytes("method", 2)
		tr.sendBytes("credentials", user("any", testKey)...)
		tr.receiveBytes("status", 2)
		return tr
	}
	t.Run("socks", func(t *testing.T) {
		tr := greet(t)
		tr.sendBytes("request", named(1, "echo.test", 7)...)
		tr.receiveBytes("reply", 10)
		tr.sendText("hello")
		tr.receiveText(5)
		tr.halfClose()
		tr.end()
		tr.compare("socks")
	})
	for name, request := range map[string][]byte{
		"socks-bind": named(2, "echo.test", 7), "socks-udp": named(3, "echo.test", 7), "socks-refused": named(1, "gone.test", 80),
		"socks-forbidden": {5, 1, 0, 1, 10, 0, 0, 1, 0, 22}, "socks-forbidden-ipv6": append(append([]byte{5, 1, 0, 4}, net.IPv6loopback...), 0, 22),
	} {
		t.Run(name, func(t *testing.T) {
			tr := greet(t)
			tr.sendBytes("request", request...)
			tr.receiveBytes("reply", 10)
			tr.end()
			tr.compare(name)
		})
	}
	t.Run("socks-key-missing", func(t *testing.T) {
		tr := begin(t, socks)
		tr.sendBytes("methods", 5, 1, 0)
		tr.receiveBytes("method", 2)
		tr.end()
		tr.compare("socks-key-missing")
	})
	t.Run("socks-key-invalid", func(t *testing.T) {
		tr := begin(t, socks)
		tr.sendBytes("methods", 5, 1, 2)
		tr.receiveBytes("method", 2)
		tr.sendBytes("credentials", user("any", "key-of-nobody-0123456789")...)
		tr.receiveBytes("status", 2)
		tr.end()
		tr.compare("socks-key-invalid")
	})

	t.Run("draining", func(t *testing.T) {
		tr := http1(t)
		tr.send("CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", credentials)
		tr.receive()
		ctx, cut := context.WithCancel(t.Context())
		drained := make(chan error, 1)
		go func() { drained <- w.gw.Shutdown(ctx) }()
		waitUntil(t, "the gateway drains", func() bool { return w.gw.Stats().Draining })
		tr.note("# draining")
		tr.sendText("still here")
		tr.receiveText(10)
		late := http1(t)
		late.send("CONNECT echo.test:7 HTTP/1.1", "Host: echo.test:7", credentials)
		late.receive()
		for _, l := range late.lines {
			tr.note("another " + l)
		}
		tr.note("# the drain's time is over")
		cut()
		tr.end()
		if err := <-drained; err != context.Canceled {
			t.Error(err)
		}
		tr.compare("draining")
	})
}
