package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

const testKey = "a-key-of-the-gateway"

// A scene plays the gateway. It gets the client's first message.
type scene func(ctx context.Context, c *websocket.Conn, ask map[string]any)

func gateway(t *testing.T, play scene) (addr string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
		defer cancel()
		_, first, err := c.Read(ctx)
		if err != nil {
			t.Errorf("no first message: %v", err)
			return
		}
		var ask map[string]any
		if err := json.Unmarshal(first, &ask); err != nil {
			t.Errorf("the first message is no object: %s", first)
		}
		play(ctx, c, ask)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func write(t *testing.T, ctx context.Context, c *websocket.Conn, kind websocket.MessageType, message string) {
	t.Helper()
	if err := c.Write(ctx, kind, []byte(message)); err != nil {
		t.Errorf("writing %.20q: %v", message, err)
	}
}

func connected(t *testing.T, ctx context.Context, c *websocket.Conn) {
	t.Helper()
	write(t, ctx, c, websocket.MessageText, `{"type":"connected","status":101,"node_id":"farwire-de1"}`)
}

// relayTo runs farwire relay with the given standard input.
func relayTo(t *testing.T, addr string, stdin io.Reader, flags ...string) *harness.TestProcess {
	t.Helper()
	args := append([]string{"relay", "wss://target.example/x", "--gateway", "ws://" + addr, "--key", testKey}, flags...)
	cmd := program(t, args...)
	cmd.Stdin = stdin
	return harness.Start(t, cmd)
}

func expect(t *testing.T, p *harness.TestProcess, status int, stdout, stderr string) {
	t.Helper()
	if got := p.Status(); got != status {
		t.Errorf("status %d, want %d", got, status)
	}
	if got := p.Stdout.String(); got != stdout {
		t.Errorf("standard output %.200q, want %.200q", got, stdout)
	}
	if got := p.Stderr.String(); got != stderr {
		t.Errorf("standard error %q, want %q", got, stderr)
	}
}

func TestRelay_Lines_AreMessages(t *testing.T) {
	for _, binary := range []bool{false, true} {
		t.Run(fmt.Sprint("binary ", binary), func(t *testing.T) {
			addr := gateway(t, func(ctx context.Context, c *websocket.Conn, ask map[string]any) {
				want := map[string]any{"apiKey": testKey, "url": "wss://target.example/x", "geo": "DE,AT", "agent": "de1"}
				if fmt.Sprint(ask) != fmt.Sprint(want) {
					t.Errorf("asked %v, want %v", ask, want)
				}
				connected(t, ctx, c)
				for _, want := range []string{"one", "", "three\r", strings.Repeat("long", 50_000), "last"} {
					kind, got, err := c.Read(ctx)
					if err != nil || string(got) != want || kind == websocket.MessageBinary != binary {
						t.Errorf("read %v %.20q %v, want %.20q", kind, got, err, want)
						return
					}
				}
				// The client's input has ended: what is still sent must arrive.
				write(t, ctx, c, websocket.MessageText, "späte Antwort")
				write(t, ctx, c, websocket.MessageBinary, "\x00\xff")
				if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != 1000 {
					t.Errorf("read %v, want a close with 1000", err)
				}
			})
			flags := []string{"--geo", "DE,AT", "--agent", "de1"}
			if binary {
				flags = append(flags, "--binary")
			}
			in := strings.NewReader("one\n\nthree\r\n" + strings.Repeat("long", 50_000) + "\nlast")
			expect(t, relayTo(t, addr, in, flags...), statusOK,
				"späte Antwort\n\x00\xff\n", "connected through farwire-de1\nclosed: 1000\n")
		})
	}
}

func TestRelay_OtherSpellingsOfTheURL_AreTheGatewaysAffair(t *testing.T) {
	for _, url := range []string{"https://target.example/x", "HTTP://target.example", " wss://target.example/ "} {
		addr := gateway(t, func(ctx context.Context, c *websocket.Conn, ask map[string]any) {
			if ask["url"] != url {
				t.Errorf("asked for %v, want %s", ask["url"], url)
			}
			connected(t, ctx, c)
			c.Close(websocket.StatusNormalClosure, "")
		})
		cmd := program(t, "relay", url, "--gateway", "ws://"+addr, "--key", testKey)
		expect(t, harness.Start(t, cmd), statusOK, "", "connected through farwire-de1\nclosed: 1000\n")
	}
}

func TestRelay_TargetCloses_PrintsTheCode(t *testing.T) {
	for _, c := range []struct {
		code   websocket.StatusCode
		reason string
		said   string
		status int
	}{
		{1000, "", "closed: 1000\n", statusOK},
		{1000, "idle timeout", "closed: 1000 \"idle timeout\"\n", statusOK},
		{1001, "", "closed: 1001\n", statusFailed},
		{4321, "bye \x1b[31m", "closed: 4321 \"bye \\x1b[31m\"\n", statusFailed},
		{websocket.StatusNoStatusRcvd, "", "closed: 1005, the close frame had no code\n", statusFailed},
	} {
		t.Run(fmt.Sprint(c.code, c.reason), func(t *testing.T) {
			addr := gateway(t, func(ctx context.Context, conn *websocket.Conn, _ map[string]any) {
				connected(t, ctx, conn)
				if err := conn.Close(c.code, c.reason); err != nil {
					t.Errorf("the client did not answer the close frame: %v", err)
				}
			})
			expect(t, relayTo(t, addr, openInput(t)), c.status, "", "connected through farwire-de1\n"+c.said)
		})
	}
}

// openInput is a standard input on which nothing comes and which does not end.
func openInput(t *testing.T) io.Reader {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r
}

func TestRelay_Refused_PrintsTheReason(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		write(t, ctx, c, websocket.MessageText, `{"type":"error","message":"API key invalid"}`)
		c.Close(1008, "API key invalid")
	})
	expect(t, relayTo(t, addr, nil), statusFailed, "", "error: API key invalid\nclosed: 1008 \"API key invalid\"\n")
}

