package farwire_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// answering is a target that answers every request with the same bytes.
func answering(t *testing.T, answer string) string {
	return newRawTarget(t, func(conn net.Conn, _ string) { io.WriteString(conn, answer) })
}

const forbidden = "HTTP/1.1 403 Forbidden\r\nServer: wall\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nX-Two: 1\r\nX-Two: 2\r\n" +
	"WWW-Authenticate: Bearer error=\"invalid_token\"\r\nLocation: /login\r\nRetry-After: 7\r\nContent-Type: application/json\r\n" +
	"Upgrade: websocket\r\nContent-Length: 2000\r\n\r\n"

func TestRelay_TargetRefused_MessageFormShowsItsAnswer(t *testing.T) {
	w := newWorld(t)
	p := w.open("/ws")
	p.ask(answering(t, forbidden+strings.Repeat("x", 2000)), "")
	var m struct {
		Code, Body string
		Status     int
		Headers    map[string]any
	}
	if err := json.Unmarshal(p.next().payload, &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Server": "wall", "Set-Cookie": []any{"a=1; Path=/", "b=2"}, "X-Two": "1, 2", "Content-Type": "application/json",
		"Www-Authenticate": `Bearer error="invalid_token"`, "Location": "/login", "Retry-After": "7"}
	if m.Code != "target_refused" || m.Status != 403 || m.Body != strings.Repeat("x", 1024) || fmt.Sprint(m.Headers) != fmt.Sprint(want) {
		t.Errorf("got %+v, want 403, a body of 1024 and %v", m, want)
	}
	p.wantClose(1011, "target answered the upgrade with 403 Forbidden")
}

func TestRelay_TargetRefused_DirectFormPassesItsAnswer(t *testing.T) {
	w := newWorld(t)
	url := answering(t, forbidden+strings.Repeat("x", 2000))
	for _, origin := range []string{"", "https://page.example"} {
		var lines []string
		if origin != "" {
			lines = append(lines, "Origin: "+origin)
		}
		p := w.try("/ws?url="+escape(url)+"&api_key="+testKey, lines...)
		body, err := io.ReadAll(p.resp.Body)
		if err != nil || p.resp.StatusCode != 403 || string(body) != strings.Repeat("x", 2000) {
			t.Errorf("status %d, %d bytes, %v", p.resp.StatusCode, len(body), err)
		}
		for name, want := range map[string]string{
			"X-Farwire-From": "target", "X-Farwire-Node": testAgent, "Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Content-Type": "application/json", "Location": "/login", "Retry-After": "7",
			"Www-Authenticate": `Bearer error="invalid_token"`, "Server": "", "X-Two": "",
		} {
			if got := p.resp.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := len(p.resp.Header.Values("Set-Cookie")); got != map[bool]int{true: 2}[origin == ""] {
			t.Errorf("origin %q: %d cookies", origin, got)
		}
	}
}

func TestRelay_TargetRefusedWithoutEnd_IsPassedOnSoon(t *testing.T) {
	w := newWorld(t)
	url := newRawTarget(t, func(conn net.Conn, _ string) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"+strings.Repeat("x", 100<<10))
		io.Copy(io.Discard, conn) // keeps it open
	})
	p := w.try("/ws?url=" + escape(url) + "&api_key=" + testKey)
	if body, err := io.ReadAll(p.resp.Body); err != nil || p.resp.StatusCode != 200 || len(body) != 64<<10 {
		t.Errorf("status %d, %d bytes, %v, want 64 KiB", p.resp.StatusCode, len(body), err)
	}
}

func TestRelay_HeadersOfThe101_ReachTheClient(t *testing.T) {
	w := newWorld(t)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		answerUpgrade(conn, head, "Set-Cookie: sid=abc; HttpOnly", "X-Region: eu1")
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	p := w.open("/ws")
	p.ask(url, "")
	p.wantText(`{"type":"connected","status":101,"node_id":"farwire-de1","headers":{"Set-Cookie":["sid=abc; HttpOnly"],"X-Region":"eu1"}}`)
	direct := w.open("/ws?url=" + escape(url) + "&api_key=" + testKey)
	if got := direct.resp.Header.Get("Set-Cookie"); got != "sid=abc; HttpOnly" || direct.resp.Header.Get("X-Region") != "" {
		t.Errorf("the direct form's 101 has %v", direct.resp.Header)
	}
	page := w.open("/ws?url="+escape(url)+"&api_key="+testKey, "Origin: https://page.example")
	if got := page.resp.Header.Get("Set-Cookie"); got != "" {
		t.Errorf("a page was given the cookie %q", got)
	}
}

