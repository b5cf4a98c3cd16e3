package farwire_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// What was given for one target goes on to the same scheme, host and port alone, and a
// redirect never leads out of TLS.
func TestRelay_RedirectToAnotherOrigin_GetsNothingThatWasGiven(t *testing.T) {
	const (
		plain = "ws://u:p@a.test/"
		given = `"follow_redirects":2,"headers":{"Host":"virtual.test","X-Own":"1"},"cookies":{"c":"1"},"subprotocols":["sub"]`
		kept  = "X-Own: 1\r\nAuthorization: Basic dTpw\r\nCookie: c=1\r\n"
	)
	for _, tt := range []struct {
		name, from, more, to string
		host, server         string // what the second target is asked for; no host: it is not asked
		kept                 bool
	}{
		{"same", plain, given, "/b", "virtual.test", "", true},
		{"same, spelled out", plain, given, "HTTP://A.test:80/b", "virtual.test", "", true},
		{"same, over TLS", "wss://u:p@a.test/", given + `,"server_name":"s.test"`, "https://a.test:443/b", "virtual.test", "s.test", true},
		{"host", plain, given, "ws://b.test/b", "b.test", "", false},
		{"port", plain, given, "ws://a.test:8080/b", "a.test:8080", "", false},
		{"scheme", plain, given, "wss://a.test/b", "a.test", "a.test", false},
		{"scheme on one port", "ws://u:p@a.test:443/", given, "wss://a.test/b", "a.test", "a.test", false},
		{"host with a password of its own", plain, given, "ws://x:y@b.test/b", "b.test", "", false},
		{"host over TLS", "wss://u:p@a.test/", given + `,"server_name":"s.test"`, "//b.test/b", "b.test", "b.test", false},
		{"port over TLS", "wss://u:p@a.test/", given + `,"server_name":"s.test"`, "wss://a.test:8443/b", "a.test:8443", "a.test", false},
		{"out of TLS", "wss://a.test/", given, "ws://a.test/b", "", "", false},
		{"out of TLS on one port", "wss://a.test/", given, "http://a.test:443/b", "", "", false},
		{"out of TLS to another host", "wss://a.test/", given, "ws://b.test/b", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known := newAuthority(t)
			asked := make(chan string, 4)
			answer := func(conn net.Conn, server string) {
				head, ok := readRawHead(conn)
				switch {
				case !ok:
				case strings.HasPrefix(head, "GET /b "):
					asked <- server + "|" + head
					answerUpgrade(conn, head, "Sec-WebSocket-Protocol: sub")
					echo(&peer{t: t, conn: conn, br: newReader(conn)})
				default:
					fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", tt.to)
				}
			}
			clear := harness.Conns(t, func(conn net.Conn) { answer(conn, "") }).Addr().String()
			config := &tls.Config{Certificates: []tls.Certificate{known.certificate(t, time.Hour, "a.test", "b.test", "s.test")}}
			secure := harness.Conns(t, func(conn net.Conn) {
				secured := tls.Server(conn, config)
				if secured.Handshake() == nil {
					answer(secured, secured.ConnectionState().ServerName)
				}
			}).Addr().String()
			dials := 0
			exit := agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				to := clear
				if dials++; dials == 1 && strings.HasPrefix(tt.from, "wss:") || dials > 1 && tt.server != "" {
					to = secure
				}
				return new(net.Dialer).DialContext(ctx, network, to)
			}}
			w := newWorld(t, func(o *farwire.Options) { o.RootCAs, o.Agents = known.pool, exit })
			p := w.open("/ws")
			p.ask(tt.from, tt.more)
			if tt.host == "" {
				p.wantError(1011, "it redirects from wss to ws")
				if len(asked) > 0 {
					t.Errorf("the second target was asked: %q", <-asked)
				}
				return
			}
			p.wantText(`{"type":"connected","status":101,"node_id":"` + testAgent + `","subprotocol":"sub"}`)
			server, head, _ := strings.Cut(<-asked, "|")
			begin := "GET /b HTTP/1.1\r\nHost: " + tt.host + "\r\nUpgrade: websocket\r\n"
			_, end, _ := strings.Cut(head, "Sec-WebSocket-Protocol: sub\r\n")
			if server != tt.server || !strings.HasPrefix(head, begin) || end != map[bool]string{true: kept}[tt.kept] {
				t.Errorf("server name %q, want %q; head %q, want it to begin with %q and to end with what was given: %v", server, tt.server, head, begin, tt.kept)
			}
		})
	}
}

// As many redirects are followed as were asked for, and no more.
func TestRelay_RedirectsWithoutEnd_AreFollowedAsOftenAsAsked(t *testing.T) {
	asked := make(chan string, 16)
	target := newRawTarget(t, func(conn net.Conn, head string) {
		asked <- head
		fmt.Fprintf(conn, "HTTP/1.1 307 x\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n", len(asked))
	})
	w := newWorld(t)
	for n := range 6 {
		p := w.open("/ws")
		p.ask(target, fmt.Sprintf(`"follow_redirects":%d`, n))
		p.wantError(1011, "target answered the upgrade with 307")
		if len(asked) != n+1 {
			t.Errorf("follow_redirects %d: the target was asked %d times", n, len(asked))
		}
		for len(asked) > 0 {
			<-asked
		}
	}
}

// An answer without a Content-Type comes without one: what the gateway guessed would be the
// target's word, and nosniff forbids a browser the same guess.
func TestRelay_TargetRefusedWithoutType_NoneIsGuessed(t *testing.T) {
	w, paths := newWorld(t), newPathWorld(t, http.NotFoundHandler())
	for name, body := range map[string]string{"page": "<!DOCTYPE html><script>1</script>", "text": "no", "bytes": "\x89PNG\r\n\x1a\n", "empty": ""} {
		target := answering(t, fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		for form, p := range map[string]*peer{
			"direct": w.try("/ws?url=" + escape(target) + "&api_key=" + testKey),
			"path":   paths.try("/to/key=" + testKey + "/ws/" + strings.TrimPrefix(target, "ws://")),
		} {
			got, err := io.ReadAll(p.resp.Body)
			if types := p.resp.Header.Values("Content-Type"); err != nil || p.resp.StatusCode != 403 || string(got) != body || len(types) > 0 {
				t.Errorf("%s, %s form: %d, body %q, Content-Type %q, %v", name, form, p.resp.StatusCode, got, types, err)
			}
		}
	}
}