func TestRelay_TargetRefused_PrintsItsAnswer(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, ask map[string]any) {
		want := map[string]any{
			"apiKey": testKey, "url": "wss://target.example/x", "headers": map[string]any{"Origin": "https://a.example", "X-Token": "a: b"},
			"cookies": map[string]any{"sid": "a=b"}, "subprotocols": []any{"mqtt", "json"}, "proxy": "way.example:1", "insecure": true,
			"session": "basket",
		}
		if fmt.Sprint(ask) != fmt.Sprint(want) {
			t.Errorf("asked %v, want %v", ask, want)
		}
		write(t, ctx, c, websocket.MessageText, `{"type":"error","message":"target answered the upgrade with 403 Forbidden","code":"target_refused",
			"status":403,"headers":{"Server":"x","Set-Cookie":["a=1","b=2"]},"body":"{\"error\":1}\r\n\u001b[31m"}`)
		c.Close(1011, "target answered the upgrade with 403 Forbidden")
	})
	p := relayTo(t, addr, nil, "--header", "Origin: https://a.example", "--header", "X-Token:a: b", "--cookie", "sid=a=b",
		"--subprotocol", "mqtt,json", "--proxy", "way.example:1", "--insecure", "--session", "basket")
	expect(t, p, statusFailed, "", "error: target answered the upgrade with 403 Forbidden\n"+
		"target: 403 Forbidden\ntarget: Server: x\ntarget: Set-Cookie: a=1\ntarget: Set-Cookie: b=2\n"+
		"target: {\"error\":1}\ntarget: \\x1b[31m\nclosed: 1011 \"target answered the upgrade with 403 Forbidden\"\n")
}

func TestRelay_HeadersLeftOut_AreNamed(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		write(t, ctx, c, websocket.MessageText, `{"type":"connected","status":101,"node_id":"farwire-de1","ignored":["Upgrade","Connection"]}`)
		c.Close(1000, "")
	})
	expect(t, relayTo(t, addr, openInput(t), "--header", "Upgrade: websocket"), statusOK, "",
		"connected through farwire-de1\nleft out, as they belong to the handshake: Upgrade, Connection\nclosed: 1000\n")
}

func TestRelay_FlagWithoutName_IsMisuse(t *testing.T) {
	for flags, want := range map[[2]string]string{
		{"--header", "x"}:  `--header: "x" has no name; write it as 'Name: value'`,
		{"--cookie", "=x"}: `--cookie: "=x" has no name; write it as name=value`,
	} {
		p := relayTo(t, "127.0.0.1:1", nil, flags[0], flags[1])
		if status := p.Status(); status != statusMisuse || !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("%v: status %d, %s, want %s", flags, status, p.Stderr, want)
		}
	}
}

func TestRelay_ConnectionLost_Fails(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		connected(t, ctx, c)
		c.CloseNow()
	})
	expect(t, relayTo(t, addr, openInput(t)), statusFailed, "",
		"connected through farwire-de1\nclosed: 1006, the connection was lost without a close frame\n")
}

func TestRelay_LineNotUTF8_Closes1007(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		connected(t, ctx, c)
		_, got, err := c.Read(ctx)
		if websocket.CloseStatus(err) != 1007 {
			t.Errorf("read %q %v, want a close with 1007", got, err)
		}
	})
	expect(t, relayTo(t, addr, strings.NewReader("\xff\n")), statusFailed, "",
		"connected through farwire-de1\nerror: a line is not UTF-8; --binary sends lines as they are\nclosed: 1007\n")
}