// The 101 is spelt as RFC 6455 spells it: clients on small machines compare it.
func TestRelay_101_SpelledAsTheStandardHasIt(t *testing.T) {
	w := newWorld(t)
	conn, err := w.dialIn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	head, ok := readRawHead(conn)
	if !ok || !strings.Contains(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") || !strings.Contains(head, "\r\nSec-WebSocket-Protocol: a\r\n") {
		t.Errorf("the answer is %q", head)
	}
}

func TestRelay_Redirects_AreFollowedToALimit(t *testing.T) {
	w := newWorld(t)
	heads := make(chan string, 4)
	final := newRawTarget(t, func(conn net.Conn, head string) {
		heads <- head
		answerUpgrade(conn, head)
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	elsewhere := answering(t, "HTTP/1.1 308 Permanent Redirect\r\nLocation: "+strings.Replace(final, "ws", "http", 1)+"x%2Fy\r\nContent-Length: 0\r\n\r\n")
	n := 0
	here := newRawTarget(t, func(conn net.Conn, head string) {
		if n++; n == 1 {
			io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /next?a|b\r\nContent-Length: 0\r\n\r\n")
			return
		}
		heads <- head
		answerUpgrade(conn, head)
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	const given = `"follow_redirects":1,"headers":{"Authorization":"Bearer x","Host":"virtual.example","X-Own":"1"},"cookies":{"a":"b"}`
	t.Run("same origin keeps what was given", func(t *testing.T) {
		w.in(t).connected(here, given)
		for _, want := range []string{"GET /next?a|b HTTP/1.1\r\nHost: virtual.example\r\n", "Authorization: Bearer x\r\n", "Cookie: a=b\r\n"} {
			if head := <-heads; !strings.Contains(head, want) {
				t.Errorf("%q is not in %q", want, head)
			} else {
				heads <- head
			}
		}
		<-heads
	})
	t.Run("another port gets none of it", func(t *testing.T) {
		w.in(t).connected(elsewhere, given)
		head := <-heads
		host := strings.TrimSuffix(strings.TrimPrefix(final, "ws://"), "/")
		if !strings.Contains(head, "GET /x%2Fy HTTP/1.1\r\nHost: "+host+"\r\n") || strings.Contains(head, "Bearer") || strings.Contains(head, "X-Own") || strings.Contains(head, "Cookie") {
			t.Errorf("the second target got %q", head)
		}
	})
	loop := answering(t, "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
	for name, tt := range map[string]struct{ url, more, want string }{
		"not asked for": {elsewhere, "", "target answered the upgrade with 308 Permanent Redirect"},
		"too many":      {loop, `"follow_redirects":5`, "target answered the upgrade with 302 Found"},
		"nowhere":       {answering(t, "HTTP/1.1 301 x\r\nLocation: ftp://x\r\n\r\n"), `"follow_redirects":5`, "it redirects to no address that can be followed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.in(t).open("/ws")
			p.ask(tt.url, tt.more)
			p.wantError(1011, tt.want)
		})
	}
}

func TestRelay_Timeout_IsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() })
		p := w.open("/ws")
		p.ask("ws://silent.test/", `"timeout":0.2`)
		elapsed(t, 200*time.Millisecond, func() { p.wantError(1011, "target timed out") })
		elapsed(t, 200*time.Millisecond, func() {
			wantDetail(t, w.try("/ws?url="+escape("ws://silent.test/")+"&api_key="+testKey+"&fw_timeout=0.2").resp, 504, "target timed out")
		})
		// A proxy that hangs is the proxy's fault.
		p = w.open("/ws")
		p.ask("ws://target.example/", `"timeout":0.2,"proxy":"silent.test:3128"`)
		elapsed(t, 200*time.Millisecond, func() { p.wantError(1011, "proxy did not answer in time") })
	})
}

func TestRelay_DirectFormNames_WithPrefix(t *testing.T) {
	w := newWorld(t)
	lines := make(chan string, 1)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		line, _, _ := strings.Cut(head, "\r\n")
		lines <- line
		answerUpgrade(conn, head)
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	for _, tt := range []struct{ query, header, want string }{
		{"?fw_url=" + escape(url) + "&fw_api_key=" + testKey + "&url=a&agent=mozilla&proxy=1&token=t&header=x", "", "/?url=a&agent=mozilla&proxy=1&token=t&header=x"},
		{"?url=" + escape(url) + "&token=theirs&api_key=too&fw_agent=de1", "X-API-Key: " + testKey, "/?token=theirs&api_key=too"},
		{"?url=" + escape(url) + "&fw_token=" + testKey + "&timeout=5&session=a&fw_other=1&fw_timeout=30", "", "/?timeout=5&session=a&fw_other=1"},
	} {
		var headers []string
		if tt.header != "" {
			headers = append(headers, tt.header)
		}
		p := w.open("/ws"+tt.query, headers...)
		if got := <-lines; got != "GET "+tt.want+" HTTP/1.1" {
			t.Errorf("%s became %q, want %s", tt.query, got, tt.want)
		}
		p.close(1000, "")
	}
	wantDetail(t, w.try("/ws?fw_url="+escape(url)+"&fw_session=a/b&fw_api_key="+testKey).resp, 400, "fw_session must be 1 to 64")
	wantDetail(t, w.try("/ws?fw_url="+escape(url)+"&fw_timeout=61&fw_api_key="+testKey).resp, 400, "fw_timeout must be at most 60 seconds")
	wantDetail(t, w.try("/ws?fw_url="+escape(url)+"&fw_url=x&fw_api_key="+testKey).resp, 400, "given twice")
}

func TestRelay_TLS_SaysWhatWasWrong(t *testing.T) {
	known := newAuthority(t)
	w := newWorld(t, func(o *farwire.Options) { o.RootCAs, o.AllowInsecure = known.pool, true })
	serve := func(change func(*tls.Config)) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: []tls.Certificate{known.certificate(t, time.Hour, "a.example", "b.example")}}
		change(config)
		serveTarget(t, tls.NewListener(ln, config), echo)
		return "wss://" + ln.Addr().String() + "/"
	}
	wants := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool() }
	for name, tt := range map[string]struct {
		url, more, want string
	}{
		"another name":            {serve(func(*tls.Config) {}), "", "certificate is not valid for 127.0.0.1, only for a.example, b.example"},
		"server_name":             {serve(func(*tls.Config) {}), `"server_name":"b.example"`, ""},
		"wrong server_name":       {serve(func(*tls.Config) {}), `"server_name":"c.example"`, "certificate is not valid for c.example"},
		"insecure":                {serve(func(*tls.Config) {}), `"insecure":true`, ""},
		"old versions":            {serve(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "", "protocol version"},
		"client certificate, 1.3": {serve(wants), `"server_name":"a.example"`, "certificate required"},
		"client certificate, 1.2": {serve(func(c *tls.Config) { wants(c); c.MaxVersion = tls.VersionTLS12 }), `"server_name":"a.example"`, "the target answered with the alert"},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.in(t).open("/ws")
			p.ask(tt.url, tt.more)
			if tt.want == "" {
				p.wantConnected()
				return
			}
			p.wantError(1011, "TLS: ")
		})
		if tt.want != "" {
			t.Run(name+", in words", func(t *testing.T) {
				p := w.in(t).open("/ws")
				p.ask(tt.url, tt.more)
				p.wantError(1011, tt.want)
			})
		}
	}
	t.Run("ca", func(t *testing.T) {
		other := newAuthority(t)
		ln := other.listen(t, time.Hour, "127.0.0.1")
		serveTarget(t, ln, echo)
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.cert.Raw}))
		w.in(t).connected("wss://"+ln.Addr().String()+"/", fmt.Sprintf(`"ca":%q`, text))
	})
}

func TestRelay_ProxyOfHTTPS_IsVerified(t *testing.T) {
	known := newAuthority(t)
	w := newWorld(t, func(o *farwire.Options) { o.RootCAs = known.pool })
	target := newTarget(t, echo)
	for name, names := range map[string]string{"its name": "127.0.0.1", "another": "proxy.example"} {
		t.Run(name, func(t *testing.T) {
			ln := known.listen(t, time.Hour, names)
			var serving sync.WaitGroup
			serving.Go(func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					serving.Go(func() { tunnelOnce(conn) })
				}
			})
			t.Cleanup(func() { ln.Close(); serving.Wait() })
			p := w.in(t).open("/ws")
			p.ask(target, fmt.Sprintf(`"proxy":"https://%s"`, ln.Addr()))
			if name == "its name" {
				p.wantConnected()
			} else {
				p.wantError(1011, "proxy: TLS: certificate is not valid for 127.0.0.1, only for proxy.example")
			}
		})
	}
}

// tunnelOnce is an HTTP proxy for one connection.
func tunnelOnce(conn net.Conn) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	up, err := net.Dial("tcp", req.RequestURI)
	if err != nil {
		return
	}
	defer up.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(up, br)
	io.Copy(conn, up)
}