func TestRelay_Ping_IsAnswered(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		connected(t, ctx, c)
		go c.Read(ctx) // Ping needs a reader, which ends with the connection
		if err := c.Ping(ctx); err != nil {
			t.Errorf("no pong: %v", err)
		}
		c.Close(1000, "")
	})
	expect(t, relayTo(t, addr, openInput(t)), statusOK, "", "connected through farwire-de1\nclosed: 1000\n")
}

// Where something answers, the advice is about what is wrong with it.
func TestRelay_GatewayOverTLS_ErrorSaysWhatToTry(t *testing.T) {
	secured, plain := httptest.NewUnstartedServer(http.NotFoundHandler()), httptest.NewServer(http.NotFoundHandler())
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	defer secured.Close()
	defer plain.Close()
	for gateway, want := range map[string]string{
		secured.URL: "SSL_CERT_FILE",
		strings.Replace(plain.URL, "http:", "wss:", 1): "--gateway as http://HOST",
	} {
		status, _, errs := said(t, program(t, "relay", "--gateway", gateway, "--key", "key-of-nobody-0123456789", "ws://echo.farwire.alt"))
		if status != statusFailed || !strings.Contains(errs, want) || strings.Contains(errs, "serve running") {
			t.Errorf("%s: %d %s", gateway, status, errs)
		}
	}
}

// An interrupt closes the relay with a close frame.
func TestRelay_Interrupted_SendsAClose(t *testing.T) {
	addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
		connected(t, ctx, c)
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != 1000 {
			t.Errorf("read %v, want a close with 1000", err)
		}
	})
	p := relayTo(t, addr, openInput(t))
	p.Await(p.Stderr, "connected through")
	p.Signal(harness.Terminate)
	expect(t, p, statusOK, "", "connected through farwire-de1\nclosed: 1000\n")
}

func TestRelay_GatewayUnreachable_Fails(t *testing.T) {
	free := harness.FreeAddr(t)
	p := relayTo(t, free, nil)
	p.Await(p.Stderr, `^farwire: cannot reach the gateway at `+free+`: .*refused; is farwire serve running there\?\n$`)
	if status := p.Status(); status != statusFailed {
		t.Errorf("status %d, want %d", status, statusFailed)
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"detail":"the gateway is draining"}`)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	expect(t, relayTo(t, addr, nil), statusFailed, "",
		"farwire: the gateway at "+addr+" answered 503 Service Unavailable: the gateway is draining\n")
}

func TestRelay_NotAGateway_Fails(t *testing.T) {
	for _, first := range []string{"hello", `{"type":"greeting"}`, `[]`} {
		addr := gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
			write(t, ctx, c, websocket.MessageText, first)
			c.Read(ctx) // until the client has left
		})
		p := relayTo(t, addr, nil)
		if status := p.Status(); status != statusFailed || !strings.Contains(p.Stderr.String(), "not a farwire gateway") {
			t.Errorf("after %q: status %d, said %q", first, status, p.Stderr)
		}
	}
}

// A duplex is what a socket reads, and a place for what it writes.
type duplex struct {
	io.Reader
	sent bytes.Buffer
}

func (d *duplex) Write(b []byte) (int, error) { return d.sent.Write(b) }
func (d *duplex) Close() error                { return nil }

// FuzzSocket feeds the client's frame reader: it never panics, never allocates
// what a header merely claims, and what it reads as a message ends properly.
func FuzzSocket(f *testing.F) {
	for _, seed := range []string{
		"\x81\x02hi", "\x01\x01h\x89\x01p\x80\x01i", "\x82\x7e\x00\x02hi", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi",
		"\x88\x00", "\x88\x02\x03\xe8", "\x88\x05\x10\xe1bye", "\x81\x82maskhi", "\xf1\x00", "\x83\x00", "\x89\x7e\x00\x80",
		"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x80\x00", "\x01\x00\x01\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := &duplex{Reader: bytes.NewReader(in)}
		s := newSocket(d)
		defer func() {
			if s.late != nil {
				s.late.Stop()
			}
		}()
		written := 0
		for {
			var message bytes.Buffer
			closed, err := s.message(&message)
			if written += message.Len(); written > len(in) {
				t.Fatalf("%d bytes came out of %d", written, len(in))
			}
			if closed != nil && !s.closed {
				t.Fatal("a close frame was not answered")
			}
			if err != nil || closed != nil {
				return
			}
		}
	})
}
